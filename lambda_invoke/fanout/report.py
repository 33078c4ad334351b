"""What a fan-out came to."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from lambda_invoke.core.plan import worst
from lambda_invoke.errors import Executed, FanOutError
from lambda_invoke.fanout.tally import SHOWN_KINDS, Tally

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from lambda_invoke.results import Outcome

T = TypeVar("T")


class CompletionReason(enum.Enum):
    """Why a fan-out ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    INPUT_FAILED = "input failed"


@attrs.frozen(repr=False)
class FanOutReport(Generic[T]):
    """The outcomes of a fan-out, in the order of the input, and what they come to.

    ``duration`` is seconds from the first item taken to the last outcome. When the job ended early
    (``completion_reason``), the input beyond the last outcome was not taken.
    """

    outcomes: tuple[Outcome[T], ...]
    completion_reason: CompletionReason
    duration: float
    input_error: BaseException | None = None

    @property
    def succeeded(self) -> tuple[Outcome[T], ...]:
        """The items that succeeded."""
        return tuple(outcome for outcome in self.outcomes if outcome.ok)

    @property
    def failed(self) -> tuple[Outcome[T], ...]:
        """The items that failed, those given up included."""
        return tuple(outcome for outcome in self.outcomes if not outcome.ok)

    def values(self) -> list[T]:
        """The values of all items, in the order of the input.

        Raises:
            FanOutError: some items failed, or the job ended early.
        """
        self.raise_for_failures()
        return [outcome.value for outcome in self.outcomes]

    def raise_for_failures(self) -> None:
        """Do nothing if every item succeeded.

        Raises:
            FanOutError: some items failed, or the job ended early; its cause is the first error.
        """
        failed = self.failed
        if not failed and self.completion_reason is CompletionReason.COMPLETED:
            return
        first = failed[0].error if failed else self.input_error
        message = f"{len(failed):,} of {len(self.outcomes):,} items failed"
        if self.completion_reason is not CompletionReason.COMPLETED:
            message += f" and the job ended early ({self.completion_reason.value})"
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.errors().most_common(SHOWN_KINDS))
        raise FanOutError(
            f"{message}: {kinds}" if kinds else message,
            report=self,
            executed=worst(outcome.executed for outcome in failed),
        ) from first

    def errors(self) -> Counter[str]:
        """How many items failed with which error."""
        return self._tally().errors

    @property
    def attempts(self) -> int:
        """Requests sent, retries included."""
        return self._tally().attempts

    def throttles(self) -> Counter[str]:
        """How many attempts were throttled, by the service's reason."""
        return self._tally().throttles

    @property
    def unknown(self) -> tuple[Outcome[T], ...]:
        """The items of which nobody can say whether they ran."""
        return tuple(outcome for outcome in self.outcomes if outcome.executed is Executed.UNKNOWN)

    @property
    def rate(self) -> float:
        """Outcomes per second."""
        return len(self.outcomes) / self.duration if self.duration > 0 else 0.0

    @property
    def billed_duration(self) -> float | None:
        """Billed seconds by the log tails' reports; None when no tail was asked for or none had one."""
        return self._tally().billed_duration

    @property
    def cold_starts(self) -> int:
        """Cold starts by the log tails' reports."""
        return self._tally().cold_starts

    def _tally(self) -> Tally:
        tally = Tally()
        for outcome in self.outcomes:
            tally.add(outcome)
        return tally

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[Outcome[T]]:
        return iter(self.outcomes)

    def __repr__(self) -> str:
        return (
            f"<FanOutReport: {len(self.succeeded)} of {len(self.outcomes)} succeeded, "
            f"{self.completion_reason.value}, {self.duration:.1f} s>"
        )

    def __str__(self) -> str:
        first, *rest = self._tally().summary(self.duration).split("\n")
        if self.completion_reason is not CompletionReason.COMPLETED:
            rest.insert(0, f"ended early: {self.completion_reason.value}")
        return "\n".join([first, *rest])
