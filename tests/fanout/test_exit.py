"""A program that uses jobs ends when it is at its end, in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE
from tests.support.server import Call, ScriptedServer, Step, hang, ok

ROOT = Path(__file__).parents[2]

BEGIN = """
import sys
from lambda_invoke import LambdaClient
client = LambdaClient(endpoint_url=sys.argv[1], max_concurrency=8)
"""

ENDINGS = {
    "a map half consumed": """
outcomes = client.map("f", iter(int, 1), concurrency=4)
print(next(outcomes).ok)
""",
    "a map half consumed, stuck": """
outcomes = client.map("f", range(100), concurrency=4)
print(next(outcomes).ok)
""",
    "in a cycle": """
class Holder: pass
holder = Holder()
holder.itself = holder
holder.outcomes = client.map("f", range(100), concurrency=4)
print(next(holder.outcomes).ok)
""",
    "held by a module": """
import lambda_invoke
lambda_invoke.held = client.map("f", range(100), concurrency=4)
print(next(lambda_invoke.held).ok)
""",
    "a generator around it": """
def values():
    with client.map("f", range(100), concurrency=4) as outcomes:
        for outcome in outcomes:
            yield outcome.value
held = values()
print(next(held) == 0)
""",
    "in a daemon thread": """
import threading
ready = threading.Event()
def work():
    for outcome in client.map("f", range(100), concurrency=4):
        ready.set()
threading.Thread(target=work, daemon=True).start()
print(ready.wait(10))
""",
    "nothing left over": """
print(len(client.fan_out("g", range(100), concurrency=4).succeeded) == 100)
client.close()
""",
    "never used": """
outcomes = client.map("f", range(100), concurrency=4)
print(True)
""",
    "sys.exit in the loop": """
for outcome in client.map("f", range(100), concurrency=4):
    print(outcome.ok)
    sys.exit()
""",
}


def stuck(call: Call) -> Step:
    return hang() if call.function == "f" and call.json > 0 else ok(call.body)


def run(server: ScriptedServer, program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program, server.url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=list(ENDINGS))
def test_the_interpreter_exits_cleanly(ending: str) -> None:
    """Exit code 0, nothing on stderr, no hang, whatever is in flight."""
    with ScriptedServer(stuck) as server:
        done = run(server, BEGIN + ending)
        assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


EMPTY = """
import threading
before = threading.active_count()
assert len(client.fan_out("f", [])) == 0
assert list(client.map("f", iter(()))) == []
print(threading.active_count() - before)
"""


def test_an_empty_input_starts_nothing() -> None:
    """No thread and no loop is started for a job without items, and nothing is sent."""
    with ScriptedServer() as server:
        done = run(server, BEGIN + EMPTY)
        assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
        assert server.connections == 0


LAZY = """
heavy = {"boto3", "botocore", "asyncio", "urllib3", "ssl"} & set(sys.modules)
print(sorted(heavy))
"""


def test_making_a_client_loads_nothing_heavy() -> None:
    """``import lambda_invoke`` and making a client load neither boto3 nor asyncio."""
    with ScriptedServer() as server:
        done = run(server, BEGIN + LAZY)
        assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
