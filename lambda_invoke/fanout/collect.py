"""``fan_out``, blocking and on asyncio: runs a map to its end and reports."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lambda_invoke.core.cancelled import mark_report
from lambda_invoke.errors import DeadlineExceededError, FanOutError, FanOutInterrupted, RequestError
from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
from lambda_invoke.fanout.ledger import Ledger
from lambda_invoke.fanout.mapping import MapIterator
from lambda_invoke.fanout.progress import Progress
from lambda_invoke.fanout.report import CompletionReason, FanOutReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.core.options import Stop
    from lambda_invoke.fanout.progress import Meter
    from lambda_invoke.fanout.report import Keep
    from lambda_invoke.fanout.state import MapState
    from lambda_invoke.fanout.tolerance import Tolerance
    from lambda_invoke.results import Outcome

T = TypeVar("T")
M = TypeVar("M", bound="MapState[Any]")


class _Gathering(Generic[T, M]):
    """The outcomes of one fan-out as they come.

    They are recorded as the loop delivers them, so that an interrupt between two steps of the
    iteration loses none. ``keep="failures"`` counts them all and holds those that failed.

    Raises:
        RequestError: ``keep`` is something else.
    """

    def __init__(
        self,
        start: Callable[[Callable[[Outcome[T]], None]], M],
        *,
        tolerance: Tolerance,
        stop: Stop | None,
        keep: Keep = "all",
    ) -> None:
        if keep not in ("all", "failures"):
            raise RequestError(f"keep is 'all' or 'failures', not {keep!r}")
        self._keep = keep
        self._begun = time.monotonic()
        self._ledger: Ledger[T] = Ledger(keep, self._elapsed)
        self._mapping = start(self._ledger.record)
        self._tolerance = tolerance
        self._stop = stop
        self._done = 0
        self._failed = 0
        self._ended_for: CompletionReason | None = None

    def _took(self, outcome: Outcome[T], meter: Meter) -> None:
        """One more outcome was yielded."""
        self._done += 1
        self._failed += not outcome.ok
        meter.update(self._progress())
        self._ledger.count_many()
        if self._ended_for is None:
            self._ended_for = self._verdict(at_end=self._mapping.is_done)
            if self._ended_for is not None:
                self._mapping.end(self._ended_for)

    def _verdict(self, *, at_end: bool) -> CompletionReason | None:
        return self._tolerance.verdict(self._done - self._failed, self._failed, at_end=at_end)

    def _check(self, error: Exception) -> None:
        """The iteration ended with an error: the input's and the deadline's end the job, and no more."""
        mapping = self._mapping
        late = isinstance(error, DeadlineExceededError) and mapping.ended is CompletionReason.DEADLINE
        if error is not mapping.input_error and not late:
            raise error  # a defect

    def _finished(self, reason: CompletionReason) -> FanOutReport[T]:
        """The report, or the input's own failure with it.

        Raises:
            FanOutError: the input itself failed.
        """
        report = self._report(reason)
        failure = self._mapping.input_error
        if failure is None:
            return report
        what = "the input raised" if reason is CompletionReason.INPUT_FAILED else "the journal failed with"
        raise FanOutError(
            f"{what} {type(failure).__name__} after {len(report):,} items; .report has their outcomes",
            report=report,
            executed=report.executed,
        ) from failure

    def _reason(self) -> CompletionReason:
        if self._ended_for is not None:
            return self._ended_for
        reason = self._mapping.ended or CompletionReason.COMPLETED
        if reason is CompletionReason.COMPLETED:
            # Again: the input's end may have come after its last outcome.
            reason = self._verdict(at_end=True) or reason
        if reason is CompletionReason.STOPPED and not self._failed and self._done == self._tolerance.total:
            return CompletionReason.COMPLETED  # there was nothing left to stop
        if reason is CompletionReason.COMPLETED and self._failed:
            if self._mapping.overdue:
                return CompletionReason.DEADLINE
            if self._stop is not None and self._stop.is_set():
                return CompletionReason.STOPPED
        return reason

    def _progress(self, *, finished: bool = False) -> Progress:
        in_flight = 0 if finished else self._mapping.in_flight
        total = self._tolerance.total
        return Progress(self._done, self._failed, in_flight, total, self._elapsed(), finished)

    def _report(self, reason: CompletionReason) -> FanOutReport[T]:
        # In this order: what has its outcome recorded in between is in both, and not in neither.
        missing = self._mapping.unaccounted()
        outcomes, tally = self._ledger.close(missing)
        error = self._mapping.input_error
        return FanOutReport(outcomes, reason, self._elapsed(), error, self._keep, tally=tally)

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun


class Collection(_Gathering[T, MapIterator[T]]):
    """The blocking ``fan_out``."""

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
            return self._finished(reason)
        except KeyboardInterrupt as interrupt:
            raise self._interrupted() from interrupt

    def _consume(self, meter: Meter) -> None:
        try:
            for outcome in self._mapping:
                self._took(outcome, meter)
        except Exception as error:  # noqa: BLE001 - looked at there
            self._check(error)

    def _interrupted(self) -> FanOutInterrupted:
        """The interrupt with its report, however often Ctrl-C comes again: this is brief."""
        while True:
            try:
                self._mapping.close()  # where an interrupt cut it short before
                report = self._report(CompletionReason.INTERRUPTED)
                return FanOutInterrupted("interrupted; .report has what is known", report)
            except KeyboardInterrupt:
                continue


class AsyncCollection(_Gathering[T, AsyncMapIterator[T]]):
    """The ``fan_out`` of the asyncio client."""

    async def run(self, meter: Meter) -> FanOutReport[T]:
        """Run the map to its end and report.

        Raises:
            FanOutError: as of the blocking one.
            CancelledError: it was cancelled; it has the report with every outcome known by then.
        """
        try:
            try:
                await self._consume(meter)
                reason = self._reason()
                meter.update(self._progress(finished=True))
            finally:
                await self._mapping.aclose()
                meter.close()
            return self._finished(reason)
        except asyncio.CancelledError as cancelled:
            mark_report(cancelled, self._report(CompletionReason.INTERRUPTED))
            raise

    async def _consume(self, meter: Meter) -> None:
        try:
            async for outcome in self._mapping:
                self._took(outcome, meter)
        except Exception as error:  # noqa: BLE001 - looked at there
            self._check(error)
