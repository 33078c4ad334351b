"""What is known of what an asyncio cancellation broke off.

A CancelledError must reach asyncio as it is: ``asyncio.timeout`` and task groups take no other class
for one. So it carries what is known, and is asked for it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lambda_invoke.errors import LambdaInvokeError
    from lambda_invoke.events.redrive_report import RedriveReport
    from lambda_invoke.fanout.report import FanOutReport

_CALL = "lambda_invoke_call"
_REPORT = "lambda_invoke_report"
_REDRIVE = "lambda_invoke_redrive"

E = TypeVar("E", bound=BaseException)


def mark_call(cancelled: BaseException, error: LambdaInvokeError) -> None:
    """Have a cancellation say what it broke off: a call."""
    setattr(cancelled, _CALL, error)
    cancelled.add_note(str(error))


def mark_report(cancelled: BaseException, report: FanOutReport[Any]) -> None:
    """Have a cancellation say what it broke off: a job."""
    setattr(cancelled, _REPORT, report)
    cancelled.add_note(str(report))


def mark_redrive(cancelled: BaseException, report: RedriveReport) -> None:
    """Have a cancellation say what it broke off: a redrive."""
    setattr(cancelled, _REDRIVE, report)
    cancelled.add_note(str(report))


def cancelled_call(error: BaseException) -> LambdaInvokeError | None:
    """What is known of the call that a cancellation broke off: the error it would have raised.

    Args:
        error: the ``CancelledError``, or the ``TimeoutError`` or ``KeyboardInterrupt`` that it
            became: its causes are looked at too.

    Returns:
        An ``AbandonedError`` (it was in flight: ``executed`` is UNKNOWN, or YES if an earlier
        attempt ran) or a ``NotSentError`` (NO), with its attempts; None when no call was broken off.
    """
    found: LambdaInvokeError | None = _found(error, _CALL)
    return found


def marked_call(error: BaseException) -> LambdaInvokeError | None:
    """What is known of the call that this very error broke off; its causes are not asked."""
    return getattr(error, _CALL, None)


def cancelled_report(error: BaseException) -> FanOutReport[Any] | None:
    """The report of the ``fan_out`` that a cancellation broke off, with every outcome known by then.

    Args:
        error: as for :func:`cancelled_call`.
    """
    found: FanOutReport[Any] | None = _found(error, _REPORT)
    return found


def cancelled_redrive(error: BaseException) -> RedriveReport | None:
    """The report of the ``redrive`` that a cancellation broke off, with what is known of every message.

    Args:
        error: as for :func:`cancelled_call`.
    """
    found: RedriveReport | None = _found(error, _REDRIVE)
    return found


def _found(error: BaseException, name: str) -> Any:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        found = getattr(at, name, None)
        if found is not None:
            return found
        at = at.__cause__ or at.__context__
    return None
