"""Inputs are taken as they are needed: endless ones will do, and memory stays flat."""

from __future__ import annotations

import gc
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from lambda_invoke import LambdaClient, Reply, Request
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients

AHEAD = 32
"""The small constant: how many items may be pulled beyond the concurrency."""

MEGABYTE = 1024 * 1024


class Instant:
    """A transport that answers at once."""

    def send(self, request: Request, timeout: float | None, remaining: float | None) -> Reply:
        return Reply(200, b"1")

    def close(self) -> None:
        pass


@attrs.define
class Counted:
    """An input that counts what was taken of it, and how far ahead of the outcomes that was."""

    taken: int = 0
    finished: int = 0
    furthest: int = 0

    def items(self, number: int | None) -> Iterator[int]:
        for index in itertools.count() if number is None else range(number):
            self.taken += 1
            self.furthest = max(self.furthest, self.taken - self.finished)
            yield index


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def run(number: int, *, ordered: bool = False, concurrency: int = 32) -> None:
    counted = Counted()
    begun = blocks = 0
    for outcome in LambdaClient.over(Instant()).map(
        "f", counted.items(number), concurrency=concurrency, ordered=ordered
    ):
        assert outcome.ok
        counted.finished += 1
        if counted.finished == number // 5:
            begun, blocks = resident(), sys.getallocatedblocks()
    assert counted.finished == counted.taken == number
    assert counted.furthest <= concurrency + AHEAD
    assert resident() - begun < 8 * MEGABYTE
    kept = sys.getallocatedblocks() - blocks
    assert kept < max(1000, number / 10), "something is kept of each item"


linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


@linux
def test_ten_thousand_items() -> None:
    """10,000 items: memory is flat, and never more than the concurrency and a little is pulled ahead."""
    run(10_000)


@linux
@pytest.mark.soak
@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
def test_a_million_items(ordered: bool) -> None:
    """The same with 1,000,000, where what is kept of some only would show."""
    run(1_000_000, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
@pytest.mark.parametrize("concurrency", [1, 2, 8, 64, 256])
def test_how_much_is_pulled_ahead(concurrency: int, ordered: bool) -> None:
    """At any concurrency, ordered or not: no more than that and a small constant."""
    run(600, concurrency=concurrency, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
def test_an_endless_input(built: Clients, ordered: bool) -> None:
    """The first outcomes of an endless generator come, and little more than they were sent."""
    counted = Counted()
    with ScriptedServer() as server:
        with built(server).map("f", counted.items(None), concurrency=8, ordered=ordered) as outcomes:
            values = [outcome.value for outcome in itertools.islice(outcomes, 100)]
        assert len(set(values)) == 100
        assert not ordered or values == list(range(100))
        assert counted.taken <= 100 + 8 + AHEAD
        assert server.executions <= counted.taken


def test_nothing_before_the_first_next(built: Clients) -> None:
    """Making the iterator takes nothing of the input and sends nothing."""
    counted = Counted()
    with ScriptedServer() as server:
        outcomes = built(server).map("f", counted.items(None), concurrency=4)
        assert iter(outcomes) is outcomes
        assert (counted.taken, server.connections) == (0, 0)
        assert next(outcomes).ok
        assert counted.taken > 0
        outcomes.close()


def test_a_consumer_that_stops_for_a_while(built: Clients) -> None:
    """While nobody asks for outcomes, no more of the input is taken."""
    counted = Counted()
    with ScriptedServer() as server:
        outcomes = built(server).map("f", counted.items(None), concurrency=4)
        next(outcomes)
        server.wait_until(lambda s: s.in_flight == 0 and s.executions >= 4)
        assert server.executions <= counted.taken <= 1 + 4 + AHEAD
        outcomes.close()


def test_what_was_taken_is_sent_while_the_input_blocks(built: Clients) -> None:
    """An input that blocks for its next item (a queue's) does not hold back the one before."""
    with ScriptedServer() as server:

        def blocking() -> Iterator[int]:
            for index in range(5):
                yield index
                server.wait_until(lambda s: s.executions > index, timeout=PATIENCE)  # noqa: B023 - called at once

        assert len(list(built(server).map("f", blocking(), concurrency=64))) == 5
