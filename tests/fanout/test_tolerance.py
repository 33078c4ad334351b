"""Jobs that end early: too many failures, enough successes, a stop that drains."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import (
    AbandonedError,
    CompletionReason,
    FanOutError,
    FunctionNotFoundError,
    NotSentError,
    RequestError,
)
from lambda_invoke.fanout.tolerance import Tolerance, tolerance
from tests.support.runs import BOTH
from tests.support.server import Call, ScriptedServer, error, gate, ok, throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke import FanOutReport
    from tests.support.aws import Clients
    from tests.support.server import Step

MISSING = error(404, "ResourceNotFoundException", executes=False)
EXCEEDED, ENOUGH = CompletionReason.TOLERANCE_EXCEEDED, CompletionReason.ENOUGH_SUCCEEDED


def odd_fails(call: Call) -> Step:
    return MISSING if call.json % 2 else ok(call.body)


@BOTH
def test_too_many_failures_end_it(run: Callable[..., FanOutReport[Any]]) -> None:
    """One more than is borne: nothing more is taken, what had not been sent is listed as such."""
    with ScriptedServer(odd_fails) as server:
        report = run(server, "f", itertools.count(), concurrency=4, tolerate=5)
        assert report.completion_reason is EXCEEDED
        refused = [one for one in report.failed if isinstance(one.error, FunctionNotFoundError)]
        assert 6 <= len(refused) <= 6 + 4
        assert server.requests <= len(report) <= 12 + 4 * 3
        kinds = {type(one.error) for one in report.failed}
        assert kinds <= {FunctionNotFoundError, NotSentError, AbandonedError}
        with pytest.raises(FanOutError, match="tolerance exceeded"):
            report.raise_for_failures()


@BOTH
def test_as_many_as_are_borne_do_not(run: Callable[..., FanOutReport[Any]]) -> None:
    """The job comes to its end; the failures are in the report."""
    with ScriptedServer(odd_fails) as server:
        report = run(server, "f", range(20), concurrency=4, tolerate=10)
        assert report.completion_reason is CompletionReason.COMPLETED
        assert (len(report.succeeded), len(report.failed), server.requests) == (10, 10, 20)
        assert run(server, "f", range(20), tolerate=0.5).completion_reason is CompletionReason.COMPLETED


@BOTH
def test_the_first_failure_ends_it(run: Callable[..., FanOutReport[Any]]) -> None:
    """``tolerate=0``: also when it is the last item of all."""
    with ScriptedServer(lambda call: MISSING if call.json == 9 else ok(call.body)) as server:
        report = run(server, "f", range(10), concurrency=1, tolerate=0)
        assert report.completion_reason is EXCEEDED
        assert len(report.succeeded) == 9


@BOTH
def test_a_share_of_few_items_is_judged_at_the_end(run: Callable[..., FanOutReport[Any]]) -> None:
    """Of an input without a length, which may end after its last outcome."""
    with ScriptedServer(odd_fails) as server:
        report = run(server, "f", (item for item in range(10)), tolerate=0.2)
        assert report.completion_reason is EXCEEDED
        assert (len(report.succeeded), server.requests) == (5, 10)


@BOTH
def test_enough_successes_end_it(run: Callable[..., FanOutReport[Any]]) -> None:
    """What was wanted is there; what was given up for it is no failure."""
    with ScriptedServer() as server:
        report = run(server, "f", itertools.count(), concurrency=4, first_successes=10)
        assert report.completion_reason is ENOUGH
        assert 10 <= len(report.succeeded) <= 10 + 4 + 4
        assert len(report.values()) == len(report.succeeded)
        report.raise_for_failures()


@BOTH
def test_all_of_them_are_enough(run: Callable[..., FanOutReport[Any]]) -> None:
    """Where as many were wanted as there are, the job is complete."""
    with ScriptedServer() as server:
        report = run(server, "f", range(10), first_successes=10)
        assert report.completion_reason is CompletionReason.COMPLETED
        assert report.values() == list(range(10))


@pytest.mark.parametrize(
    ("failures", "total", "succeeded", "failed", "at_end", "ends"),
    [
        (None, None, 0, 10**9, False, False),
        (0, None, 5, 0, False, False),
        (0, None, 5, 1, False, True),
        (3, 10, 0, 3, False, False),
        (0.1, 100, 0, 10, False, False),
        (0.1, 100, 0, 11, False, True),
        (0.1, None, 0, 99, False, False),  # too few to judge
        (0.1, None, 90, 11, False, True),
        (0.1, None, 5, 1, True, True),
        (0.5, None, 5, 5, True, False),
        (0.29, 100, 71, 29, True, False),  # 0.29 * 100 is a little less than 29
        (0.58, 50, 21, 29, True, False),
        (1.0, None, 0, 500, False, False),
    ],
)
def test_the_rule(
    failures: float | None, total: int | None, succeeded: int, failed: int, at_end: bool, ends: bool
) -> None:
    """A count is a count; a share is one of the total, or of the outcomes from the hundredth on."""
    verdict = Tolerance(failures, None, total).verdict(succeeded, failed, at_end=at_end)
    assert verdict is (EXCEEDED if ends else None)


@pytest.mark.parametrize("tolerate", [-1, 1.5, -0.1, float("nan"), True, "5", [1]])
def test_what_is_no_tolerance(tolerate: object) -> None:
    """It is refused, and named."""
    with pytest.raises(RequestError, match="tolerate"):
        tolerance(tolerate, None, None)


@pytest.mark.parametrize("successes", [0, -1, 1.0, True, "5"])
def test_what_is_no_number_of_successes(successes: object) -> None:
    """It is refused, and named."""
    with pytest.raises(RequestError, match="first_successes"):
        tolerance(None, successes, None)


@BOTH
def test_a_stop_that_drains(run: Callable[..., FanOutReport[Any]]) -> None:
    """What is in flight is waited for, what backs off or waits is not sent again, nothing is unknown."""
    stop, go_on = threading.Event(), threading.Event()

    def script(call: Call) -> Step:
        return throttle(retry_after=30) if call.json == 0 else gate(go_on, ok(call.body))

    with ScriptedServer(script) as server:

        def later() -> None:
            server.wait_until(lambda s: s.in_flight == 3 and s.requests == 4)
            stop.set()
            threading.Timer(0.2, go_on.set).start()

        thread = threading.Thread(target=later)
        thread.start()
        report = run(server, "f", itertools.count(), concurrency=4, stop=stop, drain=True)
        thread.join()
        assert report.completion_reason is CompletionReason.STOPPED
        assert [one.value for one in report.succeeded] == [1, 2, 3]
        assert {type(one.error) for one in report.failed} == {NotSentError}
        assert not report.unknown
        assert (server.requests, server.executions) == (4, 3)


def test_a_drain_keeps_the_deadline(built: Clients) -> None:
    """What does not come to its end is given up when the job's deadline passes."""
    stop = threading.Event()
    with ScriptedServer(lambda call: gate(threading.Event(), ok(b"1"))) as server:

        def later() -> None:
            server.wait_until(lambda s: s.in_flight == 3)
            stop.set()

        thread = threading.Thread(target=later)
        thread.start()
        report = built(server).fan_out("f", range(3), stop=stop, drain=True, deadline=2.0)
        thread.join()
        assert len(report.unknown) == server.executions == 3
