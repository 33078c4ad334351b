from collections.abc import Callable
from typing import Any

from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.hooks import BaseEventHooks
from botocore.model import ServiceModel

class Session:
    def __init__(
        self,
        session_vars: dict[str, Any] | None = None,
        event_hooks: BaseEventHooks | None = None,
        include_builtin_handlers: bool = True,
        profile: str | None = None,
    ) -> None: ...
    @property
    def available_profiles(self) -> list[str]: ...
    @property
    def profile(self) -> str | None: ...
    @property
    def full_config(self) -> dict[str, Any]: ...
    def get_config_variable(self, logical_name: str, methods: tuple[str, ...] | None = None) -> Any: ...
    def set_config_variable(self, logical_name: str, value: Any) -> None: ...
    def get_scoped_config(self) -> dict[str, Any]: ...
    def get_default_client_config(self) -> Config | None: ...
    def set_default_client_config(self, client_config: Config) -> None: ...
    def set_credentials(
        self, access_key: str, secret_key: str, token: str | None = None, account_id: str | None = None
    ) -> None: ...
    def get_credentials(self) -> Credentials | None: ...
    def user_agent(self) -> str: ...
    def get_service_model(self, service_name: str, api_version: str | None = None) -> ServiceModel: ...
    def get_component(self, name: str) -> Any: ...
    def register_component(self, name: str, component: Any) -> None: ...
    def register(
        self,
        event_name: str,
        handler: Callable[..., Any],
        unique_id: str | None = None,
        unique_id_uses_count: bool = False,
    ) -> None: ...
    def unregister(
        self,
        event_name: str,
        handler: Callable[..., Any] | None = None,
        unique_id: str | None = None,
        unique_id_uses_count: bool = False,
    ) -> None: ...
    def create_client(
        self,
        service_name: str,
        region_name: str | None = None,
        api_version: str | None = None,
        use_ssl: bool | None = True,
        verify: bool | str | None = None,
        endpoint_url: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        config: Config | None = None,
        aws_account_id: str | None = None,
    ) -> BaseClient: ...

def get_session(env_vars: dict[str, Any] | None = None) -> Session: ...
