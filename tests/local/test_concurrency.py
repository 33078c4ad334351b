"""One process per concurrent invocation, and the limits on how many there are."""

import itertools
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_invoke import RetryPolicy, ThrottledError
from lambda_invoke.errors import Executed
from lambda_invoke.local import Function, LocalLambda
from lambda_invoke.local.admission import Admission
from lambda_invoke.local.faults import Throttled
from lambda_invoke.local.registry import Registry
from tests.local.conftest import Serve, alive, handler, invoke, until, workers
from tests.local.refusals import refusal
from tests.support.patience import PATIENCE

ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=20, proxies={})


def throttle(call: Any) -> Any:
    """The refusal of a call as (status, code, reason, message), or None."""
    try:
        call()
    except ClientError as error:
        reply = error.response
        status = reply["ResponseMetadata"]["HTTPStatusCode"]
        return status, reply["Error"]["Code"], reply["Reason"], reply["Error"]["Message"]
    return None


def test_concurrent_invocations_have_a_process_each(serve: Serve, tmp_path: Path) -> None:
    """Six at once are six processes, which then serve six more without a start."""
    local, _ = serve({"meet": Function(handler("meet"), timeout=PATIENCE)})
    client = local.boto3_client(config=ONCE)
    with ThreadPoolExecutor(6) as threads:
        for _ in range(2):
            event = {"room": tempfile.mkdtemp(dir=tmp_path), "many": 6}
            pids = list(threads.map(lambda event: invoke(client, "meet", event).value, [event] * 6))
            assert len(set(pids)) == 6
            assert set(pids) == workers()
    stats = local.stats("meet")
    assert (stats.cold_starts, stats.max_in_flight, stats.succeeded, stats.in_flight) == (6, 6, 12, 0)
    client.close()


@pytest.mark.parametrize(
    ("reserved", "reason"),
    [
        (2, "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (None, "ConcurrentInvocationLimitExceeded"),
    ],
)
def test_over_the_limit_is_429_and_does_not_run(serve: Serve, reserved: Any, reason: Any) -> None:
    """Of three at once two run; the third is refused with Lambda's reason, and nothing ran for it."""
    local, _ = serve({"nap": Function(handler("nap"), reserved_concurrency=reserved)}, concurrency_limit=2)
    client = local.boto3_client(config=ONCE)
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(invoke, client, "nap", {"seconds": 0.6}) for _ in range(2)]
        assert until(lambda: local.stats("nap").in_flight == 2)
        refused = throttle(lambda: client.invoke(FunctionName="nap"))
        assert all(run.result().error is None for run in running)
    assert refused == (429, "TooManyRequestsException", reason, "Rate Exceeded.")
    assert (local.stats("nap").started, local.stats("nap").throttled) == (2, 1)
    client.close()


def test_reserved_concurrency_is_taken_from_the_others(serve: Serve) -> None:
    """What one function reserves, the others do not have."""
    local, _ = serve(
        {"mine": Function(handler("nap"), reserved_concurrency=1), "other": handler("nap")},
        concurrency_limit=2,
    )
    client = local.boto3_client(config=ONCE)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(invoke, client, "other", {"seconds": 0.4})
        assert until(lambda: local.stats("other").in_flight == 1)
        refused = throttle(lambda: client.invoke(FunctionName="other"))
        assert refused is not None
        assert refused[2] == "ConcurrentInvocationLimitExceeded"
        assert invoke(client, "mine", {"seconds": 0}).error is None
        running.result()
    client.close()


def test_reserved_concurrency_of_zero_lets_nothing_run(serve: Serve) -> None:
    """0 turns every call away."""
    local, _ = serve({"off": Function(handler("echo"), reserved_concurrency=0)})
    client = local.boto3_client(config=ONCE)
    refused = throttle(lambda: client.invoke(FunctionName="off"))
    assert refused is not None
    assert refused[0] == 429
    assert local.stats("off").started == 0
    client.close()


def test_an_idle_worker_makes_room(serve: Serve) -> None:
    """There are never more processes than the limit: the one idle longest ends for a new one."""
    local, client = serve(
        {"a": handler("whoami"), "b": handler("whoami"), "c": handler("whoami")}, concurrency_limit=2
    )
    pids = {name: invoke(client, name).value["pid"] for name in "abc"}
    assert workers() == {pids["b"], pids["c"]}
    assert invoke(client, "b").value["pid"] == pids["b"]
    assert local.stats("a").cold_starts == 1


def test_an_idle_worker_expires(serve: Serve) -> None:
    """A worker that nobody used for idle_timeout seconds is ended."""
    _, client = serve({"who": handler("whoami")}, idle_timeout=0.2)
    pid = invoke(client, "who").value["pid"]
    begun = time.monotonic()
    assert until(lambda: not alive(pid))
    assert time.monotonic() - begun > 0.15
    assert invoke(client, "who").value["calls"] == 1


def test_the_most_recently_used_worker_comes_first(serve: Serve) -> None:
    """After a burst, calls one by one use the same worker, so that the others can expire."""
    local, _ = serve({"nap": handler("nap")})
    client = local.boto3_client(config=ONCE)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: invoke(client, "nap", {"seconds": 0.2}), range(3)))
    assert len({invoke(client, "nap", {"seconds": 0}).value for _ in range(4)}) == 1
    client.close()


def test_reserved_concurrency_changes_while_it_runs(serve: Serve) -> None:
    """Put holds for the next invocation, Delete gives it back; 0 stops the function."""
    local, _ = serve({"echo": handler("echo")}, concurrency_limit=20)
    client = local.boto3_client(config=ONCE)
    client.put_function_concurrency(FunctionName="echo", ReservedConcurrentExecutions=0)
    refused = refusal(client.invoke, FunctionName="echo")
    assert refused == (429, "TooManyRequestsException", "Rate Exceeded.")
    assert client.get_function_concurrency(FunctionName="echo")["ReservedConcurrentExecutions"] == 0
    assert client.get_function(FunctionName="echo")["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    client.delete_function_concurrency(FunctionName="echo")
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="echo")
    assert "Concurrency" not in client.get_function(FunctionName="echo")
    assert invoke(client, "echo", 1).value == 1
    assert (local.stats("echo").started, local.stats("echo").throttled) == (1, 1)
    client.close()


def test_a_part_of_the_concurrency_stays_unreserved(serve: Serve) -> None:
    """A tenth cannot be reserved, as of Lambda's 1,000; less is always possible."""
    functions = {"a": handler("echo"), "b": Function(handler("echo"), reserved_concurrency=10)}
    _, client = serve(functions, concurrency_limit=30)
    assert client.put_function_concurrency(FunctionName="a", ReservedConcurrentExecutions=17)
    status, code, message = refusal(
        client.put_function_concurrency, FunctionName="a", ReservedConcurrentExecutions=18
    )
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message == (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [3]."
    )
    assert client.put_function_concurrency(FunctionName="b", ReservedConcurrentExecutions=9)
    assert client.put_function_concurrency(FunctionName="a", ReservedConcurrentExecutions=18)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 3


def test_concurrency_is_of_functions_only(serve: Serve) -> None:
    """A version or alias has none of its own."""
    _, client = serve({"echo": handler("echo")})
    for call, options in (
        (client.put_function_concurrency, {"ReservedConcurrentExecutions": 1}),
        (client.get_function_concurrency, {}),
        (client.delete_function_concurrency, {}),
    ):
        status, code, message = refusal(call, FunctionName="echo:1", **options)
        assert (status, code) == (400, "InvalidParameterValueException")
        assert "permitted on Lambda functions only" in message
        assert refusal(call, FunctionName="none", **options)[:2] == (404, "ResourceNotFoundException")


def test_what_runs_is_counted_as_what_is_reserved_now() -> None:
    """A reservation made while a function runs takes its place from the others at once, never below none."""
    registry = Registry({"a": handler("echo"), "b": handler("echo")}, "us-east-1", "000000000000")
    admission = Admission(registry, limit=2, scaling_rate=10)

    def reason(name: str) -> str | None:
        try:
            admission.enter(name)
        except Throttled as fault:
            return fault.reason
        admission.leave(name)
        return None

    admission.enter("a")
    assert reason("b") is None
    registry.reserve("b", 2)
    assert reason("a") == "ConcurrentInvocationLimitExceeded"
    admission.enter("b")
    assert reason("b") == "ConcurrentInvocationLimitExceeded"
    admission.leave("b")
    registry.reserve("a", 1)
    assert reason("a") == "ReservedFunctionConcurrentInvocationLimitExceeded"
    admission.leave("a")
    registry.reserve("a", 0)
    assert reason("a") == "ReservedFunctionConcurrentInvocationLimitExceeded"
    registry.reserve("a", None)
    registry.reserve("b", None)
    assert reason("a") is reason("b") is None


def test_the_scaling_rate_is_refilled_all_the_time() -> None:
    """So many at once, then one as each tenth of a second of them passes; never more than that is saved."""
    time = 0.0
    registry = Registry({"f": handler("echo"), "g": handler("echo")}, "us-east-1", "000000000000")
    admission = Admission(registry, limit=100, scaling_rate=5, now=lambda: time)

    def started(name: str) -> int:
        counted = itertools.count()
        with pytest.raises(Throttled) as caught:
            while True:
                admission.start(name)
                next(counted)
        assert caught.value.reason == "FunctionInvocationRateLimitExceeded"
        return next(counted)

    assert started("f") == 5
    assert started("g") == 5
    time = 1.0
    assert started("f") == 0
    time = 2.0
    assert started("f") == 1
    time = 1_000.0
    assert started("f") == 5


@pytest.mark.parametrize(
    ("reserved", "reason"),
    [(None, "FunctionInvocationRateLimitExceeded"), (5, "ReservedFunctionInvocationRateLimitExceeded")],
)
def test_scaling_too_fast_is_429_with_retry_after(serve: Serve, reserved: Any, reason: str) -> None:
    """The second environment comes too soon: refused with when to come again; warm ones serve on."""
    functions = {"nap": Function(handler("nap"), timeout=60, reserved_concurrency=reserved)}
    local, _ = serve(functions, scaling_rate=1)
    assert local._executor is not None
    local._executor._pool.admission._now = lambda: 0.0  # nothing is refilled, however long this takes
    client = local.boto3_client(config=ONCE)
    invoke(client, "nap", {"seconds": 0})
    invoke(client, "nap", {"seconds": 0})
    with pytest.raises(ClientError) as caught:
        client.invoke(FunctionName="nap", TenantId="another", Payload=b"{}")
    reply = caught.value.response
    assert reply["Reason"] == reason
    assert reply["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "10"
    with local.client() as ours, pytest.raises(ThrottledError) as throttled:
        ours.invoke("nap", {"seconds": 0}, tenant_id="another", retry=RetryPolicy.never())
    assert (throttled.value.reason, throttled.value.retry_after) == (reason, 10)
    assert (local.stats("nap").cold_starts, local.stats("nap").started) == (1, 2)
    client.close()


def test_concurrency_throttles_do_not_say_when_to_come_again(serve: Serve) -> None:
    """Nobody knows; so Lambda, as recorded, sends no Retry-After for these."""
    local, _ = serve({"off": Function(handler("echo"), reserved_concurrency=0)})
    with local.client() as ours, pytest.raises(ThrottledError) as caught:
        ours.invoke("off", retry=RetryPolicy.never())
    assert caught.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert caught.value.retry_after is None
    assert caught.value.executed is Executed.NO


def test_a_scaling_rate_below_one_is_refused() -> None:
    """At once, by name."""
    with pytest.raises(ValueError, match="scaling_rate must be 1 or more"):
        LocalLambda({"f": handler("echo")}, scaling_rate=0)
