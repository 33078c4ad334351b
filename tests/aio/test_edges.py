"""The asyncio client at its edges: twice at once, dropped, cancelled while it closes, forked, slow inputs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import AsyncLambdaClient, Executed, RequestError
from lambda_invoke.core.limiter import Limiter
from lambda_invoke.transports.slots import Slots
from tests.support.aio import built, other_tasks, until
from tests.support.aws import dummy_environment, session
from tests.support.patience import PATIENCE
from tests.support.runs import in_threads
from tests.support.server import ScriptedServer, hang, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("journaled", [False, True], ids=["plain", "journal"])
def test_twice_at_once_from_the_start(journaled: bool, tmp_path: Path) -> None:
    """A second anext while the first one is still opening is refused, and nothing goes past the journal."""
    path = tmp_path / "job.db" if journaled else None

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            mapped = client.map("f", range(10), concurrency=2, journal=path)
            made: list[Any] = await asyncio.gather(anext(mapped), anext(mapped), return_exceptions=True)
            assert [isinstance(one, RuntimeError) for one in made] == [False, True]
            assert len([outcome async for outcome in mapped]) == 9

    with ScriptedServer() as server:
        asyncio.run(use(server))
        assert server.executions == 10
        if journaled:
            assert len(in_threads(server, "f", range(10), journal=path).values()) == 10
            assert server.executions == 10


async def in_use(client: AsyncLambdaClient, path: Path) -> bool:
    try:
        assert (await client.fan_out("f", [0], journal=path)).values() == [0]
    except RequestError:
        return True
    return False


def test_a_dropped_map_over_a_journal_is_given_up(tmp_path: Path) -> None:
    """Its calls end, its places come back, and the journal is free for the next run."""
    path = tmp_path / "job.db"

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            mapped = client.map("f", itertools.count(), concurrency=4, journal=path)
            assert (await anext(mapped)).value == 0
            dropped = weakref.ref(mapped)
            del mapped
            assert dropped() is None
            await until(lambda: not other_tasks())
            assert client._admission._limiter.standing().in_flight == 0

            async with asyncio.timeout(PATIENCE):
                while await in_use(client, path):  # noqa: ASYNC110 - a thread closes it
                    await asyncio.sleep(0.01)

    with ScriptedServer(lambda call: hang() if call.json else ok(b"0")) as server:
        asyncio.run(use(server))


def test_a_close_that_is_cancelled_goes_on(tmp_path: Path) -> None:
    """The journal is closed all the same, and a later close has the rest."""
    path = tmp_path / "job.db"

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            mapped = client.map("f", itertools.count(), concurrency=4, journal=path)
            assert (await anext(mapped)).value == 0
            closing = asyncio.create_task(mapped.aclose())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            await mapped.aclose()
            pulled = mapped._pulled
            assert len(mapped.abandoned) == pulled - 1
            assert (await client.fan_out("f", [0], journal=path)).values() == [0]

    with ScriptedServer(lambda call: hang() if call.json else ok(b"0")) as server:
        asyncio.run(use(server))


def test_a_slow_sync_input_leaves_the_loop_its_turns() -> None:
    """What was taken is sent before the next item is waited for; other tasks run in between."""
    turns = 0

    async def ticks() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def slow() -> Iterator[int]:
        for item in range(20):
            time.sleep(0.01)
            yield item

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            await client.invoke("f")
            ticking = asyncio.create_task(ticks())
            mapped = client.map("f", slow(), concurrency=64)
            await anext(mapped)
            assert mapped._pulled < 20
            assert len([one async for one in mapped]) == 19
            assert turns > 20
            ticking.cancel()

    with ScriptedServer() as server:
        asyncio.run(use(server))


def test_items_that_cannot_be_sent_leave_the_loop_its_turns() -> None:
    """A time-out around very many of them comes."""

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    async for _ in client.map("f", itertools.repeat(float("nan"))):
                        pass

    with ScriptedServer() as server:
        asyncio.run(use(server))
        assert server.requests == 0


def test_an_async_input_keeps_its_context_variables() -> None:
    """What it sets at one item is there at the next."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def items() -> AsyncIterator[str]:
        variable.set("the input's")
        for _ in range(3):
            yield variable.get()
            await asyncio.sleep(0)

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            assert (await client.fan_out("f", items())).values() == ["the input's"] * 3

    with ScriptedServer() as server:
        asyncio.run(use(server))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks come with Python 3.12")
def test_a_drain_under_eager_tasks() -> None:
    """A worker that began at once counts as one that is in flight."""

    async def use(server: ScriptedServer) -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        stop = asyncio.Event()
        async with built(server) as client:
            loop.call_later(0.2, stop.set)
            report = await client.fan_out("f", range(4), stop=stop, drain=True)
            assert len(report.succeeded) == server.executions

    with ScriptedServer() as server:
        asyncio.run(use(server))


def test_loops_that_were_only_closed_are_forgotten() -> None:
    """Not shut down as ``asyncio.run`` does it: their connections go with the next one's."""

    async def use() -> None:
        assert (await client.invoke("f", 1)).value == 1

    with ScriptedServer() as server:
        client = AsyncLambdaClient(session=session(), endpoint_url=server.url)
        for _ in range(5):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(use())
            loop.run_until_complete(client._sender._async_transport.aclose())  # type: ignore[union-attr]
            loop.close()
        direct: Any = client._sender._async_transport
        assert len(direct._direct._lines) == 0
        loop = asyncio.new_event_loop()
        direct._direct._lines[loop] = None
        loop.close()
        asyncio.run(use())
        assert loop not in direct._direct._lines


FORKED = """
import asyncio, os, sys
from lambda_invoke import AsyncLambdaClient, LambdaClient
url, path = sys.argv[1:]
client, blocking = AsyncLambdaClient(endpoint_url=url), LambdaClient(endpoint_url=url)
async def use(path):
    assert (await client.fan_out("f", range(5), journal=path)).values() == list(range(5))
    assert (await client.invoke("f", 1)).value == 1
    assert (await client.get_configuration("f")).name == "f"
asyncio.run(use(path))
assert blocking.fan_out("f", range(5)).values() == list(range(5))
child = os.fork()
if child == 0:
    asyncio.run(use(path + "2"))
    assert blocking.fan_out("f", range(5)).values() == list(range(5))
    sys.exit(3)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_uses_it_and_exits(tmp_path: Path) -> None:
    """Its threads are the child's own, and nothing of uvloop's stands in the way of its exit."""
    found = {"FunctionName": "f", "FunctionArn": "arn:f"}
    with ScriptedServer(control_plane={"/2015-03-31/functions/f/configuration": found}) as server:
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore::DeprecationWarning",
                "-c",
                FORKED,
                server.url,
                str(tmp_path / "j"),
            ],
            env=dummy_environment() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("3\n", "")


def test_the_collector_may_let_go_anywhere() -> None:
    """Also in the middle of another call of the same thread: nothing stands still, nothing is lost."""
    limiter, slots = Limiter(4), Slots(2)
    ticket = limiter.join("f", 0.0)
    assert slots.take()
    with limiter._lock:
        limiter.leave(ticket, 1.0)
    with slots._lock:
        slots.release()
    assert limiter.join("f", 1.0).admitted
    assert limiter.standing().in_flight == 1
    assert slots.take()
    assert slots.take()
    assert not slots.take()


def test_an_error_in_the_middle_of_a_reply_is_not_no() -> None:
    """Whatever is raised between the reply and its result: the function ran, and nobody says it did not."""

    def raise_(_: object) -> None:
        raise asyncio.CancelledError

    with ScriptedServer() as server:
        client = AsyncLambdaClient(session=session(), endpoint_url=server.url, on_attempt=raise_)

        async def use() -> None:
            report = await client.fan_out("f", range(2))
            assert {one.executed for one in report} == {Executed.UNKNOWN}
            await client.aclose()

        asyncio.run(use())
        assert server.executions == 2
        gc.collect()
