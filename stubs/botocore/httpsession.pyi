from collections.abc import Mapping, Sequence
from ssl import SSLContext
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool
from urllib3.poolmanager import PoolManager, ProxyManager
from urllib3.util.timeout import Timeout

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

DEFAULT_TIMEOUT: int
MAX_POOL_CONNECTIONS: int

def get_cert_path(verify: bool | str) -> str: ...
def create_urllib3_context(
    ssl_version: int | None = None,
    cert_reqs: int | None = None,
    options: int | None = None,
    ciphers: str | None = None,
) -> SSLContext: ...

class ProxyConfiguration:
    _proxies: dict[str, str]
    def __init__(
        self, proxies: Mapping[str, str] | None = None, proxies_settings: Mapping[str, Any] | None = None
    ) -> None: ...
    def proxy_url_for(self, url: str) -> str | None: ...
    def proxy_headers_for(self, proxy_url: str) -> dict[str, str]: ...
    @property
    def settings(self) -> dict[str, Any]: ...

class URLLib3Session:
    _verify: bool | str
    _proxy_config: ProxyConfiguration
    _pool_classes_by_scheme: dict[str, type[HTTPConnectionPool]]
    _timeout: float | Timeout
    _max_pool_connections: int
    _socket_options: Sequence[tuple[int, int, int | bytes]]
    _cert_file: str | None
    _key_file: str | None
    _manager: PoolManager
    _proxy_managers: dict[str, ProxyManager]
    def __init__(
        self,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        timeout: float | Sequence[float | None] | None = None,
        max_pool_connections: int = 10,
        socket_options: Sequence[tuple[int, int, int | bytes]] | None = None,
        client_cert: str | tuple[str | None, str | None] | None = None,
        proxies_config: Mapping[str, Any] | None = None,
    ) -> None: ...
    def _get_pool_manager_kwargs(self, **extra_kwargs: Any) -> dict[str, Any]: ...
    def _get_ssl_context(self) -> SSLContext: ...
    def _setup_ssl_cert(self, conn: HTTPConnectionPool, url: str, verify: bool | str) -> None: ...
    def close(self) -> None: ...
    def send(self, request: AWSPreparedRequest) -> AWSResponse: ...
