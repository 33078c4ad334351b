"""What calls raise.

Every error says whether the function ran (``executed``), and carries ``function``, ``request_id``
and ``attempts``. Only an error whose ``executed`` is ``NO`` is ever retried, unless the caller
declares the call idempotent.

::

    LambdaInvokeError
    ├── RequestError                        NO       nothing was sent
    │   ├── InvalidTargetError                       a bad function name, ARN or qualifier
    │   ├── PayloadEncodingError                     the payload is not JSON; .path says where
    │   └── PayloadTooLargeError                     .size_bytes is over .limit_bytes
    ├── ConnectError                        NO       no connection: refused, DNS, TLS
    │   └── CredentialsError                         no credentials, or they could not be loaded
    ├── ServiceError                        NO       Lambda refused: .code .status_code .message
    │   ├── ThrottledError                           429: .reason .retry_after
    │   ├── FunctionNotReadyError                    not ready yet; try later
    │   ├── FunctionNotFoundError                    no such function, version or alias
    │   ├── AccessDeniedError                        not allowed, or the credentials are bad
    │   ├── RecursiveInvocationError                 Lambda's loop detection stopped it
    │   ├── InvalidRequestError                      the service did not accept the request
    │   │   └── RequestTooLargeError                 the service says: too large
    │   ├── FunctionConfigurationError               the function cannot start until it is mended
    │   ├── QuotaExceededError                       an account quota other than concurrency
    │   ├── InvocationModeError                      the function does not support this mode
    │   ├── DurableExecutionConflictError            that execution name runs another payload
    │   └── ServiceFaultError               UNKNOWN  500s and every code that nobody listed
    ├── OutcomeUnknownError                 UNKNOWN  sent, and no whole reply came
    │   ├── ResponseTimeoutError                     no whole reply within the timeout
    │   ├── ConnectionLostError                      the connection broke before the reply
    │   ├── TruncatedResponseError                   the reply broke off
    │   ├── EventOutcomeUnknownError                 no record of an Event came: .accepted_at .waited
    │   └── AbandonedError                           given up by the caller while in flight
    ├── EventDroppedError                   UNKNOWN  Lambda gave an Event up; NO where it never tried it
    ├── NotSentError                        NO       a fan-out ended before the item was sent
    ├── FunctionError                       YES      the function ran (or began to) and failed
    │   ├── HandlerError                             the handler raised
    │   ├── FunctionTimeoutError                     the function's own timeout passed
    │   ├── FunctionOutOfMemoryError                 it was killed for its memory
    │   ├── FunctionExitError                        its process exited or crashed
    │   ├── FunctionInitError                        it failed before the handler was called
    │   └── FunctionResponseError                    its reply was too large or not JSON
    ├── PayloadDecodingError                YES      it ran; the reply is not what was asked for
    ├── BatchItemError                      YES      a record of a batch failed: the reply says so
    ├── BatchError                          as of its records: a batch's raise_for_failures()
    ├── DeadlineExceededError               as of the last attempt
    ├── JournalError                        NO       a fan-out's journal cannot be written any more
    ├── IdempotencyError                    NO       ``once`` sent nothing, because of its key
    │   ├── KeyInProgressError                       another call holds the key: .locked_until
    │   │   └── KeyOutcomeUnknownError      UNKNOWN  and nobody knows whether its function ran
    │   ├── KeyConflictError                         the key was used with another payload
    │   ├── ResultNotStoredError            YES      it ran before; its result could not be stored
    │   └── IdempotencyStoreError                    the store of keys cannot be read or written
    ├── QueueError                          NO       a queue of outcomes or dead letters: .code .queue_url
    ├── RedriveError                        as of its failures: raise_for_failures() of a redrive
    └── FanOutError                         as of its failures: raise_for_failures()

    KeyboardInterrupt
    ├── FanOutInterrupted                            Ctrl-C in fan_out: .report
    └── RedriveInterrupted                           Ctrl-C in redrive: .report
"""

from __future__ import annotations

import enum
import pickle
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from lambda_invoke.events.redrive_report import RedriveReport
    from lambda_invoke.fanout.report import FanOutReport
    from lambda_invoke.results import Attempt, LogTail, RemoteError, StackFrame
    from lambda_invoke.sources.report import BatchReport


class Executed(enum.Enum):
    """Whether the function ran, as far as the caller can know."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return f"Executed.{self.name}"


class UnpicklableCauseError(Exception):
    """Stands for a cause that could not be pickled; its text is the cause's ``repr``."""


def _picklable(cause: BaseException | None) -> BaseException | None:
    """The cause itself if it survives pickling, else its description."""
    if cause is None:
        return None
    try:
        pickle.loads(pickle.dumps(cause))  # noqa: S301 - our own bytes, made a moment ago
    except Exception:  # noqa: BLE001 - pickling fails in any way that classes please
        return UnpicklableCauseError(repr(cause))
    return cause


def _restore(
    cls: type[BaseException],
    args: tuple[Any, ...],
    state: dict[str, Any],
    cause: BaseException | None,
) -> BaseException:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    if cause is not None:
        error.__cause__ = cause
    return error


class _Whole:
    """Pickles and copies an exception whole: its attributes, notes and cause.

    ``BaseException`` pickles by calling the class with ``args``, which loses keyword-only
    arguments and ``__cause__``.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        assert isinstance(self, BaseException)
        return _restore, (type(self), self.args, dict(self.__dict__), _picklable(self.__cause__))


class LambdaInvokeError(_Whole, Exception):
    """The base of everything this library raises for a call.

    ``function`` is the target as the caller named it, ``request_id`` the service's id of the last
    attempt or None, ``executed`` whether the function ran, ``attempts`` the history (a tuple of
    :class:`~lambda_invoke.Attempt`). Pickles and copies whole.

    ``locked_until`` is set by ``once`` where a key stays locked because nobody knows whether its
    function ran, and in the errors of those that find it locked: a time with its zone.
    """

    default_executed: ClassVar[Executed] = Executed.NO
    locked_until: datetime | None = None

    def __init__(
        self,
        message: str = "",
        *,
        function: str | None = None,
        request_id: str | None = None,
        executed: Executed | None = None,
        attempts: Iterable[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.function = function
        self.request_id = request_id
        self.executed = self.default_executed if executed is None else executed
        self.attempts: tuple[Attempt, ...] = tuple(attempts)

    def _headline(self) -> str:
        return self.message or type(self).__name__

    def _facts(self) -> list[str]:
        facts = [f"executed: {self.executed.value}"]
        if self.request_id:
            facts.append(f"request id: {self.request_id}")
        if len(self.attempts) > 1:
            facts.append(f"{len(self.attempts)} attempts")
        return facts

    def __str__(self) -> str:
        where = f"{self.function}: " if self.function else ""
        return f"{where}{self._headline()} ({', '.join(self._facts())})"

    def __repr__(self) -> str:
        parts = [repr(self._headline()), f"function={self.function!r}", f"executed={self.executed!r}"]
        if self.request_id:
            parts.append(f"request_id={self.request_id!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


class RequestError(LambdaInvokeError, ValueError):
    """The call could not be sent as asked; nothing was sent."""


class InvalidTargetError(RequestError):
    """The function name, ARN or qualifier is not one that Lambda could have."""


class PayloadEncodingError(RequestError):
    """The payload cannot be encoded. ``path`` leads to the value, as in ``$.orders[3].total``."""

    def __init__(self, message: str = "", *, path: str = "$", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.path = path


class PayloadTooLargeError(RequestError):
    """The payload is over the limit of its invocation type; both in bytes."""

    def __init__(self, message: str = "", *, size_bytes: int, limit_bytes: int, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class ConnectError(LambdaInvokeError):
    """No connection was had, so nothing was sent: refused, unresolved, TLS failed."""


class CredentialsError(ConnectError):
    """There are no credentials to sign with, or they could not be loaded. Not retried."""


class ServiceError(LambdaInvokeError):
    """The service answered with an error of its own; the function did not run.

    ``code`` is the service's error code, ``status_code`` the HTTP status, ``message`` its text.
    """

    def __init__(
        self, message: str = "", *, code: str = "Unknown", status_code: int = 0, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.code = code
        self.status_code = status_code

    def _headline(self) -> str:
        status = f"{self.status_code} " if self.status_code else ""
        return f"{status}{self.code}: {self.message}" if self.message else f"{status}{self.code}"


class ThrottledError(ServiceError):
    """429: one of Lambda's limits was reached; the function did not run.

    ``reason`` is Lambda's ``Reason`` (an open string, or None), ``retry_after`` the wait that the
    service asked for, in seconds, or None.
    """

    def __init__(
        self, message: str = "", *, reason: str | None = None, retry_after: float | None = None, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.reason = reason
        self.retry_after = retry_after

    def _facts(self) -> list[str]:
        reason = [f"reason: {self.reason}"] if self.reason else []
        return [*reason, *super()._facts()]


class FunctionNotReadyError(ServiceError):
    """The function is being created, updated, restored or mounted; it did not run. Try later."""


class FunctionNotFoundError(ServiceError):
    """No such function, version or alias in this account and region."""


class AccessDeniedError(ServiceError):
    """The caller may not invoke the function, or its credentials are not valid."""


class RecursiveInvocationError(ServiceError):
    """Lambda's recursive loop detection stopped the call."""


class InvalidRequestError(ServiceError):
    """The service did not accept the request as it is; sending it again will not help."""


class RequestTooLargeError(InvalidRequestError):
    """The service says that the request is too large."""


class FunctionConfigurationError(ServiceError):
    """The function cannot start until its configuration, code, keys or network are mended."""


class QuotaExceededError(ServiceError):
    """An account quota other than concurrency was reached."""


class InvocationModeError(ServiceError):
    """The function does not support this way of being invoked."""


class DurableExecutionConflictError(ServiceError):
    """A durable execution of that name exists with another payload."""


class ServiceFaultError(ServiceError):
    """The service failed, or answered with a code that nobody listed: it may have run."""

    default_executed = Executed.UNKNOWN


class OutcomeUnknownError(LambdaInvokeError):
    """The request was sent and no whole reply came: the function may have run."""

    default_executed = Executed.UNKNOWN


class ResponseTimeoutError(OutcomeUnknownError):
    """No whole reply came within ``timeout`` (or what was left of ``deadline``)."""


class ConnectionLostError(OutcomeUnknownError):
    """The connection broke after the request was sent and before a reply came."""


class TruncatedResponseError(OutcomeUnknownError):
    """The reply broke off before its end."""


class AbandonedError(OutcomeUnknownError):
    """The call was given up by its caller when it may have run: Ctrl-C, a stop, a closed job."""


class EventOutcomeUnknownError(OutcomeUnknownError):
    """No record of an accepted Event came in time: it may run yet, have run, or have been dropped.

    ``request_ids`` are those that were waited for and missing (of a single Event, ``request_id`` too),
    ``accepted_at`` when the Event was accepted, at the latest, if that is known, ``waited`` for how many
    seconds, ``queue_url`` where. The record may come later: ask the handle again.
    """

    def __init__(
        self,
        message: str = "",
        *,
        request_ids: Iterable[str] = (),
        accepted_at: datetime | None = None,
        waited: float = 0.0,
        queue_url: str | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.request_ids: tuple[str, ...] = tuple(request_ids)
        self.accepted_at = accepted_at
        self.waited = waited
        self.queue_url = queue_url


class EventDroppedError(LambdaInvokeError):
    """Lambda gave an Event up, and not because the function failed: it was too old, throttled, in a loop.

    ``condition`` is the record's (an open string: EventAgeExceeded, ZeroReservedConcurrency...), None of
    a dead-letter message, whose ``status_code`` is all it says: 429 for throttled. ``executed`` is NO if
    the record says that Lambda never tried it, else UNKNOWN: an attempt may have run before.
    """

    default_executed = Executed.UNKNOWN

    def __init__(
        self, message: str = "", *, condition: str | None = None, status_code: int | None = None, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.condition = condition
        self.status_code = status_code

    def _headline(self) -> str:
        return (
            self.message or f"Lambda dropped the event: {self.condition or self.status_code or 'no reason'}"
        )


class NotSentError(LambdaInvokeError):
    """The fan-out ended before this item was sent (again); nothing of it runs."""


class FunctionError(LambdaInvokeError):
    """The function ran, or began to, and failed: a 200 with ``X-Amz-Function-Error``.

    ``error_type`` and ``error_message`` are the remote ones (or None), ``stack_trace`` a tuple of
    :class:`~lambda_invoke.StackFrame`, outermost first as the runtime sent them, ``cause_error``
    the remote cause (:class:`~lambda_invoke.RemoteError`) or None, ``raw_payload`` the bytes that
    came, ``log`` the log tail when it was asked for, ``function_error`` the header's value.

    Subclass it to have a remote type raised as a class of yours, see ``error_types=``.
    """

    default_executed = Executed.YES

    def __init__(
        self,
        message: str = "",
        *,
        remote: RemoteError | None = None,
        raw_payload: bytes = b"",
        log: LogTail | None = None,
        function_error: str = "Unhandled",
        executed_version: str | None = None,
        redacted: bool = False,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.remote = remote
        self.raw_payload = raw_payload
        self.log = log
        self.function_error = function_error
        self.executed_version = executed_version
        self.redacted = redacted

    @property
    def error_type(self) -> str | None:
        """The remote error's type, as the runtime named it."""
        return self.remote.error_type if self.remote else None

    @property
    def error_message(self) -> str | None:
        """The remote error's message."""
        return self.remote.error_message if self.remote else None

    @property
    def stack_trace(self) -> tuple[StackFrame, ...]:
        """The remote frames, in the order in which the runtime sent them."""
        return self.remote.stack_trace if self.remote else ()

    @property
    def cause_error(self) -> RemoteError | None:
        """The remote error that caused this one."""
        return self.remote.cause_error if self.remote else None

    def _headline(self) -> str:
        if self.message:
            return self.message
        if self.redacted:
            return f"{self.error_type or 'error'} (remote message redacted)"
        message = (self.error_message or "").strip()
        if self.error_type and message:
            return f"{self.error_type}: {message}"
        return self.error_type or message or "the function failed and said nothing"

    def __str__(self) -> str:
        text = super().__str__()
        if self.redacted or self.remote is None:
            return text
        stack = self.remote.format_stack()
        return f"{text}\n{stack}" if stack else text


class HandlerError(FunctionError):
    """The handler raised."""


class FunctionTimeoutError(FunctionError):
    """The function's own configured timeout passed (not the client's)."""


class FunctionOutOfMemoryError(FunctionError):
    """The function was killed because it used more memory than it has."""


class FunctionExitError(FunctionError):
    """The function's process exited or crashed."""


class FunctionInitError(FunctionError):
    """The function failed before its handler was called; its init code ran."""


class FunctionResponseError(FunctionError):
    """The handler returned something too large or not serialisable."""


class PayloadDecodingError(LambdaInvokeError):
    """The function ran, and its reply is not what was asked for.

    ``path`` leads to the value that did not fit, ``payload`` is the raw reply (never in ``str``).
    """

    default_executed = Executed.YES

    def __init__(self, message: str = "", *, path: str = "$", payload: bytes = b"", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.path = path
        self.payload = payload


class BatchItemError(LambdaInvokeError):
    """A record of ``invoke_batch`` failed by the function's reply, or has to be delivered again for it.

    ``index`` is its place in the caller's list, ``item_identifier`` its message id or sequence number.
    """

    default_executed = Executed.YES

    def __init__(self, message: str = "", *, index: int, item_identifier: str, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.index = index
        self.item_identifier = item_identifier


class BatchError(LambdaInvokeError):
    """Some records of ``invoke_batch`` failed; ``report`` has them all. ``executed``: the worst of them."""

    def __init__(self, message: str = "", *, report: BatchReport, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.report = report


class DeadlineExceededError(LambdaInvokeError):
    """The deadline passed while the call was queueing or backing off.

    ``executed`` is that of the last attempt, which is the ``__cause__`` if there was one.
    """


class JournalError(LambdaInvokeError):
    """The journal cannot be written or read any more: a full disk, an I/O error, a damaged file.

    What was committed before is in the file, and a new run resumes from it.
    """


class IdempotencyError(LambdaInvokeError):
    """``once`` did not send the call, because of what is stored under its key, or of the store.

    Messages name the key by its hash (``record``, as the store has it): business keys may be
    personal data.
    """

    def __init__(self, message: str = "", *, record: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.record = record


class KeyInProgressError(IdempotencyError):
    """Another call with this key is under way. Call again later: it gives that call's result.

    ``locked_until`` is when the key is free at the latest, ``since`` when it was taken and ``owner``
    by whom (``host:pid``); the latter two are None where the store does not tell.
    """

    def __init__(
        self,
        message: str = "",
        *,
        since: datetime | None = None,
        owner: str | None = None,
        locked_until: datetime | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.since = since
        self.owner = owner
        self.locked_until = locked_until


class KeyOutcomeUnknownError(KeyInProgressError):
    """An earlier call with this key was sent, and nobody knows whether its function ran.

    The key stays locked until ``locked_until``; who knows better may release it before
    (``release_key``).
    """

    default_executed = Executed.UNKNOWN


class KeyConflictError(IdempotencyError):
    """The key was used before with another payload; nothing was sent."""


class ResultNotStoredError(IdempotencyError):
    """The function ran for this key before, and its result could not be stored; it is not run again."""

    default_executed = Executed.YES


class IdempotencyStoreError(IdempotencyError):
    """The store of keys cannot be read or written: a locked, damaged or read-only file, a table."""


class QueueError(LambdaInvokeError):
    """A queue could not be read or changed: there is none, it is denied, it cannot be reached.

    ``queue_url`` is the queue's, ``code`` and ``status_code`` are SQS's when it answered, else None.
    ``executed`` is NO, for reading a queue runs nothing; of who waits for an Event it is UNKNOWN.
    """

    def __init__(
        self,
        message: str = "",
        *,
        queue_url: str | None = None,
        code: str | None = None,
        status_code: int | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.queue_url = queue_url
        self.code = code
        self.status_code = status_code


class FanOutError(LambdaInvokeError):
    """Some items of a fan-out failed; ``report`` has them all. ``executed``: the worst of them."""

    def __init__(self, message: str = "", *, report: FanOutReport[Any], **facts: Any) -> None:
        super().__init__(message, **facts)
        self.report = report


class RedriveError(LambdaInvokeError):
    """A redrive left something undone; ``report`` says what. ``executed``: the worst of it."""

    def __init__(self, message: str = "", *, report: RedriveReport, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.report = report


class FanOutInterrupted(_Whole, KeyboardInterrupt):
    """Ctrl-C in ``fan_out``: nothing new was sent; ``report`` says what is known."""

    def __init__(self, message: str, report: FanOutReport[Any]) -> None:
        super().__init__(message)
        self.report = report


class RedriveInterrupted(_Whole, KeyboardInterrupt):
    """Ctrl-C in ``redrive``: nothing new was sent; ``report`` says what is known."""

    def __init__(self, message: str, report: RedriveReport) -> None:
        super().__init__(message)
        self.report = report


class LambdaInvokeWarning(UserWarning):
    """The base of the library's warnings."""


class DoubleEncodedPayloadWarning(LambdaInvokeWarning):
    """A ``str`` payload that parses as a JSON object or array: it is sent as a JSON *string*."""


class ConcurrencyLimitedWarning(LambdaInvokeWarning):
    """A handed-over client's connection pool is smaller than the concurrency asked for."""


class IdempotencyWarning(LambdaInvokeWarning):
    """A function ran in ``once``, and its result could not be stored under its key."""
