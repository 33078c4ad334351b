"""Where the loop leaves outcomes for the caller's thread."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.fanout.engine import Item
    from lambda_invoke.results import Outcome

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Outcomes in the order in which they came, and the items that have none yet.

    ``record`` is told each outcome on the loop. The engine holds this and not the iterator, so that
    a dropped iterator can be collected. The queue is written in C: a signal that arrives while the
    caller waits cannot leave it locked, as it can a Condition. What comes in one turn of the loop is
    left together: waking the caller's thread costs more than a request.
    """

    def __init__(self, record: Callable[[Outcome[T]], None] | None) -> None:
        self.outstanding: dict[int, Item[T]] = {}
        self._queue: queue.SimpleQueue[list[Outcome[T]]] = queue.SimpleQueue()
        self._coming: list[Outcome[T]] = []
        self._taken: deque[Outcome[T]] = deque()
        self._closed = False
        self._record = record

    def deliver(self, outcome: Outcome[T]) -> None:
        """Leave an outcome; on the loop."""
        if self._record is not None:
            self._record(outcome)
        self.outstanding.pop(outcome.index, None)
        if not self._coming:
            asyncio.get_running_loop().call_soon(self._leave)
        self._coming.append(outcome)

    def keep(self, outcome: Outcome[T]) -> None:
        """Leave an outcome; on the caller's own thread."""
        if self._record is not None:
            self._record(outcome)
        self._taken.append(outcome)

    def wake(self) -> None:
        """Whoever waits looks around."""
        self._queue.put([])

    def close(self) -> None:
        """Nobody waits any more, nor will."""
        self._closed = True  # first: whoever waits may have fetched the wake-up before it looks at this
        self.wake()

    def wait(self) -> None:
        """Until there is an outcome or a wake-up, unless it is closed."""
        if not self._taken and not self._closed:
            self._taken.extend(self._queue.get())

    def take(self) -> Outcome[T] | None:
        """The oldest outcome, if there is one."""
        if not self._taken and not self._queue.empty():
            self._fetch()
        return self._taken.popleft() if self._taken else None

    def __len__(self) -> int:
        """How many outcomes are there to be taken."""
        if not self._queue.empty():
            self._fetch()
        return len(self._taken)

    def _fetch(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._taken.extend(self._queue.get_nowait())

    def _leave(self) -> None:
        came, self._coming = self._coming, []
        self._queue.put(came)
