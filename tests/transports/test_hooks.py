"""Hooks of the caller's that raise: what they raise is theirs, and says nothing of the request."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from lambda_invoke import (
    ConnectionLostError,
    Executed,
    FunctionNotFoundError,
    LambdaClient,
    LambdaInvokeError,
    OutcomeUnknownError,
)
from tests.support.aws import QUICK, own_session
from tests.support.server import ScriptedServer, error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A hook that raises before the body was read leaves the reply, and its connection, to the collector.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect what a test left before the next one, which does not ignore the warning."""
    yield
    gc.collect()


REFUSAL: dict[str, Any] = {
    "Error": {"Code": "TooManyRequestsException", "Message": "of another function"},
    "ResponseMetadata": {"HTTPStatusCode": 429},
}
RAISED: dict[str, Callable[[], Exception]] = {
    "no connection to a metrics endpoint": lambda: EndpointConnectionError(endpoint_url="http://metrics"),
    "another function's throttle": lambda: ClientError(REFUSAL, "Invoke"),
    "another service's refusal": lambda: ClientError(REFUSAL, "PutItem"),
    "no credentials": NoCredentialsError,
    "a read timeout": lambda: ReadTimeoutError(endpoint_url="http://metrics"),
    "an OSError": lambda: ConnectionRefusedError("metrics"),
}
AFTER = ["response-received", "before-parse", "after-call"]


def client_with_hook(server: ScriptedServer, event: str, raised: Exception, *, built: bool) -> LambdaClient:
    """A client, built or handed over, one of whose handlers raises."""

    def hook(**_: Any) -> None:
        raise raised

    boto_session = own_session()
    boto_session.events.register(f"{event}.lambda.Invoke", hook)
    if built:
        return LambdaClient(session=boto_session, endpoint_url=server.url, retry=QUICK)
    return LambdaClient(boto_session.client("lambda", endpoint_url=server.url), retry=QUICK)


@pytest.mark.parametrize("built", [True, False], ids=["built", "handed"])
@pytest.mark.parametrize("event", AFTER)
@pytest.mark.parametrize("raised", RAISED.values(), ids=list(RAISED))
def test_what_a_hook_raises_after_the_request_is_never_read_as_not_sent(
    raised: Callable[[], Exception], event: str, built: bool
) -> None:
    """The function ran once, and is neither sent again nor said not to have run."""
    with ScriptedServer() as server:
        client = client_with_hook(server, event, raised(), built=built)
        with pytest.raises(LambdaInvokeError) as caught:
            client.invoke("f", 1)
        assert caught.value.executed is Executed.UNKNOWN
        assert isinstance(caught.value, OutcomeUnknownError)
        assert server.executions == 1
        client.close()


@pytest.mark.parametrize("built", [True, False], ids=["built", "handed"])
@pytest.mark.parametrize("raised", RAISED.values(), ids=list(RAISED))
def test_what_a_hook_raises_before_the_request_was_not_sent(
    raised: Callable[[], Exception], built: bool
) -> None:
    """NO is the truth there: the server saw nothing."""
    with ScriptedServer() as server:
        client = client_with_hook(server, "before-send", raised(), built=built)
        with pytest.raises(LambdaInvokeError) as caught:
            client.invoke("f", 1)
        assert caught.value.executed is Executed.NO
        assert server.requests == 0
        client.close()


def test_a_refusal_seen_by_hooks_that_do_not_raise_is_lambdas() -> None:
    """Hooks that only look change nothing."""
    boto_session = own_session()
    seen: list[str] = []
    for event in ("before-send", *AFTER):
        boto_session.events.register(f"{event}.lambda.Invoke", lambda name=event, **_: seen.append(name))
    with ScriptedServer([error(404, "ResourceNotFoundException", "no f")]) as server:
        client = LambdaClient(boto_session.client("lambda", endpoint_url=server.url))
        with pytest.raises(FunctionNotFoundError, match="no f"):
            client.invoke("f", 1)
        assert "before-send" in seen
        assert server.requests == 1


def test_a_hook_of_one_item_ends_no_job() -> None:
    """What nobody foresaw is its item's outcome, UNKNOWN, with the hook's error as the cause."""
    boto_session = own_session()
    calls: list[int] = []

    def hook(**_: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("a defect")

    boto_session.events.register("after-call.lambda.Invoke", hook)
    with ScriptedServer() as server:
        client = LambdaClient(boto_session.client("lambda", endpoint_url=server.url))
        report = client.fan_out("f", range(10), concurrency=1)
        assert (len(report.succeeded), len(report.failed), server.executions) == (9, 1, 10)
        (failed,) = report.failed
        assert failed.executed is Executed.UNKNOWN
        assert isinstance(failed.error, LambdaInvokeError)
        assert isinstance(failed.error.__cause__, RuntimeError)


def test_a_hook_in_the_middle_says_so() -> None:
    """The message names what the hook raised, and not what it said."""
    with ScriptedServer() as server:
        client = client_with_hook(server, "after-call", ClientError(REFUSAL, "PutItem"), built=False)
        with pytest.raises(ConnectionLostError, match="a hook of the boto3 client raised ClientError"):
            client.invoke("f", 1)
