"""The asyncio map on a loop that its own input or encoding holds up: whatever comes meanwhile is seen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import AsyncLambdaClient, Journal
from lambda_invoke.core.transport import Reply
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from typing import Any

    from lambda_invoke.core.transport import Request

LONG = 0.01
"""Seconds after which the map gives the loop a turn: twice what it takes for long."""


class AfterTurns:
    """An AsyncTransport that answers after so many turns of the loop, without any network."""

    def __init__(self, turns: int) -> None:
        self.sent = 0
        self._turns = turns

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Reply:
        self.sent += 1
        for _ in range(self._turns):
            await asyncio.sleep(0)
        return Reply(200, request.payload or b"")

    async def aclose(self) -> None:
        pass


class Together(AfterTurns):
    """Answers nothing before two are in flight."""

    def __init__(self) -> None:
        super().__init__(0)
        self._two = asyncio.Event()

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Reply:
        if self.sent == 1:
            self._two.set()
        answer = await super().send(request, timeout, remaining)
        await self._two.wait()
        return answer


def slow(count: int) -> Iterator[int]:
    """Each item, and the end, takes long to come."""
    for number in range(count):
        time.sleep(LONG)
        yield number
    time.sleep(LONG)


def slow_at_the_end(count: int) -> Iterator[int]:
    yield from range(count)
    time.sleep(5 * LONG)  # time enough for the journal's thread


def slow_key(item: int) -> int:
    time.sleep(LONG)
    return item


async def values(transport: AfterTurns, items: Any, **options: Any) -> list[Any]:
    """What the map yields; a map that never ends fails."""
    async with asyncio.timeout(PATIENCE), AsyncLambdaClient.over(transport) as client:
        return [outcome.value async for outcome in client.map("f", items, **options)]


@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
@pytest.mark.parametrize("turns", range(5))
def test_in_whichever_turn_an_outcome_comes(turns: int, ordered: bool) -> None:
    """It is yielded, also when it is the last one and comes in the turn that a slow input left the loop."""
    for count in (1, 2, 3):
        assert sorted(asyncio.run(values(AfterTurns(turns), slow(count), ordered=ordered))) == [*range(count)]


def test_what_the_journal_knows_comes_while_the_loop_is_held_up(tmp_path: Path) -> None:
    """A second run, in which nothing is sent, ends, though nothing comes after the input's end."""
    transport, journal = AfterTurns(0), tmp_path / "job.db"
    for _ in range(3):
        assert sorted(asyncio.run(values(transport, slow_at_the_end(3), journal=journal))) == [0, 1, 2]
    assert transport.sent == 3


def test_an_async_input_goes_on_while_an_item_takes_long_to_be_made(tmp_path: Path) -> None:
    """The next item is asked for at once: it does not wait for an outcome of what is in flight."""

    async def items() -> AsyncIterator[int]:
        for number in range(4):
            yield number

    async def use() -> list[Any]:
        journal = Journal(tmp_path / "job.db", key=slow_key)
        return await values(Together(), items(), concurrency=2, journal=journal)

    assert sorted(asyncio.run(use())) == [0, 1, 2, 3]
