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
    BatchError,
    BatchItemError,
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
    IdempotencyError,
    IdempotencyStoreError,
    IdempotencyWarning,
    InvalidRequestError,
    InvalidTargetError,
    InvocationModeError,
    JournalError,
    KeyConflictError,
    KeyInProgressError,
    KeyOutcomeUnknownError,
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
    ResultNotStoredError,
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
    from lambda_invoke.doctor.findings import Diagnosis, Finding, Severity
    from lambda_invoke.events.aio_tracker import AsyncOutcomeTracker
    from lambda_invoke.events.config import UNCHANGED, EventConfig
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
    from lambda_invoke.once.places import DynamoDBTable
    from lambda_invoke.once.results import OnceResult
    from lambda_invoke.once.sqlite import SqlitePersistenceLayer
    from lambda_invoke.sources.dynamodb import DynamoDBChange, DynamoDBSource
    from lambda_invoke.sources.kinesis import KinesisRecord, KinesisSource
    from lambda_invoke.sources.mapping import EventSourceMapping
    from lambda_invoke.sources.report import BatchRecord, BatchReport, Delivery
    from lambda_invoke.sources.sqs import SqsMessage, SqsSource

_LAZY = {
    "AsyncEventHandle": "lambda_invoke.events.handle",
    "AsyncLambdaClient": "lambda_invoke.aio",
    "AsyncMapIterator": "lambda_invoke.fanout.aio_mapping",
    "AsyncOutcomeTracker": "lambda_invoke.events.aio_tracker",
    "BatchFailure": "lambda_invoke.events.outcome",
    "BatchRecord": "lambda_invoke.sources.report",
    "BatchReport": "lambda_invoke.sources.report",
    "CompletionReason": "lambda_invoke.fanout.report",
    "CostEstimate": "lambda_invoke.fanout.cost",
    "Delivery": "lambda_invoke.sources.report",
    "Diagnosis": "lambda_invoke.doctor.findings",
    "DynamoDBChange": "lambda_invoke.sources.dynamodb",
    "DynamoDBSource": "lambda_invoke.sources.dynamodb",
    "DynamoDBTable": "lambda_invoke.once.places",
    "EventConfig": "lambda_invoke.events.config",
    "EventHandle": "lambda_invoke.events.handle",
    "EventOutcome": "lambda_invoke.events.outcome",
    "EventSourceMapping": "lambda_invoke.sources.mapping",
    "FanOutReport": "lambda_invoke.fanout.report",
    "Finding": "lambda_invoke.doctor.findings",
    "Journal": "lambda_invoke.fanout.journaled",
    "KinesisRecord": "lambda_invoke.sources.kinesis",
    "KinesisSource": "lambda_invoke.sources.kinesis",
    "MapIterator": "lambda_invoke.fanout.mapping",
    "MemoryUse": "lambda_invoke.fanout.tally",
    "OnceResult": "lambda_invoke.once.results",
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
    "Severity": "lambda_invoke.doctor.findings",
    "SqlitePersistenceLayer": "lambda_invoke.once.sqlite",
    "SqsMessage": "lambda_invoke.sources.sqs",
    "SqsSource": "lambda_invoke.sources.sqs",
    "TimelineBucket": "lambda_invoke.fanout.timeline",
    "UNCHANGED": "lambda_invoke.events.config",
    "UnreadableRecord": "lambda_invoke.events.outcome",
    "read_record": "lambda_invoke.events.records",
    "read_records": "lambda_invoke.events.records",
}

__all__ = [
    "NO_PAYLOAD",
    "UNCHANGED",
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
    "BatchError",
    "BatchFailure",
    "BatchItemError",
    "BatchRecord",
    "BatchReport",
    "Clock",
    "CompletionReason",
    "ConcurrencyLimitedWarning",
    "ConnectError",
    "ConnectionLostError",
    "CostEstimate",
    "CredentialsError",
    "DeadlineExceededError",
    "Delivery",
    "Diagnosis",
    "DoubleEncodedPayloadWarning",
    "DryRun",
    "DurableExecutionConflictError",
    "DynamoDBChange",
    "DynamoDBSource",
    "DynamoDBTable",
    "EventConfig",
    "EventDroppedError",
    "EventHandle",
    "EventOutcome",
    "EventOutcomeUnknownError",
    "EventSourceMapping",
    "Executed",
    "Failure",
    "FailureKind",
    "FanOutError",
    "FanOutInterrupted",
    "FanOutReport",
    "Finding",
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
    "IdempotencyError",
    "IdempotencyStoreError",
    "IdempotencyWarning",
    "InvalidRequestError",
    "InvalidTargetError",
    "Invocation",
    "InvocationModeError",
    "InvocationType",
    "Journal",
    "JournalError",
    "KeyConflictError",
    "KeyInProgressError",
    "KeyOutcomeUnknownError",
    "KinesisRecord",
    "KinesisSource",
    "LambdaClient",
    "LambdaFunction",
    "LambdaInvokeError",
    "LambdaInvokeWarning",
    "Limits",
    "LogTail",
    "MapIterator",
    "MemoryUse",
    "NotSentError",
    "OnceResult",
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
    "ResultNotStoredError",
    "RetryBudget",
    "RetryPolicy",
    "ServiceError",
    "ServiceFaultError",
    "Severity",
    "SqlitePersistenceLayer",
    "SqsMessage",
    "SqsSource",
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
