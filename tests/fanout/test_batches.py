"""``batch_size``: several items in one payload, an outcome for each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke import (
    CompletionReason,
    Executed,
    FanOutError,
    FanOutReport,
    HandlerError,
    Journal,
    PayloadDecodingError,
    PayloadEncodingError,
    RequestError,
)
from tests.support.aws import Clients, Kind
from tests.support.runs import BOTH, in_threads, on_asyncio
from tests.support.server import Call, ScriptedServer, Step, hang, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


@attrs.frozen
class Square:
    of: int
    value: int


def squares(call: Call) -> Step:
    return ok(json.dumps([{"of": of, "value": of * of} for of in call.json]).encode())


@BOTH
@pytest.mark.parametrize("count", [1, 7, 30, 31])
def test_each_item_has_its_own_result(run: Callable[..., FanOutReport[Any]], count: int) -> None:
    """In the input's order, of the type of one; the requests are as many as there are batches."""
    with ScriptedServer(squares) as server:
        report = run(server, "f", range(count), response=Square, batch_size=10, concurrency=3)
        assert report.values() == [Square(of, of * of) for of in range(count)]
        assert [one.payload for one in report] == [one.index for one in report] == list(range(count))
        assert server.executions == report.attempts == -(-count // 10)
        assert [one.position for one in report] == [index % 10 for index in range(count)]
        assert (report.succeeded_count, len(report)) == (count, count)


def test_map_yields_them_one_by_one() -> None:
    """As they finish, or ordered; what was not yielded is told when it is closed."""
    with ScriptedServer(squares) as server, Clients(Kind.BUILT) as clients:
        client = clients(server)
        mapped = client.map("f", iter(range(25)), batch_size=10, ordered=True)
        assert [one.value["value"] for one in mapped] == [of * of for of in range(25)]
        with client.map("f", range(25), batch_size=10, ordered=True) as outcomes:
            assert next(outcomes).index == 0
        assert [one.index for one in outcomes.abandoned] == list(range(1, 25))


@BOTH
def test_what_fails_fails_its_batch(run: Callable[..., FanOutReport[Any]]) -> None:
    """A FunctionError, a reply of another length or shape, an item that is not JSON."""

    def script(call: Call) -> Step:
        match call.json[0]:
            case 0:
                return ok(b'{"errorType": "Boom", "errorMessage": "no"}', function_error="Unhandled")
            case 10:
                return ok(b"[1, 2, 3]")
            case 20:
                return ok(b'"SECRET"')
        return ok(call.body)

    items: list[Any] = [*range(30), *[float("nan")] * 10, *range(40, 45)]
    with ScriptedServer(script) as server:
        report = run(server, "f", items, batch_size=10)
        kinds = [type(one.error) for one in report]
        assert kinds[:10] == [HandlerError] * 10
        assert kinds[10:30] == [PayloadDecodingError] * 20
        assert {one.executed for one in report.outcomes[:30]} == {Executed.YES}
        assert "a list of 3" in str(report.outcomes[10].error)
        assert "SECRET" not in str(report.outcomes[20].error)
        assert kinds[30:40] == [PayloadEncodingError] * 10
        assert [one.value for one in report.outcomes[40:]] == list(range(40, 45))
        assert server.requests == 4
        assert report.errors()["HandlerError (Boom)"] == 10


@pytest.mark.parametrize(
    ("run", "source"), [(in_threads, "sync"), (on_asyncio, "sync"), (on_asyncio, "async")]
)
def test_an_input_that_raises(run: Callable[..., FanOutReport[Any]], source: str) -> None:
    """What was taken before it is sent, in a batch that is not full."""

    def broken() -> Iterator[int]:
        yield from range(13)
        raise LookupError

    async def broken_async() -> AsyncIterator[int]:
        for item in broken():
            yield item

    with ScriptedServer() as server:
        with pytest.raises(FanOutError) as caught:
            run(server, "f", broken() if source == "sync" else broken_async(), batch_size=10)
        assert isinstance(caught.value.__cause__, LookupError)
        assert [one.value for one in caught.value.report] == list(range(13))


@BOTH
def test_given_up(run: Callable[..., FanOutReport[Any]]) -> None:
    """The items of batches in flight are UNKNOWN, each of them."""
    with ScriptedServer(lambda call: hang() if call.json[0] >= 20 else ok(call.body)) as server:
        report = run(server, "f", range(100), batch_size=10, concurrency=2, deadline=3.0)
        assert report.completion_reason is CompletionReason.DEADLINE
        assert [one.index for one in report.succeeded] == list(range(20))
        assert [one.index for one in report.unknown] == list(range(20, 40))
        assert server.executions == 4


@BOTH
def test_with_a_journal(run: Callable[..., FanOutReport[Any]], tmp_path: Path) -> None:
    """Whole batches are kept; another batch size is another job."""
    path = tmp_path / "job.db"
    with ScriptedServer(squares) as server:
        first = run(server, "f", range(25), batch_size=10, journal=path)
        second = run(server, "f", range(25), batch_size=10, journal=path)
        assert second.values() == first.values()
        assert server.requests == 3
        with pytest.raises(RequestError, match="batches of 10"):
            run(server, "f", range(25), batch_size=5, journal=path)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        ("f", {"batch_size": 0}),
        ("f", {"batch_size": True}),
        ("f", {"batch_size": 2.5}),
        (None, {"batch_size": 2}),
        ("f", {"batch_size": 2, "response": bytes}),
        ("f", {"batch_size": 2, "journal": Journal("unused.db", key=str)}),
    ],
)
def test_what_does_not_go_with_batches(function: str | None, options: dict[str, Any]) -> None:
    """It is refused, and named, before anything is sent."""
    with ScriptedServer() as server, pytest.raises(RequestError, match="batch_size"):
        in_threads(server, function, [1], **options)
    assert server.requests == 0
