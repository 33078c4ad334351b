"""A deadline bounds the whole call: queueing, connecting, attempts, backing off and draining."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tenacity import wait_fixed

from lambda_invoke import (
    ConnectError,
    DeadlineExceededError,
    Executed,
    LambdaClient,
    ResponseTimeoutError,
    RetryPolicy,
)
from tests.support.aws import QUICK, session
from tests.support.patience import PATIENCE
from tests.support.server import Accept, ScriptedServer, error, gate, hang, ok, stall, throttle, trickle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients
    from tests.support.server import Step


def test_it_is_kept_while_queueing(clients: Clients) -> None:
    """With the one connection taken by a stuck call, the next gives up in time and was never sent."""
    opened = threading.Event()
    with ScriptedServer([gate(opened, ok())]) as server:
        client = clients(server, max_concurrency=1)
        stuck = threading.Thread(target=client.invoke, args=("stuck",))
        stuck.start()
        server.wait_until(lambda s: s.executions == 1)
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError) as caught:
            client.invoke("f", deadline=1.0)
        assert 1.0 <= time.monotonic() - began < 1.0 + PATIENCE
        assert caught.value.executed is Executed.NO
        assert server.requests == 1
        opened.set()
        stuck.join()
        assert client.invoke("f").value == {}  # its turn was given back


def test_it_is_kept_while_backing_off(clients: Clients) -> None:
    """A wait that the deadline has no room for is not begun, and nothing more is sent."""
    with ScriptedServer([throttle(retry_after=30)]) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError) as caught:
            clients(server).invoke("f", deadline=1.0)
        assert time.monotonic() - began < PATIENCE
        assert caught.value.executed is Executed.NO
        assert [attempt.outcome for attempt in caught.value.attempts] == ["ThrottledError"]
        assert type(caught.value.__cause__).__name__ == "ThrottledError"
        assert server.requests == 1


def test_throttled_until_the_deadline(clients: Clients) -> None:
    """A throttled call is tried again until its deadline, and not once after it."""
    with ScriptedServer([throttle()]) as server:
        client = clients(server, retry=RetryPolicy(wait=wait_fixed(0.05)))
        began = time.monotonic()
        with pytest.raises((DeadlineExceededError, ResponseTimeoutError)) as caught:
            client.invoke("f", deadline=1.0)
        assert time.monotonic() - began < 1.0 + PATIENCE
        assert len(caught.value.attempts) >= server.requests > 3
        assert {attempt.outcome for attempt in caught.value.attempts[:-1]} == {"ThrottledError"}


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full: connecting to it takes for ever."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_it_is_kept_while_connecting() -> None:
    """A connection that does not come about ends with the deadline, with nothing sent."""
    with (
        full_backlog() as port,
        LambdaClient(session=session(), endpoint_url=f"http://127.0.0.1:{port}", retry=QUICK) as client,
    ):
        began = time.monotonic()
        with pytest.raises((ConnectError, DeadlineExceededError)) as caught:
            client.invoke("f", deadline=1.0)
        assert 1.0 <= time.monotonic() - began < 1.0 + PATIENCE
        assert caught.value.executed is Executed.NO


def test_it_is_kept_in_the_tls_handshake() -> None:
    """A server that accepts and then says nothing of TLS does not outlive the deadline."""
    with (
        ScriptedServer(accept=[Accept.NO_READ]) as server,
        LambdaClient(
            session=session(), endpoint_url=f"https://127.0.0.1:{server.port}", retry=QUICK
        ) as client,
    ):
        began = time.monotonic()
        with pytest.raises((ConnectError, DeadlineExceededError)) as caught:
            client.invoke("f", deadline=1.0)
        assert 1.0 <= time.monotonic() - began < 1.0 + PATIENCE
        assert caught.value.executed is Executed.NO


@pytest.mark.parametrize(
    "step",
    [hang(), stall(b'"0123456789"', 4), trickle(b'"' + b"x" * 40 + b'"', 0.05)],
    ids=["hang", "stall", "trickle"],
)
def test_it_is_kept_while_draining(built: Clients, step: Step) -> None:
    """A reply that does not end is given up at the deadline: one execution, UNKNOWN."""
    with ScriptedServer([step]) as server:
        client = built(server)
        began = time.monotonic()
        with pytest.raises(ResponseTimeoutError) as caught:
            client.invoke("f", deadline=1.0)
        assert 1.0 <= time.monotonic() - began < 1.0 + PATIENCE
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == 1


def test_it_bounds_a_server_that_does_not_read(built: Clients) -> None:
    """A payload that cannot be written is given up at the deadline too."""
    with ScriptedServer(accept=[Accept.NO_READ], receive_buffer_bytes=4096) as server:
        client = built(server)
        began = time.monotonic()
        with pytest.raises(ResponseTimeoutError):
            client.invoke("f", b"1" * 5_000_000, deadline=1.0)
        assert time.monotonic() - began < 1.0 + PATIENCE


def test_it_bounds_all_attempts_together(built: Clients) -> None:
    """Attempts of an idempotent call, each with its timeout, end together at the deadline."""
    with ScriptedServer([hang()]) as server:
        client = built(server)
        began = time.monotonic()
        with pytest.raises((ResponseTimeoutError, DeadlineExceededError)) as caught:
            client.invoke(
                "f", timeout=0.6, deadline=1.5, idempotent=True, retry=RetryPolicy(50, wait=QUICK.wait)
            )
        assert time.monotonic() - began < 1.5 + PATIENCE
        assert caught.value.executed is Executed.UNKNOWN
        assert len(caught.value.attempts) >= server.executions >= 2


def test_the_last_attempts_outcome_is_kept(built: Clients) -> None:
    """When the deadline ends a call whose last attempt may have run, so may the call have."""
    fault = error(500, "ServiceException", executes=True)
    with ScriptedServer([fault]) as server:
        policy = RetryPolicy(wait=wait_fixed(10))
        with pytest.raises(DeadlineExceededError) as caught:
            built(server).invoke("f", deadline=1, idempotent=True, retry=policy)
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == 1
