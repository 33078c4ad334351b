"""Replies that look whole and are not, and replies that no synchronous invocation gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambda_invoke import Executed, LambdaClient, RequestError, ServiceFaultError, TruncatedResponseError
from tests.support.aws import QUICK
from tests.support.server import ScriptedServer, ok, raw

if TYPE_CHECKING:
    from tests.support.aws import Clients

NO_LENGTH = {
    "and closes": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    "and a body that parses": b"HTTP/1.1 200 OK\r\nX-Amzn-RequestId: r\r\n\r\n12",
    "and a promise to close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n123",
}


@pytest.mark.parametrize("reply", NO_LENGTH.values(), ids=list(NO_LENGTH))
def test_a_reply_without_a_length_may_be_a_part_of_one(clients: Clients, reply: bytes) -> None:
    """Lambda always says how long its reply is: without that it broke off, and is no success."""
    with ScriptedServer([raw(reply)]) as server:
        with pytest.raises(TruncatedResponseError) as caught:
            clients(server, retry=QUICK).invoke("f", 1)
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == 1


@pytest.mark.parametrize("reply", NO_LENGTH.values(), ids=list(NO_LENGTH))
def test_nor_is_it_an_items_success(clients: Clients, reply: bytes) -> None:
    """The same in a fan-out, whichever transport carries it."""
    with ScriptedServer([raw(reply)]) as server:
        (outcome,) = clients(server, retry=QUICK).fan_out("f", [1])
        assert isinstance(outcome.error, TruncatedResponseError)
        assert outcome.executed is Executed.UNKNOWN
        assert server.executions == 1


@pytest.mark.parametrize("status", [202, 204])
def test_a_synchronous_invocation_is_answered_with_200(clients: Clients, status: int) -> None:
    """An acceptance, or a dry run's answer, is not a result: it may run later, nobody knows."""
    with ScriptedServer([ok(b"", status=status)]) as server:
        with pytest.raises(ServiceFaultError, match=f"{status} UnexpectedStatus") as caught:
            clients(server, retry=QUICK).invoke("f", 1)
        assert caught.value.executed is Executed.UNKNOWN
        assert server.requests == 1


def test_an_endpoint_url_with_a_password_is_refused() -> None:
    """It would stand in messages and reprs; the password does not stand in this one."""
    with pytest.raises(RequestError) as caught:
        LambdaClient(endpoint_url="http://user:HUNTER2@127.0.0.1:9")
    assert "HUNTER2" not in str(caught.value)
