"""How calls come through the limiter: job items wait for their turn, calls of their own do not."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from lambda_invoke.core.target import parse_target
from lambda_invoke.core.transport import Answer, Refusal, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambda_invoke.core.limiter import Limiter
    from lambda_invoke.core.limiter_board import Ticket
    from lambda_invoke.core.transport import Request


class Admission:
    """Admits the attempts of a client's calls, and tells the limiter how they ended.

    ``now`` is the clock of the client's calls, in seconds; ``sleep`` waits on it. None: the loop's own
    time, which an end of another call cuts short.
    """

    def __init__(
        self,
        limiter: Limiter,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self._limiter = limiter
        self._now = now
        self._sleep = sleep

    def join(self, request: Request) -> Ticket:
        """An attempt of a call of its own: it never waits."""
        target = parse_target(request.function)
        return self._limiter.join(target.unqualified, self._now(), account=target.account)

    async def enter(self, request: Request, expires: float | None) -> Ticket:
        """An attempt of a job's item: waits for its turn, until ``expires`` at most.

        The ticket is not admitted when the time came first; it is to be left all the same.
        """
        waiting: _Waiting | None = None

        def notify() -> None:
            if waiting is not None:
                waiting.wake()

        target, now = parse_target(request.function), self._now()
        ticket = self._limiter.enter(target.unqualified, now, notify, account=target.account)
        if _admitted(ticket):
            return ticket
        waiting = _Waiting(self._sleep)
        try:
            while not _admitted(ticket) and (expires is None or now < expires):
                await waiting.wait(_nearest(ticket.due, expires, now))
                now = self._now()
                self._limiter.poll(now)
        except BaseException:
            self._limiter.leave(ticket, self._now())
            raise
        return ticket

    def ended(self, ticket: Ticket, answer: Answer) -> None:
        """The attempt has its answer."""
        now = self._now()
        if isinstance(answer, Reply):
            self._limiter.accepted(ticket, now)
        elif isinstance(answer, Refusal) and answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self._limiter.throttled(ticket, now, answer.reason)
        else:
            self._limiter.leave(ticket, now)

    def leave(self, ticket: Ticket) -> None:
        """The attempt was given up."""
        self._limiter.leave(ticket, self._now())


def _admitted(ticket: Ticket) -> bool:
    """Asked anew each time: another thread may admit it."""
    return ticket.admitted


def _nearest(due: float | None, expires: float | None, now: float) -> float | None:
    times = [at for at in (due, expires) if at is not None]
    return max(0.0, min(times) - now) if times else None


class _Waiting:
    """One task that waits, woken from any thread."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]] | None) -> None:
        import asyncio  # a client that only calls, blocking, does without it

        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout
        self._turn = asyncio.Event()
        self._sleep = sleep

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._turn.set)

    async def wait(self, seconds: float | None) -> None:
        """Until it is woken, or so many seconds have passed."""
        if seconds is not None and self._sleep is not None:
            await self._sleep(seconds)
            return
        try:
            async with self._timeout(seconds):
                await self._turn.wait()
        except TimeoutError:
            return
        self._turn.clear()
