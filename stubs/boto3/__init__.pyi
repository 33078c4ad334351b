# Narrow stubs: what the package and its tests use, no more. stubtest holds them to boto3.
from typing import Any

from botocore.client import BaseClient

from boto3.session import Session as Session

DEFAULT_SESSION: Session | None

def setup_default_session(**kwargs: Any) -> None: ...
def client(*args: Any, **kwargs: Any) -> BaseClient: ...
