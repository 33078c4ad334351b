"""One outcome for each item, with its place in the input, whatever became of it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest

from lambda_invoke import (
    CompletionReason,
    ConnectError,
    Executed,
    FanOutError,
    FunctionNotFoundError,
    HandlerError,
    InvalidTargetError,
    LambdaInvokeError,
    PayloadDecodingError,
    PayloadEncodingError,
    PayloadTooLargeError,
    RequestError,
)
from tests.support.patience import PATIENCE
from tests.support.server import Call, ScriptedServer, by_function, delay, error, gate, ok

if TYPE_CHECKING:
    from tests.support.aws import Clients
    from tests.support.server import Step

FAILED = ok(b'{"errorType": "Odd", "errorMessage": "odd"}', function_error="Unhandled")


def odd_fails(call: Call) -> Step:
    return FAILED if call.json % 2 else ok(call.body)


def test_results_come_as_they_finish(clients: Clients) -> None:
    """A slow item does not hold up those behind it."""
    slow = threading.Event()
    with ScriptedServer(lambda call: gate(slow, ok(b"0")) if call.json == 0 else ok(call.body)) as server:
        outcomes = clients(server).map("f", range(20), concurrency=4)
        first = [next(outcomes).index for _ in range(19)]
        assert sorted(first) == list(range(1, 20))
        slow.set()
        assert [outcome.index for outcome in outcomes] == [0]


def test_results_come_in_order_if_asked(clients: Clients) -> None:
    """With ``ordered`` they come in the order of the input, whatever finished first."""
    with ScriptedServer(lambda call: delay(0.02 if call.json % 5 == 0 else 0.0, ok(call.body))) as server:
        outcomes = list(clients(server).map("f", range(60), concurrency=8, ordered=True))
        assert [outcome.index for outcome in outcomes] == list(range(60))
        assert [outcome.value for outcome in outcomes] == list(range(60))
        assert server.executions == 60


@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
def test_each_item_has_one_outcome(clients: Clients, ordered: bool) -> None:
    """Failed or not: index, function, what was given, and the result or the error."""
    with ScriptedServer(odd_fails) as server:
        outcomes = list(clients(server).map("f:1", range(100, 200), concurrency=8, ordered=ordered))
        assert Counter(outcome.index for outcome in outcomes) == Counter(range(100))
        assert server.executions == 100
        for outcome in outcomes:
            assert outcome.payload == outcome.index + 100
            assert outcome.function == "f:1"
            assert outcome.executed is Executed.YES
            assert outcome.ok == (outcome.payload % 2 == 0)
            assert len(outcome.attempts) == 1
            if outcome.ok:
                assert outcome.value == outcome.payload
            else:
                assert isinstance(outcome.error, HandlerError)
                with pytest.raises(HandlerError):
                    _ = outcome.value


def test_the_concurrency_bounds_what_is_in_flight(clients: Clients) -> None:
    """The server never sees more than ``concurrency`` at once, and sees several."""
    with ScriptedServer(lambda call: delay(0.01, ok(call.body))) as server:
        assert len(clients(server).fan_out("f", range(60), concurrency=6).succeeded) == 60
        assert 2 <= server.max_in_flight <= 6
        assert server.connections <= 6


@pytest.mark.parametrize("concurrency", [0, -1, True, 2.5, "8"])
def test_a_concurrency_that_is_none(built: Clients, concurrency: Any) -> None:
    """It is an int of at least one; anything else is refused before anything is taken."""
    with ScriptedServer() as server:
        for way in (built(server).map, built(server).fan_out):
            with pytest.raises(RequestError):
                cast("Any", way)("f", [1], concurrency=concurrency)
        assert server.connections == 0


def test_a_concurrency_over_the_clients(built: Clients) -> None:
    """More than the client's ``max_concurrency`` is refused: the pool would not hold it."""
    with ScriptedServer() as server:
        client = built(server, max_concurrency=4)
        with pytest.raises(RequestError, match="max_concurrency"):
            client.map("f", [1], concurrency=5)
        assert len(client.fan_out("f", range(10)).succeeded) == 10
        assert server.max_in_flight <= 4


def test_what_no_item_could_be_sent_with_is_refused_at_once(built: Clients) -> None:
    """A bad name, qualifier, timeout, deadline or response type: an error now, and not one for each item."""
    with ScriptedServer() as server:
        client = built(server)
        taken: list[int] = []
        refused: list[dict[str, Any]] = [
            {"function": "not a name"},
            {"qualifier": "not a qualifier"},
            {"timeout": -1},
            {"deadline": 0},
            {"tenant_id": ""},
        ]
        for options in refused:
            with pytest.raises(RequestError):
                client.map(**{"function": "f", "payloads": map(taken.append, range(5)), **options})
        assert taken == []


def test_raise_errors_ends_the_job(clients: Clients) -> None:
    """The first failed item's own error is raised; the iterator is at its end, and little was sent."""
    with ScriptedServer(lambda call: FAILED if call.json == 3 else ok(call.body)) as server:
        outcomes = clients(server).map("f", range(1000), concurrency=2, raise_errors=True, ordered=True)
        assert [next(outcomes).value for _ in range(3)] == [0, 1, 2]
        with pytest.raises(HandlerError) as caught:
            next(outcomes)
        assert caught.value.error_type == "Odd"
        assert list(outcomes) == []
        assert server.executions < 50


def test_raise_errors_with_none_to_raise(clients: Clients) -> None:
    """All results come."""
    with ScriptedServer() as server:
        outcomes = clients(server).map("f", range(50), concurrency=4, raise_errors=True)
        assert sorted(outcome.value for outcome in outcomes) == list(range(50))


def test_pairs(clients: Clients) -> None:
    """With ``function=None`` each item brings its own function."""
    with ScriptedServer(by_function({"missing": [error(404, "ResourceNotFoundException")]})) as server:
        pairs = [("a", 1), ("b:prod", 2), ("missing", 3), ("a", 4)]
        report = clients(server).fan_out(None, pairs, concurrency=2)
        assert [outcome.function for outcome in report] == ["a", "b:prod", "missing", "a"]
        assert [outcome.payload for outcome in report] == [1, 2, 3, 4]
        assert [outcome.index for outcome in report.failed] == [2]
        assert isinstance(report.failed[0].error, FunctionNotFoundError)
        assert {name: counts.executions for name, counts in server.by_function.items()} == {
            "a": 2,
            "b": 1,
            "missing": 0,
        }


BAD_ITEMS: list[tuple[Any, type[LambdaInvokeError]]] = [
    (("f", {"x": object()}), PayloadEncodingError),
    (("not a name", 1), InvalidTargetError),
    (("f", "x" * 7_000_000), PayloadTooLargeError),
    ("not a pair", RequestError),
    (("f", 1, 2), RequestError),
    ((7, 1), RequestError),
    (None, RequestError),
]


@pytest.mark.parametrize("ordered", [False, True], ids=["as they finish", "ordered"])
def test_bad_items_fail_alone(clients: Clients, ordered: bool) -> None:
    """An item that cannot be sent is an outcome with its index in a note; the others succeed."""
    items: list[Any] = []
    for bad, _ in BAD_ITEMS:
        items += [("f", len(items)), bad, ("f", len(items) + 2)]
    with ScriptedServer() as server:
        outcomes = sorted(
            clients(server).map(None, items, concurrency=3, ordered=ordered),
            key=lambda outcome: outcome.index,
        )
        assert [outcome.index for outcome in outcomes] == list(range(len(items)))
        failed = [outcome for outcome in outcomes if not outcome.ok]
        assert [outcome.index for outcome in failed] == list(range(1, len(items), 3))
        for outcome, (_, expected) in zip(failed, BAD_ITEMS, strict=True):
            assert isinstance(outcome.error, expected)
            assert outcome.executed is Executed.NO
            assert any(f"item {outcome.index}" in note for note in outcome.error.__notes__)
        assert server.executions == server.requests == len(items) - len(BAD_ITEMS)


def test_only_bad_items(built: Clients) -> None:
    """Nothing is sent, and the job ends by itself."""
    with ScriptedServer() as server:
        report = built(server).fan_out("f", (object() for _ in range(200)), concurrency=4)
        assert len(report.failed) == 200
        assert server.connections == 0


@attrs.frozen
class Point:
    x: int
    y: int


def test_typed_both_ways(clients: Clients) -> None:
    """A handle's types hold for its jobs; a reply that does not fit fails its item alone."""
    script = by_function({"f": lambda call: ok(b"[]") if call.json["x"] == 2 else ok(call.body)})
    with ScriptedServer(script) as server:
        handle = clients(server).function("f", request=Point, response=Point)
        points = [Point(x, -x) for x in range(5)]
        report = handle.fan_out(points, concurrency=2)
        assert [outcome.value for outcome in report.succeeded] == [p for p in points if p.x != 2]
        (failed,) = report.failed
        assert isinstance(failed.error, PayloadDecodingError)
        assert failed.payload == Point(2, -2)
        assert sorted(o.value.x for o in handle.map(points[:2], concurrency=2)) == [0, 1]


def test_nobody_to_connect_to(clients: Clients) -> None:
    """Each item that was never sent says so, after its attempts."""
    with ScriptedServer(refusing=True) as server:
        report = clients(server).fan_out("f", range(10), concurrency=4)
        assert {type(outcome.error) for outcome in report} == {ConnectError}
        assert {outcome.executed for outcome in report} == {Executed.NO}
        assert {len(outcome.attempts) for outcome in report} == {3}


@pytest.mark.parametrize("way", ["map", "ordered map", "fan_out"])
def test_no_items(built: Clients, way: str) -> None:
    """An empty input ends at once, with nothing sent and no connection."""
    with ScriptedServer() as server:
        client = built(server)
        if way == "fan_out":
            report = client.fan_out("f", [])
            assert (len(report), report.completion_reason) == (0, CompletionReason.COMPLETED)
            assert report.values() == []
        else:
            assert list(client.map("f", [], ordered=way == "ordered map")) == []
        assert server.connections == 0


def test_several_jobs_at_once(clients: Clients) -> None:
    """Jobs of one client from 64 threads share its connections, mix nothing up, and all come to an end."""
    with ScriptedServer(lambda call: delay(0.001, ok(call.body))) as server:
        client = clients(server, max_concurrency=8)
        values: dict[int, list[Any]] = {}

        def job(number: int) -> None:
            items = [[number, index] for index in range(10)]
            values[number] = client.fan_out("f", items, concurrency=4).values()
            assert client.invoke("f", number).value == number

        threads = [threading.Thread(target=job, args=(number,)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert values == {number: [[number, index] for index in range(10)] for number in range(64)}
        assert server.executions == 64 * 11
        assert server.max_in_flight <= 8
        assert server.connections <= 16  # direct ones, and botocore's for the calls


def test_jobs_and_calls_share_the_connections(clients: Clients) -> None:
    """While a job runs, a call still gets its turn, and the bound holds for both together."""
    with ScriptedServer(lambda call: delay(0.002, ok(call.body))) as server:
        client = clients(server, max_concurrency=4)
        with client.map("f", iter(int, 1), concurrency=4) as outcomes:
            for _ in range(10):
                next(outcomes)
            for index in range(5):
                assert client.invoke("f", index, deadline=PATIENCE).value == index
        assert server.max_in_flight <= 4


def test_a_report_that_has_failures(built: Clients) -> None:
    """``raise_for_failures`` and ``values`` raise with the report; the counts are the server's."""
    with ScriptedServer(odd_fails) as server:
        report = built(server).fan_out("f", range(10), concurrency=3)
        assert [outcome.index for outcome in report] == list(range(10))
        assert [outcome.payload for outcome in report.failed] == [1, 3, 5, 7, 9]
        assert (len(report), report.attempts) == (10, server.requests)
        assert report.errors() == Counter({"HandlerError (Odd)": 5})
        for raising in (report.raise_for_failures, report.values):
            with pytest.raises(FanOutError) as caught:
                raising()
            assert caught.value.report is report
            assert caught.value.executed is Executed.YES
            assert caught.value.__cause__ is report.failed[0].error


def billed(call: Call) -> Step:
    tail = (
        f"REPORT RequestId: {call.request_id}\tDuration: 1.20 ms\tBilled Duration: 2 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 100.00 ms\t\n"
    )
    return ok(b"1", log_result=tail)


def test_log_tails_add_up(built: Clients) -> None:
    """With log tails asked for, the report knows what was billed and how many starts were cold."""
    with ScriptedServer(billed) as server:
        report = built(server).fan_out("f", range(10), log_tail=True)
        assert report.billed_duration == pytest.approx(0.020)
        assert report.cold_starts == 10
        assert {call.headers["x-amz-log-type"] for call in server.calls} == {"Tail"}
