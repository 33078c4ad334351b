from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.hooks import BaseEventHooks
from botocore.httpsession import URLLib3Session
from botocore.model import OperationModel

class Endpoint:
    host: str
    http_session: URLLib3Session
    def __init__(
        self,
        host: str,
        endpoint_prefix: str,
        event_emitter: BaseEventHooks,
        response_parser_factory: Any = None,
        http_session: URLLib3Session | None = None,
    ) -> None: ...
    def close(self) -> None: ...
    def make_request(
        self, operation_model: OperationModel, request_dict: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]: ...
    def create_request(
        self, params: Mapping[str, Any], operation_model: OperationModel | None = None
    ) -> AWSPreparedRequest: ...
    def prepare_request(self, request: AWSRequest) -> AWSPreparedRequest: ...
