"""Each attempt sends once, whatever the environment or a handed-over client asks of botocore."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest
from botocore.config import Config

from lambda_invoke import (
    ConnectionLostError,
    LambdaClient,
    LambdaInvokeError,
    RetryPolicy,
    ServiceFaultError,
    ThrottledError,
)
from tests.support.server import ScriptedServer, drop_after_executing, error, ok, throttle

if TYPE_CHECKING:
    from tests.support.aws import Clients

MODES = ("legacy", "standard", "adaptive")
FAULT = error(500, "ServiceException", "out of order")
OURS_ONLY = RetryPolicy.never()


def retries(mode: str, attempts: int = 10) -> Config:
    chosen: Any = {"mode": mode, "total_max_attempts": attempts}
    return Config(retries=chosen)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "step", [FAULT, throttle(), error(503, "ServiceUnavailable"), drop_after_executing()]
)
def test_the_environment_cannot_add_attempts(
    clients: Clients, mode: str, step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_RETRY_MODE and AWS_MAX_ATTEMPTS ask for ten: it is sent once."""
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "10")
    with ScriptedServer([step]) as server:
        with pytest.raises(LambdaInvokeError) as caught:
            clients(server, retry=OURS_ONLY).invoke("f")
        assert server.requests == 1
        assert len(caught.value.attempts) == 1


def test_nor_on_the_shortest_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for ``LambdaClient(endpoint_url=...)``, whose session is its own."""
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "10")
    with ScriptedServer([FAULT]) as server:
        with LambdaClient(endpoint_url=server.url) as client, pytest.raises(ServiceFaultError):
            client.invoke("f")
        assert server.requests == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", [FAULT, throttle(), error(502, "Unknown"), drop_after_executing()])
def test_a_handed_over_clients_config_cannot_add_attempts(handed: Clients, mode: str, step: Any) -> None:
    """A Config with ten attempts on the client that is handed over: through us it is sent once."""
    with ScriptedServer([step]) as server:
        with pytest.raises(LambdaInvokeError):
            handed(server, config=retries(mode), retry=OURS_ONLY).invoke("f")
        assert server.requests == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_callers_own_calls_follow_their_own_settings(
    handed: Clients, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, between and after ours, the caller's own use of the client retries as it is configured to."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # botocore's waits take seconds
    with ScriptedServer([FAULT]) as server:
        boto_client = handed.boto_client(server, retries(mode, 3))

        def own() -> int:
            before = server.requests
            with pytest.raises(botocore.exceptions.ClientError):
                boto_client.invoke(FunctionName="f")
            return server.requests - before

        def ours(client: LambdaClient) -> int:
            before = server.requests
            with pytest.raises(ServiceFaultError):
                client.invoke("f")
            return server.requests - before

        assert own() == 3
        client = LambdaClient(boto_client, retry=OURS_ONLY)
        second = LambdaClient(boto_client, retry=OURS_ONLY)
        assert [own(), ours(client), own(), ours(second), ours(client), own()] == [3, 1, 3, 1, 1, 3]
        client.close()
        assert own() == 3


def test_the_callers_own_errors_are_botocores(handed: Clients) -> None:
    """A caller's own call on a handed-over client raises what botocore raises, parsed as ever."""
    with ScriptedServer([error(404, "ResourceNotFoundException", "no such thing")]) as server:
        boto_client = handed.boto_client(server)
        LambdaClient(boto_client, retry=OURS_ONLY)
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            boto_client.invoke(FunctionName="f")
        assert caught.value.response["Error"] == {
            "Code": "ResourceNotFoundException",
            "Message": "no such thing",
        }


def test_a_retry_handler_of_the_callers_does_not_retry_ours(handed: Clients) -> None:
    """A handed-over client may have needs-retry handlers of its own: our attempts still send once."""
    with ScriptedServer([FAULT]) as server:
        boto_client = handed.boto_client(server)
        boto_client.meta.events.register_first("needs-retry.lambda.Invoke", lambda **_: 0, "callers-own")
        with pytest.raises(ServiceFaultError):
            LambdaClient(boto_client, retry=OURS_ONLY).invoke("f")
        assert server.requests == 1


def test_our_policy_counts_each_send(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """With retries of ours, every attempt in the history is one request at the server."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "10")
    with ScriptedServer([throttle(), throttle(), drop_after_executing(), FAULT, ok(b"1")]) as server:
        with pytest.raises(ConnectionLostError) as caught:
            clients(server).invoke("f")
        assert len(caught.value.attempts) == server.requests == 3
        assert clients(server).invoke("f", idempotent=True).value == 1
        assert server.requests == 5


def test_never_is_one_attempt(clients: Clients) -> None:
    """``RetryPolicy.never()`` overrides every rule: throttles and idempotent calls too."""
    with ScriptedServer([throttle()]) as server:
        with pytest.raises(ThrottledError):
            clients(server).invoke("f", idempotent=True, retry=RetryPolicy.never())
        assert server.requests == 1
