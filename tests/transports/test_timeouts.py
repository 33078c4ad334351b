"""A timeout bounds an attempt whole, and what may have run is not sent again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import attrs
import botocore.exceptions
import pytest
from botocore.config import Config

from lambda_invoke import Executed, ResponseTimeoutError, RetryPolicy
from tests.support.aws import QUICK
from tests.support.patience import PATIENCE
from tests.support.server import (
    Accept,
    ScriptedServer,
    delay,
    echo,
    error,
    gate,
    hang,
    ok,
    stall,
    trickle,
    trickle_headers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.aws import Clients
    from tests.support.server import Step

BODY = b'"a reply of some length"'
"""Seconds that two busy cores may add."""

LARGE = 5_000_000
"""Bytes of a payload that no socket buffers hold."""


def trust(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)


def test_plain_boto3_runs_a_slow_function_again(handed: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contrast: a handler slower than the read timeout runs once for each of botocore's tries."""
    monkeypatch.setattr("botocore.retryhandler.random.random", lambda: 0.001)  # its waits take seconds
    with ScriptedServer([delay(3.0, ok())]) as server:
        config = Config(read_timeout=0.2, retries={"mode": "legacy"})
        with pytest.raises(botocore.exceptions.ReadTimeoutError):
            handed.boto_client(server, config).invoke(FunctionName="slow")
        assert server.executions == 5


def test_a_slow_function_over_a_handed_over_client_runs_once(handed: Clients) -> None:
    """The same client with the same settings, through the library: the timeout is met, and it ran once."""
    with ScriptedServer([delay(3.0, ok())]) as server:
        config = Config(read_timeout=0.2, retries={"mode": "legacy"})
        with pytest.raises(ResponseTimeoutError) as caught:
            handed(server, config=config).invoke("slow")
        assert caught.value.executed is Executed.UNKNOWN
        assert len(caught.value.attempts) == 1
        assert server.executions == 1


def test_a_slow_function_is_waited_for(built: Clients) -> None:
    """Nothing but ``timeout`` bounds how long a function may run, and it runs once."""
    with ScriptedServer([delay(0.5, ok(b"7"))]) as server:
        assert built(server).invoke("slow").value == 7
        assert server.executions == 1


SLOW = {
    "no answer": hang(),
    "late answer": delay(5.0, ok(BODY)),
    "body stalls": stall(BODY, 5),
    "body trickles": trickle(BODY, 0.05),
    "head trickles": trickle_headers(BODY, 0.05),
    "chunks trickle": attrs.evolve(ok(BODY, chunked=True), interval=0.05),
    "refusal trickles": attrs.evolve(
        error(404, "ResourceNotFoundException", "x" * 50, executes=True), interval=0.05
    ),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("step", SLOW.values(), ids=list(SLOW))
def test_an_attempt_ends_at_its_timeout(
    built: Clients, step: Step, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of the reply is late, trickled bytes included: ResponseTimeoutError in time, one execution."""
    with ScriptedServer([step], tls=tls) as server:
        trust(server, monkeypatch)
        client = built(server)
        began = time.monotonic()
        with pytest.raises(ResponseTimeoutError) as caught:
            client.invoke("slow", 1, timeout=0.5)
        assert 0.5 <= time.monotonic() - began < 0.5 + PATIENCE
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == server.requests == 1
        server.wait_until(lambda s: s.open_connections == 0)  # it is not used again


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_server_that_does_not_read_does_not_outlive_the_timeout(
    built: Clients, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payload that cannot be written in time ends at the timeout; it may have arrived: UNKNOWN."""
    with ScriptedServer(tls=tls, accept=[Accept.NO_READ], receive_buffer_bytes=4096) as server:
        trust(server, monkeypatch)
        client = built(server)
        began = time.monotonic()
        with pytest.raises(ResponseTimeoutError) as caught:
            client.invoke("f", b"1" * LARGE, timeout=1.0)
        assert time.monotonic() - began < 1.0 + PATIENCE
        assert caught.value.executed is Executed.UNKNOWN
        assert len(caught.value.attempts) == 1
        assert server.connections == 1


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_large_payload_arrives_whole(built: Clients, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounding the write does not change what is written."""
    payload = b'"' + bytes(range(35, 91)) * (LARGE // 56) + b'"'
    with ScriptedServer(tls=tls) as server:
        trust(server, monkeypatch)
        assert built(server).invoke("f", payload, timeout=10).payload == payload
        assert server.calls[0].body == payload


def test_an_idempotent_call_is_sent_again_after_a_timeout(built: Clients) -> None:
    """What the caller calls idempotent runs ``max_attempts`` times, each within its own timeout."""
    with ScriptedServer([hang()]) as server:
        policy = RetryPolicy(max_attempts=2, wait=QUICK.wait)
        with pytest.raises(ResponseTimeoutError) as caught:
            built(server).invoke("slow", timeout=0.5, idempotent=True, retry=policy)
        assert server.executions == 2
        assert [attempt.outcome for attempt in caught.value.attempts] == ["ResponseTimeoutError"] * 2
        assert caught.value.executed is Executed.UNKNOWN


def test_an_idempotent_call_can_still_succeed(built: Clients) -> None:
    """The second attempt of an idempotent call brings the result."""
    with ScriptedServer([hang(), ok(b"2")]) as server:
        made = built(server).invoke("slow", timeout=0.5, idempotent=True)
        assert made.value == 2
        assert server.executions == 2
        assert [attempt.executed for attempt in made.attempts] == [Executed.UNKNOWN, Executed.YES]


def test_the_timeout_does_not_count_the_queue(built: Clients) -> None:
    """It counts from the first byte sent: a call that queued for longer than its timeout succeeds."""
    opened = threading.Event()
    with ScriptedServer(lambda call: gate(opened, ok()) if call.number == 1 else echo(call)) as server:
        client = built(server, max_concurrency=1)
        first = threading.Thread(target=client.invoke, args=("f",))
        first.start()
        server.wait_until(lambda s: s.executions == 1)
        threading.Timer(1.0, opened.set).start()
        began = time.monotonic()
        assert client.invoke("f", 2, timeout=0.5).value == 2
        assert time.monotonic() - began > 0.5
        first.join()


def test_after_a_timeout_the_client_goes_on(built: Clients) -> None:
    """The next call has a connection of its own and its own reply."""
    with ScriptedServer([delay(3, ok(b'"late"')), ok(b'"mine"')]) as server:
        client = built(server, max_concurrency=1)
        with pytest.raises(ResponseTimeoutError):
            client.invoke("f", timeout=0.5)
        assert client.invoke("f").value == "mine"
        assert server.connections == 2


def test_the_nearest_timeout_counts(built: Clients) -> None:
    """A call's timeout over its handle's, the handle's over the client's, the policy's where none is said."""
    with ScriptedServer([hang()]) as server:
        client = built(server, timeout=30)
        handle = client.function("f", timeout=20)
        policy = RetryPolicy(timeout=0.5)
        calls: list[Callable[[], object]] = [
            lambda: client.invoke("f", timeout=0.5),
            lambda: handle.invoke(timeout=0.5),
            lambda: client.function("f", timeout=0.5).invoke(),
            lambda: built(server, timeout=0.5).invoke("f"),
            lambda: built(server, retry=policy).invoke("f"),
        ]
        for call in calls:
            began = time.monotonic()
            with pytest.raises(ResponseTimeoutError):
                call()
            assert time.monotonic() - began < 0.5 + PATIENCE
