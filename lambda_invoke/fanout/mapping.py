"""The blocking ``map``: an iterator over outcomes, whose engine runs on the background loop.

The caller's iterable advances on the caller's thread only, inside ``next()``. An item is with the
engine as soon as it was taken, so that nothing waits while the input blocks; no more than the
concurrency and a small constant is ever pulled ahead.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_invoke.fanout.journaled import Journaled
from lambda_invoke.fanout.loop import BACKGROUND
from lambda_invoke.fanout.mailbox import Mailbox
from lambda_invoke.fanout.state import MapState, Plans
from lambda_invoke.results import Outcome

if TYPE_CHECKING:
    from types import TracebackType


T = TypeVar("T")

_SLOW_INPUT_SECONDS = 0.005
"""An input that takes longer for an item does not hold back outcomes that are there."""
_SETTLE_SECONDS = 0.8
"""A loop that was busy for so long does not know in time how far the items had come: they are UNKNOWN."""


class MapIterator(MapState[T], Iterator[Outcome[T]]):
    """What ``map`` returns: an iterator over outcomes, also a context manager.

    Nothing is pulled or sent before the first ``next()``. ``close()`` (or leaving ``with``, or
    dropping the iterator) sends nothing more and gives up what is in flight; ``abandoned`` then
    holds the outcomes that were not yielded.
    """

    def __init__(
        self,
        items: Iterable[Any],
        plans: Plans[T],
        *,
        record: Callable[[Outcome[T]], None] | None = None,
    ) -> None:
        self._mailbox: Mailbox[T] = Mailbox(self._recorder(record, plans.batches))
        super().__init__(plans, self._mailbox)
        self._items = items if plans.batches is None else plans.batches.lists(items)
        self._source: Iterator[Any] | None = None
        self._put_away = False
        self._turn = threading.Lock()
        self._pid = os.getpid()

    def __iter__(self) -> MapIterator[T]:
        return self

    def __next__(self) -> Outcome[T]:
        outcome = self._next()
        if self._plans.raise_errors and outcome.error is not None:
            self.close()
            raise outcome.error
        return outcome

    def _next(self) -> Outcome[T]:
        if self._closed:
            raise StopIteration
        self._check_place()
        if not self._turn.acquire(blocking=False):
            raise RuntimeError("next() of this map is under way in another thread already")
        try:
            return self._next_in_turn()
        finally:
            self._turn.release()

    def _next_in_turn(self) -> Outcome[T]:
        try:
            if self._source is None:
                self._open_journal()
                self._begin()
                self._source = iter(self._items)
            while not self._closed:  # another thread may close it
                self._pull(self._source)
                outcome = self._take()
                if outcome is not None:
                    return outcome
                if self.is_done:
                    break
                self._mailbox.wait()
        except BaseException:
            self.close()
            raise
        self.close()
        raise self._end(StopIteration())

    def _check_place(self) -> None:
        """Refuse to wait where waiting would never end."""
        if BACKGROUND.is_current():
            raise RuntimeError(
                "map and fan_out cannot be used on the loop that runs them: in on_attempt, say"
            )
        if os.getpid() != self._pid:
            raise RuntimeError("this map was started in the parent process, which has its outcomes")

    def close(self) -> None:
        """Send nothing more and give up what is in flight. Returns at once, may be called twice.

        Called again where an interrupt cut it short, it does the rest.
        """
        if self._put_away:
            return
        self._closed = True
        if self._engine is not None:
            self._give_up()
            if self._yielded < self._pulled:
                # The cancelled workers deliver on the loop's next turns.
                self._settled = BACKGROUND.settle(_SETTLE_SECONDS)
        if self._journaled is not None:
            for step in (self._journaled.flush, self._journaled.close):
                step()
                BACKGROUND.settle(_SETTLE_SECONDS)  # what it has begun, and stored, comes by the loop
        self._abandon()
        self._mailbox.close()
        self._put_away = True

    def __enter__(self) -> MapIterator[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_journal(self) -> None:
        plan = self._plans.journal
        if plan is not None:
            self._journaled = Journaled(plan, plan.open())

    def _caller(self) -> Callable[..., object]:
        return BACKGROUND.call

    def _pull(self, source: Iterator[Any]) -> None:
        """Advance the caller's iterable while there is room, unless outcomes wait and it is slow."""
        if self._full and not self._over():
            return
        while self._room:
            took = 0.0 if self._over() else self._pull_one(source)
            if len(self._mailbox) and took > _SLOW_INPUT_SECONDS:
                return

    def _pull_one(self, source: Iterator[Any]) -> float:
        """One more item; the seconds that the input took for it, what was done with it left out."""
        begun = time.monotonic()
        took = 0.0
        try:
            payload = next(source)
            took = time.monotonic() - begun
        except StopIteration:
            self._input_ended(None)
        except Exception as error:  # noqa: BLE001 - the caller's; raised after what is in flight
            self._input_ended(error)
        else:
            self._offer(payload, BACKGROUND.start)
        return took
