"""The caller's iterable: on the caller's thread only, and its errors are the caller's own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import (
    CompletionReason,
    DeadlineExceededError,
    FanOutError,
    LambdaInvokeError,
    NotSentError,
    ThrottledError,
)
from tests.support.server import ScriptedServer, delay, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients


class InputBrokeError(Exception):
    """The caller's own."""


def breaking(number: int, error: Exception) -> Iterator[int]:
    yield from range(number)
    raise error


@pytest.mark.parametrize("way", ["map", "ordered map", "fan_out"])
def test_it_advances_on_the_callers_thread_only(clients: Clients, way: str) -> None:
    """A database cursor must work: every step of the iterable is on the thread that asks for outcomes."""
    threads: set[int] = set()

    def items() -> Iterator[int]:
        threads.add(threading.get_ident())
        for index in range(60):
            threads.add(threading.get_ident())
            yield index
        threads.add(threading.get_ident())

    with ScriptedServer() as server:
        client = clients(server)
        if way == "fan_out":
            client.fan_out("f", items(), concurrency=8)
        else:
            list(client.map("f", items(), concurrency=8, ordered=way != "map"))
        assert server.executions == 60
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
def test_maps_input_raises_after_what_is_in_flight(clients: Clients, ordered: bool) -> None:
    """Every item taken before the error has its outcome first; then the error comes, as it was raised."""
    broke = InputBrokeError("the cursor was closed")
    with ScriptedServer(lambda call: delay(0.02, ok(call.body))) as server:
        outcomes = clients(server).map("f", breaking(10, broke), concurrency=4, ordered=ordered)
        values: list[Any] = []
        with pytest.raises(InputBrokeError) as caught:
            for outcome in outcomes:
                values.append(outcome.value)  # noqa: PERF401 - what came before the error counts
        assert caught.value is broke
        assert sorted(values) == list(range(10))
        assert server.executions == 10
        assert list(outcomes) == []
        assert outcomes.input_error is broke


INPUT_ERRORS = [
    InputBrokeError("broke"),
    ValueError("a value"),
    DeadlineExceededError("a deadline of the input's own call"),
    ThrottledError("a throttle of the input's own call", code="T"),
    RuntimeError("generator raised StopIteration"),
]


@pytest.mark.parametrize("error", INPUT_ERRORS, ids=lambda error: type(error).__name__)
def test_fan_outs_input_raises(clients: Clients, error: Exception) -> None:
    """FanOutError, caused by the input's error, whose report has all that was taken before."""
    with ScriptedServer(lambda call: delay(0.01, ok(call.body))) as server:
        with pytest.raises(FanOutError) as caught:
            clients(server).fan_out("f", breaking(10, error), concurrency=4)
        assert caught.value.__cause__ is error
        report = caught.value.report
        assert [outcome.value for outcome in report] == list(range(10))
        assert report.completion_reason is CompletionReason.INPUT_FAILED
        assert report.input_error is error
        assert server.executions == 10


def test_an_input_that_breaks_at_once(clients: Clients) -> None:
    """Nothing was taken, nothing is sent, and the error comes."""
    with ScriptedServer() as server:
        with pytest.raises(InputBrokeError):
            next(clients(server).map("f", breaking(0, InputBrokeError())))
        assert server.connections == 0


@pytest.mark.parametrize("given", [7, None], ids=["int", "None"])
def test_an_input_that_is_none(built: Clients, given: Any) -> None:
    """What cannot be iterated over is the caller's TypeError."""
    with ScriptedServer() as server:
        client = built(server)
        with pytest.raises(TypeError):
            list(client.map("f", given))
        with pytest.raises(TypeError):
            client.fan_out("f", given)
        assert client.invoke("f", 1).value == 1


def test_an_input_that_invokes(clients: Clients) -> None:
    """The iterable may itself use the client, or run a job of its own over it."""
    with ScriptedServer(lambda call: delay(0.001, ok(call.body))) as server:
        client = clients(server)

        def items() -> Iterator[Any]:
            for index in range(10):
                yield client.invoke("f", index).value
            for outcome in client.map("f", range(10, 20), concurrency=2):
                yield outcome.value

        report = client.fan_out("f", items(), concurrency=4)
        assert sorted(report.values()) == list(range(20))
        assert server.executions == 40


def test_an_iterator_that_is_not_a_generator(clients: Clients) -> None:
    """Sequences, ranges, dict views, files: whatever iterates."""
    with ScriptedServer() as server:
        client = clients(server)
        for items in ([1, 2], (1, 2), {1: "a", 2: "b"}, {1: 0, 2: 0}.keys(), iter([1, 2])):
            assert client.fan_out("f", items).values() == [1, 2]


def test_a_keyboard_interrupt_of_the_input(clients: Clients) -> None:
    """In ``map`` it comes through as it is, and the job is given up."""

    def items() -> Iterator[int]:
        yield from range(3)
        raise KeyboardInterrupt

    with ScriptedServer(lambda call: delay(0.2, ok(call.body))) as server:
        outcomes = clients(server).map("f", items(), concurrency=8)
        with pytest.raises(KeyboardInterrupt):
            next(outcomes)
        assert list(outcomes) == []
        errors = [outcome.error for outcome in outcomes.abandoned]
        assert len(errors) == 3
        assert all(isinstance(error, LambdaInvokeError) for error in errors)
        unsent = [error for error in errors if isinstance(error, NotSentError)]
        assert server.executions <= 3 - len(unsent)
