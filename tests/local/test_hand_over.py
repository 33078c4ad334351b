"""What becomes of an invocation whose worker ends, or says nothing more, about when it is handed over."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke import ServiceFaultError
from lambda_invoke.local import Bootstrap, Function, peers
from lambda_invoke.local.channel import Channel
from lambda_invoke.local.environment import Environment
from lambda_invoke.local.launch import Launch
from lambda_invoke.local.process import WorkerProcess
from tests.local.conftest import Serve, alive, handler, invoke, until, workers
from tests.local.test_channel import Heard, invocation, opened
from tests.support.patience import PATIENCE

LEAVES = '''
import os, sys, time

def leaves(event, context):
    """The first worker answers, waits for a file where it should read the next invocation, and exits."""
    with open(event["ran"], "a") as ran:
        print(os.getpid(), file=ran)
    if not os.path.exists(event["left"]):
        def ends():
            while not os.path.exists(event["left"]):
                time.sleep(0.005)
            os._exit(3)
        sys.modules["runtime_client"].next = ends
'''

SAYS_NO_MORE = """
import http.client, os, time

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("GET", "/2018-06-01/runtime/invocation/next")
answer = api.getresponse()
answer.read()
request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", str(os.getpid()))
api.getresponse().read()
time.sleep(1000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say what was not read")
def test_what_a_worker_never_read_goes_to_another(serve: Serve, tmp_path: Path) -> None:
    """A worker that ends after its answer takes nothing with it: each invocation runs, and runs once."""
    (tmp_path / "app.py").write_text(LEAVES)
    event = {"ran": str(tmp_path / "ran"), "left": str(tmp_path / "left")}
    local, client = serve({"f": Function(f"{tmp_path}/app.py:leaves", timeout=PATIENCE)})
    assert invoke(client, "f", event).error is None
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(invoke, client, "f", event)
        assert until(lambda: local.stats("f").in_flight == 1)  # it was handed over by then
        (tmp_path / "left").touch()
        reply = second.result()
    assert reply.error is None
    assert reply.log.count("START RequestId: ") == 1
    pids = (tmp_path / "ran").read_text().split()
    assert len(pids) == len(set(pids)) == 2
    stats = local.stats("f")
    assert (stats.started, stats.succeeded, stats.cold_starts, stats.in_flight) == (2, 2, 2, 0)


@pytest.mark.parametrize(("read", "unread"), [(None, False), (10, True), (100_000, False)])
def test_a_channel_knows_whether_all_was_read(read: Any, unread: bool) -> None:
    """Of an invocation that the worker read in part nothing ran; one that it read whole may have."""
    if unread and sys.platform != "linux":
        pytest.skip("the system does not say")

    async def leave() -> None:
        async with opened() as (_, channel, theirs):
            if read is not None:
                channel.hand_over(invocation(b"{}"), 17)
                theirs.setblocking(True)
                theirs.recv(read)
            theirs.close()
            await channel.hung_up(PATIENCE)
            assert channel.unread is unread

    asyncio.run(leave())


def test_what_a_channel_could_not_write_was_not_read() -> None:
    """The worker had gone before anything was handed over."""

    async def leave() -> None:
        async with opened() as (_, channel, theirs):
            theirs.close()
            channel.hand_over(invocation(b"{}"), 17)
            await channel.hung_up(PATIENCE)
            assert channel.unread

    asyncio.run(leave())


@pytest.mark.skipif(not peers.AVAILABLE, reason="a Bootstrap needs Linux")
def test_a_worker_that_never_asks_again_is_replaced(serve: Serve, tmp_path: Path) -> None:
    """It lives, and says no more: after the function's timeout the invocation, which did not run, goes on."""
    program = tmp_path / "bootstrap.py"
    program.write_text(SAYS_NO_MORE)
    runtime = Bootstrap([sys.executable, str(program)], task_root=tmp_path)
    local, client = serve({"f": Function(runtime, timeout=1)}, reload=False)
    first, second = (invoke(client, "f").value for _ in range(2))
    assert first != second
    assert until(lambda: not alive(first))
    assert (local.stats("f").succeeded, local.stats("f").cold_starts) == (2, 2)


def test_a_hand_over_that_fails_leaves_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is told; neither a count nor the worker stays behind."""
    local, client = serve({"echo": Function(handler("echo"), reserved_concurrency=1)})
    assert invoke(client, "echo", 1).value == 1
    (before,) = workers()

    def fails(*_: Any) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(Channel, "hand_over", fails)
        with local.client() as ours, pytest.raises(ServiceFaultError, match="its log has the traceback"):
            ours.invoke("echo", 2)
    assert "a defect" in caplog.text
    assert until(lambda: not alive(before))
    assert invoke(client, "echo", 3).value == 3
    stats = local.stats("echo")
    assert (stats.started, stats.succeeded, stats.in_flight, stats.throttled) == (2, 2, 0, 0)


def test_a_look_at_the_code_that_fails_leaves_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, where it fails before there is a hand-over."""
    local, client = serve({"echo": Function(handler("echo"), reserved_concurrency=1)})
    invoke(client, "echo", 1)
    before = workers()

    def fails(_: Environment) -> bool:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "stale", property(fails))
        with local.client() as ours, pytest.raises(ServiceFaultError, match="its log has the traceback"):
            ours.invoke("echo", 2)
    assert invoke(client, "echo", 3).value == 3
    assert workers() == before
    local.stop()
    assert not any(alive(pid) for pid in before)


def open_files() -> set[Path]:
    return set(Path("/dev/fd").iterdir())


def test_a_worker_without_descriptors_left_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The life line's and the channel's are closed when the pipe for its output cannot be made."""

    async def start() -> None:
        channel = Channel(Heard())
        before = open_files()
        theirs = await channel.open()
        pipe = os.pipe
        made: list[tuple[int, int]] = []

        def second_fails() -> tuple[int, int]:
            if made:
                raise OSError(24, "Too many open files")
            made.append(pipe())
            return made[0]

        with monkeypatch.context() as patch, pytest.raises(OSError, match="Too many"):
            patch.setattr(os, "pipe", second_fails)
            WorkerProcess(Launch(("any",), "/"), {}, print, print, theirs)
        assert theirs.fileno() == -1
        channel.close()
        await channel.hung_up(PATIENCE)
        await asyncio.sleep(0)
        assert open_files() == before

    asyncio.run(start())
