"""The asyncio client: what the blocking one does, awaited, and cancelled at any await."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from botocore.httpsession import URLLib3Session

from lambda_invoke import (
    AbandonedError,
    AccessDeniedError,
    AsyncLambdaClient,
    AsyncLambdaFunction,
    Clock,
    DeadlineExceededError,
    Executed,
    FullJitter,
    FunctionConfigurationError,
    HandlerError,
    NotSentError,
    Reply,
    RequestError,
    ResponseTimeoutError,
    RetryPolicy,
    cancelled_call,
)
from tests.support.aio import built, handed, other_tasks, until
from tests.support.aws import dummy_environment
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer, by_function, echo, error, gate, hang, ok, throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke import Request
    from tests.support.server import Call, Step

ROOT = Path(__file__).parents[2]
KINDS = pytest.mark.parametrize("make", [built, handed], ids=["built", "handed"])


@attrs.frozen
class Order:
    id: int


@KINDS
def test_the_three_kinds_of_call(make: Callable[..., AsyncLambdaClient]) -> None:
    """A result, an accepted event, a dry run: sent once each, over one connection."""

    async def use(server: ScriptedServer) -> None:
        async with make(server) as client:
            invocation = await client.invoke("f", Order(7), response=Order, log_tail=True)
            assert invocation.value == Order(7)
            assert [attempt.ok for attempt in invocation.attempts] == [True]
            accepted = await client.invoke_event("f", Order(8))
            assert (accepted.status_code, accepted.executed) == (202, Executed.UNKNOWN)
            assert (await client.dry_run("f:prod")).allowed

    with ScriptedServer() as server:
        asyncio.run(use(server))
        assert [call.invocation_type for call in server.calls] == ["RequestResponse", "Event", "DryRun"]
        assert (server.executions, server.connections) == (2, 1)


@KINDS
def test_errors_are_those_of_the_blocking_client(make: Callable[..., AsyncLambdaClient]) -> None:
    """A FunctionError, a refusal, what cannot be sent, a denied dry run, a 429 that is waited out."""
    script = by_function(
        {
            "fails": [ok(b'{"errorType": "KeyError", "errorMessage": "x"}', function_error="Unhandled")],
            "denied": [error(403, "AccessDeniedException", executes=False)],
            "busy": [throttle(), ok(b"1")],
        }
    )

    async def use(server: ScriptedServer) -> None:
        async with make(server) as client:
            with pytest.raises(HandlerError, match="KeyError"):
                await client.invoke("fails")
            with pytest.raises(AccessDeniedError):
                await client.invoke("denied")
            assert not (await client.dry_run("denied")).allowed
            with pytest.raises(RequestError):
                await client.invoke("no such name!")
            with pytest.raises(RequestError, match="client context"):
                await client.invoke_event("f", client_context={"a": 1})
            busy = await client.invoke("busy")
            assert [attempt.outcome for attempt in busy.attempts] == ["ThrottledError", "ok"]

    with ScriptedServer(script) as server:
        asyncio.run(use(server))
        assert server.requests == 5


def test_timeout_and_deadline() -> None:
    """Both hold: one execution, UNKNOWN after the timeout; nothing sent when the deadline ends a backoff."""

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            with pytest.raises(ResponseTimeoutError) as slow:
                await client.invoke("slow", timeout=0.2)
            assert slow.value.executed is Executed.UNKNOWN
            with pytest.raises(DeadlineExceededError) as busy:
                await client.invoke("busy", deadline=0.5)
            assert busy.value.executed is Executed.NO

    with ScriptedServer(by_function({"slow": [hang()], "busy": [throttle(retry_after=30)]})) as server:
        asyncio.run(use(server))
        assert server.executions == 1


def test_a_handle() -> None:
    """Typed, its calls awaited, with terms of its own."""

    async def use(server: ScriptedServer) -> None:
        client = built(server)
        fn: AsyncLambdaFunction[Order, Order] = client.function("orders:prod", request=Order, response=Order)
        assert await fn(Order(1)) == Order(1)
        assert (await fn.invoke(Order(2), log_tail=True)).value == Order(2)
        assert (await fn.event(Order(3))).status_code == 202
        assert (await fn.dry_run()).allowed
        once = fn.with_options(retry=RetryPolicy.never())
        assert isinstance(once, AsyncLambdaFunction)
        assert sorted([outcome.value.id async for outcome in once.map([Order(4), Order(5)])]) == [4, 5]
        assert (await once.fan_out([Order(6)])).values() == [Order(6)]
        assert repr(once) == "<AsyncLambdaFunction orders:prod: request=Order, response=Order>"
        await client.aclose()

    with ScriptedServer() as server:
        asyncio.run(use(server))
        assert {call.qualifier for call in server.calls} == {"prod"}


def test_a_handle_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is read when the handle is made; an unset variable is named."""
    monkeypatch.setenv("ORDERS", "orders")

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            fn = AsyncLambdaFunction.from_env("ORDERS", client, response=int)
            assert await fn(3) == 3
            with pytest.raises(RequestError, match="NOWHERE"):
                AsyncLambdaFunction.from_env("NOWHERE", client)

    with ScriptedServer() as server:
        asyncio.run(use(server))


def test_nothing_of_botocores_is_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once under way, calls of a client that built its own use no thread and no session of botocore's."""

    async def use(server: ScriptedServer) -> None:
        client = built(server)
        await client.invoke("f", 0)
        assert str(client.transport) == "blocking calls: botocore; asyncio and fan-out: direct"
        monkeypatch.setattr(threading.Thread, "start", refused)
        monkeypatch.setattr(URLLib3Session, "__init__", refused)
        made = await asyncio.gather(*(client.invoke("f", index) for index in range(100)))
        assert [invocation.value for invocation in made] == list(range(100))
        await client.aclose()

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError

    with ScriptedServer() as server:
        asyncio.run(use(server))
        assert server.executions == 101


def test_max_concurrency_bounds_the_calls() -> None:
    """However many are awaited at once; they are all served, in turn."""

    async def use(server: ScriptedServer) -> None:
        async with built(server, max_concurrency=4) as client:
            made = await asyncio.gather(*(client.invoke("f", index) for index in range(60)))
            assert [invocation.value for invocation in made] == list(range(60))

    with ScriptedServer() as server:
        asyncio.run(use(server))
        assert server.max_in_flight <= 4
        assert server.connections <= 4


@KINDS
def test_cancelled_in_flight(make: Callable[..., AsyncLambdaClient]) -> None:
    """CancelledError, which says that the call may have run; the client goes on."""

    async def use(server: ScriptedServer) -> None:
        async with make(server) as client:
            call = asyncio.create_task(client.invoke("f", 1))
            await until(lambda: server.in_flight == 1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            said = cancelled_call(caught.value)
            assert isinstance(said, AbandonedError)
            assert (said.function, said.executed, len(said.attempts)) == ("f", Executed.UNKNOWN, 1)
            assert "executed: unknown" in "".join(caught.value.__notes__)
            assert (await client.invoke("g", 2)).value == 2

    with ScriptedServer(by_function({"f": [hang()]})) as server:
        asyncio.run(use(server))
        assert server.executions == 2


def test_cancelled_before_it_was_sent() -> None:
    """In the queue for a connection, or backing off: NO, and its turn is passed on."""
    opened = threading.Event()

    async def use(server: ScriptedServer) -> None:
        async with built(server, max_concurrency=1, retry=RetryPolicy(wait=FullJitter(60, 60))) as client:
            first = asyncio.create_task(client.invoke("held"))
            await until(lambda: server.in_flight == 1)
            queued = asyncio.create_task(client.invoke("f", 1))
            await asyncio.sleep(0.01)
            queued.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await queued
            assert isinstance(cancelled_call(caught.value), NotSentError)
            opened.set()
            await first
            waiting = asyncio.create_task(client.invoke("busy"))
            await until(lambda: server.by_function["busy"].requests)
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await waiting
            said = cancelled_call(caught.value)
            assert said is not None
            assert said.executed is Executed.NO
            assert (await client.invoke("f", 2)).value == 2

    with ScriptedServer(by_function({"held": [gate(opened, ok())], "busy": [throttle()]})) as server:
        asyncio.run(use(server))
        assert [call.function for call in server.calls] == ["held", "busy", "f"]


def test_a_timeout_of_asyncios() -> None:
    """``asyncio.timeout`` works as ever, and its TimeoutError can be asked too."""

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            await client.invoke("g")
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.3):
                    await client.invoke("f", 1)
            said = cancelled_call(caught.value)
            assert said is not None
            assert said.executed is Executed.UNKNOWN
            assert cancelled_call(ValueError()) is None

    with ScriptedServer(by_function({"f": [hang()]})) as server:
        asyncio.run(use(server))


def test_a_task_group() -> None:
    """One that fails cancels the others; nothing is left over."""

    def script(call: Call) -> Step:
        failed = ok(b'{"errorMessage": "no"}', function_error="Unhandled")
        return failed if call.json == 3 else hang()

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.TaskGroup() as group:
                    calls = [group.create_task(client.invoke("f", index)) for index in range(6)]
            assert caught.group_contains(HandlerError, depth=1)
            assert sum(call.cancelled() for call in calls) == 5
            await until(lambda: not other_tasks())

    with ScriptedServer(script) as server:
        asyncio.run(use(server))
        assert server.requests <= 6


def test_without_a_with_block() -> None:
    """It may be left open: the loop's end closes its connections, and nothing complains."""
    program = """
import asyncio, sys
from lambda_invoke import AsyncLambdaClient
client = AsyncLambdaClient(endpoint_url=sys.argv[1])
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no defect
    first = (await client.invoke("f", 1)).value
    return [first, *[outcome.value async for outcome in client.map("f", [2, 3], ordered=True)]]
print(asyncio.run(main()), asyncio.run(main()))
"""
    with ScriptedServer() as server:
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program, server.url],
            env=dummy_environment() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            check=False,
        )
        assert (ended.stdout, ended.stderr) == ("[1, 2, 3] [1, 2, 3]\n", "")
        server.wait_until(lambda s: s.open_connections == 0)


def test_several_loops() -> None:
    """One client on loops one after another and at a time in threads; one bound for all."""

    async def calls(client: AsyncLambdaClient) -> None:
        made = await asyncio.gather(*(client.invoke("f", index) for index in range(20)))
        assert [invocation.value for invocation in made] == list(range(20))

    with ScriptedServer() as server:
        client = built(server, max_concurrency=3)
        asyncio.run(calls(client))
        asyncio.run(calls(client))
        threads = [threading.Thread(target=lambda: asyncio.run(calls(client))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.executions == 100
        assert server.max_in_flight <= 3
        asyncio.run(client.aclose())


def test_closed() -> None:
    """Closed, it refuses calls; closing again does nothing; what is in flight ends UNKNOWN."""

    async def use(server: ScriptedServer) -> None:
        client = built(server, retry=RetryPolicy.never())
        stuck = asyncio.create_task(client.invoke("f"))
        await until(lambda: server.in_flight == 1)
        await client.aclose()
        await client.aclose()
        with pytest.raises(Exception) as caught:
            await stuck
        assert getattr(caught.value, "executed", None) is Executed.UNKNOWN
        with pytest.raises(RequestError, match="closed"):
            await client.invoke("f")
        with pytest.raises(RequestError, match="closed"):
            await client.get_configuration("f")
        assert "closed" in repr(client)
        assert not other_tasks()
        gc.collect()

    with ScriptedServer([hang()]) as server:
        asyncio.run(use(server))


class Fake:
    """A transport in memory."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.closed = False

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Reply:
        self.sent.append(request)
        return Reply(200, request.payload or b"null")

    async def aclose(self) -> None:
        self.closed = True


def test_over_a_transport_of_ones_own() -> None:
    """Any AsyncTransport carries it; it has no control plane."""

    async def use() -> None:
        fake = Fake()
        async with AsyncLambdaClient.over(fake, timeout=3.0) as client:
            assert (await client.invoke("f", {"a": 1})).value == {"a": 1}
            assert [outcome.value async for outcome in client.map("f", [1, 2])] == [1, 2]
            assert str(client.transport) == "blocking calls: Fake; asyncio and fan-out: Fake"
            assert "Fake" in repr(client)
            with pytest.raises(RequestError, match="no control plane"):
                await client.get_configuration("f")
        assert fake.closed
        assert len(fake.sent) == 3

    asyncio.run(use())


PAGES: dict[str, Any] = {
    "/2015-03-31/functions": lambda call: ok(
        b'{"Functions": [{"FunctionName": "b", "FunctionArn": "arn:b"}]}'
        if "Marker" in call.target
        else b'{"Functions": [{"FunctionName": "a", "FunctionArn": "arn:a"}], "NextMarker": "m"}'
    ),
    "/2015-03-31/functions/f/versions": {
        "Versions": [{"FunctionName": "f", "FunctionArn": "arn:f", "Version": "1"}]
    },
    "/2015-03-31/functions/f/aliases": {
        "Aliases": [{"Name": "prod", "AliasArn": "arn:f:prod", "FunctionVersion": "1"}]
    },
    "/2015-03-31/functions/f/configuration": {
        "FunctionName": "f",
        "FunctionArn": "arn:f",
        "State": "Active",
    },
}


@KINDS
def test_the_control_plane(make: Callable[..., AsyncLambdaClient]) -> None:
    """Listing is lazy, a page at a time; configuration and waiting are awaited."""

    async def use(server: ScriptedServer) -> None:
        async with make(server) as client:
            listed = client.list_functions()
            assert (await anext(listed)).name == "a"
            assert server.control_requests == 1
            assert [found.name async for found in listed] == ["b"]
            assert [found.version async for found in client.list_versions("f")] == ["1"]
            assert [alias.name async for alias in client.list_aliases("f")] == ["prod"]
            assert (await client.get_configuration("f")).state == "Active"
            assert (await client.wait_until_active("f")).state == "Active"

    with ScriptedServer(control_plane=PAGES) as server:
        asyncio.run(use(server))


@pytest.mark.parametrize("state", ["Pending", "Failed"])
def test_waiting_until_active_ends(state: str) -> None:
    """With its deadline while it is pending, at once when it has failed."""
    slept: list[float] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    async def use(server: ScriptedServer) -> None:
        client = built(server)
        client._clock = Clock(now=lambda: now, async_sleep=sleep)
        with pytest.raises((DeadlineExceededError, FunctionConfigurationError)) as caught:
            await client.wait_until_active("f", deadline=5.0)
        assert isinstance(caught.value, DeadlineExceededError) is (state == "Pending")
        assert slept == ([1.0] * 5 if state == "Pending" else [])
        await client.aclose()

    found = {"FunctionName": "f", "FunctionArn": "arn:f", "State": state, "StateReason": "why"}
    with ScriptedServer(echo, control_plane={"/2015-03-31/functions/f/configuration": found}) as server:
        asyncio.run(use(server))
