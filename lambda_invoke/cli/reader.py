"""An input that may block, for an event loop: it is read in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

import attrs

T = TypeVar("T")

_AHEAD = 16
"""So many items are read before they are asked for; each may have megabytes."""


@attrs.frozen
class _End:
    error: Exception | None


class Reader(AsyncIterator[T]):
    """What a blocking iterable gives, and what it raises; for one event loop and one task.

    It advances in a daemon thread, which begins with the first ``anext()``. A thread that is blocked in
    a read is left there: it holds up neither the loop nor the end of the process.
    """

    def __init__(self, source: Iterable[T]) -> None:
        self._source = source
        self._come: deque[T | _End] = deque()
        self._room = threading.Semaphore(_AHEAD)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def __anext__(self) -> T:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._read, name="lambda_invoke-input", daemon=True).start()
        while not self._come:
            self._waiter = self._loop.create_future()
            if self._come:  # in between: its thread may not have seen that somebody waits
                break
            await self._waiter
        came = self._come.popleft()
        if not isinstance(came, _End):
            self._room.release()
            return came
        self._come.append(came)  # the end stays the end
        raise StopAsyncIteration if came.error is None else came.error

    def _read(self) -> None:
        """The thread."""
        end = _End(None)
        try:
            for one in self._source:
                self._room.acquire()
                self._leave(one)
        except Exception as error:  # noqa: BLE001 - the source's own, for who takes what it gives
            end = _End(error)
        self._leave(end)

    def _leave(self, came: T | _End) -> None:
        self._come.append(came)
        if self._waiter is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
