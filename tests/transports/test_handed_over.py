"""A boto3 client that is handed over is used for everything, and taken as it is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, cast

import botocore.exceptions
import pytest
from botocore.config import Config
from botocore.response import StreamingBody
from botocore.stub import Stubber

from lambda_invoke import (
    ConcurrencyLimitedWarning,
    ConnectError,
    Executed,
    LambdaClient,
    OutcomeUnknownError,
    RequestError,
    RetryPolicy,
    ThrottledError,
)
from tests.support.aws import QUICK
from tests.support.server import ScriptedServer, echo, hang, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.aws import Clients


def body(data: bytes) -> StreamingBody:
    return StreamingBody(io.BytesIO(data), len(data))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def test_more_concurrency_than_its_pool_warns(handed: Clients, server: ScriptedServer) -> None:
    """Concurrency is capped at ``max_pool_connections``, with a warning, and no more is in flight."""
    client = handed(server, config=Config(max_pool_connections=3))
    with pytest.warns(ConcurrencyLimitedWarning, match="3") as warned:
        report = client.fan_out("f", range(50), concurrency=20)
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert len(report.succeeded) == server.executions == 50
    assert server.max_in_flight <= 3
    assert server.connections <= 3


@pytest.mark.parametrize("way", ["map", "handle's map", "handle's fan_out", "default concurrency"])
def test_the_warning_points_at_the_caller(handed: Clients, server: ScriptedServer, way: str) -> None:
    """On every way into a job, the warning's place is the line that asked for it."""
    client = handed(server, config=Config(max_pool_connections=3))
    handle = client.function("f")
    ways: dict[str, Callable[[], object]] = {
        "map": lambda: client.map("f", [1], concurrency=20),
        "handle's map": lambda: handle.map([1], concurrency=20),
        "handle's fan_out": lambda: handle.fan_out([1], concurrency=20),
        "default concurrency": lambda: client.fan_out("f", [1]),
    }
    with pytest.warns(ConcurrencyLimitedWarning) as warned:
        ways[way]()
    assert [warning.filename for warning in warned] == [__file__]


def test_concurrency_within_its_pool_does_not_warn(handed: Clients, server: ScriptedServer) -> None:
    """Nothing to say when the pool is large enough (warnings are errors here)."""
    client = handed(server, config=Config(max_pool_connections=20))
    assert len(client.fan_out("f", range(30), concurrency=20).succeeded) == 30


def test_a_timeout_that_cannot_be_enforced_is_refused(handed: Clients, server: ScriptedServer) -> None:
    """On the client, its policy, a handle, a call or a job: RequestError that says so, nothing sent."""
    boto_client = handed.boto_client(server)
    client = LambdaClient(boto_client)
    timed = RetryPolicy(timeout=1)
    refused: list[Any] = [
        lambda: LambdaClient(boto_client, timeout=1),
        lambda: LambdaClient(boto_client, retry=timed),
        lambda: client.invoke("f", timeout=1),
        lambda: client.invoke("f", retry=timed),
        lambda: client.invoke_event("f", timeout=1),
        lambda: client.dry_run("f", timeout=1),
        lambda: client.function("f", timeout=1).invoke(),
        lambda: client.function("f", retry=timed)(1),
        lambda: client.map("f", [1], timeout=1),
        lambda: client.fan_out("f", [1], timeout=1),
        lambda: client.fan_out("f", [1], retry=timed),
    ]
    for call in refused:
        with pytest.raises(RequestError, match="read_timeout"):
            call()
    assert server.requests == 0


def test_its_own_read_timeout_counts(handed: Clients) -> None:
    """The Config's ``read_timeout`` ends an attempt; it may have run, and is not sent again."""
    with ScriptedServer([hang()]) as server:
        client = handed(server, config=Config(read_timeout=0.5))
        with pytest.raises(OutcomeUnknownError) as caught:
            client.invoke("f")
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == 1


def test_where_to_call_cannot_be_said_twice(handed: Clients, server: ScriptedServer) -> None:
    """A client that is handed over knows its region, profile, endpoint and session."""
    boto_client = handed.boto_client(server)
    for name in ("region_name", "profile_name", "endpoint_url", "session"):
        with pytest.raises(RequestError, match=name):
            LambdaClient(boto_client, **cast("Any", {name: "x"}))


def test_closing_leaves_it_open(handed: Clients, server: ScriptedServer) -> None:
    """It is its owner's: after ``close()`` it still works, on the same connection."""
    boto_client = handed.boto_client(server)
    with LambdaClient(boto_client) as client:
        client.invoke("f", 1)
    response = boto_client.invoke(FunctionName="f", Payload=b"2")
    assert response["Payload"].read() == b"2"
    assert server.connections == 1


def test_its_handlers_see_every_call(handed: Clients, server: ScriptedServer) -> None:
    """Event handlers of the caller's run for ``invoke``, ``map`` and ``fan_out`` alike."""
    boto_client = handed.boto_client(server)
    seen: list[str] = []

    def stamp(request: Any, **_: Any) -> None:
        seen.append(request.url)
        request.headers["x-stamped"] = "yes"

    boto_client.meta.events.register("before-sign.lambda.Invoke", stamp)
    client = LambdaClient(boto_client)
    client.invoke("f", 1)
    list(client.map("f", [1, 2], concurrency=2))
    client.fan_out("f", [1, 2], concurrency=2)
    assert len(seen) == server.requests == 5
    assert {call.headers["x-stamped"] for call in server.calls} == {"yes"}


def test_an_instrumented_client_is_not_bypassed(handed: Clients, server: ScriptedServer) -> None:
    """What wraps ``_make_api_call``, as tracers do, sees each of our calls."""
    boto_client = cast("Any", handed.boto_client(server))
    real = boto_client._make_api_call
    operations: list[str] = []

    def traced(operation: str, parameters: dict[str, Any]) -> Any:
        operations.append(operation)
        return real(operation, parameters)

    boto_client._make_api_call = traced
    client = LambdaClient(boto_client)
    client.invoke("f", 1)
    client.fan_out("f", [1, 2], concurrency=2)
    assert operations == ["Invoke"] * 3


def test_a_stubber_answers(handed: Clients, server: ScriptedServer) -> None:
    """Stubbed replies and errors come back in our types, and nothing is sent."""
    boto_client = handed.boto_client(server)
    with Stubber(cast("Any", boto_client)) as stubber:
        expected = {"FunctionName": "f", "Payload": b'{"n":1}'}
        stubber.add_response("invoke", {"StatusCode": 200, "Payload": body(b"[1]")}, expected)
        stubber.add_client_error(
            "invoke", "TooManyRequestsException", "slow down", 429, modeled_fields={"Reason": "R"}
        )
        client = LambdaClient(boto_client, retry=QUICK)
        assert client.invoke("f", {"n": 1}).value == [1]
        with pytest.raises(ThrottledError) as caught:
            client.invoke("f", retry=RetryPolicy.never())
        assert caught.value.reason == "R"
        stubber.assert_no_pending_responses()
    assert server.connections == 0


@pytest.mark.parametrize("way", ["invoke", "map", "fan_out"])
def test_a_stubbers_own_errors_come_through(handed: Clients, server: ScriptedServer, way: str) -> None:
    """A test that expected another call sees the Stubber's own error: raised, or as its item's cause."""
    boto_client = handed.boto_client(server)
    client = LambdaClient(boto_client, retry=QUICK)
    with Stubber(cast("Any", boto_client)) as stubber:
        for expect in ("unexpected call", "other parameters"):
            if expect == "other parameters":
                stubber.add_response("invoke", {"StatusCode": 200}, {"FunctionName": "other"})
            if way == "invoke":
                with pytest.raises(botocore.exceptions.StubResponseError):
                    client.invoke("f")
                continue
            run = client.map if way == "map" else client.fan_out
            (outcome,) = run("f", [1], concurrency=1)
            assert outcome.error is not None
            assert isinstance(outcome.error.__cause__, botocore.exceptions.StubResponseError)


def test_connecting_fails_as_it_does_on_ours(handed: Clients) -> None:
    """A refused connection was never sent, and is tried again."""
    with ScriptedServer(refusing=True) as server:
        with pytest.raises(ConnectError) as caught:
            handed(server).invoke("f")
        assert caught.value.executed is Executed.NO
        assert len(caught.value.attempts) == 3


def test_the_control_plane_uses_it_too(handed: Clients) -> None:
    """Listing goes over the client that was handed over."""
    listed = {"Functions": [{"FunctionName": "a", "FunctionArn": "arn:a"}]}
    with ScriptedServer(control_plane={"/2015-03-31/functions/": listed}) as server:
        client = handed(server)
        assert [function.name for function in client.list_functions()] == ["a"]
        assert server.control_requests == 1


def test_two_clients_over_one(handed: Clients) -> None:
    """Two of ours may share one boto3 client; each call is still sent once."""
    with ScriptedServer([ok(b"1"), hang()]) as server:
        boto_client = handed.boto_client(server, Config(read_timeout=0.5))
        first, second = LambdaClient(boto_client), LambdaClient(boto_client)
        assert first.invoke("f").value == 1
        with pytest.raises(OutcomeUnknownError):
            second.invoke("f")
        assert server.executions == 2


def test_the_callers_call_inside_a_handler(handed: Clients) -> None:
    """A handler that itself invokes over the same client does not disturb the call it was called for."""
    with ScriptedServer(echo) as server:
        boto_client = handed.boto_client(server)
        inner: list[bytes] = []

        def nested(params: Any, **_: Any) -> None:
            if not inner:
                inner.append(b"")
                inner[0] = boto_client.invoke(FunctionName="g", Payload=b"9")["Payload"].read()

        boto_client.meta.events.register("before-call.lambda.Invoke", nested)
        assert LambdaClient(boto_client).invoke("f", 1).value == 1
        assert inner == [b"9"]
        assert server.executions == 2
