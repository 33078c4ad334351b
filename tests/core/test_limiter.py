"""The limiter's places: who is admitted, in which turn, and that nobody is lost.

Its limits and paces: test_limiter_concurrency.py, test_limiter_pace.py.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_invoke.core.limiter import Limiter
from tests.core.limiter_calls import ACCOUNT, CALLER, NOW, RATE, RESERVED, admitted, enter, nothing, warm
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from lambda_invoke.core.limiter_board import Ticket

# Places


def test_bound() -> None:
    """No more than `bound` are admitted; who comes next waits and is told once, in turn."""
    limiter = Limiter(2)
    told: list[str] = []
    tickets = [limiter.enter("f", NOW, partial(told.append, name)) for name in "abcd"]
    assert admitted(tickets) == [True, True, False, False]
    assert told == []
    limiter.accepted(tickets[1], NOW + 1)
    assert admitted(tickets) == [True, True, True, False]
    assert tickets[2].started == NOW + 1
    limiter.leave(tickets[0], NOW + 2)
    assert told == ["c", "d"]


def test_bound_over_all_functions() -> None:
    """The bound counts every function's calls, and those that wait for it take turns by function."""
    limiter = Limiter(1)
    first = limiter.enter("a", NOW, nothing)
    a, b = enter(limiter, 3, function="a"), enter(limiter, 2, function="b")
    order = []
    running = first
    waiting = {"a1": a[0], "a2": a[1], "a3": a[2], "b1": b[0], "b2": b[1]}
    while waiting:
        limiter.accepted(running, NOW)
        (name,) = [name for name, ticket in waiting.items() if ticket.admitted]
        order.append(name)
        running = waiting.pop(name)
    assert order == ["a1", "b1", "a2", "b2", "a3"]


def test_bound_must_leave_room() -> None:
    """A limiter without places is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        Limiter(0)


def test_joining_never_waits() -> None:
    """A single invoke is admitted past the bound and past a limit, and counts."""
    limiter = Limiter(1)
    tickets = [limiter.join("f", NOW) for _ in range(3)]
    assert admitted(tickets) == [True] * 3
    assert limiter.standing().in_flight == 3
    waiter = limiter.enter("f", NOW, nothing)
    limiter.accepted(tickets[0], NOW)
    limiter.accepted(tickets[1], NOW)
    assert not waiter.admitted
    limiter.accepted(tickets[2], NOW)
    assert waiter.admitted


def test_ending_twice() -> None:
    """Only the first end of a ticket counts, whichever comes after it."""
    limiter = Limiter(2)
    a, b = enter(limiter, 2)
    for end in (limiter.accepted, limiter.leave, limiter.accepted):
        end(a, NOW)
    limiter.throttled(a, NOW, RESERVED)
    standing = limiter.standing()
    assert (standing.in_flight, standing.waiting) == (1, 0)
    assert standing.functions["f"].limit is None
    limiter.leave(b, NOW)
    assert limiter.standing().in_flight == 0


def test_leaving_while_waiting() -> None:
    """A cancelled waiter is gone, and the one behind it is admitted in its stead."""
    limiter = Limiter(1)
    first, cancelled, next_one = enter(limiter, 3)
    limiter.leave(cancelled, NOW)
    limiter.leave(cancelled, NOW)
    assert limiter.standing().waiting == 1
    limiter.accepted(first, NOW)
    assert admitted([cancelled, next_one]) == [False, True]


def test_leaving_after_being_told() -> None:
    """A waiter that was cancelled as it was admitted passes its turn on."""
    limiter = Limiter(1)
    first, cancelled, next_one = enter(limiter, 3)
    limiter.accepted(first, NOW)
    limiter.leave(cancelled, NOW)
    assert next_one.admitted


def test_callback_comes_back_in() -> None:
    """A callback runs outside the lock: it may use the limiter."""
    limiter = Limiter(1)
    first = limiter.enter("f", NOW, nothing)
    later: list[Ticket] = []
    limiter.enter("f", NOW, lambda: later.append(limiter.enter("f", NOW, nothing)))
    limiter.accepted(first, NOW)
    assert admitted(later) == [False]


def test_callback_raises() -> None:
    """A callback that raises (a closed loop's) has nobody behind it: the next one's turn comes."""
    limiter = Limiter(1)
    first = limiter.enter("f", NOW, nothing)

    def closed() -> None:
        raise RuntimeError("Event loop is closed")

    broken = limiter.enter("f", NOW, closed)
    next_one = limiter.enter("f", NOW, nothing)
    limiter.accepted(first, NOW)
    assert next_one.admitted
    assert broken.ended
    assert limiter.standing().in_flight == 1


def test_standing_and_repr() -> None:
    """What it shows is its counts, and no more than names."""
    limiter = Limiter(1)
    enter(limiter, 2)
    ticket = limiter.enter("g", NOW, nothing, account="1234")
    standing = limiter.standing()
    assert (standing.bound, standing.in_flight, standing.waiting) == (1, 1, 2)
    assert standing.functions["f"].waiting == 1
    assert standing.functions["1234/g"].waiting == 1
    assert standing.accounts["1234"].waiting == 1
    assert repr(limiter) == "Limiter(1 of 1 in flight, 2 waiting)"
    assert "1234" not in repr(ticket)


def test_renewal() -> None:
    """After a fork nothing is known or in flight, and the parent's tickets say nothing."""
    limiter = Limiter(2)
    held, other, waiting = enter(limiter, 3)
    limiter.throttled(other, NOW, RESERVED)
    limiter._lock.acquire()
    limiter.renew()
    for end in (limiter.accepted, limiter.leave):
        end(held, NOW)
        end(waiting, NOW)
    assert limiter.standing() == Limiter(2).standing()
    assert admitted(enter(limiter, 3)) == [True, True, False]


# All at once

REASONS = (ACCOUNT, RESERVED, RATE, CALLER, None)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    bound=st.integers(1, 6),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["enter", "enter", "join", "accepted", "throttled", "leave", "cancel", "pass"]),
            st.integers(0, 1000),
        ),
        max_size=120,
    ),
)
def test_any_sequence(bound: int, steps: list[tuple[str, int]]) -> None:
    """Counts are right at every step, entrants keep to the bound, and every waiter's turn comes."""
    limiter = Limiter(bound)
    now = NOW
    told: dict[int, int] = {}
    waiting: list[tuple[int, Ticket]] = []
    flying: list[tuple[int, Ticket]] = []
    joined: set[int] = set()
    names: dict[int, tuple[str, str | None]] = {}

    def look() -> None:
        """Check the counts, and move on who was admitted: each was told once, first come first."""
        standing = limiter.standing()
        for key, ticket in [one for one in waiting if one[1].admitted]:
            assert told[key] == 1
            before = [one for one, _ in waiting if names[one] == names[key] and one < key]
            assert before == []
            waiting.remove((key, ticket))
            flying.append((key, ticket))
        assert all(ticket.due is None or ticket.due > now for _, ticket in waiting)
        assert (standing.in_flight, standing.waiting) == (len(flying), len(waiting))
        assert sum(one.in_flight for one in standing.accounts.values()) == len(flying)
        assert sum(one.in_flight for one in standing.functions.values()) == len(flying)
        assert sum(one.waiting for one in standing.functions.values()) == len(waiting)

    def tell(key: int) -> None:
        told[key] += 1

    for key, (step, pick) in enumerate(steps):
        before = len(flying)
        if step in ("enter", "join"):
            names[key] = name, account = "fgh"[pick % 3], (None, "a")[pick % 2]
            told[key] = 0
            if step == "join":
                flying.append((key, limiter.join(name, now, account=account)))
                joined.add(key)
            else:
                ticket = limiter.enter(name, now, partial(tell, key), account=account)
                (flying if ticket.admitted else waiting).append((key, ticket))
                assert len(flying) <= max(bound, before)
        elif step == "pass":
            now += pick / 500
            limiter.poll(now)
        elif step == "cancel" and waiting:
            limiter.leave(waiting.pop(pick % len(waiting))[1], now)
        elif step in ("accepted", "throttled", "leave") and flying:
            _, ticket = flying.pop(pick % len(flying))
            for _ in range(1 + pick % 2):
                if step == "accepted":
                    limiter.accepted(ticket, now)
                elif step == "throttled":
                    limiter.throttled(ticket, now, REASONS[pick % 5])
                else:
                    limiter.leave(ticket, now)
        look()
        assert len(flying) <= max(bound, len([one for one, _ in flying if one in joined]) + bound)

    for _ in range(20 * len(steps) + 20):
        if not waiting and not flying:
            break
        while flying:
            limiter.accepted(flying.pop()[1], now)
        look()
        dues = [ticket.due for _, ticket in waiting if ticket.due is not None]
        if dues and not flying:
            now = max(now, min(dues))
            limiter.poll(now)  # only who was told a time looks by the clock
            look()
    assert waiting == flying == []


def test_threads() -> None:
    """Threads that enter, wait, end and cancel at the same time: nobody is lost, and the bound holds."""
    limiter = warm(5)  # this test is about ends: past the ramp, nobody has to look at a clock
    inside: deque[int] = deque()
    most: list[int] = []
    failures: list[str] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(150):
            ready = threading.Event()
            ticket = limiter.enter("f", NOW, ready.set)
            if not ticket.admitted and draw.random() < 0.2:
                limiter.leave(ticket, NOW)
                continue
            if not ticket.admitted and not ready.wait(PATIENCE):
                failures.append("a wake-up was lost")
                return
            inside.append(seed)
            most.append(len(inside))
            inside.pop()
            if draw.random() < 0.05:
                limiter.throttled(ticket, NOW, RESERVED)
            else:
                limiter.accepted(ticket, NOW)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert max(most) <= 5
    standing = limiter.standing()
    assert (standing.in_flight, standing.waiting) == (0, 0)
