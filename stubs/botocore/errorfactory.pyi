from typing import Any

from botocore.exceptions import ClientError as _ClientError

class BaseClientExceptions:
    ClientError: type[_ClientError]
    def __init__(self, code_to_exception: dict[str, type[_ClientError]]) -> None: ...
    def from_code(self, error_code: str | None) -> type[_ClientError]: ...
    # The service's own exceptions are made at run time from its model.
    def __getattr__(self, name: str) -> Any: ...
