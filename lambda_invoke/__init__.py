"""A typed client for invoking AWS Lambda functions that never runs them twice by accident.

Heavy things (boto3, asyncio) are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lambda_invoke.client import LambdaClient
from lambda_invoke.core.codec import NO_PAYLOAD, Limits
from lambda_invoke.core.retry import FullJitter, RetryBudget, RetryPolicy
from lambda_invoke.core.transport import (
    Answer,
    AsyncTransport,
    Failure,
    FailureKind,
    InvocationType,
    Refusal,
    Reply,
    Request,
    Transport,
)
from lambda_invoke.errors import (
    AbandonedError,
    AccessDeniedError,
    ConcurrencyLimitedWarning,
    ConnectError,
    ConnectionLostError,
    CredentialsError,
    DeadlineExceededError,
    DoubleEncodedPayloadWarning,
    DurableExecutionConflictError,
    Executed,
    FanOutError,
    FanOutInterrupted,
    FunctionConfigurationError,
    FunctionError,
    FunctionExitError,
    FunctionInitError,
    FunctionNotFoundError,
    FunctionNotReadyError,
    FunctionOutOfMemoryError,
    FunctionResponseError,
    FunctionTimeoutError,
    HandlerError,
    InvalidRequestError,
    InvalidTargetError,
    InvocationModeError,
    LambdaInvokeError,
    LambdaInvokeWarning,
    NotSentError,
    OutcomeUnknownError,
    PayloadDecodingError,
    PayloadEncodingError,
    PayloadTooLargeError,
    QuotaExceededError,
    RecursiveInvocationError,
    RequestError,
    RequestTooLargeError,
    ResponseTimeoutError,
    ServiceError,
    ServiceFaultError,
    ThrottledError,
    TruncatedResponseError,
)
from lambda_invoke.function import LambdaFunction
from lambda_invoke.results import (
    Accepted,
    Alias,
    Attempt,
    DryRun,
    FunctionConfiguration,
    Invocation,
    LogTail,
    Outcome,
    RemoteError,
    Report,
    StackFrame,
)
from lambda_invoke.transports.drive import Clock

if TYPE_CHECKING:
    from lambda_invoke.fanout.mapping import MapIterator
    from lambda_invoke.fanout.progress import Progress
    from lambda_invoke.fanout.report import CompletionReason, FanOutReport

_LAZY = {
    "CompletionReason": "lambda_invoke.fanout.report",
    "FanOutReport": "lambda_invoke.fanout.report",
    "MapIterator": "lambda_invoke.fanout.mapping",
    "Progress": "lambda_invoke.fanout.progress",
}

__all__ = [
    "NO_PAYLOAD",
    "AbandonedError",
    "Accepted",
    "AccessDeniedError",
    "Alias",
    "Answer",
    "AsyncTransport",
    "Attempt",
    "Clock",
    "CompletionReason",
    "ConcurrencyLimitedWarning",
    "ConnectError",
    "ConnectionLostError",
    "CredentialsError",
    "DeadlineExceededError",
    "DoubleEncodedPayloadWarning",
    "DryRun",
    "DurableExecutionConflictError",
    "Executed",
    "Failure",
    "FailureKind",
    "FanOutError",
    "FanOutInterrupted",
    "FanOutReport",
    "FullJitter",
    "FunctionConfiguration",
    "FunctionConfigurationError",
    "FunctionError",
    "FunctionExitError",
    "FunctionInitError",
    "FunctionNotFoundError",
    "FunctionNotReadyError",
    "FunctionOutOfMemoryError",
    "FunctionResponseError",
    "FunctionTimeoutError",
    "HandlerError",
    "InvalidRequestError",
    "InvalidTargetError",
    "Invocation",
    "InvocationModeError",
    "InvocationType",
    "LambdaClient",
    "LambdaFunction",
    "LambdaInvokeError",
    "LambdaInvokeWarning",
    "Limits",
    "LogTail",
    "MapIterator",
    "NotSentError",
    "Outcome",
    "OutcomeUnknownError",
    "PayloadDecodingError",
    "PayloadEncodingError",
    "PayloadTooLargeError",
    "Progress",
    "QuotaExceededError",
    "RecursiveInvocationError",
    "Refusal",
    "RemoteError",
    "Reply",
    "Report",
    "Request",
    "RequestError",
    "RequestTooLargeError",
    "ResponseTimeoutError",
    "RetryBudget",
    "RetryPolicy",
    "ServiceError",
    "ServiceFaultError",
    "StackFrame",
    "ThrottledError",
    "Transport",
    "TruncatedResponseError",
]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
