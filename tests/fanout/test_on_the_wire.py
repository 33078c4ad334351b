"""What holds for a call holds for an item of a job, whose way to the service is another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke import (
    ConnectError,
    Executed,
    FunctionNotFoundError,
    Outcome,
    OutcomeUnknownError,
    ResponseTimeoutError,
    TruncatedResponseError,
)
from tests.support.aws import ACCESS_KEY, SESSION_TOKEN
from tests.support.patience import PATIENCE
from tests.support.server import (
    Accept,
    Certificate,
    Ending,
    Framing,
    ScriptedServer,
    drop_after_executing,
    echo,
    error,
    hang,
    ok,
    raw,
    reset,
    stall,
    throttle,
    trickle,
    trickle_headers,
    truncate,
    truncate_chunked,
)

if TYPE_CHECKING:
    from lambda_invoke import LambdaClient
    from tests.support.aws import Clients
    from tests.support.server import Step

BODY = b'"' + b"0123456789" * 300 + b'"'
TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def one(client: LambdaClient, payload: object = 1, **options: Any) -> Outcome[Any]:
    (outcome,) = client.map("f", [payload], concurrency=1, **options)
    return outcome


def cut(step: Step, after_bytes: int) -> Step:
    return attrs.evolve(step, sent_bytes=after_bytes, ending=Ending.CLOSE, executes=True)


BROKEN = {
    "no byte of the body": truncate(BODY, 0),
    "half the body": truncate(BODY, 1500),
    "a body that is JSON where it is cut": truncate(b"12345", 2),
    "inside a chunk": truncate_chunked(BODY, 1500),
    "before the last chunk": truncate_chunked(b'"abc"', 10),
    "a 404": cut(error(404, "ResourceNotFoundException", "m" * 100), 50),
    "a 429": cut(throttle(), 5),
    "inside the headers": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no byte": drop_after_executing(),
    "reset": reset(),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
}


@TLS
@pytest.mark.parametrize("step", BROKEN.values(), ids=list(BROKEN))
def test_a_reply_that_breaks_off(
    clients: Clients, step: Step, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One execution, an unknown outcome, and it is not sent again."""
    with ScriptedServer([step, ok(b'"again"')], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        outcome = one(clients(server))
        assert isinstance(outcome.error, OutcomeUnknownError)
        assert outcome.executed is Executed.UNKNOWN
        if step.replies and step.framing is not Framing.RAW:
            assert isinstance(outcome.error, TruncatedResponseError)
        assert server.executions == server.requests == 1


SLOW = {
    "no answer": hang(),
    "body stalls": stall(BODY, 5),
    "body trickles": trickle(BODY, 0.05),
    "head trickles": trickle_headers(BODY, 0.05),
    "chunks trickle": attrs.evolve(ok(BODY, chunked=True), interval=0.05),
}


@TLS
@pytest.mark.parametrize("step", SLOW.values(), ids=list(SLOW))
def test_an_attempt_ends_at_its_timeout(
    built: Clients, step: Step, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trickled bytes included: in time, one execution."""
    with ScriptedServer([step], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        client = built(server)
        began = time.monotonic()
        outcome = one(client, timeout=0.5)
        assert 0.5 <= time.monotonic() - began < 0.5 + PATIENCE
        assert isinstance(outcome.error, ResponseTimeoutError)
        assert outcome.executed is Executed.UNKNOWN
        assert server.executions == 1
        server.wait_until(lambda s: s.open_connections == 0)


@TLS
def test_a_server_that_does_not_read(built: Clients, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload that cannot be written ends at the timeout."""
    with ScriptedServer(tls=tls, accept=[Accept.NO_READ], receive_buffer_bytes=4096) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        client = built(server)
        began = time.monotonic()
        outcome = one(client, b"1" * 5_000_000, timeout=1.0)
        assert time.monotonic() - began < 1.0 + PATIENCE
        assert isinstance(outcome.error, ResponseTimeoutError)


@TLS
def test_a_large_payload_arrives_whole(built: Clients, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways."""
    payload = b'"' + bytes(range(35, 91)) * 90_000 + b'"'
    with ScriptedServer(tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        outcome = one(built(server), payload)
        assert outcome.invocation is not None
        assert outcome.invocation.payload == payload == server.calls[0].body


BAD = [Certificate.UNTRUSTED, Certificate.WRONG_HOST, Certificate.EXPIRED]


@pytest.mark.parametrize("certificate", BAD, ids=lambda certificate: certificate.value)
def test_a_bad_certificate_ends_it(
    clients: Clients, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS is verified: nothing was sent."""
    with ScriptedServer(tls=certificate) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        outcome = one(clients(server))
        assert isinstance(outcome.error, ConnectError)
        assert outcome.executed is Executed.NO
        assert server.requests == 0


@TLS
def test_the_connections_are_kept(clients: Clients, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results, function errors and refusals, one job after another, one at a time: one connection."""
    script = [ok(b"1"), ok(b"{}", function_error="Unhandled"), error(404, "ResourceNotFoundException"), ok()]
    with ScriptedServer(script, tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        client = clients(server)
        for _ in range(5):
            client.fan_out("f", range(4), concurrency=1)
        assert server.requests == 20
        assert server.connections == 1


@pytest.mark.parametrize("reset_them", [False, True], ids=["closed", "reset"])
def test_a_connection_closed_while_idle_is_not_used_again(clients: Clients, reset_them: bool) -> None:
    """The next job succeeds, with one execution for each item."""
    with ScriptedServer() as server:
        client = clients(server)
        for number in range(1, 6):
            assert client.fan_out("f", range(8), concurrency=4).values() == list(range(8))
            assert server.executions == 8 * number
            server.close_idle_connections(reset=reset_them)
            time.sleep(0.01)  # the FIN is on its way


def test_closing_the_client_closes_them(built: Clients) -> None:
    """After a job, ``close()`` leaves no connection open."""
    with ScriptedServer() as server:
        client = built(server)
        assert len(client.fan_out("f", range(20), concurrency=4).succeeded) == 20
        client.invoke("f", 1)
        client.close()
        server.wait_until(lambda s: s.open_connections == 0, timeout=PATIENCE)


def test_what_arrives_is_the_same(clients: Clients) -> None:
    """An item's request is that of a call: target, headers, body, signature."""
    with ScriptedServer([ok(b"1", log_result="L", executed_version="7")]) as server:
        client = clients(server)
        options: dict[str, Any] = {
            "qualifier": "prod",
            "log_tail": True,
            "client_context": {"a": 1},
            "tenant_id": "t 1",
        }
        made = client.invoke("my-function", {"n": "ä"}, **options)
        (outcome,) = client.map("my-function", [{"n": "ä"}], **options)
        call, item = server.calls
        assert (call.method, call.target, call.body) == (item.method, item.target, item.body)
        volatile = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "user-agent"}
        for name in sorted(set(call.headers) | set(item.headers)):
            if name.startswith("x-amz-") and name not in volatile:
                assert call.headers.get(name) == item.headers.get(name), name
        assert item.headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/")
        assert item.headers["x-amz-security-token"] == SESSION_TOKEN
        assert outcome.invocation is not None
        for field in ("value", "payload", "status_code", "executed_version", "function"):
            assert getattr(outcome.invocation, field) == getattr(made, field)
        assert outcome.invocation.log is not None
        assert outcome.invocation.log.text == "L"


def test_a_refusal_is_the_same(clients: Clients) -> None:
    """An item's error has what a call's has."""
    with ScriptedServer([error(404, "ResourceNotFoundException", "no such thing")]) as server:
        client = clients(server)
        outcome = one(client)
        with pytest.raises(FunctionNotFoundError) as caught:
            client.invoke("f", 1)
        failed = outcome.error
        assert isinstance(failed, FunctionNotFoundError)
        assert (failed.code, failed.status_code, failed.message) == (
            caught.value.code,
            caught.value.status_code,
            caught.value.message,
        )
        assert failed.request_id == server.calls[0].request_id


def test_a_refused_connection_is_tried_again(clients: Clients) -> None:
    """It was never sent, and goes out when connections are accepted."""
    with ScriptedServer(echo, refusing=True) as server:
        opened: list[bool] = []

        def accept(_: Any) -> None:
            if not opened:
                opened.append(True)
                server.accept_connections()

        outcome = one(clients(server, on_attempt=accept))
        assert outcome.value == 1
        assert [attempt.outcome for attempt in outcome.attempts] == ["ConnectError", "ok"]
        assert server.executions == 1
