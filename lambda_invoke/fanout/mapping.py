"""The blocking ``map``: an iterator over outcomes, whose engine runs on the background loop.

The caller's iterable advances on the caller's thread only, inside ``next()``. An item is with the
engine as soon as it was taken, so that nothing waits while the input blocks; no more than the
concurrency and a small constant is ever pulled ahead.
"""

from __future__ import annotations

import contextvars
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lambda_invoke.core.plan import given_up
from lambda_invoke.errors import DeadlineExceededError
from lambda_invoke.fanout.engine import Engine, Item
from lambda_invoke.fanout.loop import BACKGROUND
from lambda_invoke.fanout.mailbox import Mailbox
from lambda_invoke.fanout.report import CompletionReason
from lambda_invoke.results import Outcome

if TYPE_CHECKING:
    import threading
    from types import TracebackType

    from lambda_invoke.core.transport import AsyncTransport
    from lambda_invoke.transports.drive import Clock

T = TypeVar("T")

_AHEAD = 16
"""At most so many items are pulled ahead beyond the concurrency, so that workers find work."""
_SLOW_INPUT_SECONDS = 0.005
"""An input that takes longer for an item does not hold back outcomes that are there."""
_SETTLE_SECONDS = 0.25

Prepare = Callable[[int, Any, "float | None"], "Item[T] | Outcome[T]"]


class MapIterator(Iterator[Outcome[T]], Generic[T]):
    """What ``map`` returns: an iterator over outcomes, also a context manager.

    Nothing is pulled or sent before the first ``next()``. ``close()`` (or leaving ``with``, or
    dropping the iterator) sends nothing more and gives up what is in flight; ``abandoned`` then
    holds the outcomes that were not yielded.
    """

    def __init__(
        self,
        items: Iterable[Any],
        prepare: Prepare[T],
        transport: Callable[[], AsyncTransport],
        *,
        concurrency: int,
        ordered: bool,
        raise_errors: bool,
        deadline: float | None,
        clock: Clock,
        stop: threading.Event | None,
        record: Callable[[Outcome[T]], None] | None = None,
    ) -> None:
        self._items = items
        self._prepare = prepare
        self._transport = transport
        self._concurrency = concurrency
        self._ordered = ordered
        self._raise_errors = raise_errors
        self._deadline = deadline
        self._expires: float | None = None
        self._clock = clock
        self._stop = stop
        self._ahead = max(1, min(_AHEAD, concurrency // 4))

        self._source: Iterator[Any] | None = None
        self._pulled = 0
        self._yielded = 0
        self._early: dict[int, Outcome[T]] = {}  # ordered: they wait for their turn
        self._mailbox: Mailbox[T] = Mailbox(record)
        self._engine: Engine[T] | None = None
        self._closed = False
        self._pid = os.getpid()

        self.ended: CompletionReason | None = None
        """Why nothing more is taken from the input; None while it goes on."""
        self.input_error: BaseException | None = None
        """What the caller's iterable raised."""
        self.abandoned: tuple[Outcome[T], ...] = ()

    def __iter__(self) -> MapIterator[T]:
        return self

    def __next__(self) -> Outcome[T]:
        outcome = self._next()
        if self._raise_errors and outcome.error is not None:
            self.close()
            raise outcome.error
        return outcome

    def _next(self) -> Outcome[T]:
        if self._closed:
            raise StopIteration
        self._check_place()
        try:
            if self._source is None:
                if self._deadline is not None:
                    self._expires = self._clock.now() + self._deadline
                self._source = iter(self._items)
            while not self._closed:  # another thread may close it
                self._pull(self._source)
                outcome = self._take()
                if outcome is not None:
                    self._yielded += 1
                    return outcome
                if self.ended is not None and self._yielded == self._pulled:
                    break
                self._mailbox.wait()
        except BaseException:
            self.close()
            raise
        self.close()
        if self.input_error is not None:
            raise self.input_error
        if self.ended is CompletionReason.DEADLINE:
            raise DeadlineExceededError(
                f"the job's deadline passed when {self._pulled:,} items had been taken from the input"
            )
        raise StopIteration

    def _check_place(self) -> None:
        """Refuse to wait where waiting would never end."""
        if BACKGROUND.is_current():
            raise RuntimeError(
                "map and fan_out cannot be used on the loop that runs them: in on_attempt, say"
            )
        if os.getpid() != self._pid:
            raise RuntimeError("this map was started in the parent process, which has its outcomes")

    def close(self) -> None:
        """Send nothing more and give up what is in flight. Returns at once, may be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._engine is not None:
            BACKGROUND.call(self._engine.close)
            if self._yielded < self._pulled:
                BACKGROUND.settle(_SETTLE_SECONDS)  # the cancelled workers deliver on the loop's next turns
        while (outcome := self._mailbox.take()) is not None:
            self._early[outcome.index] = outcome
        self._mailbox.close()
        self.abandoned = tuple(self._early[index] for index in sorted(self._early))
        self._early.clear()

    def __enter__(self) -> MapIterator[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Dropped before its end: nothing waits for what is in flight.
        engine = getattr(self, "_engine", None)
        if engine is not None and not self._closed:
            BACKGROUND.call(engine.close)

    @property
    def in_flight(self) -> int:
        """How many items were pulled and have no outcome yet."""
        return self._pulled - self._yielded - len(self._mailbox) - len(self._early)

    def unaccounted(self) -> list[Outcome[T]]:
        """Outcomes of the items that have none: of a close that was itself interrupted."""
        now = self._clock.now()
        return [item.failed(given_up(item.call, now)) for item in list(self._mailbox.outstanding.values())]

    @property
    def overdue(self) -> bool:
        """Whether the job's deadline has passed."""
        return self._expires is not None and self._clock.now() >= self._expires

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.in_flight} in flight"
        return f"<map: {self._pulled} items pulled, {self._yielded} outcomes yielded, {state}>"

    def _pull(self, source: Iterator[Any]) -> None:
        """Advance the caller's iterable while there is room, unless outcomes wait and it is slow."""
        outstanding = self._pulled - self._yielded
        full = outstanding > self._concurrency and self.in_flight >= self._concurrency
        if full and not self._over():
            return
        while self.ended is None and self._pulled - self._yielded < self._concurrency + self._ahead:
            begun = time.monotonic()
            if not self._over():
                self._pull_one(source)
            if len(self._mailbox) and time.monotonic() - begun > _SLOW_INPUT_SECONDS:
                return

    def _over(self) -> bool:
        """Whether the job's stop or deadline came."""
        if self.ended is None and self._stop is not None and self._stop.is_set():
            self.ended = CompletionReason.STOPPED
        elif self.ended is None and self.overdue:
            self.ended = CompletionReason.DEADLINE
        return self.ended is not None

    def _pull_one(self, source: Iterator[Any]) -> None:
        try:
            payload = next(source)
        except StopIteration:
            self.ended = CompletionReason.COMPLETED
            return
        except Exception as error:  # noqa: BLE001 - the caller's; raised after what is in flight
            self.ended = CompletionReason.INPUT_FAILED
            self.input_error = error
            return
        prepared = self._prepare(self._pulled, payload, self._expires)
        self._pulled += 1
        if not isinstance(prepared, Item):
            self._mailbox.keep(prepared)
            return
        self._mailbox.outstanding[prepared.index] = prepared
        if self._engine is None:
            self._engine = Engine(
                self._transport(),
                concurrency=self._concurrency,
                deliver=self._mailbox.deliver,
                ended=self._mailbox.wake,
                call=BACKGROUND.start(),
                context=contextvars.copy_context(),
                clock=self._clock,
                expires=self._expires,
                stop=self._stop,
            )
        self._engine.offer(prepared)

    def _take(self) -> Outcome[T] | None:
        if not self._ordered:
            return self._mailbox.take()
        while (outcome := self._mailbox.take()) is not None:
            self._early[outcome.index] = outcome
        return self._early.pop(self._yielded, None)
