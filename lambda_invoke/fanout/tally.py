"""What outcomes come to, counted as they come."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import Executed, FunctionError, LambdaInvokeError, ServiceError
from lambda_invoke.fanout.cost import Architecture, CostEstimate, Prices
from lambda_invoke.fanout.quantiles import Histogram, Quantiles
from lambda_invoke.fanout.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_invoke.results import Attempt, Outcome, Report

SHOWN_KINDS = 5
"""Kinds of errors that a summary names, the most frequent ones."""

_THROTTLED = "ThrottledError"
_MB_PER_GB = 1024


@attrs.frozen
class MemoryUse:
    """Memory by the log tails' reports: the most that any execution used of what it had, in MB.

    ``share`` are quantiles of used over had, so ``1 - share.max`` is the least headroom of any.
    """

    max_used: int
    size: int
    share: Quantiles


@attrs.define
class Tally:
    """What the outcomes come to, without keeping them: its memory does not grow with their number.

    ``latency`` is of the attempts that were answered with anything but a throttle, ``executions`` the
    attempts that ran and ``maybe`` those that may have. ``reports`` are the REPORT lines that came, of
    which ``priced`` say billed time and memory. Times in seconds, ``used`` and ``of`` in MB.
    """

    done: int = 0
    failed: int = 0
    attempts: int = 0
    retries: int = 0
    unknown: int = 0
    executions: int = 0
    maybe: int = 0
    throttles: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)
    latency: Histogram = attrs.field(factory=Histogram)
    timeline: Timeline = attrs.field(factory=Timeline)
    reports: int = 0
    priced: int = 0
    billed_duration: float | None = None
    gb_seconds: float = 0.0
    cold_starts: int = 0
    starts: Histogram = attrs.field(factory=Histogram)
    shares: Histogram = attrs.field(factory=Histogram)
    used: int = 0
    of: int = 0

    @classmethod
    def over(cls, outcomes: Iterable[Outcome[Any]]) -> Tally:
        """What outcomes come to of which nobody knows when they came."""
        tally = cls()
        for outcome in outcomes:
            tally.add(outcome)
        return tally

    def copy(self) -> Tally:
        """One that counts on by itself."""
        return attrs.evolve(
            self,
            throttles=self.throttles.copy(),
            errors=self.errors.copy(),
            latency=self.latency.copy(),
            timeline=self.timeline.copy(),
            starts=self.starts.copy(),
            shares=self.shares.copy(),
        )

    def add(self, outcome: Outcome[Any], at: float | None = None) -> None:
        """Count one more, which came ``at`` so many seconds from the start of the job, if that is known."""
        self.done += 1
        invocation, error = outcome.invocation, outcome.error
        if invocation is not None:
            attempts, log = invocation.attempts, invocation.log
        else:
            attempts, log = outcome.attempts, outcome.log
        if outcome.position:  # the first of its batch brought these
            attempts, log = (), None
        elif error is None and len(attempts) == 1:  # nearly all of them
            self.attempts += 1
            self.executions += 1
            self.latency.add(attempts[0].duration)
        elif attempts:
            self._history(attempts, at)
        else:
            self._ran(outcome.executed)
        if error is not None:
            self.failed += 1
            self.unknown += error.executed is Executed.UNKNOWN
            self.errors[error_kind(error)] += 1
        if log is not None and log.report is not None:
            self._report(log.report)
        if at is not None:
            self.timeline.add(at, error is not None)

    def cost(
        self, prices: Prices | None, architecture: Architecture, region: str | None
    ) -> CostEstimate | None:
        """See :meth:`lambda_invoke.FanOutReport.cost`."""
        prices = Prices.in_region(region) if prices is None else prices
        prices.gb_second(architecture)  # refuses one that there is not
        if not self.priced:
            return None
        unreported = max(0, self.executions + self.maybe - self.priced)
        return CostEstimate(self.executions, self.gb_seconds, unreported, architecture, prices)

    @property
    def memory(self) -> MemoryUse | None:
        """What is known of memory; None when no REPORT came."""
        share = self.shares.quantiles()
        return None if share is None else MemoryUse(self.used, self.of, share)

    def summary(self, seconds: float) -> str:
        """Some lines for people; the first one counts the items, which took so many seconds."""
        rate = self.done / seconds if seconds > 0 else 0.0
        counts = f"{self.done - self.failed:,} succeeded, {self.failed:,} failed"
        lines = [f"{self.done:,} items in {seconds:.1f} s ({rate:,.0f}/s): {counts}"]
        if (took := self.latency.quantiles()) is not None:
            lines.append(f"latency p50 {_time(took.p50)}, p99 {_time(took.p99)}, max {_time(took.max)}")
        if self.retries or self.throttles:
            why = ", ".join(f"{count:,} {reason}" for reason, count in self.throttles.most_common())
            lines.append(
                f"{self.attempts:,} attempts, {self.retries:,} of them retries" + (f" ({why})" if why else "")
            )
        lines += [f"  {count:,} x {kind}" for kind, count in self.errors.most_common(SHOWN_KINDS)]
        if len(self.errors) > SHOWN_KINDS:
            lines.append(f"  and {len(self.errors) - SHOWN_KINDS:,} more kinds of errors")
        if self.unknown:
            lines.append(f"{self.unknown:,} items may have run: their outcome is unknown")
        if self.reports:
            lines += self._billed()
        return "\n".join(lines)

    def _billed(self) -> list[str]:
        line = f"billed {self.billed_duration or 0.0:,.2f} s, {self.cold_starts:,} cold starts"
        if (starts := self.starts.quantiles()) is not None:
            line += f" (p50 {_time(starts.p50)}, max {_time(starts.max)})"
        if (memory := self.memory) is not None:
            line += f", memory at most {memory.max_used:,} of {memory.size:,} MB ({memory.share.max:.0%})"
        estimate = self.cost(None, "x86_64", None)
        return [line] if estimate is None else [line, f"cost {estimate}"]

    def _history(self, attempts: tuple[Attempt, ...], at: float | None) -> None:
        """Count a call's attempts; the last of them ended ``at``."""
        self.attempts += len(attempts)
        self.retries += len(attempts) - 1
        last = attempts[-1]
        begun = None if at is None else at - (last.started + last.duration)
        for attempt in attempts:
            if attempt.outcome == _THROTTLED:
                self.throttles[attempt.reason or "unspecified"] += 1
                if begun is not None:
                    self.timeline.add_throttle(begun + attempt.started + attempt.duration)
            elif attempt.ok or attempt.status_code is not None:
                self.latency.add(attempt.duration)
            self._ran(attempt.executed)

    def _ran(self, executed: Executed) -> None:
        self.executions += executed is Executed.YES
        self.maybe += executed is Executed.UNKNOWN

    def _report(self, report: Report) -> None:
        self.reports += 1
        size = report.memory_size
        if report.billed_duration is not None:
            self.billed_duration = (self.billed_duration or 0.0) + report.billed_duration
            if size is not None:  # billed restore durations are part of the billed duration
                self.priced += 1
                self.gb_seconds += report.billed_duration * size / _MB_PER_GB
        if report.cold_start:
            self.cold_starts += 1
            self.starts.add(report.init_duration or report.restore_duration or 0.0)
        if size and report.max_memory_used is not None:
            share = report.max_memory_used / size
            if share > self.shares.high or not self.of:
                self.used, self.of = report.max_memory_used, size
            self.shares.add(share)


def error_kind(error: LambdaInvokeError) -> str:
    """What errors are counted by: the class, and the remote type or the service's code."""
    name = type(error).__name__
    if isinstance(error, FunctionError) and error.error_type:
        return f"{name} ({error.error_type})"
    if isinstance(error, ServiceError):
        return f"{name} ({error.code})"
    return name


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
