"""The virtual clock: each thread and task walks its own line of time."""

from __future__ import annotations

import asyncio
import threading

from lambda_invoke.testing import VirtualClock
from tests.support.patience import PATIENCE


def test_it_begins_at_nothing_and_moves_by_sleeps() -> None:
    """Blocking and awaited; what is slept is listed; chance is always the same."""
    clock = VirtualClock()
    assert clock.now() == 0
    clock.sleep(3)
    assert clock.async_sleep is not None
    asyncio.run(_slept(clock))
    clock.advance(1)
    assert (clock.now(), clock.elapsed, clock.sleeps) == (4, 5, [3, 2])
    assert clock.random() == clock.random()
    assert repr(clock) == "<VirtualClock: 5 s, 2 sleeps>"


async def _slept(clock: VirtualClock) -> float:
    assert clock.async_sleep is not None
    await clock.async_sleep(2)
    return clock.now()


def test_tasks_begin_where_they_were_started() -> None:
    """Ten tasks that sleep at once take as long as one."""
    clock = VirtualClock()
    clock.sleep(1)

    async def many() -> list[float]:
        return await asyncio.gather(*(_slept(clock) for _ in range(10)))

    assert asyncio.run(many()) == [3] * 10
    assert clock.elapsed == 3


def test_threads_begin_at_the_furthest() -> None:
    """Time does not go back for whoever comes later."""
    clock = VirtualClock()
    clock.sleep(7)
    seen: list[float] = []
    thread = threading.Thread(target=lambda: seen.append(clock.now()))
    thread.start()
    thread.join(PATIENCE)
    assert seen == [7]


def test_clocks_are_independent() -> None:
    """A thread has a place on each; a clock that is gone leaves nothing behind."""
    one, other = VirtualClock(), VirtualClock()
    one.sleep(1)
    other.sleep(5)
    one.sleep(1)
    assert (one.now(), other.now()) == (2, 5)
