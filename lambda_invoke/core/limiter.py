"""The limiter: how many calls are in flight at once, and how fast they are sent.

It bounds the job items of one client over all functions, and adapts to what the service throttles, by
reason: concurrency throttles limit (:mod:`lambda_invoke.core.limiter_concurrency`), rate throttles
pace (:mod:`lambda_invoke.core.limiter_pace`), each the function or its whole account.

It is plain data under a lock, shared by threads and event loops: nobody waits in it. Who is not
admitted at once is told by a callback, and every end of a call passes its turn on. It reads no clock:
``now`` is seconds of one monotonic clock.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.core.limiter_board import QUIET_SECONDS, Board, Scope, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# reason: (whether it is about the account, whether it is about the rate). What is not here is taken
# for the function's concurrency.
REASONS: Mapping[str | None, tuple[bool, bool]] = {
    "ConcurrentInvocationLimitExceeded": (True, False),
    "ReservedFunctionConcurrentInvocationLimitExceeded": (False, False),
    "CallerRateLimitExceeded": (True, True),
    "FunctionInvocationRateLimitExceeded": (False, True),
    "ReservedFunctionInvocationRateLimitExceeded": (False, True),
}


@attrs.frozen
class ScopeStanding:
    """A function's or an account's: ``limit`` calls at once, ``rate`` a second; None: not known."""

    in_flight: int
    waiting: int
    limit: float | None
    rate: float | None


@attrs.frozen
class Standing:
    """How a limiter stands. What is idle and unlimited may be missing from the mappings.

    ``functions`` are under their names, those of a named account under ``account/function``.
    """

    bound: int
    in_flight: int
    waiting: int
    functions: Mapping[str, ScopeStanding]
    accounts: Mapping[str | None, ScopeStanding]


class Limiter:
    """Admits calls, ``bound`` in flight at most over all functions, and adapts to throttles.

    Thread-safe. ``function`` names an unqualified function, ``account`` whose concurrency it draws on;
    None is an account like any other.
    """

    def __init__(self, bound: int) -> None:
        if bound < 1:
            raise ValueError(f"bound is the number of places, at least 1, not {bound!r}")
        self._lock = threading.Lock()
        self._board = Board(bound)
        self._left: deque[tuple[Ticket, float]] = deque()

    def enter(
        self, function: str, now: float, notify: Callable[[], None], *, account: str | None = None
    ) -> Ticket:
        """A job's item comes: it is admitted, or waits for its turn.

        ``notify`` is called once, from any thread, when it is admitted later. If it raises, nobody is
        behind it: the ticket ends and its turn passes on.
        """
        with self._lock:
            board = self._board
            place = board.function(function, account, now)
            if now - place.active >= QUIET_SECONDS and not (place.waiters or place.concurrency.in_flight):
                place.ramp.begin(now)
            ticket = Ticket(now, place, notify)
            ready = board.drain(now) if board.waiting else ()  # who is due by now comes first
            if board.free(place, now):
                board.admit(ticket, now)
            else:
                board.enqueue(ticket)
                board.drain(now)  # sets the alarm for its turn
        self._told(ready, now)
        return ticket

    def join(self, function: str, now: float, *, account: str | None = None) -> Ticket:
        """A call of its own comes: it is admitted whatever the limits, counts and reports."""
        with self._lock:
            ticket = Ticket(now, self._board.function(function, account, now), _nobody)
            self._board.admit(ticket, now)
        self._told((), now)
        return ticket

    def poll(self, now: float) -> None:
        """Admit who is due by now."""
        with self._lock:
            self._board.seen = now
            ready = self._board.drain(now)
        self._told(ready, now)

    def accepted(self, ticket: Ticket, now: float) -> None:
        """The service took the call: any reply, a FunctionError too."""
        with self._lock:
            board = self._board
            if board.ends(ticket, now):
                function = ticket.function
                function.accepted(ticket.number, ticket.started, now)
                function.account.accepted(ticket.account_number, ticket.started, now)
            ready = board.pass_on(ticket, now)
        self._told(ready, now)

    def throttled(self, ticket: Ticket, now: float, reason: str | None) -> None:
        """The service answered 429, with this ``Reason``."""
        with self._lock:
            board = self._board
            if board.ends(ticket, now):
                about_account, by_rate = REASONS.get(reason, (False, False))
                function = ticket.function
                if about_account:
                    function.left(now)
                    function.account.throttled(ticket.account_number, ticket.started, now, by_rate=by_rate)
                else:
                    function.throttled(ticket.number, ticket.started, now, by_rate=by_rate)
                    function.account.left(now)
            ready = board.pass_on(ticket, now)
        self._told(ready, now)

    def leave(self, ticket: Ticket, now: float) -> None:
        """The call ended in any other way, or is not wanted any more: waiting, admitted or in flight."""
        self._left.append((ticket, now))
        self._work_off()

    def _work_off(self) -> None:
        """Have those leave who are to.

        The collector may have a ticket left anywhere, also where this very thread holds the lock: that
        waits for nothing, and whoever holds the lock comes here afterwards.
        """
        while self._left and self._lock.acquire(blocking=False):
            ready: list[Ticket] = []
            now = 0.0
            try:
                board = self._board
                while self._left:
                    ticket, now = self._left.popleft()
                    if board.ends(ticket, now):
                        ticket.function.left(now)
                        ticket.function.account.left(now)
                    ready += board.pass_on(ticket, now)
            finally:
                self._lock.release()
            self._tell(ready, now)

    def renew(self) -> None:
        """After a fork: the lock may be held by a thread that is not here, the calls are the parent's."""
        self._lock = threading.Lock()
        self._board = Board(self._board.bound)
        self._left = deque()

    def standing(self) -> Standing:
        """How it stands at this moment."""
        with self._lock:
            board = self._board
            return Standing(
                bound=board.bound,
                in_flight=board.in_flight,
                waiting=board.waiting,
                functions={
                    name if account is None else f"{account}/{name}": _standing(one, len(one.waiters))
                    for (account, name), one in board.functions.items()
                },
                accounts={name: _standing(one, one.waiting) for name, one in board.accounts.items()},
            )

    def _told(self, ready: Sequence[Ticket], now: float) -> None:
        """After the lock was let go: call who was admitted, and do what was left meanwhile."""
        if ready:
            self._tell(ready, now)
        if self._left:
            self._work_off()

    def _tell(self, ready: Sequence[Ticket], now: float) -> None:
        """Call who was admitted, outside the lock: a callback may come back in."""
        left = deque(ready)
        while left:
            ticket = left.popleft()
            try:
                ticket.notify()
            except Exception:  # noqa: BLE001 - another caller's, whose loop may be closed: not this one's to raise
                with self._lock:
                    board = self._board
                    if board.ends(ticket, now):
                        ticket.function.left(now)
                        ticket.function.account.left(now)
                    left.extend(board.pass_on(ticket, now))

    def __repr__(self) -> str:
        board = self._board
        return f"Limiter({board.in_flight} of {board.bound} in flight, {board.waiting} waiting)"


def _standing(scope: Scope, waiting: int) -> ScopeStanding:
    return ScopeStanding(scope.concurrency.in_flight, waiting, scope.concurrency.limit, scope.pace.rate)


def _nobody() -> None:
    """Who joins is admitted at once and never told."""
