"""FakeLambda: what callers get, what it counts, and that no time passes."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import attrs
import pytest

from lambda_invoke import (
    NO_PAYLOAD,
    AsyncLambdaClient,
    DeadlineExceededError,
    Executed,
    FunctionError,
    FunctionExitError,
    FunctionInitError,
    FunctionOutOfMemoryError,
    FunctionResponseError,
    FunctionTimeoutError,
    HandlerError,
    InvalidRequestError,
    LambdaClient,
    RequestError,
    ResponseTimeoutError,
    RetryPolicy,
    ThrottledError,
)
from lambda_invoke.core.codec import Limits
from lambda_invoke.local import LocalLambda
from lambda_invoke.testing import FakeLambda, FakeLambdaError, having
from tests.support.aio import until
from tests.support.patience import PATIENCE


def test_handlers_take_the_event_or_the_context_too() -> None:
    """Lambda's two arguments, or the first; the context has the fields of Lambda's own."""

    def whole(event: Any, context: Any) -> Any:
        return [
            event,
            context.function_name,
            context.function_version,
            context.invoked_function_arn,
            context.get_remaining_time_in_millis(),
            context.client_context.custom,
            context.tenant_id,
        ]

    fake = FakeLambda({"event": lambda event: event})
    fake.function("whole", whole, timeout=3)
    client = fake.client()
    assert client.invoke("event").value == {}  # Lambda's event for no payload
    done = client.invoke("whole:7", 1, client_context={"custom": {"a": 1}}, tenant_id="t")
    arn = "arn:aws:lambda:us-east-1:000000000000:function:whole:7"
    assert done.value == [1, "whole", "7", arn, 3000, {"a": 1}, "t"]
    assert done.executed_version == "7"
    (_, call) = fake.calls
    assert (call.client_context, call.tenant_id, call.qualifier) == ({"custom": {"a": 1}}, "t", "7")


def fail(event: Any, context: Any) -> Any:
    raise LookupError("no such thing")


def test_errors_are_worded_as_by_a_real_worker() -> None:
    """What a raising handler comes to is the same over LocalLambda, stack included."""
    with LocalLambda({"fail": fail}, concurrency_limit=1) as local:
        errors = []
        for client in (local.client(), FakeLambda({"fail": fail}).client()):
            with pytest.raises(HandlerError) as caught:
                client.invoke("fail", log_tail=True)
            errors.append(caught.value)
    real, fake = errors
    assert (fake.error_type, fake.error_message) == (real.error_type, real.error_message)
    assert [frame.function for frame in fake.stack_trace] == [frame.function for frame in real.stack_trace]
    assert fake.stack_trace[-1].line == real.stack_trace[-1].line
    assert fake.log is not None
    assert real.log is not None
    assert _first_words(fake.log.lines) == _first_words(real.log.lines)


def _first_words(lines: Any) -> list[str]:
    return [line.split()[0] for line in lines if line.split()]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (lambda rule: rule.raises("KeyError", "x"), HandlerError),
        (lambda rule: rule.raises(KeyError("x")), HandlerError),
        (lambda rule: rule.raises("Runtime.ImportModuleError", "no module"), FunctionInitError),
        (lambda rule: rule.times_out(3), FunctionTimeoutError),
        (lambda rule: rule.crashes(), FunctionExitError),
        (lambda rule: rule.runs_out_of_memory(), FunctionExitError),
        (lambda rule: rule.runs(lambda event: object()), FunctionResponseError),
        (lambda rule: rule.runs(lambda event: "x" * 6_291_555), FunctionResponseError),
        (lambda rule: rule.runs(lambda event: sys.exit(3)), FunctionExitError),
    ],
)
def test_function_errors_are_typed(script: Any, error: type[FunctionError]) -> None:
    """Each way of failing has the class that it has on AWS; the function ran."""
    fake = FakeLambda()
    script(fake.on("f"))
    with pytest.raises(FunctionError) as caught:
        fake.client().invoke("f", log_tail=True)
    assert isinstance(caught.value, error | FunctionOutOfMemoryError)
    assert caught.value.executed is Executed.YES
    assert fake.executions("f") == 1
    assert fake.calls[0].outcome == type(caught.value).__name__


def test_decimals_and_bytes_come_as_from_awslambdaric() -> None:
    """Its marshaller writes a Decimal as a number, and bytes as they are."""
    fake = FakeLambda({"d": lambda event: [Decimal("1.5"), Decimal(2)], "b": lambda event: b"[3]"})
    assert fake.client().invoke("d").value == [1.5, 2]
    assert fake.client().invoke("b").value == [3]


@attrs.frozen
class Order:
    number: int
    items: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("wanted", "payload", "found"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (Order(1, ("x",)), {"number": 1, "items": ["x"]}, True),
        (having({"a": {"b": 1}}), {"a": {"b": 1, "c": 2}, "d": 3}, True),
        (having({"a": {"b": 1}}), {"a": {"b": 2}}, False),
        (having({"a": [{"b": 1}]}), {"a": [{"b": 1, "c": 2}]}, True),
        (having({"a": [1]}), {"a": [1, 2]}, False),
        (having({"a": 1}), [1], False),
        (lambda payload: payload > 3, 4, True),
        (lambda payload: payload > 3, 3, False),
        (NO_PAYLOAD, NO_PAYLOAD, True),
        (NO_PAYLOAD, None, False),
        (None, None, True),
        ("text", "text", True),
    ],
)
def test_rules_are_keyed_by_payload(wanted: Any, payload: Any, found: bool) -> None:
    """Equality as JSON, a part, a predicate, none: what does not match is the handler's."""
    fake = FakeLambda({"f": lambda event: "handler"})
    fake.on("f", wanted).returns("rule")
    assert fake.client().invoke("f", payload).value == ("rule" if found else "handler")
    assert len(fake.calls_to("f", wanted)) == found


def test_rules_are_keyed_by_function() -> None:
    """Names match ARNs of any account unless they name one; qualifiers narrow."""
    fake = FakeLambda({"f": lambda event: "any"})
    fake.function("f:prod", lambda event: "prod")
    fake.on("arn:aws:lambda:us-east-1:111111111111:function:g").returns(1)
    client = fake.client()
    assert [client.invoke(name).value for name in ("f", "f:2", "f:prod")] == ["any", "any", "prod"]
    assert client.invoke("arn:aws:lambda:eu-west-1:222222222222:function:f").value == "any"
    assert client.invoke("111111111111:g").value == 1
    with pytest.raises(AssertionError):
        client.invoke("222222222222:g")


def test_steps_come_in_their_order() -> None:
    """One with ``times`` for so many calls, one without for one, the last for all; then older rules."""
    fake = FakeLambda({"f": lambda event: "handler"})
    fake.on("f").returns("a", times=2).returns("b").returns("c")
    client = fake.client()
    assert [client.invoke("f").value for _ in range(5)] == ["a", "a", "b", "c", "c"]
    fake.on("f").returns("newest", times=1)
    assert [client.invoke("f").value for _ in range(2)] == ["newest", "c"]
    fake.on("f").takes(2)  # slows the others down
    assert client.invoke("f").attempts[-1].duration == 2


def test_waits_take_no_time() -> None:
    """Retry-After, backoff, latency and timeouts pass on the clock: an hour of them is nothing."""
    fake = FakeLambda()
    fake.on("f").throttles(times=80, retry_after=50).takes(1).returns(1)
    policy = RetryPolicy(throttle_timeout=None, wait=RetryPolicy().wait)
    done = fake.client(retry=policy, deadline=None).invoke("f")
    assert len(done.attempts) == 81
    assert len(fake.clock.sleeps) == 80
    assert fake.clock.elapsed == pytest.approx(81 + sum(fake.clock.sleeps))
    assert fake.clock.elapsed > 3600


@pytest.mark.parametrize("options", [{"timeout": 5}, {"deadline": 5}])
def test_what_takes_too_long_is_unknown(options: Any) -> None:
    """A latency over the caller's bound is a timeout as of a real transport, after exactly the bound."""
    fake = FakeLambda({"f": lambda event: event})
    fake.on("f").takes(6)
    with pytest.raises(ResponseTimeoutError) as caught:
        fake.client(**options).invoke("f")
    assert caught.value.executed is Executed.UNKNOWN
    assert fake.clock.now() == 5
    assert fake.executions("f") == 1


def test_a_deadline_ends_the_retries() -> None:
    """Throttled until the deadline: nothing ran."""
    fake = FakeLambda()
    fake.on("f").throttles(retry_after=4)
    with pytest.raises(DeadlineExceededError) as caught:
        fake.client(deadline=10).invoke("f")
    assert caught.value.executed is Executed.NO
    assert fake.executions() == 0
    assert fake.clock.now() <= 10


def test_a_handler_takes_what_the_clock_says() -> None:
    """``clock.advance`` in a handler is its duration, and its own timeout is looked at."""
    fake = FakeLambda()
    fake.function("f", fake.clock.advance, timeout=3)
    done = fake.client().invoke("f", 2, log_tail=True)
    assert done.log is not None
    assert done.log.report is not None
    assert done.log.report.duration == 2
    with pytest.raises(FunctionTimeoutError, match=r"3\.00 seconds"):
        fake.client().invoke("f", 4)
    assert fake.clock.now() == 5


def test_calls_at_once_do_not_use_up_each_others_deadlines() -> None:
    """A thousand items of a second each, with a deadline of a minute for the job: all in time."""
    fake = FakeLambda({"f": lambda event: event})
    fake.on("f").takes(1)
    report = fake.client().fan_out("f", range(1000), concurrency=50, deadline=60)
    assert sorted(report.values()) == list(range(1000))


@pytest.mark.parametrize("limit", [1, 30])
def test_a_throttled_fan_out_finishes(limit: int) -> None:
    """Throttles are waited out on the clock: every item runs once, in no time."""
    fake = FakeLambda({"f": lambda event: event})
    fake.on("f").throttles(times=limit, reason="FunctionInvocationRateLimitExceeded", retry_after=5)
    report = fake.client().fan_out("f", range(200))
    assert sorted(report.values()) == list(range(200))
    assert fake.executions("f") == 200
    assert fake.requests == 200 + limit
    assert len(fake.calls) == 200


def test_both_clients_and_many_threads_share_one() -> None:
    """Calls from eight threads and from tasks on two loops at once: each has its answer, all are counted."""
    fake = FakeLambda({"f": lambda event: event})

    def blocking(start: int) -> list[int]:
        client = fake.client()
        return [client.invoke("f", number).value for number in range(start, start + 25)]

    def on_a_loop(start: int) -> list[int]:
        async def calls() -> list[Any]:
            client = fake.async_client()
            return list(await asyncio.gather(*(client.invoke("f", n) for n in range(start, start + 25))))

        return [done.value for done in asyncio.run(calls())]

    work = [blocking] * 8 + [on_a_loop] * 2
    with ThreadPoolExecutor(len(work)) as pool:
        results = list(pool.map(lambda one: one[1](one[0] * 100), enumerate(work)))
    assert results == [list(range(n * 100, n * 100 + 25)) for n in range(len(work))]
    assert fake.executions() == len(fake.calls) == 250
    assert sorted(call.payload for call in fake.calls) == sorted(itertools.chain(*results))


def test_held_calls_are_in_flight_at_once() -> None:
    """``holds`` keeps them until the release, tasks and threads."""
    fake = FakeLambda({"f": lambda event: event})
    hold = fake.on("f").holds()

    async def calls() -> list[Any]:
        client = fake.async_client()
        return list(await asyncio.gather(*(client.invoke("f", n) for n in range(5))))

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(fake.client().invoke, "f", n) for n in range(3)]
        loop = pool.submit(asyncio.run, calls())
        hold.wait_entered(8, PATIENCE)
        assert not loop.done()
        hold.release()
        assert [one.result(PATIENCE).value for one in work] == [0, 1, 2]
        assert [one.value for one in loop.result(PATIENCE)] == list(range(5))
    assert fake.max_in_flight == 8


def test_a_cancelled_call_is_recorded() -> None:
    """It has run, for all that is known, and its record says that it was given up."""
    fake = FakeLambda({"f": lambda event: event})
    hold = fake.on("f").holds()

    async def cancel() -> None:
        call = asyncio.ensure_future(fake.async_client().invoke("f"))
        await until(lambda: hold.entered)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel())
    assert fake.calls[0].outcome == "AbandonedError"


def test_clients_made_meanwhile_call_the_fake() -> None:
    """In every thread, whatever their arguments; before and after, as ever; the innermost fake counts."""
    before = LambdaClient(endpoint_url="http://127.0.0.1:9", retry=RetryPolicy.never())
    outer, inner = FakeLambda({"f": lambda event: "outer"}), FakeLambda({"f": lambda event: "inner"})
    made: list[Any] = []

    async def awaited() -> Any:
        async with AsyncLambdaClient(profile_name="none-such") as client:
            return (await client.invoke("f")).value

    with outer.patch():
        with inner.patch():
            thread = threading.Thread(target=lambda: made.append(LambdaClient(timeout=3).invoke("f").value))
            thread.start()
            thread.join(PATIENCE)
            made += [asyncio.run(awaited()), LambdaClient(inner.boto3_client()).invoke("f").value]
        with LambdaClient(region_name="eu-west-1") as client:
            made.append(client.invoke("f").value)
            assert sorted(client.fan_out("f", range(3)).values()) == ["outer"] * 3
            with pytest.raises(RequestError, match="no control plane"):
                list(client.list_functions())
            assert client.transport.blocking == "FakeTransport"
        with pytest.raises(RequestError, match="handed over"):
            LambdaClient(inner.boto3_client(), timeout=3)
    assert made == ["inner", "inner", "inner", "outer"]
    assert "127.0.0.1:9" in repr(before)
    assert "127.0.0.1:9" in repr(LambdaClient(endpoint_url="http://127.0.0.1:9"))


def test_a_plain_boto3_client_is_answered() -> None:
    """``boto3_client().invoke`` in boto3's own words, its retries one call; other operations are refused."""
    fake = FakeLambda({"f": lambda event: event})
    fake.on("g").throttles(retry_after=2)
    client = fake.boto3_client()
    reply = client.invoke(FunctionName="f", Qualifier="3", Payload=b'{"a": 1}', LogType="Tail")
    assert reply["Payload"].read() == b'{"a": 1}'
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "3")
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName="g")
    assert caught.value.response["retryAfterSeconds"] == "2"
    assert client.invoke(FunctionName="f", InvocationType="Event")["StatusCode"] == 202
    with pytest.raises(FakeLambdaError, match="Invoke alone, not GET"):
        client.list_functions()
    assert [call.target for call in fake.calls] == ["f:3", "g", "f"]


def test_events_run_at_once_or_on_demand() -> None:
    """A failing one is run three times; its record has each run, and its caller's time stands still."""
    seen: list[Any] = []
    fake = FakeLambda({"f": seen.append})
    fake.client().invoke_event("f", 1)
    assert seen == [1]
    fake = FakeLambda({"f": seen.append}, defer_events=True)
    fake.on("f", 3).raises("E", "no")
    fake.on("f", 4).throttles(times=1).returns()
    for number in (2, 3, 4):
        fake.client().invoke_event("f", number)
    assert fake.executions() == 0
    now = fake.clock.now()
    assert fake.run_events() == 3
    assert fake.run_events() == 0
    assert fake.clock.now() == now
    assert seen == [1, 2]
    assert [call.runs for call in fake.calls] == [["ok"], ["HandlerError"] * 3, ["ok"]]
    assert [len(call.attempts) for call in fake.calls] == [1, 1, 2]
    assert fake.executions() == 5


def test_dry_runs_run_nothing_and_use_nothing_up() -> None:
    """Allowed where something is scripted, denied where that is."""
    fake = FakeLambda()
    fake.on("f").returns(1, times=1)
    fake.on("g").fails(403, "AccessDeniedException", "no")
    client = fake.client()
    assert client.dry_run("f").allowed
    assert not client.dry_run("g").allowed
    assert client.invoke("f").value == 1
    assert fake.executions() == 1


def test_lambda_refuses_what_it_cannot_read() -> None:
    """A body that is no JSON, or one over the limit, is refused as by the service; nothing runs."""
    fake = FakeLambda({"f": lambda event: event})
    client = fake.client(limits=Limits(request_bytes=10**9))
    for payload, status in ((b"{", 400), (b'"' + b"x" * 6_291_456 + b'"', 413)):
        with pytest.raises(InvalidRequestError) as caught:
            client.invoke("f", payload)
        assert caught.value.status_code == status
    assert fake.executions() == 0


def test_throttled_for_ever_ends_by_time() -> None:
    """The client's ``throttle_timeout`` passes on the clock."""
    fake = FakeLambda()
    fake.on("f").throttles()
    with pytest.raises(ThrottledError):
        fake.client().invoke("f")
    assert fake.executions() == 0
    assert fake.requests > 3


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda fake: fake.function("f", "module.handler"), TypeError),
        (lambda fake: fake.function("f", asyncio.sleep), TypeError),
        (lambda fake: fake.function("f", print, timeout=901), ValueError),
        (lambda fake: fake.function("f", print, takes=-1), ValueError),
        (lambda fake: fake.function("no such name", print), RequestError),
        (lambda fake: fake.on("f").throttles(times=0), ValueError),
        (lambda fake: fake.on("f").takes(-1), ValueError),
        (lambda fake: fake.on("f").returns(object()), RequestError),
        (lambda fake: fake.clock.advance(-1), ValueError),
    ],
)
def test_mistakes_are_refused_where_they_are_made(wrong: Any, error: type[Exception]) -> None:
    """With an error that says what is wrong."""
    with pytest.raises(error):
        wrong(FakeLambda())
