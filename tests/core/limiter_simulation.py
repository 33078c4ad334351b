"""A job against a throttling service, in simulated time: what the limiter makes of it.

Workers take items, pass the limiter, send, and are answered: the service accepts or throttles a call
when it arrives, and holds its place for the call's length. A throttled item backs off with full
jitter, holding no place, and comes back. With the same seed a run is the same, event for event.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.core.limiter import Limiter
from lambda_invoke.core.retry import FullJitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.core.limiter_board import Ticket

CONCURRENCY = "ReservedFunctionConcurrentInvocationLimitExceeded"
RATE = "FunctionInvocationRateLimitExceeded"


class Service:
    """Accepts ``concurrent`` calls at once and ``rate`` a second, from a bucket that holds ``burst``."""

    def __init__(self, *, concurrent: float = math.inf, rate: float | None = None, burst: float = 1) -> None:
        self.concurrent = concurrent
        self.rate = rate
        self.burst = burst
        self.running = 0
        self._tokens = burst
        self._filled = 0.0

    def refuses(self, now: float) -> str | None:
        """The reason of a throttle, or None: the call is accepted and runs."""
        if self.running >= self.concurrent:
            return CONCURRENCY
        if self.rate is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
            self._filled = now
            if self._tokens < 1:
                return RATE
            self._tokens -= 1
        self.running += 1
        return None


@attrs.define
class Simulation:
    """One job of ``items``, with ``workers`` that each carry one.

    ``round_trip`` is the mean length of an accepted call in seconds, ``network`` the share of it that a
    throttled one takes too, ``spread`` by how much of their mean the lengths vary. ``fixed`` sends
    that many at once, without the limiter. ``changes`` happen to the service at their times.
    """

    service: Service
    items: int = 5000
    workers: int = 200
    round_trip: float = 0.05
    network: float = 0.2
    spread: float = 0.3
    fixed: int | None = None
    seed: int = 1
    changes: tuple[tuple[float, Callable[[Service], None]], ...] = ()

    now: float = 0.0
    requests: int = 0
    throttles: Counter[str] = attrs.field(factory=Counter)
    done: list[float] = attrs.field(factory=list)
    limiter: Limiter = attrs.field(init=False)
    _random: random.Random = attrs.field(init=False)
    _wait: FullJitter = attrs.field(factory=lambda: FullJitter(0.1, 5.0))
    _events: list[tuple[float, int, Callable[[], None]]] = attrs.field(factory=list)
    _scheduled: int = 0
    _taken: int = 0

    def __attrs_post_init__(self) -> None:
        self.limiter = Limiter(self.workers if self.fixed is None else self.fixed)
        self._random = random.Random(self.seed)

    def run(self) -> Simulation:
        """Until every item is done or nothing happens any more."""
        for at, change in self.changes:
            self._at(at, partial(change, self.service))
        for _ in range(self.workers):
            self._take()
        while self._events and len(self.done) < self.items:
            self.now, _, event = heapq.heappop(self._events)
            event()
        return self

    @property
    def throttled_share(self) -> float:
        """429s among the requests."""
        return self.throttles.total() / self.requests

    @property
    def throughput(self) -> float:
        """Items a second, over the whole job."""
        return self.rate_between(0.0, self.done[-1])

    def rate_between(self, start: float, end: float) -> float:
        """Items a second that were done in a stretch of time."""
        return sum(start < at <= end for at in self.done) / (end - start)

    def _at(self, time: float, event: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._events, (time, self._scheduled, event))

    def _take(self) -> None:
        if self._taken < self.items:
            self._taken += 1
            self._enter(0)

    def _enter(self, retries: int) -> None:
        told: list[Ticket] = []
        # the callback only says that the worker is to look, as a loop's would
        ticket = self.limiter.enter(
            "f", self.now, lambda: self._at(self.now, lambda: self._send(told[0], retries))
        )
        told.append(ticket)
        if ticket.admitted:
            self._send(ticket, retries)
        else:
            self._look_later(ticket)

    def _look_later(self, ticket: Ticket) -> None:
        due = ticket.due
        if due is not None:
            assert due >= self.now
            self._at(due, partial(self._look, ticket))

    def _look(self, ticket: Ticket) -> None:
        if not ticket.admitted:
            self.limiter.poll(self.now)
            self._look_later(ticket)

    def _send(self, ticket: Ticket, retries: int) -> None:
        self.requests += 1
        self._at(self.now + self._some(self.network / 2), partial(self._arrive, ticket, retries))

    def _arrive(self, ticket: Ticket, retries: int) -> None:
        reason = self.service.refuses(self.now)
        back = self._some(self.network / 2)
        if reason is not None:
            self._at(self.now + back, partial(self._refused, ticket, retries, reason))
            return
        ran = self._some(1 - self.network)
        self._at(self.now + ran, self._ran)
        self._at(self.now + ran + back, partial(self._replied, ticket))

    def _some(self, share: float) -> float:
        return self.round_trip * share * self._random.uniform(1 - self.spread, 1 + self.spread)

    def _ran(self) -> None:
        self.service.running -= 1

    def _replied(self, ticket: Ticket) -> None:
        self.done.append(self.now)
        self.limiter.accepted(ticket, self.now)
        self._take()

    def _refused(self, ticket: Ticket, retries: int, reason: str) -> None:
        self.throttles[reason] += 1
        self.limiter.throttled(ticket, self.now, reason)
        delay = self._wait.delay(retries + 1, self._random.random)
        self._at(self.now + delay, partial(self._enter, retries + 1))
