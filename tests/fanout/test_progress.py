"""``progress`` is told how far a fan-out is, on the caller's thread, and not too often."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer, delay, error, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke import Progress
    from tests.support.aws import Clients


def test_it_is_told_on_the_callers_thread(clients: Clients) -> None:
    """From the first outcome to the last, which is marked as such; counts only grow."""
    told: list[Progress] = []
    threads: set[int] = set()

    def tell(progress: Progress) -> None:
        told.append(progress)
        threads.add(threading.get_ident())

    with ScriptedServer(
        lambda call: error(404, "ResourceNotFoundException") if call.json % 4 == 0 else ok(call.body)
    ) as server:
        clients(server).fan_out("f", range(40), concurrency=4, progress=tell)
        assert server.requests == 40
    assert threads == {threading.get_ident()}
    last = told[-1]
    assert (last.done, last.failed, last.in_flight, last.total, last.finished) == (40, 10, 0, 40, True)
    assert [progress.finished for progress in told[:-1]] == [False] * (len(told) - 1)
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert all(0 <= progress.in_flight <= 4 + 32 for progress in told)
    assert last.rate > 0
    assert "40 of 40 done, 10 failed" in str(last)


def test_not_more_than_ten_times_a_second(clients: Clients) -> None:
    """However many outcomes there are."""
    told: list[Progress] = []
    with ScriptedServer(lambda call: delay(0.005, ok(call.body))) as server:
        began = time.monotonic()
        clients(server).fan_out("f", range(150), concurrency=4, progress=told.append)
        elapsed = time.monotonic() - began
    assert 2 <= len(told) <= elapsed * 10 + 2


def test_an_input_without_a_length_has_no_total(built: Clients) -> None:
    """A generator's end is not known before it comes."""
    told: list[Progress] = []

    def items() -> Iterator[int]:
        yield from range(5)

    with ScriptedServer() as server:
        built(server).fan_out("f", items(), progress=told.append)
    assert {progress.total for progress in told} == {None}
    assert told[-1].done == 5


def test_no_items_are_told_of_once(built: Clients) -> None:
    """An empty job is finished, and says so."""
    told: list[Progress] = []
    with ScriptedServer() as server:
        built(server).fan_out("f", [], progress=told.append)
    assert [(progress.done, progress.finished) for progress in told] == [(0, True)]


def test_what_it_raises_ends_the_job(built: Clients) -> None:
    """It is the caller's own error; what is in flight is given up and the client goes on."""

    def broken(_: Progress) -> None:
        raise LookupError("the callback's own")

    with ScriptedServer() as server:
        client = built(server, max_concurrency=2)
        with pytest.raises(LookupError, match="the callback's own"):
            client.fan_out("f", iter(int, 1), concurrency=2, progress=broken)
        assert client.invoke("f", 7, deadline=PATIENCE).value == 7


def test_a_bar(built: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    """``progress=True`` shows one, with the function's name and the count; stdout is left to results."""
    pytest.importorskip("rich")
    with ScriptedServer() as server:
        built(server).fan_out("reports", range(12), progress=True)
    shown = capsys.readouterr().err  # stdout is for results
    assert "reports" in shown
    assert "12/12" in shown
