"""The asyncio map: lazy, bounded, its input sync or async, and given up cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import (
    AbandonedError,
    AsyncLambdaClient,
    DeadlineExceededError,
    Executed,
    FunctionError,
    NotSentError,
    RequestError,
    ResponseTimeoutError,
)
from tests.support.aio import built, handed, other_tasks, until
from tests.support.server import Call, ScriptedServer, delay, gate, hang, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.support.server import Step

KINDS = pytest.mark.parametrize("make", [built, handed], ids=["built", "handed"])


def stuck(call: Call) -> Step:
    return hang() if call.json > 0 else ok(call.body)


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@KINDS
@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
@pytest.mark.parametrize("source", [range, numbers], ids=["sync", "async"])
def test_every_item_has_its_outcome(
    make: Callable[..., AsyncLambdaClient], ordered: bool, source: Callable[[int], Any]
) -> None:
    """Once each, in the order of the input if asked for; the server sees no more than the bound."""

    async def use(server: ScriptedServer) -> None:
        async with make(server) as client:
            mapped = client.map("f", source(60), concurrency=7, ordered=ordered)
            outcomes = [outcome async for outcome in mapped]
            assert sorted(outcome.index for outcome in outcomes) == list(range(60))
            assert all(outcome.value == outcome.index == outcome.payload for outcome in outcomes)
            if ordered:
                assert [outcome.index for outcome in outcomes] == list(range(60))
            assert repr(mapped) == "<map: 60 items pulled, 60 outcomes yielded, closed>"

    with ScriptedServer(lambda call: delay(0.001, ok(call.body))) as server:
        asyncio.run(use(server))
        assert server.executions == 60
        assert server.max_in_flight <= 7


@pytest.mark.parametrize("source", ["sync", "async"])
def test_it_is_lazy(source: str) -> None:
    """Nothing is pulled before the first anext, and never much more than what is in flight."""
    pulled = 0

    def endless() -> Iterator[int]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield number

    async def endless_async() -> AsyncIterator[int]:
        for number in endless():
            yield number

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            mapped = client.map("f", endless() if source == "sync" else endless_async(), concurrency=4)
            await asyncio.sleep(0.01)
            assert (pulled, server.requests) == (0, 0)
            async with mapped:
                for yielded in range(1, 30):
                    await anext(mapped)
                    assert pulled - yielded <= 4 + 1
            assert {outcome.executed for outcome in mapped.abandoned} <= set(Executed)
            # Of an async input one more may have been on its way here.
            assert pulled - 29 - (source == "async") <= len(mapped.abandoned) <= pulled - 29
            with pytest.raises(StopAsyncIteration):
                await anext(mapped)

    with ScriptedServer() as server:
        asyncio.run(use(server))


def test_a_slow_async_input_holds_back_no_outcome() -> None:
    """What is there is yielded while the input's next item is waited for."""

    async def use(server: ScriptedServer) -> None:
        go_on = asyncio.Event()

        async def slow() -> AsyncIterator[int]:
            yield 1
            yield 2
            await go_on.wait()
            yield 3

        async with built(server) as client:
            mapped = client.map("f", slow(), concurrency=4)
            assert {(await anext(mapped)).value, (await anext(mapped)).value} == {1, 2}
            go_on.set()
            assert [outcome.value async for outcome in mapped] == [3]

    with ScriptedServer() as server:
        asyncio.run(use(server))


@pytest.mark.parametrize("source", ["sync", "async"])
def test_an_input_that_raises(source: str) -> None:
    """What was taken before is yielded first, then the input's own error is raised."""

    def broken() -> Iterator[int]:
        yield from range(5)
        raise LookupError("the input's")

    async def broken_async() -> AsyncIterator[int]:
        for number in broken():
            yield number

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            values = []
            with pytest.raises(LookupError, match="the input's"):
                async for outcome in client.map("f", broken() if source == "sync" else broken_async()):
                    values.append(outcome.value)  # noqa: PERF401 - it raises in the middle
            assert sorted(values) == list(range(5))

    with ScriptedServer() as server:
        asyncio.run(use(server))


def test_items_that_cannot_be_sent_fail_alone() -> None:
    """With pairs as input too; and an argument with which none could be sent is refused at once."""

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            pairs = [("f", 1), ("no name!", 2), ("g", float("nan")), ("g", 4)]
            outcomes = [outcome async for outcome in client.map(None, pairs, ordered=True)]
            assert [outcome.ok for outcome in outcomes] == [True, False, False, True]
            assert {type(outcome.error).__mro__[1] for outcome in outcomes if outcome.error} == {RequestError}
            with pytest.raises(RequestError):
                client.map("no name!", [1])
            with pytest.raises(RequestError):
                client.map("f", [1], concurrency=0)

    with ScriptedServer() as server:
        asyncio.run(use(server))
        assert server.requests == 2


def test_raise_errors() -> None:
    """The first failure is raised and ends the job."""

    def script(call: Call) -> Step:
        return ok(b'{"errorMessage": "no"}', function_error="Unhandled") if call.json == 0 else stuck(call)

    async def use(server: ScriptedServer) -> None:
        async with built(server, max_concurrency=2) as client:
            with pytest.raises(FunctionError):
                async for _ in client.map("f", range(2), concurrency=2, raise_errors=True):
                    pass
            await until(lambda: not other_tasks())

    with ScriptedServer(script) as server:
        asyncio.run(use(server))


@KINDS
@pytest.mark.parametrize("end", ["close", "leave", "cancel", "drop"])
def test_given_up(make: Callable[..., AsyncLambdaClient], end: str) -> None:
    """Nothing more is sent; in flight UNKNOWN, the rest NO; no task is left, and the client goes on."""

    async def use(server: ScriptedServer) -> None:
        client = make(server)
        mapped = client.map("f", itertools.count(), concurrency=4)
        assert (await anext(mapped)).value == 0
        waiting = asyncio.create_task(anext(mapped))
        await asyncio.sleep(0)  # it is waiting now
        await until(lambda: server.in_flight == 4)
        if end == "cancel":
            waiting.cancel()
        elif end == "drop":
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            del mapped
            gc.collect()
        elif end == "close":
            await mapped.aclose()
            await mapped.aclose()
        else:
            async with mapped:
                pass
        with pytest.raises((asyncio.CancelledError, StopAsyncIteration)):
            await waiting
        if end != "drop":
            told = {outcome.index: outcome for outcome in mapped.abandoned}
            executed = {call.json for call in server.calls} - {0}
            assert executed == {
                index for index, outcome in told.items() if outcome.executed is Executed.UNKNOWN
            }
            assert {type(outcome.error) for outcome in told.values()} <= {AbandonedError, NotSentError}
        await until(lambda: not other_tasks())
        assert (await client.invoke("f", 0)).value == 0
        await client.aclose()

    with ScriptedServer(stuck) as server:
        asyncio.run(use(server))
        assert server.executions == 6


def test_dropped_in_the_middle_of_the_iteration() -> None:
    """``break`` out of the loop and forget it: what is in flight is given up, without a warning."""

    async def use(server: ScriptedServer) -> None:
        client = built(server)
        async for _ in client.map("f", itertools.count(), concurrency=4):
            break
        gc.collect()
        await until(lambda: not other_tasks())
        await client.aclose()

    with ScriptedServer(stuck) as server:
        asyncio.run(use(server))
        assert server.executions <= 6


@pytest.mark.parametrize("kind", [threading.Event, asyncio.Event])
@pytest.mark.parametrize("source", ["in flight", "input"])
def test_stop(kind: Callable[[], Any], source: str) -> None:
    """An event of either kind ends it: with what is in flight UNKNOWN, or while the input is waited for."""

    async def never() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    async def use(server: ScriptedServer) -> None:
        stop = kind()
        items: Any = range(1, 3) if source == "in flight" else never()
        async with built(server) as client:
            asyncio.get_running_loop().call_later(0.1, stop.set)
            outcomes = [outcome async for outcome in client.map("f", items, stop=stop)]
            assert [outcome.executed for outcome in outcomes] == [Executed.UNKNOWN] * server.executions
            assert len(outcomes) == (2 if source == "in flight" else 0)
            await until(lambda: not other_tasks())

    with ScriptedServer(stuck) as server:
        asyncio.run(use(server))


@pytest.mark.parametrize("source", ["in flight", "input"])
def test_the_deadline(source: str) -> None:
    """It ends the job wherever it stands."""

    async def never() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    async def use(server: ScriptedServer) -> None:
        items: Any = itertools.count(1) if source == "in flight" else never()
        async with built(server) as client:
            outcomes = []
            with pytest.raises(DeadlineExceededError):
                async for outcome in client.map("f", items, concurrency=2, deadline=0.6):
                    outcomes.append(outcome)  # noqa: PERF401 - it raises in the middle
            assert sum(outcome.executed is Executed.UNKNOWN for outcome in outcomes) == server.executions
            kinds = {type(outcome.error) for outcome in outcomes}
            assert kinds <= {AbandonedError, ResponseTimeoutError, NotSentError, DeadlineExceededError}

    with ScriptedServer(stuck) as server:
        asyncio.run(use(server))
        assert server.executions == (2 if source == "in flight" else 0)


def test_two_tasks_cannot_await_it_at_once() -> None:
    """The second is told so, and the first goes on."""
    opened = threading.Event()

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            mapped = client.map("f", [1])
            first = asyncio.create_task(anext(mapped))
            await until(lambda: server.in_flight == 1)
            with pytest.raises(RuntimeError, match="another task"):
                await anext(mapped)
            opened.set()
            assert (await first).value == 1

    with ScriptedServer(lambda call: gate(opened, ok(call.body))) as server:
        asyncio.run(use(server))


def test_another_loop_is_refused() -> None:
    """A map belongs to the loop of its first anext."""

    async def first(mapped: Any) -> None:
        await anext(mapped)

    with ScriptedServer() as server:
        client = built(server)
        mapped = client.map("f", range(3))
        asyncio.run(first(mapped))
        with pytest.raises(RuntimeError, match="another event loop"):
            asyncio.run(first(mapped))
        asyncio.run(client.aclose())


def test_context_variables_reach_the_calls() -> None:
    """Calls run in a copy of the caller's context."""
    variable = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    async def use(server: ScriptedServer) -> None:
        variable.set("the caller's")
        async with built(server, on_attempt=lambda _: seen.append(variable.get())) as client:
            assert [outcome.ok async for outcome in client.map("f", [1, 2])] == [True, True]

    with ScriptedServer() as server:
        asyncio.run(use(server))
    assert seen == ["the caller's"] * 2
