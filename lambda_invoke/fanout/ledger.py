"""Counts the outcomes of a fan-out, each once, and keeps those that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from lambda_invoke.fanout.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambda_invoke.fanout.report import Keep
    from lambda_invoke.results import Outcome

T = TypeVar("T")

_BATCH = 512
"""Outcomes are counted so many at a time: each batch starts from a copy of the tally."""


@attrs.frozen
class _Counted(Generic[T]):
    """The tally after a batch, the batch, and what of it was counted: all but what came twice."""

    tally: Tally
    batch: list[tuple[Outcome[T], float]] = attrs.field(factory=list)
    fresh: dict[int, Outcome[T]] = attrs.field(factory=dict)


class Ledger(Generic[T]):
    """What was recorded, and what it comes to.

    ``record`` is called on the loop and on the caller's thread, everything else on the caller's alone,
    where an interrupt may come between any two steps. So recording is one append, and counting is done
    by batch on a copy, which one assignment puts in the place of the tally: a batch is counted wholly
    or not at all, and what follows from that assignment may be done any number of times.

    With ``keep="failures"`` its memory is a bit for each item, what failed, and a batch.
    """

    def __init__(self, keep: Keep, elapsed: Callable[[], float]) -> None:
        self._keep_all = keep == "all"
        self._elapsed = elapsed
        self._pending: list[tuple[Outcome[T], float]] = []
        self._kept: dict[int, Outcome[T]] = {}
        self._seen = bytearray()
        self._counted: _Counted[T] = _Counted(Tally())

    def record(self, outcome: Outcome[T]) -> None:
        """Take an outcome as it comes, on any thread."""
        self._pending.append((outcome, self._elapsed()))

    def count_many(self) -> None:
        """Count what was recorded, once there is enough to make it worth while."""
        if len(self._pending) >= _BATCH:
            self._count()

    def close(self, missing: Iterable[Outcome[T]] = ()) -> tuple[tuple[Outcome[T], ...], Tally]:
        """The kept outcomes in the input's order, and what all outcomes come to.

        ``missing`` are given to the items among them of which nothing was recorded. May be called again.
        """
        self._count()
        tally = self._counted.tally.copy()
        lost = {outcome.index: outcome for outcome in missing if not self._has(outcome.index)}
        for outcome in lost.values():
            tally.add(outcome, self._elapsed())
        kept = self._kept
        return tuple(lost[at] if at in lost else kept[at] for at in sorted([*kept, *lost])), tally

    def _count(self) -> None:
        self._settle()
        batch = self._pending[:]  # the loop goes on appending
        tally = self._counted.tally.copy()
        seen, size = self._seen, len(self._seen) * 8
        fresh: dict[int, Outcome[T]] = {}
        for outcome, at in batch:
            index = outcome.index
            if index in fresh or (index < size and seen[index >> 3] & 1 << (index & 7)):
                continue
            fresh[index] = outcome
            tally.add(outcome, at)
        self._counted = _Counted(tally, batch, fresh)
        self._settle()

    def _settle(self) -> None:
        """What follows from the batch that was counted last, as far as it was not done before."""
        counted = self._counted
        seen, fresh = self._seen, counted.fresh
        seen.extend(bytes(max(0, max(fresh, default=0) // 8 + 1 - len(seen))))
        for index in fresh:
            seen[index >> 3] |= 1 << (index & 7)
        if self._keep_all:
            self._kept.update(fresh)
        else:
            self._kept.update((index, outcome) for index, outcome in fresh.items() if not outcome.ok)
        if counted.batch and self._pending and self._pending[0] is counted.batch[0]:
            del self._pending[: len(counted.batch)]
        self._counted = _Counted(counted.tally)

    def _has(self, index: int) -> bool:
        return index < len(self._seen) * 8 and bool(self._seen[index >> 3] & 1 << (index & 7))
