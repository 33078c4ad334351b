"""What outcomes come to, counted as they come."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from lambda_invoke.errors import Executed, FunctionError, LambdaInvokeError, ServiceError

if TYPE_CHECKING:
    from lambda_invoke.results import Outcome

SHOWN_KINDS = 5
"""Kinds of errors that a summary names, the most frequent ones."""


class Tally:
    """What the outcomes come to, without keeping them."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.attempts = 0
        self.retries = 0
        self.unknown = 0
        self.throttles: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.billed_duration: float | None = None
        self.reports = 0
        self.cold_starts = 0

    def add(self, outcome: Outcome[Any]) -> None:
        """Count one more."""
        self.done += 1
        self.attempts += len(outcome.attempts)
        self.retries += max(0, len(outcome.attempts) - 1)
        self.throttles.update(
            attempt.reason or "unspecified"
            for attempt in outcome.attempts
            if attempt.outcome == "ThrottledError"
        )
        if outcome.error is not None:
            self.failed += 1
            self.unknown += outcome.executed is Executed.UNKNOWN
            self.errors[error_kind(outcome.error)] += 1
        log = outcome.log
        if log is not None and log.report is not None:
            self.reports += 1
            if log.report.billed_duration is not None:
                self.billed_duration = (self.billed_duration or 0.0) + log.report.billed_duration
            self.cold_starts += log.report.cold_start

    def summary(self, seconds: float) -> str:
        """Some lines for people."""
        rate = self.done / seconds if seconds > 0 else 0.0
        counts = f"{self.done - self.failed:,} succeeded, {self.failed:,} failed"
        lines = [f"{self.done:,} items in {seconds:.1f} s ({rate:,.0f}/s): {counts}"]
        if self.retries:
            why = ", ".join(f"{count:,} {reason}" for reason, count in self.throttles.most_common())
            lines.append(
                f"{self.attempts:,} attempts, {self.retries:,} of them retries" + (f" ({why})" if why else "")
            )
        lines += [f"  {count:,} x {kind}" for kind, count in self.errors.most_common(SHOWN_KINDS)]
        if self.unknown:
            lines.append(f"{self.unknown:,} items may have run: their outcome is unknown")
        if self.reports:
            lines.append(f"billed {self.billed_duration or 0.0:,.2f} s, {self.cold_starts:,} cold starts")
        return "\n".join(lines)


def error_kind(error: LambdaInvokeError) -> str:
    """What errors are counted by: the class, and the remote type or the service's code."""
    name = type(error).__name__
    if isinstance(error, FunctionError) and error.error_type:
        return f"{name} ({error.error_type})"
    if isinstance(error, ServiceError):
        return f"{name} ({error.code})"
    return name
