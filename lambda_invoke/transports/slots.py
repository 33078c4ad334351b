"""Slots for requests in flight, given out in turn to threads and to tasks of any event loop.

``threading.Semaphore`` lets whoever comes by take a free slot before those who wait for one, so that
a caller with a deadline may starve beside callers that never stop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Slots:
    """``count`` slots; those who came first go first."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()
        self._released: deque[None] = deque()

    def take(self) -> bool:
        """Take a slot if one is free; False: it must be waited for."""
        with self._lock:
            free = self._free > 0
            self._free -= free
        self._work_off()
        return free

    def acquire(self, timeout: float | None) -> bool:
        """Take a slot, waiting up to ``timeout`` seconds (None: for ever); False: none in time."""
        waiter = threading.Lock()
        waiter.acquire()
        turn = waiter.release
        if self._take_or_queue(turn):
            return True
        try:
            if waiter.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
                return True
        except BaseException:
            if not self._leave(turn):
                self.release()  # the turn came in the meantime: pass it on
            raise
        return not self._leave(turn)

    async def acquire_async(self, timeout: float | None) -> bool:
        """The same on an event loop."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def turn() -> None:
            loop.call_soon_threadsafe(_resolve, waiter)

        if self._take_or_queue(turn):
            return True
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            return not self._leave(turn)
        except BaseException:
            if not self._leave(turn):
                self.release()
            raise
        return True

    def release(self) -> None:
        """Give a slot back: to who waits longest, if anybody does.

        The collector may call this anywhere, also where this very thread holds the lock: it waits for
        nothing, and is done at the latest by who holds the lock.
        """
        self._released.append(None)
        self._work_off()

    def _work_off(self) -> None:
        while self._released and self._lock.acquire(blocking=False):
            try:
                while self._released:
                    self._released.popleft()
                    self._give()
            finally:
                self._lock.release()

    def _give(self) -> None:
        while self._waiting:
            try:
                self._waiting.popleft()()
            except RuntimeError:  # its event loop is closed: nobody waits there any more
                continue
            return
        self._free += 1

    def _take_or_queue(self, turn: Callable[[], object]) -> bool:
        with self._lock:
            free = self._free > 0
            self._free -= free
            if not free:
                self._waiting.append(turn)
        self._work_off()
        return free

    def _leave(self, turn: Callable[[], object]) -> bool:
        """Stop waiting; False when the turn was given already."""
        with self._lock:
            waiting = turn in self._waiting
            if waiting:
                self._waiting.remove(turn)
        self._work_off()
        return waiting


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
