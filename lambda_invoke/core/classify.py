"""From what a transport brought to the error that a caller sees."""

from __future__ import annotations

from lambda_invoke.core.service_errors import build_service_error
from lambda_invoke.core.transport import Failure, FailureKind, InvocationType, Refusal, Request
from lambda_invoke.errors import (
    ConnectError,
    ConnectionLostError,
    CredentialsError,
    DeadlineExceededError,
    Executed,
    LambdaInvokeError,
    RequestError,
    ResponseTimeoutError,
    TruncatedResponseError,
)

_FAILURES: dict[FailureKind, type[LambdaInvokeError]] = {
    FailureKind.QUEUE: DeadlineExceededError,
    FailureKind.CONNECT: ConnectError,
    FailureKind.CREDENTIALS: CredentialsError,
    FailureKind.REQUEST: RequestError,
    FailureKind.TIMEOUT: ResponseTimeoutError,
    FailureKind.LOST: ConnectionLostError,
    FailureKind.TRUNCATED: TruncatedResponseError,
}


def classify(answer: Refusal | Failure, request: Request) -> LambdaInvokeError:
    """The error for an answer that brought no result."""
    error = _error(answer, request)
    if request.invocation_type is InvocationType.DRY_RUN:
        error.executed = Executed.NO  # whatever became of it, a dry run runs nothing
    return error


def _error(answer: Refusal | Failure, request: Request) -> LambdaInvokeError:
    if isinstance(answer, Refusal):
        return build_service_error(answer, function=request.display)
    kind = _FAILURES[answer.kind]
    if answer.executed is Executed.NO and kind in _NOT_SENT_AFTER_ALL:
        # Whatever it looked like, no byte was written: that is a connection that was not had.
        kind = ConnectError
    error = kind(answer.message, function=request.display, executed=answer.executed)
    error.__cause__ = answer.cause
    return error


_NOT_SENT_AFTER_ALL = (ResponseTimeoutError, ConnectionLostError, TruncatedResponseError)
