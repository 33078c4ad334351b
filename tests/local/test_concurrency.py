"""One process per concurrent invocation, and the limits on how many there are."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_invoke.local import Function
from tests.local.conftest import Serve, alive, children, handler, invoke, until

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


def test_concurrent_invocations_have_a_process_each(serve: Serve) -> None:
    """Six at once are six processes, which then serve six more without a start."""
    local, _ = serve({"nap": handler("nap")})
    client = local.boto3_client(config=ONCE)
    with ThreadPoolExecutor(6) as threads:
        for _ in range(2):
            pids = list(threads.map(lambda _: invoke(client, "nap", {"seconds": 0.4}).value, range(6)))
            assert len(set(pids)) == 6
            assert set(pids) == children()
    stats = local.stats("nap")
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
    assert children() == {pids["b"], pids["c"]}
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
