"""After a fork parent and child both go on, and share no connection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Call, ScriptedServer, Step, delay, ok

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

ROOT = Path(__file__).parents[2]

PROGRAM = """
import os, sys, threading, traceback
from lambda_invoke import LambdaClient

client = LambdaClient(endpoint_url=sys.argv[1], max_concurrency=4)

def work(who):
    for n in range(5):
        assert client.invoke("f", [who, n]).value == [who, n]
    report = client.fan_out("f", [[who, n] for n in range(20)], concurrency=4)
    assert report.values() == [[who, n] for n in range(20)], report

{before}
child = os.fork()
if child == 0:
    try:
        work("child")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
work("parent")
_, status = os.waitpid(child, 0)
{after}
sys.exit(os.waitstatus_to_exitcode(status))
"""

USED = """
work("before")
"""
BUSY = """
stop = threading.Event()
def busy():
    while not stop.is_set():
        client.invoke("f", ["busy", 0])
threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads: thread.start()
work("before")
"""
NOT_BUSY = """
stop.set()
for thread in threads: thread.join()
"""
HALF_CONSUMED = """
half = client.map("f", ([["half", n] for n in range(100)]), concurrency=4)
next(half)
"""
REST = """
assert sum(outcome.ok for outcome in half) == 99
"""


def echo_slowly(call: Call) -> Step:
    return delay(0.002, ok(call.body))


def run(server: ScriptedServer, before: str, after: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before, after=after), server.url],
        # Python 3.12 warns of every fork with threads about, and ours has the loop's.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore::DeprecationWarning"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def connections_of(server: ScriptedServer, *who: str) -> set[int]:
    return {call.connection for call in server.calls if call.json[0] in who}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("before", ["", USED], ids=["unused", "used"])
def test_parent_and_child_go_on(before: str, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All calls of both succeed once each; the child has connections of its own, the parent keeps its own."""
    with ScriptedServer(tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        run(server, before)
        assert server.executions == server.requests == 25 * (3 if before else 2)
        assert not connections_of(server, "child") & connections_of(server, "before", "parent")
        if before:
            assert connections_of(server, "parent") & connections_of(server, "before")


def test_a_fork_while_threads_are_calling() -> None:
    """Slots and locks held by the parent's threads do not hold up the child."""
    with ScriptedServer(echo_slowly) as server:
        run(server, BUSY, NOT_BUSY)
        assert not connections_of(server, "child") & connections_of(server, "before", "parent", "busy")
        assert len([call for call in server.calls if call.json[0] == "child"]) == 25


def test_a_fork_while_a_map_is_half_consumed() -> None:
    """The parent's job goes on to its end; the child's work is its own."""
    with ScriptedServer(echo_slowly) as server:
        run(server, HALF_CONSUMED, REST)
        assert len([call for call in server.calls if call.json[0] == "half"]) == 100
        assert not connections_of(server, "child") & connections_of(server, "half", "parent")
