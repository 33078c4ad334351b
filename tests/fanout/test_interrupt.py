"""Ctrl-C in ``fan_out``, in a process of its own: what is known is told, and nothing more is sent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import Executed
from tests.support.measuring import MEASURED
from tests.support.patience import PATIENCE
from tests.support.server import Call, ScriptedServer, hang, ok

if TYPE_CHECKING:
    from tests.support.server import Step

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, sys, time
import boto3
from botocore.config import Config
from lambda_invoke import FanOutInterrupted, LambdaClient

url, kind = sys.argv[1:]
if kind == "built":
    client = LambdaClient(endpoint_url=url)
else:
    client = LambdaClient(boto3.client("lambda", endpoint_url=url, config=Config(max_pool_connections=8)))
taken = 0
def items():
    global taken
    while True:
        taken += 1
        yield taken - 1

try:
    client.fan_out("f", items(), concurrency=8)
except FanOutInterrupted as interrupt:
    at = time.monotonic()
    report = interrupt.report
    cause = interrupt.__cause__
else:
    raise SystemExit("not interrupted")
print(json.dumps({
    "at": at,
    "taken": taken,
    "reason": report.completion_reason.value,
    "indexes": [outcome.index for outcome in report],
    "executed": {str(outcome.index): outcome.executed.value for outcome in report},
    "errors": {str(o.index): type(o.error).__name__ for o in report if not o.ok},
    "interrupt": isinstance(cause, KeyboardInterrupt),
}))
"""


def some_hang(call: Call) -> Step:
    return hang() if call.json >= 20 else ok(call.body)


def start(server: ScriptedServer, kind: str, program: str = PROGRAM) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, server.url, kind],
        env={**os.environ, **MEASURED, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=PATIENCE)
    finally:
        process.kill()


@pytest.mark.parametrize("kind", ["built", "handed"])
def test_ctrl_c_reports_what_is_known(kind: str) -> None:
    """Within a second: finished items YES, those in flight UNKNOWN, the rest NO, as the server counted."""
    with ScriptedServer(some_hang) as server:
        process = start(server, kind)
        server.wait_until(lambda s: s.in_flight == 8)
        time.sleep(0.1)  # the replies before are on their way through the loop
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = finish(process)
        assert (process.returncode, err) == (0, "")
        said: dict[str, Any] = json.loads(out)
        assert said["at"] - sent < PATIENCE  # CLOCK_MONOTONIC is one for all processes
        assert said["reason"] == "interrupted"
        assert said["interrupt"]
        assert said["indexes"] == list(range(said["taken"]))
        by_executed = {
            one: {int(index) for index, value in said["executed"].items() if value == one.value}
            for one in Executed
        }
        executed = {call.json for call in server.calls}
        assert by_executed[Executed.YES] == set(range(20))
        assert by_executed[Executed.UNKNOWN] == executed - set(range(20))
        assert len(by_executed[Executed.UNKNOWN]) == 8
        assert by_executed[Executed.NO] == set(range(said["taken"])) - executed
        assert {said["errors"][str(index)] for index in by_executed[Executed.UNKNOWN]} == {"AbandonedError"}
        assert {said["errors"][str(index)] for index in by_executed[Executed.NO]} <= {"NotSentError"}
        assert server.executions == server.requests == 28


BACKING_OFF = """
import sys
from lambda_invoke import FanOutInterrupted, LambdaClient, RetryPolicy
from tenacity import wait_fixed
client = LambdaClient(endpoint_url=sys.argv[1], retry=RetryPolicy(wait=wait_fixed(60)))
try:
    client.fan_out("f", range(4), concurrency=4)
except FanOutInterrupted as interrupt:
    for outcome in interrupt.report:
        print(type(outcome.error).__name__, outcome.executed.value, len(outcome.attempts))
"""


def test_ctrl_c_while_backing_off() -> None:
    """Items that wait for their next attempt were not executed, and say how often they were tried."""
    with ScriptedServer(limit=0) as server:
        process = start(server, "built", BACKING_OFF)
        server.wait_until(lambda s: s.requests == 4)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = finish(process)
        assert (process.returncode, err) == (0, "")
        assert out.split("\n")[:-1] == ["NotSentError no 1"] * 4


NOT_CAUGHT = """
import sys
from lambda_invoke import LambdaClient
LambdaClient(endpoint_url=sys.argv[1]).fan_out("f", range(100), concurrency=4)
"""


def test_ctrl_c_that_nobody_catches() -> None:
    """It ends the program as Ctrl-C does, and nothing hangs."""
    with ScriptedServer([hang()]) as server:
        process = start(server, "built", NOT_CAUGHT)
        server.wait_until(lambda s: s.in_flight == 4)
        process.send_signal(signal.SIGINT)
        _, err = finish(process)
        assert process.returncode in {1, 130, -signal.SIGINT}
        assert "FanOutInterrupted" in err
        assert "Exception ignored" not in err
        assert server.executions == 4


IN_MAP = """
import sys
from lambda_invoke import LambdaClient
client = LambdaClient(endpoint_url=sys.argv[1], max_concurrency=1)
outcomes = client.map("f", range(100), concurrency=1)
try:
    for outcome in outcomes:
        pass
except KeyboardInterrupt:
    print([type(outcome.error).__name__ for outcome in outcomes.abandoned][:1], list(outcomes))
    print(client.invoke("g", 1, deadline=30).value)
"""


def test_ctrl_c_in_map() -> None:
    """It comes through; ``abandoned`` has what was in flight, and the client goes on."""
    with ScriptedServer(lambda call: hang() if call.function == "f" else ok(b"1")) as server:
        process = start(server, "built", IN_MAP)
        server.wait_until(lambda s: s.in_flight == 1)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = finish(process)
        assert (process.returncode, err) == (0, "")
        assert out == "['AbandonedError'] []\n1\n"
