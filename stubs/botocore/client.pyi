from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.endpoint import Endpoint
from botocore.errorfactory import BaseClientExceptions
from botocore.hooks import BaseEventHooks, EventAliaser
from botocore.model import ServiceModel
from botocore.paginate import Paginator
from botocore.signers import RequestSigner
from botocore.waiter import Waiter

class BaseClient:
    meta: ClientMeta
    _endpoint: Endpoint
    _request_signer: RequestSigner
    def __init__(
        self,
        serializer: Any,
        endpoint: Endpoint,
        response_parser: Any,
        event_emitter: BaseEventHooks,
        request_signer: RequestSigner,
        service_model: ServiceModel,
        loader: Any,
        client_config: Config,
        partition: str,
        exceptions_factory: Any,
        endpoint_ruleset_resolver: Any = None,
        user_agent_creator: Any = None,
    ) -> None: ...
    # Operations are made at run time from the service model.
    def __getattr__(self, item: str) -> Any: ...
    def close(self) -> None: ...
    def get_paginator(self, operation_name: str) -> Paginator: ...
    def can_paginate(self, operation_name: str) -> bool: ...
    def get_waiter(self, waiter_name: str) -> Waiter: ...
    waiter_names: list[str]
    @property
    def exceptions(self) -> BaseClientExceptions: ...
    def _make_api_call(self, operation_name: str, api_params: Mapping[str, Any]) -> dict[str, Any]: ...
    def _get_credentials(self) -> Credentials | None: ...

class ClientMeta:
    events: EventAliaser
    def __init__(
        self,
        events: EventAliaser,
        client_config: Config,
        endpoint_url: str,
        service_model: ServiceModel,
        method_to_api_mapping: dict[str, str],
        partition: str,
    ) -> None: ...
    @property
    def service_model(self) -> ServiceModel: ...
    @property
    def region_name(self) -> str: ...
    @property
    def endpoint_url(self) -> str: ...
    @property
    def config(self) -> Config: ...
    @property
    def method_to_api_mapping(self) -> dict[str, str]: ...
    @property
    def partition(self) -> str: ...
