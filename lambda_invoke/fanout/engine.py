"""The engine: asyncio workers that pull calls from a feed and deliver an outcome for each."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from lambda_invoke.core.plan import Call, given_up, plan
from lambda_invoke.errors import LambdaInvokeError
from lambda_invoke.results import Invocation, Outcome
from lambda_invoke.transports.drive import Clock, drive_async
from lambda_invoke.transports.threads import was_unsent

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from lambda_invoke.core.limiter_board import Ticket
    from lambda_invoke.core.options import Stop
    from lambda_invoke.core.transport import AsyncTransport
    from lambda_invoke.transports.admission import Admission

T = TypeVar("T")


@attrs.frozen
class Item(Generic[T]):
    """One item of a job: its place, what the caller gave, and the call that was made of it."""

    index: int
    payload: Any = attrs.field(repr=False)
    call: Call[Invocation[T]]

    def failed(self, error: LambdaInvokeError) -> Outcome[T]:
        """The outcome of an item that failed."""
        return Outcome(self.index, self.call.request.display, self.payload, error=error)


STOP_POLL_SECONDS = 0.05
GRACE_SECONDS = 0.25
"""After the job's deadline, a send that does not keep to it by itself is given up."""


class Engine(Generic[T]):
    """Up to ``concurrency`` workers on one event loop.

    Items wait for their turn in ``admission``. Everything but ``offer`` runs on that loop, on which
    ``call`` runs a function from any thread. ``deliver`` is called with each outcome as it comes. The
    engine watches ``stop`` and ``expires`` by itself, whatever the caller is busy with; ``ended`` is
    called when one of them ends the job. With ``drain`` what is in flight at a stop is waited for.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        admission: Admission,
        *,
        concurrency: int,
        deliver: Callable[[Outcome[T]], None],
        ended: Callable[[], None],
        call: Callable[..., object],
        context: Context,
        clock: Clock,
        expires: float | None,
        stop: Stop | None,
        drain: bool,
    ) -> None:
        self._transport = transport
        self._admission = admission
        self._concurrency = concurrency
        self._deliver = deliver
        self._ended = ended
        self._call = call
        self._context = context
        self._clock = clock
        self._sleep = clock.async_sleep or asyncio.sleep
        self._expires = expires
        self._stop = stop
        self._drain = drain
        self._feed: deque[Item[T]] = deque()
        self._parked: deque[asyncio.Future[None]] = deque()
        self._workers: dict[asyncio.Task[None], Item[T] | None] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False
        self._woken = False
        self.halted = False
        """Set from any thread: no attempt begins any more. ``close`` is to follow."""

    def offer(self, item: Item[T]) -> None:
        """Hand an item over, from any thread."""
        self._feed.append(item)
        # While the loop has not looked yet, it will see this one too: one wake-up for many items.
        if not self._woken:
            self._woken = True
            self._call(self._wake)

    def close(self) -> None:
        """Send nothing more: what is not sent is delivered as such, what is in flight is given up."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        for worker in list(self._workers):
            worker.cancel()
        self._refuse()

    async def wait_closed(self, seconds: float) -> None:
        """After ``close``: until what was given up is delivered, for so many seconds at most."""
        if self._workers:
            await asyncio.wait(self._workers, timeout=seconds)

    def _give_up_unsent(self) -> None:
        """Send nothing more, and leave what is in flight alone."""
        self._closed = True
        self._refuse()
        for worker, item in list(self._workers.items()):
            if item is None or item.call.course.sending_since is None:
                worker.cancel()

    def _refuse(self) -> None:
        while self._feed:
            item = self._feed.popleft()
            self._deliver(item.failed(given_up(item.call, self._clock.now())))

    def _wake(self) -> None:
        """A worker is woken, or started while there is room, for each item."""
        self._woken = False
        if self._closed:
            self._refuse()
            return
        if self._watch is None:
            self._look()
        for _ in range(len(self._feed)):
            if not self._wake_one():
                if len(self._workers) >= self._concurrency:
                    break
                worker = asyncio.get_running_loop().create_task(self._work(), context=self._context.copy())
                self._workers.setdefault(worker, None)  # an eager one has begun
                worker.add_done_callback(self._workers.pop)

    def _look(self) -> None:
        """End the job if its stop or deadline came, and look again when it may have."""
        late = None if self._expires is None else self._expires + GRACE_SECONDS - self._clock.now()
        stopped = self._stop is not None and self._stop.is_set()
        if (stopped and not self._drain) or (late is not None and late <= 0):
            self.close()
            self._ended()
            return
        if stopped:
            self._give_up_unsent()
            self._ended()
            if not self._workers:
                return
        waits = [] if self._stop is None else [STOP_POLL_SECONDS]
        waits += [] if late is None else [late]
        if waits:
            self._watch = asyncio.get_running_loop().call_later(min(waits), self._look)

    def _wake_one(self) -> bool:
        while self._parked:
            waiter = self._parked.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False

    async def _enter(self, call: Call[Any]) -> Ticket:
        ticket = await self._admission.enter(call.request, call.expires)
        if self.halted:
            self._admission.leave(ticket)
            raise asyncio.CancelledError
        return ticket

    async def _work(self) -> None:
        loop, admission = asyncio.get_running_loop(), self._admission
        invocation: Invocation[T] | None
        worker = asyncio.current_task()
        assert worker is not None
        while True:
            self._workers[worker] = None
            while not self._feed:
                waiter = loop.create_future()
                self._parked.append(waiter)
                await waiter
            if self.halted:
                return
            item = self._workers[worker] = self._feed.popleft()
            call = item.call
            try:
                invocation = await drive_async(
                    plan(call, now=self._clock.now, random=self._clock.random),
                    self._transport,
                    call.request,
                    self._sleep,
                    admission,
                    enter=functools.partial(self._enter, call),
                )
            except LambdaInvokeError as error:
                self._deliver(item.failed(error))
            except asyncio.CancelledError as cancelled:
                unsent = was_unsent(cancelled)
                self._deliver(item.failed(given_up(call, self._clock.now(), unsent=unsent)))
                raise
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a hook's, a defect
                why = f"{type(error).__name__} was raised in the middle of the call"
                broken = given_up(call, self._clock.now(), why=why)
                broken.__cause__ = error
                self._deliver(item.failed(broken))
            else:
                self._deliver(Outcome(item.index, call.request.display, item.payload, invocation))
            del item, call
            invocation = None  # a parked worker holds nothing
