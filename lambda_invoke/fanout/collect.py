"""The blocking ``fan_out``: runs a map to its end and reports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

from lambda_invoke.core.plan import worst
from lambda_invoke.errors import DeadlineExceededError, FanOutError, FanOutInterrupted
from lambda_invoke.fanout.progress import Progress
from lambda_invoke.fanout.report import CompletionReason, FanOutReport

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from lambda_invoke.fanout.mapping import MapIterator
    from lambda_invoke.fanout.progress import Meter
    from lambda_invoke.results import Outcome

T = TypeVar("T")


class Collection(Generic[T]):
    """The outcomes of one fan-out as they come.

    They are recorded as the loop delivers them, so that an interrupt between two steps of the
    iteration loses none.
    """

    def __init__(
        self,
        start: Callable[[Callable[[Outcome[T]], None]], MapIterator[T]],
        *,
        total: int | None,
        stop: threading.Event | None,
    ) -> None:
        self._outcomes: list[Outcome[T]] = []
        self._mapping = start(self._outcomes.append)
        self._total = total
        self._stop = stop
        self._begun = time.monotonic()
        self._done = 0
        self._failed = 0

    def run(self, meter: Meter) -> FanOutReport[T]:
        """Run the map to its end and report.

        Raises:
            FanOutError: the input itself failed; its ``report`` has what was taken before, its
                cause is the input's error.
            FanOutInterrupted: Ctrl-C; its ``report`` has every outcome known by then.
        """
        try:
            try:
                self._consume(meter)
                reason = self._reason()
                meter.update(self._progress(finished=True))
            finally:
                self._mapping.close()
                meter.close()
            report = self._report(reason)
        except KeyboardInterrupt as interrupt:
            raise self._interrupted() from interrupt
        failure = self._mapping.input_error
        if failure is None:
            return report
        raise FanOutError(
            f"the input raised {type(failure).__name__} after {len(report):,} items; "
            ".report has their outcomes",
            report=report,
            executed=worst(outcome.executed for outcome in report),
        ) from failure

    def _interrupted(self) -> FanOutInterrupted:
        """The interrupt with its report, however often Ctrl-C comes again: this is brief."""
        while True:
            try:
                self._mapping.close()  # where an interrupt cut it short before
                report = self._report(CompletionReason.INTERRUPTED)
                return FanOutInterrupted("interrupted; .report has what is known", report)
            except KeyboardInterrupt:
                continue

    def _consume(self, meter: Meter) -> None:
        mapping = self._mapping
        try:
            for outcome in mapping:
                self._done += 1
                self._failed += not outcome.ok
                meter.update(self._progress())
        except Exception as error:
            late = isinstance(error, DeadlineExceededError) and mapping.ended is CompletionReason.DEADLINE
            if error is not mapping.input_error and not late:
                raise  # these two end the job, and the report says so; this is a defect

    def _reason(self) -> CompletionReason:
        reason = self._mapping.ended or CompletionReason.COMPLETED
        if reason is CompletionReason.STOPPED and not self._failed and self._done == self._total:
            return CompletionReason.COMPLETED  # there was nothing left to stop
        if reason is CompletionReason.COMPLETED and self._failed:
            if self._mapping.overdue:
                return CompletionReason.DEADLINE
            if self._stop is not None and self._stop.is_set():
                return CompletionReason.STOPPED
        return reason

    def _progress(self, *, finished: bool = False) -> Progress:
        in_flight = 0 if finished else self._mapping.in_flight
        elapsed = time.monotonic() - self._begun
        return Progress(self._done, self._failed, in_flight, self._total, elapsed, finished)

    def _report(self, reason: CompletionReason) -> FanOutReport[T]:
        known = {outcome.index: outcome for outcome in [*self._mapping.unaccounted(), *self._outcomes]}
        outcomes = tuple(known[index] for index in sorted(known))
        return FanOutReport(outcomes, reason, time.monotonic() - self._begun, self._mapping.input_error)
