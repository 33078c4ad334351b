"""The outcomes of a job, for a thread that may be held up by where it writes them."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.fanout.loop import BACKGROUND
from lambda_invoke.fanout.report import CompletionReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from lambda_invoke.aio import AsyncLambdaClient
    from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
    from lambda_invoke.fanout.tolerance import Tolerance
    from lambda_invoke.results import Outcome

_MOST_WAITING = 64
"""Outcomes that wait to be taken; beyond, no more of the input is."""
_CLOSE_SECONDS = 5.0


@attrs.frozen
class _End:
    error: Exception | None


class Outcomes:
    """Runs an asyncio ``map`` on the background loop, and gives its outcomes to one other thread.

    So neither side waits for the other: outcomes come while the input blocks, and replies are read while
    the output does. That thread is the main one, where signals are handled: its wait can be interrupted.

    The client is closed with it. Nothing begins before the first outcome is asked for; leaving ``with``
    gives up what is in flight, and waits some seconds for the journal to be closed.

    When more items fail than ``tolerance`` bears, the job ends, and ``too_many_failed`` is set.
    """

    def __init__(
        self, client: AsyncLambdaClient, mapping: AsyncMapIterator[Any], tolerance: Tolerance
    ) -> None:
        self.too_many_failed = False
        self._client = client
        self._mapping = mapping
        self._tolerance = tolerance
        self._done = 0
        self._failed = 0
        self._queue: queue.SimpleQueue[list[Outcome[Any]] | _End] = queue.SimpleQueue()
        self._coming: list[Outcome[Any]] = []
        self._room = asyncio.Semaphore(_MOST_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._runs = False

    def __iter__(self) -> Iterator[Outcome[Any]]:
        """Each outcome as it comes; raises what ``map`` raises, after the last one."""
        self._runs = True
        BACKGROUND.start()(self._begin)
        while not isinstance(came := self._queue.get(), _End):
            yield from came
            BACKGROUND.call(self._make_room, len(came))
        self._runs = False
        if came.error is not None:
            raise came.error

    @property
    def in_flight(self) -> int:
        """How many items were taken from the input and have no outcome yet."""
        return max(0, self._mapping.in_flight)

    def give_up(self) -> None:
        """Send nothing more and give up what is in flight; its outcomes still come. From any thread."""
        BACKGROUND.call(self._mapping.end, CompletionReason.STOPPED)

    def close(self) -> None:
        """Send nothing more; outcomes that were not taken are lost. May be called twice."""
        if not self._runs:
            return
        self._runs = False
        BACKGROUND.call(self._cancel)
        until = time.monotonic() + _CLOSE_SECONDS
        with contextlib.suppress(queue.Empty):
            while not isinstance(self._queue.get(timeout=max(0.0, until - time.monotonic())), _End):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # On the loop.

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        error: Exception | None = None
        try:
            async with self._client, self._mapping:
                async for outcome in self._mapping:
                    self._count(outcome)
                    await self._room.acquire()
                    if not self._coming:  # what comes in one turn of the loop is handed over together
                        loop.call_soon(self._hand_over)
                    self._coming.append(outcome)
                self._judge(at_end=True)
        except Exception as raised:  # noqa: BLE001 - raised again where the outcomes are taken
            error = raised
        finally:
            self._hand_over()
            self._queue.put(_End(error))

    def _count(self, outcome: Outcome[Any]) -> None:
        self._done += 1
        self._failed += not outcome.ok
        self._judge(at_end=False)

    def _judge(self, *, at_end: bool) -> None:
        """End the job if too many failed, unless it ends already: what is given up then fails as well."""
        mapping = self._mapping
        if mapping.ended not in {None, CompletionReason.COMPLETED} or mapping.overdue:
            return
        if self._tolerance.verdict(self._done - self._failed, self._failed, at_end=at_end) is not None:
            self.too_many_failed = True
            mapping.end(CompletionReason.TOLERANCE_EXCEEDED)

    def _hand_over(self) -> None:
        if self._coming:
            came, self._coming = self._coming, []
            self._queue.put(came)

    def _make_room(self, taken: int) -> None:
        for _ in range(taken):
            self._room.release()
