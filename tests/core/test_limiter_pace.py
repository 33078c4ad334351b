"""What rate throttles do to a pace, the ramp at the start of sending, and how it is all forgotten."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from lambda_invoke.core.limiter import Limiter
from lambda_invoke.core.limiter_board import FORGET_SECONDS, SWEEP_AT
from lambda_invoke.core.limiter_pace import FIRST_RATE, RAMP_BURST, RAMP_SECONDS, Pace
from tests.core.limiter_calls import ACCOUNT, CALLER, NOW, RATE, RESERVED, admitted, enter, nothing, warm


def test_rate_throttle_paces() -> None:
    """A rate throttle limits nothing in flight; calls go out one by one, each when it is due."""
    limiter = warm(100)
    limiter.throttled(enter(limiter, 1)[0], NOW, RATE)
    standing = limiter.standing().functions["f"]
    assert (standing.limit, standing.rate) == (None, FIRST_RATE)
    tickets = enter(limiter, 3)
    assert [ticket.due for ticket in tickets] == pytest.approx([NOW + 0.1, NOW + 0.2, NOW + 0.3])
    for ticket in tickets:
        due = ticket.due
        assert due is not None
        limiter.poll(due - 0.02)
        assert admitted([ticket]) == [False]
        limiter.poll(due + 0.001)
        assert admitted([ticket]) == [True]
        assert ticket.due is None
    assert all(0.09 < b.started - a.started < 0.11 for a, b in pairwise(tickets))


def test_caller_rate() -> None:
    """The caller's rate paces all functions of the account together."""
    limiter = warm(100, "f", "g")
    limiter.throttled(enter(limiter, 1)[0], NOW, CALLER)
    assert limiter.standing().accounts[None].rate == FIRST_RATE
    g, f = enter(limiter, 1, function="g")[0], enter(limiter, 1)[0]
    assert not any(admitted([f, g]))
    limiter.poll(NOW + 0.11)
    assert admitted([g, f]) == [True, False]
    limiter.poll(NOW + 0.21)
    assert f.admitted


def test_paced_function_holds_up_no_other() -> None:
    """One function's pace is its own."""
    limiter = warm(100, "f", "g")
    limiter.throttled(enter(limiter, 1)[0], NOW, RATE)
    enter(limiter, 5)
    assert all(admitted(enter(limiter, 5, function="g")))


def test_measured_rate() -> None:
    """Of calls sent at 1,000 a second, those not throttled tell the rate: 200 a second."""
    pace = Pace()
    for number in range(200):
        pace.sent(number, number / 1000)
    for number in range(200):
        if number % 5:
            pace.throttled(number, 199, number / 1000, 0.2 + number / 1000)
    assert pace.rate == pytest.approx(0.97 * 200, rel=0.05)


def test_measured_rate_out_of_order() -> None:
    """The order in which the throttles come back does not matter."""
    numbers = [number for number in range(200) if number % 5]
    random.Random(7).shuffle(numbers)
    pace = Pace()
    for number in range(200):
        pace.sent(number, number / 1000)
    for number in numbers:
        pace.throttled(number, 199, number / 1000, 0.4)
    assert pace.rate == pytest.approx(0.97 * 200, rel=0.05)


def test_first_rate_is_what_was_accepted_lately() -> None:
    """Where nothing can be measured yet, it is the rate of the last second's accepted calls."""
    pace = Pace()
    for number in range(300):
        pace.accepted(number, number, number / 100, number / 100)
    pace.throttled(300, 300, 3.0, 3.0)
    assert pace.rate == pytest.approx(100, rel=0.1)


def sent_at(pace: Pace, rate: float, numbers: range, start: float) -> list[float]:
    """Send these calls at a rate; when each was sent."""
    times = [start + place / rate for place in range(len(numbers))]
    for number, time in zip(numbers, times, strict=True):
        pace.held_until(time)
        pace.sent(number, time)
    return times


def test_slow_sending_does_not_raise_the_rate() -> None:
    """Calls that come more slowly than the pace prove nothing."""
    pace = Pace()
    pace.throttled(0, 0, 0.0, 0.0)
    numbers = range(1, 50)
    for number, time in zip(numbers, sent_at(pace, FIRST_RATE / 2, numbers, 1.0), strict=True):
        pace.accepted(number, numbers[-1], time, time + 0.05)
    assert pace.rate == FIRST_RATE


def test_measurement_leaves_out_quiet() -> None:
    """A throttle, a minute's quiet and a throttle do not make for one call a minute."""
    pace = Pace()
    for number in range(200):
        pace.sent(number, number / 1000)
    for number in range(20, 200):
        pace.throttled(number, 199, number / 1000, 0.2)
    found = pace.rate
    assert found is not None
    for start, first in ((1.0, 200), (50.0, 240)):
        numbers = range(first, first + 10)
        times = sent_at(pace, found, numbers, start)
        pace.throttled(numbers[-1], numbers[-1], times[-1], times[-1])
    assert pace.rate == found


def test_waiters_nobody_polls_for() -> None:
    """Those who waited for a place before the pace was known look at no clock: ends admit them."""
    limiter = warm(1)
    first, *waiters = enter(limiter, 4)
    assert [ticket.due for ticket in waiters] == [None] * 3
    limiter.throttled(first, NOW, RATE)
    for ticket in waiters:
        assert ticket.admitted
        limiter.leave(ticket, NOW)


def test_due_is_never_past() -> None:
    """Who waits for a place at a known pace is not told a time that is over: it would spin."""
    limiter = warm(1)
    limiter.throttled(enter(limiter, 1)[0], NOW, RATE)
    enter(limiter, 1, NOW + 1)
    waiter = enter(limiter, 1, NOW + 1)[0]
    for now in (NOW + 2, NOW + 9):
        limiter.poll(now)
        assert waiter.due is not None
        assert waiter.due > now


# The ramp, and forgetting


def test_ramp() -> None:
    """After quiet a burst goes out at once and the rest within 0.3 s, faster and faster."""
    limiter = Limiter(1000)
    tickets = enter(limiter, 600)
    assert sum(admitted(tickets)) == RAMP_BURST
    counts = []
    for step in range(1, 5):
        limiter.poll(NOW + step * RAMP_SECONDS / 4)
        counts.append(sum(admitted(tickets)))
    assert counts[-1] == 600
    assert [b > 1.5 * a for a, b in pairwise([RAMP_BURST, *counts[:3]])] == [True] * 3
    assert all(admitted(enter(limiter, 300, NOW + 0.3)))


def test_answers_make_room_in_the_ramp() -> None:
    """It bounds what is in flight: a function that answers at once is not held back."""
    limiter = Limiter(1000)
    for _ in range(10):
        tickets = enter(limiter, RAMP_BURST)
        assert all(admitted(tickets))
        (waiting,) = enter(limiter, 1)
        assert not waiting.admitted
        limiter.leave(waiting, NOW)
        for ticket in tickets:
            limiter.accepted(ticket, NOW)


def test_ramp_by_polling_when_due() -> None:
    """Whoever looks when it is due is admitted by the ramp's end."""
    limiter = Limiter(1000)
    tickets = enter(limiter, 200)
    now = NOW
    while any(dues := [ticket.due for ticket in tickets if ticket.due is not None]):
        assert min(dues) > now
        now = min(dues)
        limiter.poll(now)
    assert all(admitted(tickets))
    assert now <= NOW + RAMP_SECONDS


def test_no_ramp_without_quiet() -> None:
    """A function with calls in flight, or just before, is in no ramp."""
    assert all(admitted(enter(warm(100), 50, NOW)))
    limiter = Limiter(100)
    limiter.join("f", NOW)
    assert all(admitted(enter(limiter, 50, NOW + 500)))


@pytest.mark.parametrize("reason", [RESERVED, RATE, ACCOUNT, CALLER])
def test_what_was_found_out_is_forgotten(reason: str) -> None:
    """A minute after the last call nobody is held to what was throttled then."""
    limiter = warm(100)
    limiter.throttled(enter(limiter, 1)[0], NOW, reason)
    assert admitted(enter(limiter, 3, NOW + 1)).count(False) >= 1
    limiter = warm(100)
    limiter.throttled(enter(limiter, 1)[0], NOW, reason)
    assert all(admitted(enter(limiter, 3, NOW + FORGET_SECONDS)))
    assert limiter.standing().functions["f"].rate is None


def test_many_functions_do_not_pile_up() -> None:
    """Idle functions without limits are forgotten, limited ones after a minute, accounts with them."""
    limiter = Limiter(10)
    for number in range(2000):
        ticket = limiter.enter(f"f{number}", NOW + number, nothing, account=str(number))
        limiter.throttled(ticket, NOW + number, RESERVED if number % 3 else ACCOUNT)
        limiter.accepted(limiter.join(f"g{number}", NOW + number), NOW + number)
    standing = limiter.standing()
    assert len(standing.functions) <= 2 * FORGET_SECONDS + 2 * SWEEP_AT
    assert len(standing.accounts) <= 2 * FORGET_SECONDS + 2 * SWEEP_AT


def test_what_is_in_use_is_not_forgotten() -> None:
    """However many functions come and go: calls in flight, waiters and limits stay known."""
    limiter = warm(2, "f", "limited")
    limiter.throttled(enter(limiter, 1, function="limited")[0], NOW, RESERVED)
    held, _, waiter = enter(limiter, 3)
    for number in range(5 * SWEEP_AT):
        limiter.leave(limiter.join(f"g{number}", NOW), NOW)
    assert limiter.standing().functions["limited"].limit == 1
    limiter.leave(held, NOW)
    assert waiter.admitted
