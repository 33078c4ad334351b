"""Start and stop: what is left behind is nothing, also when the parent is killed."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from lambda_invoke.local import (
    Function,
    FunctionStats,
    InvocationRecord,
    LocalLambda,
    LocalLambdaError,
    memory,
)
from tests.local.conftest import Serve, alive, children, handler, invoke, until
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"}, proxies={})


def descriptors() -> Any:
    gc.collect()
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found.add(str(fd.readlink()))
    return found


def use_once() -> Any:
    with LocalLambda({"who": handler("whoami"), "slow": Function(handler("nap"), timeout=0.1)}) as local:
        client = local.boto3_client()
        pid = invoke(client, "who").value["pid"]
        invoke(client, "slow", {"seconds": 9})
        invoke(client, "who", InvocationType="Event")
        client.close()
        assert alive(pid)
    return pid


def test_stopping_leaves_no_process_thread_or_descriptor() -> None:
    """After the with statement there is what was before it."""
    use_once()  # what is made once and kept (boto3's caches) is made now
    gc.collect()
    processes, threads, files = children(), set(threading.enumerate()), descriptors()
    pid = use_once()
    assert not alive(pid)
    assert children() <= processes
    assert set(threading.enumerate()) <= threads
    assert descriptors() == files


def test_stopping_breaks_off_what_runs(tmp_path: Path) -> None:
    """In-flight work and its children end at once; the caller's connection breaks."""
    file = tmp_path / "pids"
    local = LocalLambda({"f": Function(handler("starts_grandchildren"), timeout=60)})
    local.start()
    client = local.boto3_client(config=ONCE)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(invoke, client, "f", {"file": str(file), "seconds": 60})
        assert until(lambda: file.exists() and len(file.read_text().split()) == 3)
        begun = time.monotonic()
        local.stop()
        assert time.monotonic() - begun < PATIENCE
        with pytest.raises(BotoCoreError):
            running.result(timeout=PATIENCE)
    assert until(lambda: not any(alive(int(pid)) for pid in file.read_text().split()))
    client.close()


def test_it_starts_again() -> None:
    """A stopped endpoint can be started anew, with new counts and the same key."""
    local = LocalLambda({"echo": handler("echo")})
    keys = set()
    for _ in range(2):
        with local:
            keys.add(local.credentials)
            client = local.boto3_client()
            assert invoke(client, "echo", 1).value == 1
            assert local.stats("echo").started == 1
            client.close()
    assert len(keys) == 1
    assert local.stats("echo").started == 1


def test_misuse_is_named() -> None:
    """Starting twice or asking a stopped one for its address says what to do; stopping twice is nothing."""
    local = LocalLambda({"echo": handler("echo")})
    assert local.stats("echo") == FunctionStats()
    assert local.logs("echo") == ""
    with pytest.raises(LocalLambdaError, match="not running"):
        _ = local.endpoint_url
    with pytest.raises(LocalLambdaError, match="not running"):
        local.wait_for_events()
    local.start()
    with pytest.raises(LocalLambdaError, match="runs already"):
        local.start()
    local.stop()
    local.stop()
    for look in (local.stats, local.logs):
        with pytest.raises(KeyError, match="no function 'nobody' here, but echo"):
            look("nobody")


def test_it_works_beside_a_running_loop() -> Any:
    """As in a notebook: start, use and stop inside a coroutine."""

    async def main() -> Any:
        with LocalLambda({"echo": handler("echo")}) as local:
            client = local.boto3_client()
            value = (await asyncio.to_thread(invoke, client, "echo", 3)).value
            client.close()
            return value

    assert asyncio.run(main()) == 3


PARENT = """
import os, sys, time
from lambda_invoke.local import Function, LocalLambda

local = LocalLambda({"busy": Function("tests/local/handlers.py:starts_grandchildren", timeout=60),
                     "idle": "tests/local/handlers.py:whoami"})
local.start()
client = local.boto3_client()
print(client.invoke(FunctionName="idle", Payload=b"{}")["Payload"].read().decode(), flush=True)
fork = os.fork()
if fork == 0:  # a copy of the parent that outlives it holds on to nothing
    time.sleep(20)
    os._exit(0)
print(fork, flush=True)
client.invoke(FunctionName="busy", Payload=sys.argv[1].encode())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path, how: Any) -> None:
    """After kill -9 of the parent no worker is left, idle or busy, nor a busy one's children."""
    file = tmp_path / "pids"
    event = json.dumps({"file": str(file), "seconds": 60})
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, event],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        text=True,
    ) as parent:
        assert parent.stdout is not None
        idle = json.loads(parent.stdout.readline())["pid"]
        fork = int(parent.stdout.readline())
        assert until(lambda: file.exists() and len(file.read_text().split()) == 3)
        busy, child, stray = map(int, file.read_text().split())
        assert all(map(alive, (idle, busy, child, stray)))
        parent.send_signal(how)
        parent.wait()
        try:
            assert until(lambda: not any(map(alive, (idle, busy, child, stray))))
        finally:
            os.kill(fork, signal.SIGKILL)


FORGETFUL = """
from lambda_invoke.local import LocalLambda
local = LocalLambda({"who": "tests/local/handlers.py:whoami"})
local.start()
client = local.boto3_client()
print(client.invoke(FunctionName="who", Payload=b"{}")["Payload"].read().decode())
client.close()
"""
FORKING = (
    FORGETFUL
    + """
import os, sys
sys.stdout.flush()
if os.fork() == 0:
    local.stop()
    sys.exit(0)
os.wait()
client = local.boto3_client()
print(client.invoke(FunctionName="who", Payload=b"{}")["Payload"].read().decode())
"""
)


def run(code: Any, *flags: Any) -> Any:
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=30,
        check=False,
    )


def test_a_forgotten_stop_is_made_up_for() -> None:
    """A script that never stops it ends without a warning, and its worker with it."""
    done = run(FORGETFUL, "-X", "dev")
    # asyncio's debug mode tells of each step that a busy machine took 0.1 s for.
    told = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, told) == (0, [])
    assert until(lambda: not alive(json.loads(done.stdout)["pid"]))


def test_a_fork_does_not_end_the_parents_workers() -> None:
    """A child that stops its copy, or exits, leaves the parent's endpoint as it is."""
    done = run(FORKING, "-W", "ignore")
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["pid"] == second["pid"]
    assert second["calls"] == 2


def test_every_execution_is_observed() -> None:
    """on_invocation gets each end: success, failure and throttle, with figures and log."""
    records: list[InvocationRecord] = []
    functions: dict[str, Function | str] = {
        "prints": handler("prints"),
        "raises": handler("raises"),
        "off": Function(handler("echo"), reserved_concurrency=0),
    }
    with LocalLambda(functions, on_invocation=records.append) as local:
        client = local.boto3_client(config=ONCE)
        request_id = invoke(client, "prints").headers["x-amzn-requestid"]
        invoke(client, "prints")
        invoke(client, "raises", {"key": "k"})
        with pytest.raises(client.exceptions.TooManyRequestsException):
            invoke(client, "off")
        client.close()
    assert [(record.function, record.outcome, record.error_type) for record in records] == [
        ("prints", "succeeded", None),
        ("prints", "succeeded", None),
        ("raises", "failed", "KeyError"),
        ("off", "throttled", "TooManyRequestsException"),
    ]
    first, second = records[:2]
    assert (first.request_id, first.version, first.invocation_type) == (
        request_id,
        "$LATEST",
        "RequestResponse",
    )
    assert "to stdout\nto stderr\n" in first.log
    assert first.duration > 0
    assert first.max_memory_used > 5
    assert (first.cold_start, second.cold_start) == (True, False)


def test_an_observer_that_raises_breaks_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """The reply comes, and the traceback is logged."""
    _, client = serve({"echo": handler("echo")}, on_invocation=lambda record: 1 // 0)
    with caplog.at_level(logging.ERROR, "lambda_invoke.local"):
        assert invoke(client, "echo", 1).value == 1
    assert "on_invocation raised" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_defect_of_the_endpoint_is_a_service_exception(serve: Serve, tmp_path: Path, caplog: Any) -> None:
    """When no worker can be started at all, the answer is a 500, the log says why, and the rest goes on."""
    home = tmp_path / "gone"
    home.mkdir()
    (home / "app.py").write_text("def handler(event, context): return event\n")
    local, _ = serve({"gone": f"{home}/app.py:handler", "echo": handler("echo")})
    (home / "app.py").unlink()
    home.rmdir()
    client = local.boto3_client(config=ONCE)
    with pytest.raises(client.exceptions.ServiceException):
        client.invoke(FunctionName="gone")
    assert "FileNotFoundError" in caplog.text
    assert invoke(client, "echo", 1).value == 1
    assert local.stats("gone").in_flight == 0
    client.close()


def test_what_keeps_it_from_starting_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure on the background thread comes out of start(), and leaves no thread behind."""

    async def refuse(self: Any) -> None:
        raise OSError("no ports left")

    monkeypatch.setattr("lambda_invoke.local.http.HttpServer.start", refuse)
    local = LocalLambda({"echo": handler("echo")})
    threads = set(threading.enumerate())
    with pytest.raises(OSError, match="no ports left"):
        local.start()
    assert until(lambda: set(threading.enumerate()) <= threads)
    assert repr(local).endswith("not running)")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("os.name", "nt", "use Linux, macOS or WSL"), ("sys.executable", "", "no worker can be started")],
)
def test_a_platform_without_workers_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    """Where it cannot work it says so, at once."""
    with monkeypatch.context() as patch:
        patch.setattr(name, value)
        with pytest.raises(LocalLambdaError, match=words):
            LocalLambda({"f": "json.loads"})


def test_it_works_without_what_only_linux_has(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    """Without /proc and pidfds, as on macOS: reuse, exits, timeouts and the memory limit hold."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.setattr(memory, "HAS_PROC", False)
    _, client = serve(
        {
            "who": handler("whoami"),
            "exits": handler("exits"),
            "nap": Function(handler("nap"), timeout=0.2),
            "eats": Function(handler("child_allocates"), timeout=20),
        }
    )
    assert [invoke(client, "who").value["calls"] for _ in range(3)] == [1, 2, 3]
    assert invoke(client, "exits", {"status": 4}).value["errorMessage"].endswith("exit status 4")
    assert invoke(client, "nap", {"seconds": 9}).value["errorType"] == "Sandbox.Timedout"
    reply = invoke(client, "eats", {"bytes": 300_000_000})
    assert reply.value["errorMessage"].endswith("signal: killed")
    assert reply.log.endswith("Error Type: Runtime.OutOfMemory\n")


ELSEWHERE = """
import os, subprocess, sys, time
from lambda_invoke.local.worker.bootstrap import die_with_parent
sys.platform = "darwin"
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
die_with_parent(int(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(60)
"""


def test_elsewhere_a_thread_holds_the_life_line() -> None:
    """Off Linux too, the worker and its child end when the parent's end of the pipe closes."""
    life_line, ours = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE, str(life_line)],
        stdout=subprocess.PIPE,
        pass_fds=[life_line],
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as worker:
        os.close(life_line)
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        assert alive(child)
        os.close(ours)
        assert worker.wait(timeout=PATIENCE) == -signal.SIGKILL
        assert until(lambda: not alive(child))


@pytest.mark.parametrize("without_uvloop", [False, True])
def test_it_works_on_either_event_loop(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, without_uvloop: bool
) -> None:
    """On uvloop where it is installed, on asyncio's otherwise: answers, timeouts, exits and the stop."""
    if without_uvloop:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    functions = {"who": handler("whoami"), "exits": handler("exits")}
    local, client = serve({**functions, "nap": Function(handler("nap"), timeout=0.2)})
    assert [invoke(client, "who").value["calls"] for _ in range(3)] == [1, 2, 3]
    assert invoke(client, "exits", {"status": 4}).value["errorMessage"].endswith("exit status 4")
    assert invoke(client, "nap", {"seconds": 9}).value["errorType"] == "Sandbox.Timedout"
    pid = invoke(client, "who").value["pid"]
    local.stop()
    assert until(lambda: not alive(pid))
