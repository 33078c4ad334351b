"""Outcomes as flat records, for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_invoke.errors import FunctionError, LambdaInvokeError, ServiceError
from lambda_invoke.results import Report

if TYPE_CHECKING:
    from lambda_invoke.results import Outcome

_NOTHING = Report()


def as_record(outcome: Outcome[Any], *, values: bool) -> dict[str, Any]:
    """What :meth:`lambda_invoke.FanOutReport.to_records` says of one outcome."""
    error, invocation, attempts = outcome.error, outcome.invocation, outcome.attempts
    kind: str | None = None
    if isinstance(error, FunctionError):
        kind = error.error_type
    elif isinstance(error, ServiceError):
        kind = error.code
    told = invocation or error
    log = outcome.log
    report = _NOTHING if log is None or log.report is None else log.report
    record = {
        "index": outcome.index,
        "function": outcome.function,
        "ok": outcome.ok,
        "executed": outcome.executed.value,
        "attempts": len(attempts),
        "throttled": sum(attempt.outcome == "ThrottledError" for attempt in attempts),
        "seconds": attempts[-1].started + attempts[-1].duration if attempts else None,
        "request_id": None if told is None else told.request_id,
        "executed_version": getattr(told, "executed_version", None),  # only what ran has one
        "error": None if error is None else type(error).__name__,
        "error_type": kind,
        "message": None if error is None else _message(error),
        "duration": report.duration,
        "billed_duration": report.billed_duration,
        "memory_size": report.memory_size,
        "max_memory_used": report.max_memory_used,
        "cold_start": None if report is _NOTHING else report.cold_start,
        "init_duration": report.init_duration,
    }
    if values:
        record["payload"] = outcome.payload
        record["value"] = None if invocation is None else invocation.value
    return record


def _message(error: LambdaInvokeError) -> str | None:
    if isinstance(error, FunctionError) and not error.message and not error.redacted:
        return error.error_message
    return error.message or None
