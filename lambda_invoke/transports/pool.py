"""Connections of one event loop to one endpoint: bounded, most recently used first, given in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from lambda_invoke.transports.http1 import HttpConnection


class PoolClosedError(Exception):
    """The pool was closed; nothing is sent over it any more."""

    def __init__(self) -> None:
        super().__init__("the client's connections on this event loop were closed")


class Pool:
    """At most ``most`` connections, opened by ``connect`` and kept while they are reusable.

    An idle connection that the other side closed, or that was idle for longer than ``max_idle``
    seconds, is not given out.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connect: Callable[[], Coroutine[Any, Any, HttpConnection]],
        *,
        most: int,
        max_idle: float,
    ) -> None:
        self._loop = loop
        self._connect = connect
        self._most = most
        self._max_idle = max_idle
        self._idle: deque[HttpConnection] = deque()
        self._waiting: deque[asyncio.Future[HttpConnection | None]] = deque()
        self._given: set[HttpConnection] = set()
        self._opening: set[asyncio.Task[HttpConnection]] = set()
        self._open = 0
        self._closed = False

    def take(self) -> HttpConnection | None:
        """The most recently used idle connection, at once; None: there is none, and to be waited for."""
        connection = self._reusable()
        if connection is not None:
            self._given.add(connection)
        return connection

    async def acquire(self) -> HttpConnection:
        """A connection: the most recently used one, a new one, or in turn the next that comes free.

        Raises:
            PoolClosedError: it was closed.
        """
        if self._closed:
            raise PoolClosedError
        connection = self._reusable()
        if connection is None:
            if self._open < self._most:
                self._open += 1
            else:
                connection = await self._turn()
            if connection is None:
                connection = await self._opened()
        self._given.add(connection)
        return connection

    def release(self, connection: HttpConnection) -> None:
        """Give a connection back, whatever state it is in."""
        self._given.discard(connection)
        if self._closed or not connection.reusable:
            connection.abort()
            self._leave()
            return
        connection.idle_since = self._loop.time()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)
        self._drop_old()

    async def close(self) -> None:
        """Drop every connection, also those in use, and leave nothing behind."""
        self._closed = True
        for connection in [*self._idle, *self._given]:
            connection.abort()
        self._open -= len(self._idle)
        self._idle.clear()
        for opening in list(self._opening):
            opening.cancel()
        if self._opening:
            await asyncio.wait(self._opening)
        # A transport lets go of its socket on the loop's next turns.
        for _ in range(2):
            await asyncio.sleep(0)

    async def _opened(self) -> HttpConnection:
        """A new connection. Who gives up waiting leaves it to the pool: it is opened to its end."""
        if self._closed:  # while it waited for its turn
            self._leave()
            raise PoolClosedError
        opening: asyncio.Task[HttpConnection] = asyncio.ensure_future(self._connect())
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._adopt)
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # the pool gave the opening up, not the caller
                raise PoolClosedError from None
            raise
        except BaseException:
            self._leave()
            raise

    def _adopt(self, opened: asyncio.Task[HttpConnection]) -> None:
        if opened.cancelled() or opened.exception() is not None:
            self._leave()
        else:
            self.release(opened.result())

    def _reusable(self) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            young = self._loop.time() - connection.idle_since <= self._max_idle
            # A FIN may have come that the loop has not told of yet: one poll asks the system itself.
            if connection.reusable and young and not connection.looks_stale():
                return connection
            connection.abort()
            self._open -= 1
        return None

    def _drop_old(self) -> None:
        """Connections that nobody has needed for long are at the other end; let go of them."""
        while len(self._idle) > 1 and self._loop.time() - self._idle[0].idle_since > self._max_idle:
            self._idle.popleft().abort()
            self._open -= 1

    async def _turn(self) -> HttpConnection | None:
        """Wait for a connection, or for the right to open one (None)."""
        waiter: asyncio.Future[HttpConnection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            connection = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # the turn had come: pass it on
                given = waiter.result()
                if given is None:
                    self._leave()
                else:
                    self.release(given)
            raise
        if connection is not None and not connection.reusable:
            connection.abort()  # it was closed between the hand-over and this turn of the loop
            return None
        return connection

    def _leave(self) -> None:
        """One connection less: the next in line may open one."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._open -= 1
