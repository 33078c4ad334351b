"""A reply that breaks off is no reply: the function may have run, and it is not sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from lambda_invoke import ConnectionLostError, Executed, OutcomeUnknownError, TruncatedResponseError
from tests.support.server import (
    Ending,
    ScriptedServer,
    drop_after_executing,
    error,
    ok,
    raw,
    reset,
    throttle,
    truncate,
    truncate_chunked,
)

if TYPE_CHECKING:
    from tests.support.aws import Clients
    from tests.support.server import Step

BODY = b'"' + b"0123456789" * 300 + b'"'
MESSAGE = "a message long enough to be cut " * 100


def cut(step: Step, after_bytes: int) -> Step:
    return attrs.evolve(step, sent_bytes=after_bytes, ending=Ending.CLOSE, executes=True)


def chunked(step: Step) -> Step:
    return attrs.evolve(step, framing=ok(chunked=True).framing)


NOT_FOUND = error(404, "ResourceNotFoundException", MESSAGE)
FAULT = error(500, "ServiceException", MESSAGE)

CUT = {
    "no byte of the body": truncate(BODY, 0),
    "half the body": truncate(BODY, 1500),
    "all but one byte": truncate(BODY, len(BODY) - 1),
    "a body that is JSON where it is cut": truncate(b"12345", 2),
    "a function error": cut(ok(BODY, function_error="Unhandled"), 1500),
    "inside a chunk": truncate_chunked(BODY, 1500),
    "between chunks": truncate_chunked(BODY, 1024 + len("400\r\n\r\n")),
    "before the last chunk": truncate_chunked(b'"abc"', 10),
    "a 404": cut(NOT_FOUND, 50),
    "a 404 without its body": cut(NOT_FOUND, 0),
    "a chunked 404": cut(chunked(NOT_FOUND), 50),
    "a 429": cut(throttle(), 5),
    "a chunked 429": cut(chunked(throttle()), 5),
    "a 500": cut(FAULT, 50),
    "a chunked 500": cut(chunked(FAULT), 50),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("step", CUT.values(), ids=list(CUT))
def test_a_truncated_reply_is_unknown_and_sent_once(
    clients: Clients, step: Step, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Content-Length or by chunks, of a result or of a refusal: one execution, TruncatedResponseError."""
    with ScriptedServer([step, ok(b'"again"')], tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        with pytest.raises(TruncatedResponseError) as caught:
            clients(server).invoke("f", 1)
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == server.requests == 1


HEADLESS = {
    "closed": drop_after_executing(),
    "reset": reset(),
    "inside the status line": raw(b"HTTP/1.1 2"),
    "inside the headers": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "after the headers": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
}


@pytest.mark.parametrize("step", HEADLESS.values(), ids=list(HEADLESS))
def test_a_connection_that_breaks_before_the_body(clients: Clients, step: Step) -> None:
    """No whole head came: one execution, an unknown outcome."""
    with ScriptedServer([step, ok(b'"again"')]) as server:
        with pytest.raises(OutcomeUnknownError) as caught:
            clients(server).invoke("f", 1)
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == server.requests == 1


@pytest.mark.parametrize("step", [drop_after_executing(), reset()], ids=["closed", "reset"])
def test_a_connection_lost_before_any_byte(clients: Clients, step: Step) -> None:
    """Not a byte of the reply came: that is a lost connection, not a truncated reply."""
    with ScriptedServer([step]) as server, pytest.raises(ConnectionLostError):
        clients(server).invoke("f", 1)


@pytest.mark.parametrize("step", [truncate(BODY, 10), drop_after_executing()], ids=["cut", "closed"])
def test_an_idempotent_call_is_sent_again(clients: Clients, step: Step) -> None:
    """What the caller calls idempotent is sent again, and the second reply is the result."""
    with ScriptedServer([step, ok(b'"again"')]) as server:
        assert clients(server).invoke("f", 1, idempotent=True).value == "again"
        assert server.executions == 2


@pytest.mark.parametrize("step", [drop_after_executing(), reset()], ids=["closed", "reset"])
def test_an_event_that_may_have_been_accepted_is_not_sent_again(clients: Clients, step: Step) -> None:
    """For an event, executed means accepted: UNKNOWN, and it is not queued twice."""
    with ScriptedServer([step]) as server:
        with pytest.raises(OutcomeUnknownError):
            clients(server).invoke_event("f", 1)
        assert server.requests == 1
