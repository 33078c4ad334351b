"""A typed client for invoking AWS Lambda functions that never runs them twice by accident.

Heavy things (boto3, asyncio) are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lambda_invoke.client import LambdaClient
from lambda_invoke.core.cancelled import cancelled_call, cancelled_redrive, cancelled_report
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
    EventDroppedError,
    EventOutcomeUnknownError,
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
    JournalError,
    LambdaInvokeError,
    LambdaInvokeWarning,
    NotSentError,
    OutcomeUnknownError,
    PayloadDecodingError,
    PayloadEncodingError,
    PayloadTooLargeError,
    QueueError,
    QuotaExceededError,
    RecursiveInvocationError,
    RedriveError,
    RedriveInterrupted,
    RequestError,
    RequestTooLargeError,
    ResponseTimeoutError,
    ServiceError,
    ServiceFaultError,
    ThrottledError,
    TruncatedResponseError,
)
from lambda_invoke.function import AsyncLambdaFunction, LambdaFunction
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
    from lambda_invoke.aio import AsyncLambdaClient
    from lambda_invoke.events.aio_tracker import AsyncOutcomeTracker
    from lambda_invoke.events.handle import AsyncEventHandle, EventHandle
    from lambda_invoke.events.outcome import BatchFailure, EventOutcome, UnreadableRecord
    from lambda_invoke.events.records import read_record, read_records
    from lambda_invoke.events.redrive_plan import RedriveGroup, RedrivePlan
    from lambda_invoke.events.redrive_report import RedriveEnd, RedrivenMessage, RedriveReport
    from lambda_invoke.events.tracker import OutcomeTracker
    from lambda_invoke.events.tracker_check import OutcomeRoute
    from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
    from lambda_invoke.fanout.cost import CostEstimate, Prices
    from lambda_invoke.fanout.journaled import Journal
    from lambda_invoke.fanout.mapping import MapIterator
    from lambda_invoke.fanout.progress import Progress
    from lambda_invoke.fanout.quantiles import Quantiles
    from lambda_invoke.fanout.report import CompletionReason, FanOutReport
    from lambda_invoke.fanout.tally import MemoryUse
    from lambda_invoke.fanout.timeline import TimelineBucket

_LAZY = {
    "AsyncEventHandle": "lambda_invoke.events.handle",
    "AsyncLambdaClient": "lambda_invoke.aio",
    "AsyncMapIterator": "lambda_invoke.fanout.aio_mapping",
    "AsyncOutcomeTracker": "lambda_invoke.events.aio_tracker",
    "BatchFailure": "lambda_invoke.events.outcome",
    "CompletionReason": "lambda_invoke.fanout.report",
    "CostEstimate": "lambda_invoke.fanout.cost",
    "EventHandle": "lambda_invoke.events.handle",
    "EventOutcome": "lambda_invoke.events.outcome",
    "FanOutReport": "lambda_invoke.fanout.report",
    "Journal": "lambda_invoke.fanout.journaled",
    "MapIterator": "lambda_invoke.fanout.mapping",
    "MemoryUse": "lambda_invoke.fanout.tally",
    "OutcomeRoute": "lambda_invoke.events.tracker_check",
    "OutcomeTracker": "lambda_invoke.events.tracker",
    "Prices": "lambda_invoke.fanout.cost",
    "Progress": "lambda_invoke.fanout.progress",
    "Quantiles": "lambda_invoke.fanout.quantiles",
    "RedriveEnd": "lambda_invoke.events.redrive_report",
    "RedriveGroup": "lambda_invoke.events.redrive_plan",
    "RedrivePlan": "lambda_invoke.events.redrive_plan",
    "RedriveReport": "lambda_invoke.events.redrive_report",
    "RedrivenMessage": "lambda_invoke.events.redrive_report",
    "TimelineBucket": "lambda_invoke.fanout.timeline",
    "UnreadableRecord": "lambda_invoke.events.outcome",
    "read_record": "lambda_invoke.events.records",
    "read_records": "lambda_invoke.events.records",
}

__all__ = [
    "NO_PAYLOAD",
    "AbandonedError",
    "Accepted",
    "AccessDeniedError",
    "Alias",
    "Answer",
    "AsyncEventHandle",
    "AsyncLambdaClient",
    "AsyncLambdaFunction",
    "AsyncMapIterator",
    "AsyncOutcomeTracker",
    "AsyncTransport",
    "Attempt",
    "BatchFailure",
    "Clock",
    "CompletionReason",
    "ConcurrencyLimitedWarning",
    "ConnectError",
    "ConnectionLostError",
    "CostEstimate",
    "CredentialsError",
    "DeadlineExceededError",
    "DoubleEncodedPayloadWarning",
    "DryRun",
    "DurableExecutionConflictError",
    "EventDroppedError",
    "EventHandle",
    "EventOutcome",
    "EventOutcomeUnknownError",
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
    "Journal",
    "JournalError",
    "LambdaClient",
    "LambdaFunction",
    "LambdaInvokeError",
    "LambdaInvokeWarning",
    "Limits",
    "LogTail",
    "MapIterator",
    "MemoryUse",
    "NotSentError",
    "Outcome",
    "OutcomeRoute",
    "OutcomeTracker",
    "OutcomeUnknownError",
    "PayloadDecodingError",
    "PayloadEncodingError",
    "PayloadTooLargeError",
    "Prices",
    "Progress",
    "Quantiles",
    "QueueError",
    "QuotaExceededError",
    "RecursiveInvocationError",
    "RedriveEnd",
    "RedriveError",
    "RedriveGroup",
    "RedriveInterrupted",
    "RedrivePlan",
    "RedriveReport",
    "RedrivenMessage",
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
    "TimelineBucket",
    "Transport",
    "TruncatedResponseError",
    "UnreadableRecord",
    "cancelled_call",
    "cancelled_redrive",
    "cancelled_report",
    "read_record",
    "read_records",
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
