from typing import Any

from botocore.credentials import Credentials
from botocore.hooks import BaseEventHooks
from botocore.model import ServiceId

class RequestSigner:
    _credentials: Credentials | None
    def __init__(
        self,
        service_id: ServiceId,
        region_name: str,
        signing_name: str,
        signature_version: str,
        credentials: Credentials | None,
        event_emitter: BaseEventHooks,
        auth_token: Any = None,
    ) -> None: ...
    @property
    def region_name(self) -> str: ...
    @property
    def signature_version(self) -> str: ...
    @property
    def signing_name(self) -> str: ...
