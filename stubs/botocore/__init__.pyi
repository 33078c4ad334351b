# Narrow stubs: what the package and its tests use, no more. stubtest holds them to botocore.
from typing import Any

__version__: str

# The marker that tells botocore to sign nothing.
UNSIGNED: Any
