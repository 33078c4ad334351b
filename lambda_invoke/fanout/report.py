"""What a fan-out came to."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import attrs

from lambda_invoke.core.plan import worst
from lambda_invoke.errors import AbandonedError, Executed, FanOutError, NotSentError
from lambda_invoke.fanout.records import as_record
from lambda_invoke.fanout.tally import SHOWN_KINDS, MemoryUse, Tally

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from lambda_invoke.fanout.cost import Architecture, CostEstimate, Prices
    from lambda_invoke.fanout.quantiles import Quantiles
    from lambda_invoke.fanout.timeline import TimelineBucket
    from lambda_invoke.results import Outcome

T = TypeVar("T")

Keep = Literal["all", "failures"]
"""Which outcomes a report holds."""


class CompletionReason(enum.Enum):
    """Why a fan-out ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    INPUT_FAILED = "input failed"
    JOURNAL_FAILED = "journal failed"
    TOLERANCE_EXCEEDED = "tolerance exceeded"
    ENOUGH_SUCCEEDED = "enough succeeded"


_AS_ASKED = (CompletionReason.COMPLETED, CompletionReason.ENOUGH_SUCCEEDED)


@attrs.frozen(repr=False)
class FanOutReport(Generic[T]):
    """What a fan-out came to: the counts of all its outcomes, and the outcomes in the input's order.

    With ``keep="failures"`` it holds the outcomes of the items that failed alone; every count is of
    all items, and only ``succeeded`` and ``values()`` cannot be had.

    ``duration`` is seconds from the first item taken to the last outcome. When the job ended early
    (``completion_reason``), the input beyond the last outcome was not taken. The counts are those of
    ``tally``, and of ``outcomes`` when none is given; ``timeline`` is then empty.
    """

    outcomes: tuple[Outcome[T], ...]
    completion_reason: CompletionReason
    duration: float
    input_error: BaseException | None = None
    keep: Keep = "all"
    tally: Tally = attrs.field(
        default=attrs.Factory(lambda report: Tally.over(report.outcomes), takes_self=True),
        kw_only=True,
        hash=False,
    )

    @property
    def succeeded(self) -> tuple[Outcome[T], ...]:
        """The items that succeeded.

        Raises:
            RuntimeError: they were not kept, ``keep="failures"``.
        """
        self._check_kept("succeeded")
        return tuple(outcome for outcome in self.outcomes if outcome.ok)

    @property
    def failed(self) -> tuple[Outcome[T], ...]:
        """The items that failed, those given up included."""
        return tuple(outcome for outcome in self.outcomes if not outcome.ok)

    @property
    def succeeded_count(self) -> int:
        """How many items succeeded, kept or not."""
        return self.tally.done - self.tally.failed

    @property
    def failed_count(self) -> int:
        """How many items failed."""
        return self.tally.failed

    def values(self) -> list[T]:
        """The values of all items, in the order of the input.

        When enough succeeded (``first_successes``), those of the items that did.

        Raises:
            RuntimeError: they were not kept, ``keep="failures"``.
            FanOutError: as of ``raise_for_failures``.
        """
        self._check_kept("values()")
        self.raise_for_failures()
        return [outcome.value for outcome in self.outcomes if outcome.ok]

    def raise_for_failures(self) -> None:
        """Do nothing if every item succeeded.

        Nor if enough did (``CompletionReason.ENOUGH_SUCCEEDED``) and the others were given up for
        that (``AbandonedError``, ``NotSentError``), which none of them is to blame for.

        Raises:
            FanOutError: some items failed, or the job ended early; its cause is the first error.
        """
        failed, reason = self.failed, self.completion_reason
        if reason is CompletionReason.ENOUGH_SUCCEEDED:
            failed = tuple(one for one in failed if not isinstance(one.error, (AbandonedError, NotSentError)))
        if not failed and reason in _AS_ASKED:
            return
        first = failed[0].error if failed else self.input_error
        message = f"{len(failed):,} of {len(self):,} items failed"
        if reason not in _AS_ASKED:
            message += f" and the job ended early ({reason.value})"
        kinds = Tally.over(failed).errors.most_common(SHOWN_KINDS)
        named = ", ".join(f"{count} x {kind}" for kind, count in kinds)
        raise FanOutError(
            f"{message}: {named}" if named else message,
            report=self,
            executed=worst(outcome.executed for outcome in failed),
        ) from first

    def errors(self) -> Counter[str]:
        """How many items failed with which error."""
        return self.tally.errors.copy()

    @property
    def attempts(self) -> int:
        """Requests sent, retries included."""
        return self.tally.attempts

    @property
    def retries(self) -> int:
        """Requests that were sent again."""
        return self.tally.retries

    def throttles(self) -> Counter[str]:
        """How many attempts were throttled, by the service's reason."""
        return self.tally.throttles.copy()

    @property
    def unknown(self) -> tuple[Outcome[T], ...]:
        """The items of which nobody can say whether they ran."""
        return tuple(outcome for outcome in self.outcomes if outcome.executed is Executed.UNKNOWN)

    @property
    def executed(self) -> Executed:
        """Whether anything ran: the worst that is to be said of any item."""
        ran = [Executed.YES] if self.succeeded_count else []
        return worst([*ran, *(outcome.executed for outcome in self.failed)])

    @property
    def rate(self) -> float:
        """Outcomes per second."""
        return len(self) / self.duration if self.duration > 0 else 0.0

    @property
    def latency(self) -> Quantiles | None:
        """Seconds per attempt, as the client saw it, of those that were answered; None if none was.

        A throttled attempt was not: how fast it was refused says nothing of the function.
        """
        return self.tally.latency.quantiles()

    @property
    def timeline(self) -> tuple[TimelineBucket, ...]:
        """What came when, in at most 120 equal stretches of whole seconds."""
        return self.tally.timeline.buckets(self.duration)

    @property
    def log_reports(self) -> int:
        """REPORT lines that came with the log tails: what follows is known of so many executions."""
        return self.tally.reports

    @property
    def billed_duration(self) -> float | None:
        """Billed seconds by the log tails' reports; None when no tail was asked for or none had one."""
        return self.tally.billed_duration

    @property
    def cold_starts(self) -> int:
        """Cold starts by the log tails' reports."""
        return self.tally.cold_starts

    @property
    def init_durations(self) -> Quantiles | None:
        """Seconds that the cold starts took to initialise, or to restore; None without any."""
        return self.tally.starts.quantiles()

    @property
    def memory(self) -> MemoryUse | None:
        """How much of their memory the executions used, by the log tails' reports; None without any."""
        return self.tally.memory

    def cost(
        self,
        prices: Prices | None = None,
        *,
        architecture: Architecture = "x86_64",
        region: str | None = None,
    ) -> CostEstimate | None:
        """An estimate of what the job cost, from the log tails' reports; None without any.

        Args:
            prices: in place of the region's list prices.
            architecture: of the functions; the reports do not say.
            region: whose list prices to take; None is us-east-1's, which are those of most regions.

        Raises:
            ValueError: no such architecture, or a region in China without ``prices``.
        """
        return self.tally.cost(prices, architecture, region)

    def to_records(self, *, values: bool = False) -> list[dict[str, Any]]:
        """The outcomes that are held as flat dicts, for pandas or polars.

        ``seconds`` is from the start of an item's call to its end, waits between attempts included;
        what is not known is None. ``values`` adds the payload that was sent and the value.
        """
        return [as_record(outcome, values=values) for outcome in self.outcomes]

    def _check_kept(self, name: str) -> None:
        if self.keep != "all":
            raise RuntimeError(
                f'{name} of a fan-out with keep="failures": what succeeded was counted and not kept; '
                "see succeeded_count, or take the outcomes from map()"
            )

    def __len__(self) -> int:
        return self.tally.done

    def __iter__(self) -> Iterator[Outcome[T]]:
        return iter(self.outcomes)

    def __repr__(self) -> str:
        return (
            f"<FanOutReport: {self.succeeded_count} of {len(self)} succeeded, "
            f"{self.completion_reason.value}, {self.duration:.1f} s>"
        )

    def __str__(self) -> str:
        first, *rest = self.tally.summary(self.duration).split("\n")
        ended = "ended" if self.completion_reason in _AS_ASKED else "ended early"
        why = self.completion_reason.value
        if self.input_error is not None:
            why += f" ({type(self.input_error).__name__})"
        return "\n".join([first, f"{ended}: {why}", *rest])
