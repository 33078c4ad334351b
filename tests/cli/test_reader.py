"""The reader: a blocking input on an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from lambda_invoke.cli.reader import Reader
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_all_come_in_order_and_then_the_error() -> None:
    """What the iterable raises is raised after its last item."""

    def source() -> Iterator[int]:
        yield from range(1000)
        raise LookupError

    taken: list[int] = []

    async def collect() -> None:
        async for one in Reader(source()):
            taken.append(one)  # noqa: PERF401 - those before the error, too

    with pytest.raises(LookupError):
        asyncio.run(collect())
    assert taken == list(range(1000))


def test_it_ends() -> None:
    """An input that is at its end stays there."""

    async def take() -> tuple[list[int], int | None]:
        reader = Reader(range(3))
        return [one async for one in reader], await anext(reader, None)

    assert asyncio.run(take()) == ([0, 1, 2], None)


def test_little_is_read_ahead() -> None:
    """Of an endless input no more than a few items are read before they are asked for."""
    read: list[int] = []

    def source() -> Iterator[int]:
        while True:
            read.append(len(read))
            yield read[-1]

    async def take() -> None:
        reader = Reader(source())
        for expected in range(100):
            assert await anext(reader) == expected
            assert len(read) <= expected + 20

    asyncio.run(take())


def test_a_blocked_read_holds_nothing_up() -> None:
    """The loop goes on meanwhile, and a wait that is cancelled loses nothing."""
    gate = threading.Event()

    def source() -> Iterator[int]:
        yield 0
        gate.wait(PATIENCE)
        yield 1

    async def take() -> None:
        reader = Reader(source())
        assert await anext(reader) == 0
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(reader), 0.01)
        gate.set()
        assert await anext(reader) == 1

    asyncio.run(take())


def test_it_may_outlive_its_loop() -> None:
    """What comes when the loop is closed is for nobody, and no error in the thread."""
    gate, ended = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        gate.wait(PATIENCE)
        yield 0
        ended.set()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(Reader(source())), 0.01)

    asyncio.run(ask())
    gate.set()
    soon(ended.is_set)
