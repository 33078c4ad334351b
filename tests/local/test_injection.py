"""Injected faults, seen from outside: what clients make of them, and what the server counted."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_invoke import Executed, RetryPolicy
from lambda_invoke.errors import (
    ConnectionLostError,
    LambdaInvokeError,
    OutcomeUnknownError,
    ResponseTimeoutError,
    ServiceFaultError,
    ThrottledError,
    TruncatedResponseError,
)
from lambda_invoke.local import Fault, Injection, LocalLambda
from tests.local.conftest import handler
from tests.support.patience import PATIENCE, soon

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalLambda]:
    with LocalLambda({"echo": handler("echo"), "other": handler("echo")}) as local:
        yield local


@pytest.fixture
def local(endpoint: LocalLambda) -> Iterator[LocalLambda]:
    yield endpoint
    endpoint.clear_faults()


@pytest.fixture(params=["botocore", "direct"])
def call(request: Any, local: LocalLambda) -> Iterator[Call]:
    """Invoke over one of the two transports, with one attempt unless told otherwise."""
    if request.param == "botocore":
        with local.client(retry=RetryPolicy.never()) as client:
            yield client.invoke
        return

    def invoke(*arguments: Any, **options: Any) -> Any:
        async def once() -> Any:
            async with local.async_client(retry=RetryPolicy.never()) as client:
                return await client.invoke(*arguments, **options)

        return asyncio.run(once())

    yield invoke


def started(local: LocalLambda, name: str = "echo") -> int:
    return local.stats(name).started


def failure(call: Call, *arguments: Any, **options: Any) -> LambdaInvokeError:
    with pytest.raises(LambdaInvokeError) as caught:
        call(*arguments, **options)
    return caught.value


def test_throttles_are_met_in_order_and_used_up(local: LocalLambda, call: Call) -> None:
    """The next two are throttled for the reason that was asked for, the third runs."""
    before = local.stats("echo")
    injection = local.inject(
        Fault.throttle("CallerRateLimitExceeded", retry_after=0.25), function="echo", times=2
    )
    assert (injection.used, injection.remaining) == (0, 2)
    for used in (1, 2):
        error = failure(call, "echo", 1)
        assert isinstance(error, ThrottledError)
        assert (error.executed, error.reason) == (Executed.NO, "CallerRateLimitExceeded")
        assert error.retry_after == 0.25
        assert (injection.used, injection.remaining) == (used, 2 - used)
    assert call("echo", 1).value == 1
    after = local.stats("echo")
    assert after.started - before.started == 1
    assert after.throttled - before.throttled == 2
    assert after.injected_faults - before.injected_faults == 2


def test_a_status_answers_without_running(local: LocalLambda, call: Call) -> None:
    """A 5xx may have run as far as a client can know; here the server knows that it did not."""
    begun = started(local)
    local.inject(Fault.status(503, message="try again"))
    error = failure(call, "echo", 1)
    assert isinstance(error, ServiceFaultError)
    assert (error.status_code, error.code) == (503, "ServiceException")
    assert error.executed is Executed.UNKNOWN
    assert started(local) == begun


@pytest.mark.parametrize("after", [False, True])
def test_a_drop_looks_the_same_whether_it_ran_or_not(local: LocalLambda, call: Call, after: bool) -> None:
    """The client says UNKNOWN to both; what the server counted differs."""
    begun = started(local)
    local.inject(Fault.drop(after_executing=after))
    error = failure(call, "echo", 1)
    assert isinstance(error, ConnectionLostError)
    assert error.executed is Executed.UNKNOWN
    assert started(local) - begun == after


@pytest.mark.parametrize("count", [0, 3])
def test_a_truncated_reply_ran(local: LocalLambda, call: Call, count: int) -> None:
    """It ran, and its reply broke off: the client cannot give a result, and does not."""
    begun = started(local)
    local.inject(Fault.truncate(count))
    error = failure(call, "echo", "a longer text")
    assert isinstance(error, TruncatedResponseError)
    assert error.executed is Executed.UNKNOWN
    assert started(local) - begun == 1


def test_a_delay_runs_into_the_clients_timeout(local: LocalLambda, call: Call) -> None:
    """The client gives up, and the function ran all the same."""
    begun = started(local)
    local.inject(Fault.delay(PATIENCE, after_executing=True))
    error = failure(call, "echo", 1, timeout=0.2)
    assert isinstance(error, ResponseTimeoutError)
    assert error.executed is Executed.UNKNOWN
    soon(lambda: started(local) - begun == 1)


@pytest.mark.parametrize("after", [False, True])
def test_a_delay_within_the_timeout_is_only_slow(local: LocalLambda, call: Call, after: bool) -> None:
    """It takes at least as long, and the result is right."""
    local.inject(Fault.delay(0.1, after_executing=after))
    begun = time.monotonic()
    assert call("echo", {"a": 1}).value == {"a": 1}
    assert time.monotonic() - begun >= 0.1


def test_slow_bytes_arrive_in_the_end(local: LocalLambda, call: Call) -> None:
    """502 bytes at 4,000 a second take at least an eighth of one."""
    local.inject(Fault.slow(4_000))
    begun = time.monotonic()
    assert call("echo", "x" * 500).value == "x" * 500
    assert time.monotonic() - begun >= 0.12


def test_slow_bytes_do_not_keep_a_timeout_alive(local: LocalLambda, call: Call) -> None:
    """The timeout is for the last byte, however steadily they trickle."""
    local.inject(Fault.slow(50))
    error = failure(call, "echo", "x" * 5_000, timeout=0.4)
    assert isinstance(error, OutcomeUnknownError)


def test_a_retrying_client_gets_over_what_did_not_run(local: LocalLambda) -> None:
    """Throttles are retried by the library's own policy, and the work is done once."""
    begun = started(local)
    injection = local.inject(Fault.throttle(retry_after=0), times=3)
    with local.client() as client:
        invocation = client.invoke("echo", 1)
    assert [attempt.executed for attempt in invocation.attempts].count(Executed.NO) == 3
    assert (injection.used, started(local) - begun) == (3, 1)


def test_what_may_have_run_is_sent_again_only_if_idempotent(local: LocalLambda) -> None:
    """A reply lost after the execution: sent once; declared idempotent: sent again, and run twice."""
    with local.client() as client:
        begun = started(local)
        local.inject(Fault.drop(after_executing=True), times=2)
        assert failure(client.invoke, "echo", 1).executed is Executed.UNKNOWN
        assert started(local) - begun == 1
        assert client.invoke("echo", 1, idempotent=True).value == 1
        assert started(local) - begun == 3


def test_faults_are_met_by_the_function_that_they_are_for(local: LocalLambda) -> None:
    """In the order of injection, of one function or of any, one for each invocation; not by listings."""
    client = local.boto3_client(config=Config(retries={"total_max_attempts": 1}))
    first = local.inject(Fault.status(500, "First"), function="other")
    second = local.inject(Fault.status(500, "Second"))
    third = local.inject(Fault.status(500, "Third"), function="echo")

    def code(name: str) -> str:
        try:
            client.invoke(FunctionName=name)["Payload"].read()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ran"

    client.list_functions()
    assert [code("echo"), code("echo"), code("echo")] == ["Second", "Third", "ran"]
    assert [code("other"), code("other")] == ["First", "ran"]
    assert [each.used for each in (first, second, third)] == [1, 1, 1]
    client.close()


def test_events_and_dry_runs_meet_faults_too(local: LocalLambda) -> None:
    """They are invocations; a refused Event is not accepted."""
    before = local.stats("echo")
    with local.client(retry=RetryPolicy.never()) as client:
        local.inject(Fault.throttle(), times=2)
        assert isinstance(failure(client.invoke_event, "echo", 1), ThrottledError)
        assert isinstance(failure(client.dry_run, "echo"), ThrottledError)
        local.inject(Fault.drop(after_executing=True))
        assert failure(client.invoke_event, "echo", 1).executed is Executed.UNKNOWN
    local.wait_for_events(PATIENCE)
    after = local.stats("echo")
    assert after.accepted_events - before.accepted_events == 1
    assert after.started - before.started == 1


def test_a_stream_meets_faults_too(local: LocalLambda) -> None:
    """A truncated event stream is an error of botocore's, never a shorter reply."""
    client = local.boto3_client(config=Config(retries={"total_max_attempts": 1}))
    local.inject(Fault.throttle())
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke_with_response_stream(FunctionName="echo", Payload=b"1")
    local.inject(Fault.truncate(40))
    answer = client.invoke_with_response_stream(FunctionName="echo", Payload=b"1")
    with (
        contextlib.closing(answer["EventStream"]) as stream,
        pytest.raises(Exception, match=r"(?i)incomplete|broken|closed"),
    ):
        list(stream)
    local.inject(Fault.slow(5_000))
    answer = client.invoke_with_response_stream(FunctionName="echo", Payload=b"1")
    with contextlib.closing(answer["EventStream"]) as stream:
        assert [list(event) for event in stream] == [["PayloadChunk"], ["InvokeComplete"]]
    client.close()


def test_cleared_faults_are_forgotten(local: LocalLambda, call: Call) -> None:
    """What was not met is not met any more."""
    injection = local.inject(Fault.drop(), times=5)
    failure(call, "echo", 1)
    local.clear_faults()
    assert (injection.used, injection.remaining) == (1, 0)
    assert call("echo", 1).value == 1


def test_threads_share_a_fault_exactly(local: LocalLambda) -> None:
    """Of 24 concurrent invocations exactly ten meet it, and the others run."""
    begun = started(local)
    injection = local.inject(Fault.throttle(), function="echo", times=10)
    failed: list[LambdaInvokeError] = []
    with local.client(retry=RetryPolicy.never()) as client:

        def six() -> None:
            for _ in range(6):
                try:
                    client.invoke("echo", 1)
                except LambdaInvokeError as error:
                    failed.append(error)

        threads = [threading.Thread(target=six) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (injection.used, injection.remaining, len(failed)) == (10, 0, 10)
    assert started(local) - begun == 14


def test_faults_may_be_ordered_before_the_start() -> None:
    """An endpoint that does not run yet keeps them; a function that it has not is a KeyError."""
    local = LocalLambda({"echo": handler("echo")})
    injection = local.inject(Fault.status(500), function="echo")
    with pytest.raises(KeyError, match="no function 'no-such-function' here, but echo"):
        local.inject(Fault.drop(), function="no-such-function")
    wrong: Any = "throttle"
    with pytest.raises(TypeError, match="not str"):
        local.inject(wrong)
    with local, local.client(retry=RetryPolicy.never()) as client:
        failure(client.invoke, "echo")
    assert injection.used == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fault.status(200),
        lambda: Fault.status(599),
        lambda: Fault.truncate(-1),
        lambda: Fault.delay(-0.1),
        lambda: Fault.slow(0),
        lambda: Fault.throttle(retry_after=-1),
        lambda: LocalLambda({"echo": handler("echo")}).inject(Fault.drop(), times=0),
    ],
)
def test_impossible_faults_are_refused(make: Callable[[], object]) -> None:
    """With what would be possible."""
    with pytest.raises(ValueError, match=" must be "):
        make()


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault.throttle(), "Fault.throttle('ConcurrentInvocationLimitExceeded')"),
        (Fault.throttle("X", retry_after=2), "Fault.throttle('X', retry_after=2)"),
        (Fault.status(502), "Fault.status(502, 'ServiceException')"),
        (Fault.drop(), "Fault.drop(after_executing=False)"),
        (Fault.truncate(3), "Fault.truncate(3)"),
        (Fault.delay(0.5), "Fault.delay(0.5)"),
        (Fault.delay(0.5, after_executing=True), "Fault.delay(0.5, after_executing=True)"),
        (Fault.slow(10), "Fault.slow(10)"),
    ],
)
def test_the_repr_is_what_was_ordered(fault: Fault, text: str) -> None:
    """As it would be written."""
    assert repr(fault) == text
    assert repr(Injection(fault, "f", 2)) == f"Injection({text} for 'f', used 0, remaining 2)"
    assert "any function" in repr(Injection(fault, None, 1))
