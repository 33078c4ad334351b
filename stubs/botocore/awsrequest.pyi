from collections.abc import Iterator, Mapping, MutableMapping
from http.client import HTTPMessage
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

class AWSConnection:
    # A mixin of urllib3's connections: it takes what they take.
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def close(self) -> None: ...
    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, *args: Any, **kwargs: Any
    ) -> None: ...
    def send(self, str: Any) -> None: ...

class AWSHTTPConnection(AWSConnection, HTTPConnection): ...
class AWSHTTPSConnection(AWSConnection, HTTPSConnection): ...

class AWSHTTPConnectionPool(HTTPConnectionPool):
    ConnectionCls: type[AWSHTTPConnection]

class AWSHTTPSConnectionPool(HTTPSConnectionPool):
    ConnectionCls: type[AWSHTTPSConnection]

class HeadersDict(MutableMapping[str, Any]):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __setitem__(self, key: str, value: Any) -> None: ...
    def __getitem__(self, key: str) -> Any: ...
    def __delitem__(self, key: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def copy(self) -> HeadersDict: ...

class AWSRequest:
    method: str
    url: str
    headers: HTTPMessage
    data: Any
    params: Mapping[str, str]
    auth_path: str | None
    stream_output: bool
    context: dict[str, Any]
    def __init__(
        self,
        method: str | None = None,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        params: Mapping[str, str] | None = None,
        auth_path: str | None = None,
        stream_output: bool = False,
    ) -> None: ...
    def prepare(self) -> AWSPreparedRequest: ...
    @property
    def body(self) -> Any: ...

# No __init__: later than 1.42.1 it has one more parameter (stubs/allowlist.txt).
class AWSPreparedRequest:
    method: str
    url: str
    headers: HeadersDict
    body: Any
    stream_output: bool
    def reset_stream(self) -> None: ...

class AWSResponse:
    url: str
    status_code: int
    headers: HeadersDict
    raw: Any
    def __init__(self, url: str, status_code: int, headers: Mapping[str, str], raw: Any) -> None: ...
    @property
    def content(self) -> bytes: ...
    @property
    def text(self) -> str: ...
