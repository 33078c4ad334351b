from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.hooks import BaseEventHooks
from botocore.session import Session as BotocoreSession

class Session:
    _session: BotocoreSession
    def __init__(
        self,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        region_name: str | None = None,
        botocore_session: BotocoreSession | None = None,
        profile_name: str | None = None,
        aws_account_id: str | None = None,
    ) -> None: ...
    @property
    def profile_name(self) -> str: ...
    @property
    def region_name(self) -> str | None: ...
    @property
    def events(self) -> BaseEventHooks: ...
    @property
    def available_profiles(self) -> list[str]: ...
    def get_credentials(self) -> Credentials | None: ...
    def client(
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
