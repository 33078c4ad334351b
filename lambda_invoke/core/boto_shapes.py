"""What botocore's parsed answers say, in our terms. Works on plain mappings; no botocore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_invoke.core.service_errors import retry_after_seconds
from lambda_invoke.core.transport import Refusal, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

_OK = 200


def reply_of(response: Mapping[str, Any], body: bytes) -> Reply:
    """The Reply that a parsed Invoke answer and its payload say."""
    metadata = response.get("ResponseMetadata", {})
    return Reply(
        status_code=response.get("StatusCode") or metadata.get("HTTPStatusCode", _OK),
        body=body,
        request_id=metadata.get("RequestId"),
        executed_version=response.get("ExecutedVersion"),
        function_error=response.get("FunctionError"),
        log_result=response.get("LogResult"),
        durable_execution_arn=response.get("DurableExecutionArn"),
    )


def refusal_of(response: Mapping[str, Any]) -> Refusal:
    """The Refusal that the ``response`` of a botocore ClientError says."""
    error = response.get("Error", {})
    metadata = response.get("ResponseMetadata", {})
    retry_after = retry_after_seconds(metadata.get("HTTPHeaders", {}))
    if retry_after is None and response.get("retryAfterSeconds") is not None:
        retry_after = retry_after_seconds({"retry-after": str(response["retryAfterSeconds"])})
    return Refusal(
        status_code=metadata.get("HTTPStatusCode", 0),
        code=str(error.get("Code", "Unknown")),
        message=str(error.get("Message") or response.get("message") or response.get("Message") or ""),
        request_id=metadata.get("RequestId"),
        reason=response.get("Reason"),
        retry_after=retry_after,
    )
