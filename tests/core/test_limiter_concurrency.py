"""What concurrency throttles do to a limit, rule by rule."""

from __future__ import annotations

import pytest

from lambda_invoke.core.limiter_concurrency import Concurrency
from tests.core.limiter_calls import ACCOUNT, NOW, RESERVED, admitted, enter, nothing, warm


def test_first_throttle_sets_the_limit_to_what_was_accepted() -> None:
    """With 200 in flight and 180 of them throttled, the limit is 20."""
    limiter = warm(200)
    tickets = enter(limiter, 200)
    for ticket in tickets[20:]:
        limiter.throttled(ticket, NOW + 0.01, RESERVED)
    assert limiter.standing().functions["f"].limit == 20
    again = enter(limiter, 5, NOW + 0.1)
    assert not any(admitted(again))
    limiter.accepted(tickets[0], NOW + 0.1)
    assert admitted(again) == [True, False, False, False, False]


def test_first_limit_holds_while_replies_come_in_between() -> None:
    """What was accepted and has ended by then was accepted all the same."""
    limiter = warm(30)
    tickets = enter(limiter, 30)
    for ticket in tickets[20:25]:
        limiter.throttled(ticket, NOW, RESERVED)
    for ticket in tickets[:10]:
        limiter.accepted(ticket, NOW)
    for ticket in tickets[25:]:
        limiter.throttled(ticket, NOW, RESERVED)
    assert limiter.standing().functions["f"].limit == 20


def flood(concurrency: Concurrency, first: int, count: int) -> range:
    numbers = range(first, first + count)
    for number in numbers:
        concurrency.sent(number)
    return numbers


def learned(limit: int) -> tuple[Concurrency, int]:
    """One that has found this limit, with nothing in flight, and the next call's number."""
    concurrency = Concurrency(1000)
    numbers = flood(concurrency, 0, limit + 1)
    concurrency.throttled(numbers[-1], numbers[-1])
    for number in numbers[:-1]:
        concurrency.accepted(number)
    assert concurrency.limit == limit
    return concurrency, limit + 1


def clean_window(concurrency: Concurrency, first: int) -> int:
    """Fill the limit and have all of it accepted; the next call's number."""
    number = first
    while not concurrency.full():
        concurrency.sent(number)
        number += 1
    for one in range(first, number):
        concurrency.accepted(one)
    return number


def test_later_throttles_cut_once_per_round_trip() -> None:
    """A later throttle leaves 0.7, and those of calls sent before the cut leave it at that."""
    concurrency, first = learned(100)
    first = clean_window(concurrency, first)
    numbers = flood(concurrency, first, 100)
    for number in numbers[:30]:
        concurrency.throttled(number, numbers[-1])
    assert concurrency.limit == pytest.approx(70)
    newer = flood(concurrency, numbers[-1] + 1, 1)[0]
    concurrency.throttled(newer, newer)
    assert concurrency.limit == pytest.approx(49)


def test_growth() -> None:
    """After two clean windows the limit grows by 1, 2, 4...; a throttle makes the step 1 again."""
    concurrency, first = learned(20)
    limits = []
    for _ in range(7):
        first = clean_window(concurrency, first)
        limits.append(concurrency.limit)
    assert limits == [20, 21, 23, 27, 35, 51, 83]
    numbers = flood(concurrency, first, 83)
    concurrency.throttled(numbers[-1], numbers[-1])
    for number in numbers[:-1]:
        concurrency.accepted(number)
    first, limits = numbers[-1] + 1, []
    for _ in range(4):
        first = clean_window(concurrency, first)
        limits.append(concurrency.limit)
    assert limits == pytest.approx([58.1, 59.1, 61.1, 65.1])


def test_back_to_the_proven_limit() -> None:
    """After a cut one clean window takes the limit back to where the last clean one was."""
    concurrency, first = learned(20)
    limits = []
    for _ in range(2):
        first = clean_window(concurrency, first)
    assert concurrency.limit == 21
    numbers = flood(concurrency, first, 21)
    concurrency.throttled(numbers[-1], numbers[-1])
    for number in numbers[:-1]:
        concurrency.accepted(number)
    first = numbers[-1] + 1
    limits = [concurrency.limit]
    for _ in range(4):
        first = clean_window(concurrency, first)
        limits.append(concurrency.limit)
    assert limits == pytest.approx([14.7, 20, 20, 21, 23])


def test_proven_limit_that_fails() -> None:
    """A limit that was proven once and is throttled now is not gone back to whole."""
    concurrency, first = learned(20)
    for _ in range(2):
        first = clean_window(concurrency, first)
    for expected_limit, expected_proven in ((14.7, 20), (14, 17.35)):
        numbers = flood(concurrency, first, int(concurrency.limit or 0))
        concurrency.throttled(numbers[-1], numbers[-1])
        assert concurrency.limit == pytest.approx(expected_limit)
        for number in numbers[:-1]:
            concurrency.accepted(number)
        first = clean_window(concurrency, numbers[-1] + 1)
        assert concurrency.limit == pytest.approx(expected_proven)


def test_small_limits_are_probed_less() -> None:
    """A window of one call is no reason to try two: four such windows are."""
    concurrency, first = learned(1)
    limits = []
    for _ in range(4):
        first = clean_window(concurrency, first)
        limits.append(concurrency.limit)
    assert limits == [1, 1, 1, 2]


def test_no_growth_without_use() -> None:
    """Calls that never fill the limit prove nothing."""
    concurrency, first = learned(20)
    for number in range(first, first + 500):
        concurrency.sent(number)
        concurrency.accepted(number)
    assert concurrency.limit == 20


def test_never_below_one() -> None:
    """Whatever is throttled, one call at a time goes out, and a limit past the bound is none."""
    concurrency = Concurrency(3)
    for number in range(20):
        concurrency.sent(number)
        concurrency.throttled(number, number)
        assert concurrency.limit == 1
    first = 20
    for _ in range(5):
        first = clean_window(concurrency, first)
    assert concurrency.limit is None


@pytest.mark.parametrize("reason", [RESERVED, None, "ConcurrentSnapshotCreateLimitExceeded", "New"])
def test_function_reasons(reason: str | None) -> None:
    """A reserved limit, and whatever nobody knows, is the function's: others are not held up."""
    limiter = warm(100, "f", "g")
    limiter.throttled(enter(limiter, 2)[1], NOW, reason)
    assert admitted(enter(limiter, 2)) == [False, False]
    assert all(admitted(enter(limiter, 10, function="g")))
    assert limiter.standing().accounts[None].limit is None


def test_limited_function_holds_up_no_other() -> None:
    """Where both wait, for a limit and for a place, the place goes to the one that can use it."""
    limiter = warm(2, "f", "g", "h")
    kept, thrown = enter(limiter, 2)
    limiter.throttled(thrown, NOW, RESERVED)
    held = limiter.enter("h", NOW, nothing)
    f, g = enter(limiter, 1)[0], limiter.enter("g", NOW, nothing)
    limiter.leave(held, NOW)
    assert admitted([f, g]) == [False, True]
    limiter.accepted(kept, NOW)
    assert f.admitted


def test_account_reason() -> None:
    """An account's concurrency limits all its functions together, in turn, and no other account's."""
    limiter = warm(100, "f", "g")
    kept, thrown = limiter.enter("f", NOW, nothing), limiter.enter("g", NOW, nothing)
    limiter.throttled(thrown, NOW, ACCOUNT)
    standing = limiter.standing()
    assert (standing.accounts[None].limit, standing.functions["g"].limit) == (1, None)
    f, g = enter(limiter, 2), enter(limiter, 2, function="g")
    assert not any(admitted(f + g))
    assert limiter.enter("f", NOW, nothing, account="other").admitted
    limiter.accepted(kept, NOW)
    limiter.accepted(f[0], NOW)
    assert admitted(f + g) == [True, False, True, False]
