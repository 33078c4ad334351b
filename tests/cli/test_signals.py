"""Ctrl-C and SIGTERM: an end within a second, with what is known written."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import Running, json_lines, write_lines
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer
from tests.support.steps import gate, hang, ok

if TYPE_CHECKING:
    from pathlib import Path

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=["sigint", "sigterm"])
def test_in_the_middle_of_a_job(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """What was done is there, what was in flight is unknown, nothing more is sent, and it is quick."""
    output = tmp_path / "out"
    items = write_lines(tmp_path / "items", range(1000))
    with ScriptedServer([ok(b"1"), ok(b"1"), ok(b"1"), hang()]) as server:
        with Running(
            "map", "f", items, "-c", "4", "-o", str(output), "--endpoint-url", server.url
        ) as running:
            server.wait_until(lambda seen: seen.in_flight == 4)
            assert running.signal(number) < PATIENCE
            done = running.end()
        assert server.requests == 7
    results = json_lines(output.read_text())
    assert done.code == code
    assert [line["ok"] for line in results].count(True) == 3
    executed = [line["error"]["executed"] for line in results if not line["ok"]]
    assert executed.count("unknown") == 4
    assert set(executed) <= {"unknown", "no"}
    assert f"stopped by {number.name}" in done.err
    assert "4 items may have run" in done.err


@pytest.mark.parametrize(("number", "code"), SIGNALS, ids=["sigint", "sigterm"])
def test_while_waiting_for_input(number: signal.Signals, code: int) -> None:
    """A read of standard input that never comes back does not hold the end up."""
    with ScriptedServer() as server, Running("map", "f", "-", "--endpoint-url", server.url) as running:
        running.feed_until_it_answers()
        assert running.next_line()["ok"]
        assert running.signal(number) < PATIENCE
        done = running.end()
    assert done.code == code
    assert f"stopped by {number.name}" in done.err


def test_what_is_in_flight_is_waited_for() -> None:
    """--drain: after a signal no more of the input is taken, and what was sent has its result."""
    answer = threading.Event()
    with (
        ScriptedServer([gate(answer, ok(b"1"))]) as server,
        Running("map", "f", "-", "-c", "2", "--drain", "--endpoint-url", server.url) as running,
    ):
        running.feed_slowly(2)
        server.wait_until(lambda seen: seen.in_flight == 2)
        running.send(signal.SIGTERM)
        assert running.next_complaint().startswith("SIGTERM: waiting for what is in flight")
        running.feed_slowly(1)
        answer.set()
        done = running.end()
        assert server.requests == 2
    assert done.code == 143
    assert [line["ok"] for line in done.lines] == [True, True]
    assert "stopped by SIGTERM" in done.err


def test_a_second_signal_gives_up() -> None:
    """--drain: what is in flight is then given up and written, as it is without."""
    with (
        ScriptedServer([hang()]) as server,
        Running("map", "f", "-", "--drain", "--endpoint-url", server.url) as running,
    ):
        running.feed_slowly(2)
        server.wait_until(lambda seen: seen.in_flight == 2)
        running.send(signal.SIGINT)
        running.next_complaint()
        assert running.signal(signal.SIGTERM) < PATIENCE
        done = running.end()
    assert done.code == 130
    assert [line["error"]["executed"] for line in done.lines] == ["unknown", "unknown"]
    assert "stopped by SIGINT" in done.err


def test_an_invoke_is_interrupted() -> None:
    """One line, exit code 130, and no traceback."""
    with ScriptedServer([hang()]) as server, Running("invoke", "f", "--endpoint-url", server.url) as running:
        server.wait_until(lambda seen: seen.in_flight == 1)
        assert running.signal(signal.SIGINT) < 1.5
        done = running.end()
    assert (done.code, done.out) == (130, "")
    assert done.err == "lambda_invoke: interrupted\n"
