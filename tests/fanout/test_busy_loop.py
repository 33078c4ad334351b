"""A job that ends while its loop is busy: what is said then is true, and stays so."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import Executed
from tests.support.server import ScriptedServer

if TYPE_CHECKING:
    from tests.support.aws import Clients


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_closed_while_the_loop_is_held_up(built: Clients, concurrency: int) -> None:
    """Nothing is said not to have run that ran, and nothing is sent after the close."""
    held, go_on = threading.Event(), threading.Event()
    armed = False

    def hold(_: object) -> None:
        if armed and not held.is_set():
            held.set()
            go_on.wait()

    with ScriptedServer() as server:
        client = built(server, on_attempt=hold)
        client.fan_out("f", ["warm"])
        server.calls.clear()
        armed = True
        outcomes = client.map("f", range(100), concurrency=concurrency)
        taken: list[int] = []
        taking = threading.Thread(target=lambda: taken.extend(one.index for one in outcomes), daemon=True)
        taking.start()
        assert held.wait(30)
        outcomes.close()
        said = {one.index: one.executed for one in outcomes.abandoned}
        go_on.set()
        taking.join()
        client.invoke("f", "after")
        time.sleep(0.05)
        ran = {call.json for call in server.calls} - {"after"}
        assert ran <= {*taken, *(index for index, executed in said.items() if executed is not Executed.NO)}
        assert len(said) >= 1


def test_a_hook_that_exits_does_not_end_the_loop(built: Clients) -> None:
    """SystemExit out of on_attempt is that item's alone; later jobs run."""
    leaving = True

    def leave(_: object) -> None:
        if leaving:
            raise SystemExit

    with ScriptedServer() as server:
        client = built(server, on_attempt=leave)
        report = client.fan_out("f", range(3), deadline=30)
        assert {one.executed for one in report} == {Executed.UNKNOWN}
        leaving = False
        assert client.fan_out("f", range(3), deadline=30).values() == [0, 1, 2]
        assert server.executions == 6


def test_threads_that_take_from_one_map(built: Clients) -> None:
    """One at a time: the others are told so, and no item is lost."""
    values: list[Any] = []
    refused = 0

    def take(outcomes: Any) -> None:
        nonlocal refused
        while True:
            try:
                values.append(next(outcomes).value)
            except StopIteration:
                return
            except RuntimeError:
                refused += 1
                time.sleep(0.001)

    with ScriptedServer() as server:
        outcomes = built(server).map("f", range(200), concurrency=4)
        threads = [threading.Thread(target=take, args=(outcomes,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(values) == list(range(200))
        assert server.executions == 200
