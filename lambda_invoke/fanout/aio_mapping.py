"""The asyncio ``map``: an async iterator over outcomes, whose engine runs on the caller's own loop.

The input advances inside ``anext()``. An async iterable that keeps its caller waiting holds back no
outcome: it is awaited in a task of its own, one item at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lambda_invoke.fanout.engine import STOP_POLL_SECONDS
from lambda_invoke.fanout.journaled import Journaled
from lambda_invoke.fanout.state import MapState, Plans
from lambda_invoke.results import Outcome
from lambda_invoke.transports.threads import DaemonThreads, in_thread

if TYPE_CHECKING:
    from types import TracebackType

    from lambda_invoke.fanout.engine import Item
    from lambda_invoke.fanout.journal_file import JournalFile
    from lambda_invoke.fanout.journaled import JournalPlan

T = TypeVar("T")

_THREADS = DaemonThreads(2)
"""For journals, which are opened and closed on a disk."""
_LONG_SECONDS = 0.005
"""A synchronous input that takes longer holds the loop up: what is offered is sent first."""
_MANY = 64
"""After so many outcomes that were there without waiting, the loop has a turn."""
_CLOSE_SECONDS = 5.0
"""Cancelled sends end within a few turns of the loop; one of a caller's own transport may not."""


class AsyncMapIterator(MapState[T], AsyncIterator[Outcome[T]]):
    """What ``map`` of the asyncio client returns: an async iterator over outcomes.

    Also an async context manager. Nothing is pulled or sent before the first ``anext()``.
    ``aclose()`` (or leaving ``async with``, a cancelled ``anext()``, or dropping the iterator) sends
    nothing more and gives up what is in flight; ``abandoned`` then holds the outcomes that were not
    yielded.
    """

    def __init__(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        plans: Plans[T],
        *,
        record: Callable[[Outcome[T]], None] | None = None,
    ) -> None:
        self._inbox: _Inbox[T] = _Inbox(self._recorder(record, plans.batches))
        super().__init__(plans, self._inbox)
        self._items = items
        self._source: Iterator[Any] | _Incoming | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        self._turnless = 0  # outcomes that were yielded since the loop had a turn
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> AsyncMapIterator[T]:
        return self

    async def __anext__(self) -> Outcome[T]:
        outcome = await self._next()
        if self._plans.raise_errors and outcome.error is not None:
            await self.aclose()
            raise outcome.error
        return outcome

    async def _next(self) -> Outcome[T]:
        if self._closed:
            raise StopAsyncIteration
        self._check_place()
        self._busy = True
        try:
            return await self._next_in_turn()
        finally:
            self._busy = False

    async def _next_in_turn(self) -> Outcome[T]:
        try:
            if self._source is None:
                self._source = self._open()
                await self._plans.opened()
                await self._open_journal()
                self._begin()
            while not self._closed:  # another task may close it
                begun = time.monotonic()
                self._pull(self._source, begun)
                outcome = self._take()
                if time.monotonic() - begun > _LONG_SECONDS or self._turnless > _MANY:
                    self._turnless = 0
                    # The loop's other tasks, and what was just offered, have their turn.
                    await asyncio.sleep(0)
                if outcome is not None:
                    self._turnless += 1
                    return outcome
                if self.is_done:
                    break
                if not self._may_pull:
                    await self._inbox.wait(self._longest_wait())
        except BaseException:
            await self.aclose()
            raise
        await self.aclose()
        raise self._end(StopAsyncIteration())

    def _check_place(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if loop is not self._loop:
            raise RuntimeError("this map was started on another event loop, which has its outcomes")
        if self._busy:
            raise RuntimeError("anext() of this map is awaited by another task already")

    async def aclose(self) -> None:
        """Send nothing more and give up what is in flight. May be called twice.

        Cancelled itself, it goes on by itself.
        """
        if self._closing is None:
            self._closed = True
            if self._engine is not None:
                self._engine.halted = True
            self._inbox.wake()
            self._closing = asyncio.ensure_future(self._put_away())
        await asyncio.shield(self._closing)

    async def _put_away(self) -> None:
        try:
            if isinstance(self._source, _Incoming):
                await self._source.aclose()
        finally:
            if self._engine is not None:
                self._engine.close()
                await self._engine.wait_closed(_CLOSE_SECONDS)
            if self._journaled is not None:
                for step in (self._journaled.flush, self._journaled.close):
                    await in_thread(_THREADS, step)
                    await asyncio.sleep(0)  # what it has begun, and stored, comes by the loop
            self._abandon()

    async def __aenter__(self) -> AsyncMapIterator[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _caller(self) -> Callable[..., object]:
        assert self._loop is not None
        return functools.partial(_call_threadsafe, self._loop)

    def _open(self) -> Iterator[Any] | _Incoming:
        items, batches = self._items, self._plans.batches
        if isinstance(items, AsyncIterable):
            source = aiter(items if batches is None else batches.lists_async(items))
            return _Incoming(source, self._inbox.wake)
        return iter(items if batches is None else batches.lists(items))

    def _pull(self, source: Iterator[Any] | _Incoming, begun: float) -> None:
        """Advance the caller's input while there is room and it has something, for a moment at most."""
        if self._full and not self._over():
            return
        while self._room and time.monotonic() - begun <= _LONG_SECONDS:
            if self._over():
                return
            try:
                payload = source.take() if isinstance(source, _Incoming) else next(source)
            except (StopIteration, StopAsyncIteration):
                self._input_ended(None)
            except Exception as error:  # noqa: BLE001 - the caller's; raised after what is in flight
                self._input_ended(error)
            else:
                if payload is _NOTHING_YET:
                    return
                self._offer(payload, self._call)

    async def _open_journal(self) -> None:
        plan = self._plans.journal
        if plan is not None:
            self._journaled = Journaled(plan, await _opened(plan))

    @property
    def _may_pull(self) -> bool:
        """Whether the input was left in the middle, for the loop's sake, and nothing of it is on its way."""
        asked = isinstance(self._source, _Incoming) and self._source.is_asked
        return not asked and self._room and not self._full

    def _call(self) -> Callable[..., object]:
        return asyncio.get_running_loop().call_soon if self._journaled is None else self._caller()

    def _longest_wait(self) -> float | None:
        """An input may be waited for with nothing in flight: stop and deadline count then too."""
        if self.ended is not None or not isinstance(self._source, _Incoming):
            return None
        waits = [] if self._plans.stop is None else [STOP_POLL_SECONDS]
        if self._expires is not None:
            waits.append(max(0.0, self._expires - self._plans.clock.now()))
        return min(waits, default=None)


def _call_threadsafe(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there
        loop.call_soon_threadsafe(function, *args)


async def _opened(plan: JournalPlan) -> JournalFile:
    """Open a journal in a thread; who is cancelled meanwhile does not leave it locked."""
    opened: list[JournalFile] = []
    wanted = True

    def open_() -> JournalFile:
        file = plan.open()
        opened.append(file)
        if not wanted:
            file.close()
        return file

    try:
        return await in_thread(_THREADS, open_)
    except asyncio.CancelledError:
        wanted = False
        for file in opened:
            file.close()
        raise


_NOTHING_YET = object()


class _Incoming:
    """An async iterable's next item, awaited in a task so that outcomes need not wait for it."""

    def __init__(self, source: AsyncIterator[Any], wake: Callable[[], None]) -> None:
        self._source = source
        self._wake = wake
        self._coming: asyncio.Task[Any] | None = None
        self._context = contextvars.copy_context()  # one for all items: the input's own variables stay

    def take(self) -> Any:
        """The next item, or that there is none yet; raises what the iterable raised, its end too."""
        if self._coming is None:
            loop = asyncio.get_running_loop()
            self._coming = loop.create_task(_one(self._source), context=self._context)
            self._coming.add_done_callback(lambda _: self._wake())
        if not self._coming.done():
            return _NOTHING_YET
        came, self._coming = self._coming, None
        found, value = came.result()
        if not found:
            raise StopAsyncIteration
        return value

    @property
    def is_asked(self) -> bool:
        """Whether an item is on its way; ``wake`` is called when it is here."""
        return self._coming is not None and not self._coming.done()

    async def aclose(self) -> None:
        """Ask for nothing more; what is being waited for is cancelled."""
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.cancel()
            await asyncio.wait([coming])
            if not coming.cancelled():
                coming.exception()  # the iterable's answer to being cancelled: nobody asks for it


async def _one(source: AsyncIterator[Any]) -> tuple[bool, Any]:
    """The next item; a task cannot carry StopAsyncIteration."""
    try:
        return True, await anext(source)
    except StopAsyncIteration:
        return False, None


class _Inbox(Generic[T]):
    """Outcomes on the loop on which they come and are taken; see :class:`~.mailbox.Mailbox`."""

    def __init__(self, record: Callable[[Outcome[T]], None] | None) -> None:
        self.outstanding: dict[int, Item[T]] = {}
        self._come: deque[Outcome[T]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._woken = False  # since the last wait: who looked before may have given the loop a turn since
        self._record = record

    def deliver(self, outcome: Outcome[T]) -> None:
        self.outstanding.pop(outcome.index, None)
        self.keep(outcome)
        self.wake()

    def keep(self, outcome: Outcome[T]) -> None:
        if self._record is not None:
            self._record(outcome)
        self._come.append(outcome)

    def wake(self) -> None:
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def take(self) -> Outcome[T] | None:
        return self._come.popleft() if self._come else None

    def __len__(self) -> int:
        return len(self._come)

    async def wait(self, longest: float | None) -> None:
        """Until there was an outcome or a wake-up since the last wait, or so many seconds have passed."""
        if self._woken:
            self._woken = False
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            if longest is None:
                await self._waiter
            else:
                async with asyncio.timeout(longest):
                    await self._waiter
        except TimeoutError:
            return
        finally:
            self._waiter = None
            self._woken = False
