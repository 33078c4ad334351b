from collections.abc import Mapping
from typing import Any, ClassVar

class Config:
    OPTION_DEFAULTS: ClassVar[dict[str, Any]]
    region_name: str | None
    signature_version: Any
    user_agent: str | None
    user_agent_extra: str | None
    user_agent_appid: str | None
    connect_timeout: float
    read_timeout: float
    parameter_validation: bool
    max_pool_connections: int
    proxies: Mapping[str, str] | None
    proxies_config: Mapping[str, Any] | None
    retries: Mapping[str, Any] | None
    client_cert: str | tuple[str, str] | None
    defaults_mode: str | None
    tcp_keepalive: bool | None
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def merge(self, other_config: Config) -> Config: ...
