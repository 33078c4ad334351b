"""Every way of not getting an answer, as the transport itself says it and as the caller sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from botocore.config import Config

from lambda_invoke import (
    ConnectError,
    ConnectionLostError,
    CredentialsError,
    DeadlineExceededError,
    Executed,
    Failure,
    FailureKind,
    LambdaClient,
    LambdaInvokeError,
    Refusal,
    Reply,
    Request,
    RequestError,
    ResponseTimeoutError,
    RetryPolicy,
    TruncatedResponseError,
)
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport, over_handed
from tests.support.aws import session
from tests.support.server import (
    ScriptedServer,
    drop_after_executing,
    error,
    gate,
    hang,
    ok,
    truncate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.transports.protocols import BotoLambdaClient
    from tests.support.aws import Clients
    from tests.support.server import Step


@attrs.frozen
class Sending:
    """A transport with one slot, and the boto3 client under it."""

    transport: BotocoreTransport
    boto_client: Any
    bounded: bool

    def send(self, timeout: float | None = None, remaining: float | None = None) -> Any:
        return self.transport.send(Request("f", "f", payload=b"1"), timeout, remaining)


Opened = Callable[[ScriptedServer], Sending]


@pytest.fixture
def opened(clients: Clients) -> Iterator[Opened]:
    made: list[BuiltClients] = []

    def open_(server: ScriptedServer) -> Sending:
        if clients.built:
            made.append(
                BuiltClients(AwsConfig(session=session(), endpoint_url=server.url), max_concurrency=1)
            )
            transport = BotocoreTransport(made[-1].invoke, slots=1, bounded=True)
            return Sending(transport, made[-1].invoke(), bounded=True)
        boto_client = clients.boto_client(server, Config(read_timeout=0.5, connect_timeout=0.5))
        return Sending(over_handed(boto_client, concurrency=1), boto_client, bounded=False)

    yield open_
    for one in made:
        one.close()


def on(boto_client: BotoLambdaClient, event: str, handler: Callable[..., object]) -> None:
    boto_client.meta.events.register(event, handler)


def queue(opened: Opened) -> Any:
    opened_gate = threading.Event()
    with ScriptedServer([gate(opened_gate, ok())]) as server:
        sending = opened(server)
        stuck = threading.Thread(target=sending.send, args=(5, 5))
        stuck.start()
        server.wait_until(lambda s: s.executions == 1)
        answer = sending.send(remaining=0.05)
        opened_gate.set()
        stuck.join()
        assert server.requests == 1
        return answer


def connect(opened: Opened) -> Any:
    with ScriptedServer(refusing=True) as server:
        return opened(server).send()


def credentials(opened: Opened) -> Any:
    with ScriptedServer() as server:
        sending = opened(server)
        sending.boto_client._request_signer._credentials = None
        answer = sending.send()
        assert server.connections == 0
        return answer


def request(opened: Opened) -> Any:
    with ScriptedServer() as server:
        sending = opened(server)

        def spoil(params: dict[str, Any], **_: Any) -> dict[str, Any]:
            return {**params, "Payload": {"not": "bytes"}}

        on(sending.boto_client, "provide-client-params.lambda.Invoke", spoil)
        answer = sending.send()
        assert server.connections == 0
        return answer


def sent(step: Step) -> Callable[[Opened], Any]:
    def send(opened: Opened) -> Any:
        with ScriptedServer([step]) as server:
            answer = opened(server).send(timeout=0.5)
            assert server.executions == server.requests == 1
            return answer

    return send


CASES: dict[FailureKind, tuple[Callable[[Opened], Any], Executed]] = {
    FailureKind.QUEUE: (queue, Executed.NO),
    FailureKind.CONNECT: (connect, Executed.NO),
    FailureKind.CREDENTIALS: (credentials, Executed.NO),
    FailureKind.REQUEST: (request, Executed.NO),
    FailureKind.TIMEOUT: (sent(hang()), Executed.UNKNOWN),
    FailureKind.LOST: (sent(drop_after_executing()), Executed.UNKNOWN),
    FailureKind.TRUNCATED: (sent(truncate(b'"0123456789"', 3)), Executed.UNKNOWN),
}


def test_every_kind_has_a_case() -> None:
    """A kind that is added needs a scenario here."""
    assert set(CASES) == set(FailureKind)


@pytest.mark.parametrize("kind", list(FailureKind), ids=lambda kind: kind.value)
def test_a_transport_says_what_happened(opened: Opened, kind: FailureKind) -> None:
    """The kind, whether it may have run, words, and what it came of; nothing is raised.

    What botocore says of refused parameters quotes the payload, so it is not carried.
    """
    scenario, executed = CASES[kind]
    answer = scenario(opened)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.executed) == (kind, executed)
    assert answer.message
    assert (answer.cause is None) == (kind in {FailureKind.QUEUE, FailureKind.REQUEST})


class Failing:
    """A transport that fails in one way, and counts."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        self.sends = 0

    def send(self, request: Request, timeout: float | None, remaining: float | None) -> Failure:
        self.sends += 1
        return self.failure

    def close(self) -> None:
        pass


ERRORS = {
    FailureKind.QUEUE: DeadlineExceededError,
    FailureKind.CONNECT: ConnectError,
    FailureKind.CREDENTIALS: CredentialsError,
    FailureKind.REQUEST: RequestError,
    FailureKind.TIMEOUT: ResponseTimeoutError,
    FailureKind.LOST: ConnectionLostError,
    FailureKind.TRUNCATED: TruncatedResponseError,
}


@pytest.mark.parametrize("kind", list(FailureKind), ids=lambda kind: kind.value)
def test_each_kind_is_an_error_of_its_own(kind: FailureKind) -> None:
    """The error's class, ``executed`` and cause; only a connection that was not had is tried again."""
    cause = OSError("below")
    transport = Failing(Failure(kind, CASES[kind][1], "it failed", cause))
    with pytest.raises(LambdaInvokeError) as caught:
        LambdaClient.over(transport, retry=RetryPolicy(wait=lambda _state: 0.0)).invoke("f")
    assert type(caught.value) is ERRORS[kind]
    assert caught.value.executed is CASES[kind][1]
    assert caught.value.function == "f"
    assert caught.value.__cause__ is cause
    assert transport.sends == (3 if kind is FailureKind.CONNECT else 1)


def test_an_answer_that_is_a_refusal(opened: Opened) -> None:
    """A whole answer with an error of the service is a Refusal with code, reason and wait."""
    step = error(429, "TooManyRequestsException", "Rate Exceeded.", reason="R", headers={"Retry-After": "3"})
    with ScriptedServer([step]) as server:
        answer = opened(server).send()
        request_id = server.calls[0].request_id
        assert answer == Refusal(429, "TooManyRequestsException", "Rate Exceeded.", request_id, "R", 3.0)


def test_an_answer_that_is_a_reply(opened: Opened) -> None:
    """A 2xx with a function error is a Reply; what it means is not the transport's business."""
    with ScriptedServer([ok(b'{"errorMessage": "m"}', function_error="Unhandled", log_result="L")]) as server:
        answer = opened(server).send()
        assert isinstance(answer, Reply)
        assert (answer.status_code, answer.body) == (200, b'{"errorMessage": "m"}')
        assert (answer.function_error, answer.executed_version, answer.log_result) == (
            "Unhandled",
            "$LATEST",
            "TA==",
        )
        assert answer.request_id == server.calls[0].request_id


NO_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With none to be found: CredentialsError, not tried again, and not so much as a connection."""
    for name in NO_CREDENTIALS:
        monkeypatch.delenv(name)
    with ScriptedServer() as server, LambdaClient(endpoint_url=server.url) as client:
        with pytest.raises(CredentialsError) as caught:
            client.invoke("f", 1)
        assert caught.value.executed is Executed.NO
        assert len(caught.value.attempts) == 1
        assert server.connections == 0


def test_half_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key without its secret is no credentials either."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with ScriptedServer() as server, LambdaClient(endpoint_url=server.url) as client:
        with pytest.raises(CredentialsError):
            client.invoke("f", 1)
        assert server.connections == 0


def test_credentials_that_another_service_refuses(opened: Opened) -> None:
    """An error of the service that lends the credentials (STS) is not Lambda's: nothing was sent to it."""
    from botocore.exceptions import ClientError

    class Refused:
        method = "assume-role"

        def get_frozen_credentials(self) -> Any:
            raise ClientError(
                {"Error": {"Code": "ServiceUnavailable", "Message": "m"}}, operation_name="AssumeRole"
            )

    with ScriptedServer() as server:
        sending = opened(server)
        sending.boto_client._request_signer._credentials = Refused()
        answer = sending.send()
        assert server.connections == 0
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.executed) == (FailureKind.CREDENTIALS, Executed.NO)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ({}, {"AWS_DEFAULT_REGION": None}),
        ({}, {"AWS_DEFAULT_REGION": ""}),
        ({"profile_name": "nobody"}, {}),
        ({"endpoint_url": "not a url"}, {}),
        ({"region_name": "not a region"}, {}),
    ],
    ids=["no region", "empty region", "no such profile", "no endpoint", "no such region"],
)
def test_a_client_that_cannot_be_built(
    options: dict[str, str], variables: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What boto3 refuses to be made of is a RequestError at the call, and nothing was sent."""
    for name, value in variables.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    client = LambdaClient(**cast("Any", options))
    with pytest.raises(RequestError) as caught:
        client.invoke("f", 1)
    assert caught.value.executed is Executed.NO
    client.close()
