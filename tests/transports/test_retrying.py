"""What is sent again, and when, as the server counted it. The clock is the test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import pytest

from lambda_invoke import (
    Attempt,
    Clock,
    ConnectError,
    Executed,
    FullJitter,
    FunctionConfigurationError,
    FunctionNotReadyError,
    HandlerError,
    LambdaClient,
    RetryPolicy,
    ServiceFaultError,
    ThrottledError,
)
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport, over_handed
from tests.support.aws import session
from tests.support.server import ScriptedServer, error, ok, throttle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients
    from tests.support.server import Step

POLICY = RetryPolicy(wait=FullJitter(initial=0.1, maximum=1.0))


@attrs.define
class Time:
    """Passes only while something sleeps; ``woken`` is called after each sleep."""

    seconds: float = 1000.0
    slept: list[float] = attrs.field(factory=list)
    woken: Callable[[], object] | None = None

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        if self.woken is not None:
            self.woken()


Timed = Callable[..., LambdaClient]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def timed(clients: Clients, time: Time) -> Iterator[Timed]:
    """Makes clients over the real transports, with a clock that takes no time; chance is always 1/2."""
    made: list[BuiltClients] = []

    def make(server: ScriptedServer, **options: object) -> LambdaClient:
        if clients.built:
            config = AwsConfig(session=session(), endpoint_url=server.url)
            made.append(BuiltClients(config, max_concurrency=8))
            transport = BotocoreTransport(made[-1].invoke, slots=8, bounded=True)
        else:
            transport = over_handed(clients.boto_client(server), concurrency=8)
        clock = Clock(now=time.now, sleep=time.sleep, random=lambda: 0.5)
        return LambdaClient.over(transport, clock=clock, **{"retry": POLICY, **options})  # type: ignore[arg-type]

    yield make
    for one in made:
        one.close()


def test_refused_then_accepted(timed: Timed, time: Time) -> None:
    """A connection that is refused was never sent: it is tried again, and succeeds when it can."""
    with ScriptedServer(refusing=True) as server:
        time.woken = server.accept_connections
        made = timed(server).invoke("f", 1)
        assert made.value == 1
        assert [(attempt.outcome, attempt.executed) for attempt in made.attempts] == [
            ("ConnectError", Executed.NO),
            ("ok", Executed.YES),
        ]
        assert server.executions == server.requests == 1
        assert time.slept == [0.05]


def test_refused_to_the_end(timed: Timed, time: Time) -> None:
    """After ``max_attempts`` connections that were refused: ConnectError, nothing sent."""
    with ScriptedServer(refusing=True) as server:
        with pytest.raises(ConnectError) as caught:
            timed(server).invoke("f", 1)
        assert caught.value.executed is Executed.NO
        assert len(caught.value.attempts) == 3
        assert time.slept == [0.05, 0.1]
        server.accept_connections()
        assert server.requests == 0


def test_a_name_that_does_not_resolve(time: Time) -> None:
    """No address: ConnectError, nothing sent, tried again like every connection that was not had."""
    clients = BuiltClients(
        AwsConfig(session=session(), endpoint_url="http://nowhere.invalid"), max_concurrency=1
    )
    transport = BotocoreTransport(clients.invoke, slots=1, bounded=True)
    client = LambdaClient.over(transport, retry=POLICY, clock=Clock(now=time.now, sleep=time.sleep))
    with pytest.raises(ConnectError) as caught:
        client.invoke("f", 1)
    assert caught.value.executed is Executed.NO
    assert len(caught.value.attempts) == 3
    clients.close()


WAITS = {
    "seconds": ({"Retry-After": "7"}, 7.0),
    "a fraction": ({"Retry-After": "0.25"}, 0.25),
    "milliseconds": ({"x-amz-retry-after": "1500"}, 1.5),
    "both": ({"Retry-After": "2", "x-amz-retry-after": "2500"}, 2.5),
    "capped": ({"Retry-After": "3600"}, 20.0),
    "zero": ({"Retry-After": "0"}, 0.0),
    "not a number": ({"Retry-After": "soon"}, 0.0),
    "negative": ({"Retry-After": "-5"}, 0.0),
    "a date": ({"Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT"}, 0.0),
    "nothing": ({}, 0.0),
}


@pytest.mark.parametrize(("headers", "asked"), WAITS.values(), ids=list(WAITS))
def test_a_throttle_waits_as_long_as_the_service_asks(
    timed: Timed, time: Time, headers: dict[str, str], asked: float
) -> None:
    """``Retry-After`` seconds or ``x-amz-retry-after`` milliseconds, capped, with the backoff on top."""
    step = error(429, "TooManyRequestsException", reason="CallerRateLimitExceeded", headers=headers)
    with ScriptedServer([step, ok(b"1")]) as server:
        made = timed(server, retry=attrs.evolve(POLICY, max_retry_after=20.0)).invoke("f")
        assert time.slept == [pytest.approx(asked + 0.05)]
        assert made.attempts[0].delay == time.slept[0]
        assert made.attempts[0].reason == "CallerRateLimitExceeded"
        assert server.requests == 2
        assert server.executions == 1


def test_a_throttle_that_lasts(timed: Timed, time: Time) -> None:
    """Throttles are bounded by ``throttle_timeout`` and not by attempts; the reason is told."""
    with ScriptedServer([throttle("CallerRateLimitExceeded", retry_after=1)]) as server:
        with pytest.raises(ThrottledError) as caught:
            timed(server, retry=attrs.evolve(POLICY, throttle_timeout=15.0)).invoke("f")
        assert caught.value.reason == "CallerRateLimitExceeded"
        assert caught.value.retry_after == 1.0
        assert caught.value.executed is Executed.NO
        assert sum(time.slept) <= 15.0
        assert server.requests == len(caught.value.attempts) > 5
        assert server.executions == 0


PERMANENT = {
    502: (
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "InvalidRuntimeException",
        "InvalidSubnetIDException",
        "InvalidSecurityGroupIDException",
        "SubnetIPAddressLimitReachedException",
        "ENILimitReachedException",
        "EC2AccessDeniedException",
        "EC2UnexpectedException",
    ),
}


@pytest.mark.parametrize("code", PERMANENT[502])
def test_a_permanent_502_is_sent_once(timed: Timed, time: Time, code: str) -> None:
    """For their status botocore retries these; waiting does not mend a configuration."""
    with ScriptedServer([error(502, code, "mend it")]) as server:
        with pytest.raises(FunctionConfigurationError) as caught:
            timed(server).invoke("f", idempotent=True)
        assert caught.value.code == code
        assert caught.value.executed is Executed.NO
        assert server.requests == 1
        assert time.slept == []


TRANSIENT = (
    (409, "ResourceConflictException"),
    (409, "SnapStartNotReadyException"),
    (409, "CodeArtifactUserPendingException"),
    (408, "SnapStartTimeoutException"),
    (408, "EFSMountTimeoutException"),
    (408, "EFSMountConnectivityException"),
    (502, "ENINotReadyException"),
    (502, "EC2ThrottledException"),
    (502, "ResourceNotReadyException"),
)


@pytest.mark.parametrize(("status", "code"), TRANSIENT)
def test_not_ready_yet_is_waited_for(timed: Timed, time: Time, status: int, code: str) -> None:
    """Also those that botocore does not retry, and more often than ``max_attempts``."""
    not_ready = error(status, code, "The operation cannot be performed at this time: Pending")
    with ScriptedServer([*[not_ready] * 5, ok(b"1")]) as server:
        made = timed(server).invoke("f")
        assert [attempt.code for attempt in made.attempts] == [code] * 5 + [None]
        assert server.requests == 6
        assert server.executions == 1
        assert len(time.slept) == 5


def test_a_failed_function_is_not_waited_for(timed: Timed) -> None:
    """A conflict that says that the state is Failed is permanent."""
    message = "The function is currently in the following state: Failed"
    with ScriptedServer([error(409, "ResourceConflictException", message)]) as server:
        with pytest.raises(FunctionConfigurationError):
            timed(server).invoke("f")
        assert server.requests == 1


def test_not_ready_for_too_long(timed: Timed, time: Time) -> None:
    """It is bounded by time, as throttles are."""
    with ScriptedServer([error(409, "SnapStartNotReadyException")]) as server:
        with pytest.raises(FunctionNotReadyError):
            timed(server, retry=attrs.evolve(POLICY, throttle_timeout=3.0)).invoke("f")
        assert sum(time.slept) <= 3.0
        assert server.requests > 3


FAULTS = (
    (500, "ServiceException"),
    (410, "EFSIOException"),
    (400, "SnapStartException"),
    (500, "NobodyListedThisException"),
    (503, "ServiceUnavailable"),
)


@pytest.mark.parametrize(("status", "code"), FAULTS)
def test_a_fault_is_sent_again_only_if_idempotent(timed: Timed, status: int, code: str) -> None:
    """A fault may come after the function began: one execution, or ``max_attempts`` if idempotent."""
    with ScriptedServer([error(status, code, executes=True)]) as server:
        client = timed(server)
        with pytest.raises(ServiceFaultError) as caught:
            client.invoke("f")
        assert caught.value.executed is Executed.UNKNOWN
        assert server.executions == 1
        with pytest.raises(ServiceFaultError):
            client.invoke("f", idempotent=True)
        assert server.executions == 1 + 3


def raised(error_type: str) -> Step:
    return ok(f'{{"errorType": "{error_type}", "errorMessage": "no"}}'.encode(), function_error="Unhandled")


def test_a_function_error_is_not_sent_again(timed: Timed) -> None:
    """It ran: not even an idempotent call is sent again, unless ``retry_on`` names the remote type."""
    with ScriptedServer([raised("Flaky")]) as server:
        client = timed(server)
        with pytest.raises(HandlerError):
            client.invoke("f", idempotent=True)
        assert server.executions == 1
        with pytest.raises(HandlerError):
            client.invoke("f", retry=attrs.evolve(POLICY, retry_on=["Other"]))
        assert server.executions == 2
        with pytest.raises(HandlerError) as caught:
            client.invoke("f", retry=attrs.evolve(POLICY, retry_on=["Flaky"]))
        assert server.executions == 2 + 3
        assert caught.value.executed is Executed.YES


def test_dry_runs_are_sent_again(timed: Timed) -> None:
    """A dry run runs nothing, so a fault is no reason not to ask again."""
    with ScriptedServer([error(500, "ServiceException"), ok()]) as server:
        assert timed(server).dry_run("f").allowed
        assert server.requests == 2
        assert server.executions == 0


def test_every_attempt_is_told(timed: Timed) -> None:
    """``on_attempt`` hears of each attempt as it ends: requests at the server, one for one."""
    told: list[Attempt] = []
    with ScriptedServer([throttle(), throttle(), ok(b"1")]) as server:
        made = timed(server, on_attempt=told.append).invoke("f")
        assert tuple(told) == made.attempts
        assert [attempt.number for attempt in told] == [1, 2, 3]
        assert [attempt.request_id for attempt in told] == [call.request_id for call in server.calls]
        assert [attempt.status_code for attempt in told] == [429, 429, 200]


def test_the_budget_ends_an_avalanche(timed: Timed) -> None:
    """With the client's retry budget spent, failed calls are sent once; throttles do not draw on it."""
    with ScriptedServer([error(500, "ServiceException")]) as server:
        client = timed(server, retry=attrs.evolve(POLICY, max_attempts=200))
        with pytest.raises(ServiceFaultError):
            client.invoke("f", idempotent=True)
        assert server.requests == 1 + 100
        with pytest.raises(ServiceFaultError):
            client.invoke("f", idempotent=True)
        assert server.requests == 1 + 100 + 1
    with ScriptedServer([*[throttle()] * 300, ok()]) as server:
        assert (
            len(timed(server, retry=attrs.evolve(POLICY, throttle_timeout=None)).invoke("f").attempts) == 301
        )
