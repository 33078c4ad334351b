"""Jobs run in the caller's context, and inside whatever the caller runs in."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import LambdaClient
from tests.support.server import ScriptedServer, delay, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


@pytest.mark.parametrize("way", ["invoke", "map", "fan_out"])
def test_calls_run_in_the_callers_context(handed: Clients, way: str) -> None:
    """A handler of the boto3 client sees the context variables that were set where the job was started."""
    seen: list[str] = []
    with ScriptedServer() as server:
        boto_client = handed.boto_client(server)
        boto_client.meta.events.register("before-send.lambda.Invoke", lambda **_: seen.append(REQUEST.get()))
        client = LambdaClient(boto_client)
        for value in ("first", "second"):
            token = REQUEST.set(value)
            match way:
                case "invoke":
                    client.invoke("f", 1)
                case "map":
                    list(client.map("f", range(10), concurrency=3))
                case _:
                    client.fan_out("f", range(10), concurrency=3)
            REQUEST.reset(token)
        half = server.executions // 2
        assert seen == ["first"] * half + ["second"] * half


def test_what_calls_set_stays_theirs(handed: Clients) -> None:
    """The context is copied: what a handler sets reaches neither the caller nor other items."""
    seen: list[str] = []

    def leak(**_: Any) -> None:
        seen.append(REQUEST.get())
        REQUEST.set("leaked")

    with ScriptedServer() as server:
        boto_client = handed.boto_client(server)
        boto_client.meta.events.register("before-send.lambda.Invoke", leak)
        LambdaClient(boto_client).fan_out("f", range(20), concurrency=2)
        assert set(seen) == {"none"}
        assert REQUEST.get() == "none"


def test_the_input_runs_in_the_callers_own_context(built: Clients) -> None:
    """Not in a copy: what the iterable sets, the caller sees."""

    def items() -> Iterator[int]:
        yield 1
        REQUEST.set("by the input")
        yield 2

    with ScriptedServer() as server:
        token = REQUEST.set("caller")
        list(built(server).map("f", items()))
        assert REQUEST.get() == "by the input"
        REQUEST.reset(token)


@pytest.mark.parametrize("way", ["map", "fan_out", "invoke"])
def test_inside_a_running_event_loop(clients: Clients, way: str) -> None:
    """In a notebook or a coroutine a loop runs already: blocking calls work there all the same."""
    with ScriptedServer() as server:
        client = clients(server)

        async def main() -> list[Any]:
            await asyncio.sleep(0)
            match way:
                case "map":
                    return sorted(outcome.value for outcome in client.map("f", range(10), concurrency=3))
                case "fan_out":
                    return client.fan_out("f", range(10), concurrency=3).values()
                case _:
                    return [client.invoke("f", number).value for number in range(10)]

        assert asyncio.run(main()) == list(range(10))


def test_a_callback_of_the_job_may_use_the_client(built: Clients) -> None:
    """``progress`` and ``on_attempt`` run the client's calls and jobs without a deadlock."""
    with ScriptedServer(lambda call: delay(0.001, ok(call.body))) as server:
        client = built(server, max_concurrency=4)
        inside: list[Any] = []

        def progress(_: Any) -> None:
            inside.append(client.invoke("g", len(inside)).value)
            inside.append(client.fan_out("g", range(2), concurrency=2).values())

        report = client.fan_out("f", range(30), concurrency=2, progress=progress)
        assert report.values() == list(range(30))
        assert inside


def test_an_attempt_hook_is_told_of_every_item(clients: Clients) -> None:
    """``on_attempt`` is called once per request that the server saw, in a job as in a call."""
    told: list[Any] = []
    lock = threading.Lock()

    def note(attempt: Any) -> None:
        with lock:
            told.append(attempt)

    with ScriptedServer() as server:
        clients(server, on_attempt=note).fan_out("f", range(100), concurrency=8)
        assert len(told) == server.requests == 100
        assert {attempt.request_id for attempt in told} == {call.request_id for call in server.calls}
