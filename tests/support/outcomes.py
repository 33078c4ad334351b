"""Outcomes made by hand, and jobs that deliver them, without a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from lambda_invoke.errors import Executed, HandlerError, LambdaInvokeError
from lambda_invoke.fanout.collect import Collection
from lambda_invoke.fanout.progress import SilentMeter
from lambda_invoke.fanout.report import CompletionReason, FanOutReport
from lambda_invoke.fanout.tolerance import Tolerance
from lambda_invoke.results import Attempt, Invocation, LogTail, Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_invoke.fanout.report import Keep

SECRET = "what-was-sent-or-came"


def tried(
    outcome: str = "ok",
    executed: Executed = Executed.YES,
    *,
    started: float = 0.0,
    took: float = 0.1,
    **facts: Any,
) -> Attempt:
    facts.setdefault("status_code", 200 if outcome == "ok" else None)
    return Attempt("f", 1, started, took, outcome, executed, **facts)


def throttled(reason: str | None = "ConcurrentInvocationLimitExceeded", *, started: float = 0.0) -> Attempt:
    return tried("ThrottledError", Executed.NO, started=started, took=0.01, status_code=429, reason=reason)


def good(index: int, *attempts: Attempt, log: Report | None = None) -> Outcome[Any]:
    tail = None if log is None else LogTail(SECRET, report=log)
    invocation = Invocation(
        SECRET, b"", "f", executed_version="7", request_id="id", log=tail, attempts=attempts or (tried(),)
    )
    return Outcome(index, "f", SECRET, invocation)


def bad(index: int, problem: LambdaInvokeError | None = None) -> Outcome[Any]:
    return Outcome(
        index, "f", SECRET, error=problem or HandlerError("broke", attempts=(tried("HandlerError"),))
    )


class Mapping:
    """Delivers outcomes as a MapIterator does, and ends as it is told."""

    overdue = False
    in_flight = 0
    is_done = False

    def __init__(
        self,
        outcomes: list[Outcome[Any]],
        record: Callable[[Outcome[Any]], None],
        *,
        ended: CompletionReason = CompletionReason.COMPLETED,
        missing: tuple[Outcome[Any], ...] = (),
        input_error: Exception | None = None,
    ) -> None:
        self._outcomes = outcomes
        self._record = record
        self._missing = missing
        self.ended = ended
        self.input_error = input_error

    def __iter__(self) -> Iterator[Outcome[Any]]:
        for outcome in self._outcomes:
            self._record(outcome)
            yield outcome
        if self.input_error is not None:
            raise self.input_error

    def unaccounted(self) -> list[Outcome[Any]]:
        return list(self._missing)

    def close(self) -> None:
        """Nothing is in flight."""


def collected(outcomes: list[Outcome[Any]], *, keep: Keep = "all", **how: Any) -> FanOutReport[Any]:
    return Collection[Any](
        lambda record: cast("Any", Mapping(outcomes, record, **how)),
        tolerance=Tolerance(None, None, None),
        stop=None,
        keep=keep,
    ).run(SilentMeter())


def made(*outcomes: Outcome[Any], reason: CompletionReason = CompletionReason.COMPLETED) -> FanOutReport[Any]:
    return FanOutReport(outcomes, reason, 2.0)


MIXED = [bad(3), good(1), bad(0), good(2)]
