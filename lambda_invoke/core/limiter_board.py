"""What the limiter knows: its scopes (functions and accounts), who waits, and whose turn it is.

No lock here: the limiter holds its own around everything. A scope that cannot admit anybody stands in
no ring, so that an end of a call costs the same however many wait. It comes back into its ring when
something of its own ended, or when its alarm is due.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.core.limiter_concurrency import Concurrency
from lambda_invoke.core.limiter_pace import Pace, Ramp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUIET_SECONDS = 1.0
"""After so long without a call of a function, sending starts with a ramp."""
FORGET_SECONDS = 60.0
"""What was found out about a function or an account holds so long after its last call."""
POLL_SECONDS = 0.5
"""Who waits for a time looks again after so long at the latest, besides its place in the queue."""
SWEEP_AT = 64
"""Functions that are known before the first look for those that can be forgotten."""


@attrs.define(eq=False, repr=False)
class Scope:
    """What is known of a function or an account, and what is in flight.

    ``polled`` counts those of its waiters that look by the clock; ``queued``: it stands in the ring of
    those that may have somebody to admit; ``alarm``: when it comes to stand there by the clock.
    """

    concurrency: Concurrency
    pace: Pace = attrs.field(factory=Pace)
    polled: int = 0
    queued: bool = False
    alarm: float = math.inf
    active: float = -math.inf
    calls: int = 0

    def held(self, now: float) -> float:
        """0: a call may be sent; a time: not before it; infinity: not before another one ends."""
        if self.concurrency.limit is not None and self.concurrency.full():
            return math.inf
        return 0.0 if self.pace.rate is None else self.pace.held_until(now) or 0.0

    def forlorn(self) -> bool:
        """Whether no call's end and no waiter's clock will bring anybody here again."""
        return not (self.polled or self.concurrency.in_flight)

    def sent(self, now: float) -> int:
        """A call is in flight; its number in this scope."""
        self.calls = number = self.calls + 1
        self.concurrency.sent(number)
        if self.pace.rate is not None:
            self.pace.sent(number, now)
        self.active = now
        return number

    def accepted(self, number: int, started: float, now: float) -> None:
        """The service took the call."""
        self.concurrency.accepted(number)
        self.pace.accepted(number, self.calls, started, now)
        self.active = now

    def throttled(self, number: int, started: float, now: float, *, by_rate: bool) -> None:
        """The service refused the call for what this scope is about."""
        if by_rate:
            self.concurrency.left()
            self.pace.throttled(number, self.calls, started, now)
        else:
            self.concurrency.throttled(number, self.calls)
        self.active = now

    def left(self, now: float) -> None:
        """The call ended, which says nothing."""
        self.concurrency.left()
        self.active = now

    def forgettable(self, now: float) -> bool:
        """Whether nothing is in flight, and nothing known that still holds."""
        known = self.concurrency.limit is not None or self.pace.rate is not None
        return not self.concurrency.in_flight and (not known or now - self.active >= FORGET_SECONDS)

    def refresh(self, now: float) -> None:
        """Forget what was found out too long ago."""
        if now - self.active >= FORGET_SECONDS and not self.concurrency.in_flight:
            self.concurrency.forget()
            self.pace.forget()


@attrs.define(eq=False, repr=False)
class Account(Scope):
    """An account: ``ring`` has its functions that may have somebody to admit, in turn."""

    ring: deque[Function] = attrs.field(factory=deque)
    waiting: int = 0


@attrs.define(eq=False, repr=False)
class Function(Scope):
    """A function and who waits for it, first come first served."""

    name: str = attrs.field(kw_only=True)
    account: Account = attrs.field(kw_only=True)
    board: Board = attrs.field(kw_only=True)
    ramp: Ramp = attrs.field(factory=Ramp)
    waiters: OrderedDict[Ticket, None] = attrs.field(factory=OrderedDict)
    came: int = 0
    gone: int = 0

    def held(self, now: float) -> float:
        """As a scope's; the ramp counts too."""
        held = Scope.held(self, now)
        if held or self.ramp.began is None:
            return held
        return self.ramp.held_until(self.concurrency.in_flight, now) or 0.0

    def by_the_clock(self) -> bool:
        """Whether a waiter may have to wait for a time rather than for an end."""
        return self.pace.rate is not None or self.account.pace.rate is not None or self.ramp.began is not None

    def forgettable(self, now: float) -> bool:
        """As a scope's; nobody may be waiting."""
        return not self.waiters and super().forgettable(now)


@attrs.define(eq=False)
class Ticket:
    """One call's passage. It ends with ``accepted``, ``throttled`` or ``leave`` of the limiter.

    ``started`` is when it was admitted (while it waits: when it came), in the caller's seconds.
    """

    started: float
    function: Function = attrs.field(repr=lambda function: function.name)
    notify: Callable[[], None] = attrs.field(repr=False)
    admitted: bool = False
    ended: bool = False
    number: int = attrs.field(default=-1, repr=False)
    account_number: int = attrs.field(default=-1, repr=False)
    place: int = attrs.field(default=0, repr=False)
    polled: bool = attrs.field(default=False, repr=False)

    @property
    def due(self) -> float | None:
        """When to call ``poll``, unless ``notify`` comes before; look again after it. None: never."""
        if not self.polled or self.admitted or self.ended:
            return None
        function, account = self.function, self.function.account
        now, alarm = function.board.seen, min(function.alarm, account.alarm)
        if alarm == math.inf:
            return now + POLL_SECONDS
        rates = [pace.rate for pace in (function.pace, account.pace) if pace.rate is not None]
        # somebody behind it may have gone too, so that fewer than none seem to be before it
        ahead = max(0, self.place - function.gone) / min(rates) if rates else 0.0
        return max(now, alarm) + min(ahead, POLL_SECONDS)


@attrs.define(eq=False, repr=False)
class Board:
    """All the state of a limiter. ``seen`` is the last ``now``."""

    bound: int
    in_flight: int = 0
    waiting: int = 0
    seen: float = -math.inf
    functions: dict[tuple[str | None, str], Function] = attrs.field(factory=dict)
    accounts: dict[str | None, Account] = attrs.field(factory=dict)
    _ring: deque[Account] = attrs.field(factory=deque)
    _alarms: list[tuple[float, int, Scope]] = attrs.field(factory=list)
    _alarms_set: int = 0
    _sweep_at: int = SWEEP_AT

    def function(self, name: str, account: str | None, now: float) -> Function:
        """The function's state, made when it is not there."""
        self.seen = now
        function = self.functions.get((account, name))
        if function is None:
            function = self._add(name, account, now)
        if now - function.active >= FORGET_SECONDS:
            function.refresh(now)
            function.account.refresh(now)
        return function

    def admit(self, ticket: Ticket, now: float) -> None:
        """Put a call in flight."""
        function = ticket.function
        self.in_flight += 1
        ticket.started = now
        ticket.admitted = True
        ticket.number = function.sent(now)
        ticket.account_number = function.account.sent(now)

    def free(self, function: Function, now: float) -> bool:
        """Whether a newcomer may go at once."""
        return (
            self.in_flight < self.bound
            and not function.waiters
            and not function.account.held(now)
            and not function.held(now)
        )

    def enqueue(self, ticket: Ticket) -> None:
        """Put a ticket at its function's end of the queue."""
        function = ticket.function
        ticket.place = function.came
        ticket.polled = function.by_the_clock()
        function.came += 1
        function.waiters[ticket] = None
        self._count(ticket, 1)
        self.wake(function)

    def dequeue(self, ticket: Ticket) -> None:
        """Take a ticket out of the queue, whatever its place."""
        del ticket.function.waiters[ticket]
        ticket.function.gone += 1
        self._count(ticket, -1)

    def ends(self, ticket: Ticket, now: float) -> bool:
        """Mark a ticket's end; whether it was in flight until now. A second end, or another board's: no."""
        self.seen = now
        if ticket.ended or ticket.function.board is not self:
            return False
        ticket.ended = True
        if not ticket.admitted:
            self.dequeue(ticket)
            return False
        self.in_flight -= 1
        return True

    def pass_on(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        """After an end: who is admitted now."""
        if not self.waiting:
            return ()
        if ticket.function.board is self:
            self.wake(ticket.function)
        return self.drain(now)

    def wake(self, function: Function) -> None:
        """Something of the function or its account changed: it stands in line again."""
        if function.waiters and not function.queued:
            function.queued = True
            function.account.ring.append(function)
        self._line_up(function.account)

    def drain(self, now: float) -> list[Ticket]:
        """Admit everybody who may go, the functions taking turns."""
        admitted: list[Ticket] = []
        if not self.waiting:
            return admitted
        self._ring_alarms(now)
        while self._ring and self.in_flight < self.bound:
            account = self._ring.popleft()
            account.queued = False
            if not account.ring or self._parked(account, now):
                continue
            function = account.ring.popleft()
            function.queued = False
            if function.waiters and not self._parked(function, now):
                ticket = next(iter(function.waiters))
                self.dequeue(ticket)
                self.admit(ticket, now)
                admitted.append(ticket)
                self.wake(function)
            else:
                self._line_up(account)
        return admitted

    def _line_up(self, account: Account) -> None:
        if account.ring and not account.queued:
            account.queued = True
            self._ring.append(account)

    def _parked(self, scope: Scope, now: float) -> bool:
        """Whether nobody of this scope may go now; if a time is known, its alarm is set."""
        held = scope.held(now)
        if held and scope.forlorn():
            return False
        if 0 < held < scope.alarm:
            scope.alarm = held
            self._alarms_set += 1
            heapq.heappush(self._alarms, (held, self._alarms_set, scope))
        return bool(held)

    def _ring_alarms(self, now: float) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            at, _, scope = heapq.heappop(self._alarms)
            if at == scope.alarm:
                scope.alarm = math.inf
            if isinstance(scope, Function):
                self.wake(scope)
            elif isinstance(scope, Account):
                self._line_up(scope)

    def _count(self, ticket: Ticket, change: int) -> None:
        function, account = ticket.function, ticket.function.account
        self.waiting += change
        account.waiting += change
        if ticket.polled:
            function.polled += change
            account.polled += change

    def _add(self, name: str, key: str | None, now: float) -> Function:
        if len(self.functions) >= self._sweep_at:
            self._sweep(now)
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account(Concurrency(self.bound))
        function = Function(Concurrency(self.bound), name=name, account=account, board=self)
        self.functions[key, name] = function
        return function

    def _sweep(self, now: float) -> None:
        """Drop what can be forgotten; the next look comes when there are twice as many as are left."""
        self.functions = {key: one for key, one in self.functions.items() if not one.forgettable(now)}
        used = {key for key, _ in self.functions}
        self.accounts = {
            key: one for key, one in self.accounts.items() if key in used or not one.forgettable(now)
        }
        self._sweep_at = max(SWEEP_AT, 2 * len(self.functions))
