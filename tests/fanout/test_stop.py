"""A job ends early when it is told to: by its ``stop`` event, or by its deadline."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import (
    AbandonedError,
    CompletionReason,
    DeadlineExceededError,
    Executed,
    FanOutError,
    FullJitter,
    NotSentError,
    RequestError,
    ResponseTimeoutError,
    RetryPolicy,
)
from tests.support.patience import PATIENCE
from tests.support.server import Call, ScriptedServer, delay, error, hang, ok

if TYPE_CHECKING:
    from lambda_invoke import Progress
    from tests.support.aws import Clients
    from tests.support.server import Step

"""A send that cannot be given up (a handed-over client's) is left behind after a quarter of a second."""


def some_hang(call: Call) -> Step:
    return hang() if call.json >= 10 else ok(call.body)


def test_stop_from_another_thread(clients: Clients) -> None:
    """Nothing more is sent; finished YES, in flight UNKNOWN, the rest NO; the report says stopped."""
    stop = threading.Event()
    with ScriptedServer(some_hang) as server:

        def later() -> None:
            server.wait_until(lambda s: s.in_flight == 4)
            time.sleep(0.05)
            stop.set()

        thread = threading.Thread(target=later)
        thread.start()
        report = clients(server).fan_out("f", itertools.count(), concurrency=4, stop=stop)
        stopped = time.monotonic()
        thread.join()
        assert report.completion_reason is CompletionReason.STOPPED
        assert [outcome.index for outcome in report] == list(range(len(report)))
        assert {outcome.index for outcome in report.succeeded} == set(range(10))
        assert len(report.unknown) == 4
        assert {type(outcome.error) for outcome in report.unknown} == {AbandonedError}
        not_sent = [outcome for outcome in report if outcome.executed is Executed.NO]
        assert {type(outcome.error) for outcome in not_sent} <= {NotSentError}
        assert len(report) == 10 + 4 + len(not_sent)
        assert server.executions == server.requests == 14
        assert max(call.time for call in server.calls) < stopped
        with pytest.raises(FanOutError, match="stopped"):
            report.raise_for_failures()


def test_stop_is_prompt(clients: Clients) -> None:
    """A job with everything in flight stuck ends upon the event, and waits for no reply."""
    stop = threading.Event()
    stopped: list[float] = []
    with ScriptedServer([hang()]) as server:

        def later() -> None:
            server.wait_until(lambda s: s.in_flight == 4)
            stopped.append(time.monotonic())
            stop.set()

        thread = threading.Thread(target=later)
        thread.start()
        report = clients(server).fan_out("f", range(4), concurrency=4, stop=stop)
        thread.join()
        assert time.monotonic() - stopped[0] < PATIENCE
        assert len(report.unknown) == len(report) == server.executions == 4
        assert report.completion_reason is CompletionReason.STOPPED


def test_stop_in_map(clients: Clients) -> None:
    """The iterator yields what was given up as such, and then is at its end, without an error."""
    stop = threading.Event()
    with ScriptedServer(some_hang) as server:
        outcomes = clients(server).map("f", itertools.count(), concurrency=4, stop=stop)
        values = [next(outcomes).value for _ in range(10)]
        assert sorted(values) == list(range(10))
        stop.set()
        rest = list(outcomes)
        assert rest
        assert {type(outcome.error) for outcome in rest} <= {AbandonedError, NotSentError}
        unknown = {outcome.payload for outcome in rest if outcome.executed is Executed.UNKNOWN}
        assert {call.json for call in server.calls} - set(range(10)) <= unknown
        assert outcomes.input_error is None


def test_stop_that_was_set_before(clients: Clients) -> None:
    """Nothing is taken and nothing is sent."""
    stop = threading.Event()
    stop.set()
    taken: list[Any] = []
    with ScriptedServer() as server:
        report = clients(server).fan_out("f", map(taken.append, range(5)), concurrency=2, stop=stop)
        assert (len(report), report.completion_reason, taken) == (0, CompletionReason.STOPPED, [])
        assert server.connections == 0


def test_stop_that_is_never_set(clients: Clients) -> None:
    """The job runs to its end."""
    with ScriptedServer() as server:
        report = clients(server).fan_out("f", range(50), concurrency=4, stop=threading.Event())
        assert report.completion_reason is CompletionReason.COMPLETED
        assert report.values() == list(range(50))


def test_stop_after_the_last_outcome(clients: Clients) -> None:
    """A job that was complete is not called stopped."""
    stop = threading.Event()
    with ScriptedServer() as server:

        def when_done(progress: Any) -> None:
            if progress.done == 5:
                stop.set()

        report = clients(server).fan_out("f", [1] * 5, concurrency=1, stop=stop, progress=when_done)
        assert len(report.succeeded) == 5
        if report.completion_reason is not CompletionReason.COMPLETED:
            pytest.fail(f"all five succeeded, and the report says {report.completion_reason}")


@pytest.mark.parametrize("late", ["stop", "deadline"])
def test_what_comes_after_the_last_outcome_did_not_end_the_job(built: Clients, late: str) -> None:
    """A job with a failed item that was complete before its stop or deadline came is complete."""
    stop = threading.Event()

    def dawdle(progress: Progress) -> None:
        if progress.finished:
            stop.set()
            time.sleep(1.2 if late == "deadline" else 0.0)

    missing = error(404, "ResourceNotFoundException")
    with ScriptedServer(lambda call: missing if call.json == 0 else ok(call.body)) as server:
        report = built(server).fan_out(
            "f",
            range(5),
            concurrency=2,
            progress=dawdle,
            stop=stop if late == "stop" else None,
            deadline=1.0 if late == "deadline" else None,
        )
        assert (len(report.succeeded), len(report.failed), server.requests) == (4, 1, 5)
        assert report.completion_reason is CompletionReason.COMPLETED


@pytest.mark.parametrize("endless", [False, True], ids=["all taken", "endless"])
def test_a_jobs_deadline(clients: Clients, endless: bool) -> None:
    """It ends the job in time: what ran ran, what is in flight is UNKNOWN, and the rest is not sent."""
    items = itertools.count() if endless else range(14)
    with ScriptedServer(some_hang) as server:
        began = time.monotonic()
        report = clients(server).fan_out("f", items, concurrency=4, deadline=1.0)
        assert 1.0 <= time.monotonic() - began < 1.0 + PATIENCE
        assert {outcome.index for outcome in report.succeeded} == set(range(10))
        assert len(report.unknown) == 4
        kinds = {type(outcome.error) for outcome in report.unknown}
        assert kinds <= {ResponseTimeoutError, AbandonedError}
        assert {type(outcome.error) for outcome in report.failed if outcome.executed is Executed.NO} <= {
            NotSentError,
            DeadlineExceededError,
        }
        assert report.completion_reason is CompletionReason.DEADLINE
        assert server.executions == 14


def test_maps_deadline(clients: Clients) -> None:
    """``map`` yields what is known of every item taken, and then raises DeadlineExceededError."""
    with ScriptedServer(some_hang) as server:
        outcomes = clients(server).map("f", itertools.count(), concurrency=4, deadline=1.0)
        seen: list[int] = []
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            for outcome in outcomes:
                seen.append(outcome.index)  # noqa: PERF401 - what came before the error counts
        assert 1.0 <= time.monotonic() - began < 1.0 + PATIENCE
        assert sorted(seen) == list(range(len(seen)))
        assert len(seen) >= 14
        assert server.executions == 14


def test_a_deadline_while_throttled(clients: Clients) -> None:
    """Throttled items are tried until the job's deadline; none of them ran, and each says so."""
    policy = RetryPolicy(wait=FullJitter(initial=0.01, maximum=0.02))
    with ScriptedServer(limit=0) as server:
        began = time.monotonic()
        report = clients(server, retry=policy).fan_out("f", range(6), concurrency=3, deadline=1.0)
        assert time.monotonic() - began < 1.0 + PATIENCE
        assert {outcome.executed for outcome in report} <= {Executed.NO, Executed.UNKNOWN}
        assert all(outcome.error is not None for outcome in report)
        assert report.attempts >= server.requests > 6
        assert server.executions == 0


def test_a_deadline_that_is_long_enough(clients: Clients) -> None:
    """It changes nothing, and a client's own deadline for calls does not bound a job."""
    with ScriptedServer(lambda call: delay(0.01, ok(call.body))) as server:
        report = clients(server, deadline=0.1).fan_out("f", range(60), concurrency=2, deadline=30)
        assert report.values() == list(range(60))
        assert report.completion_reason is CompletionReason.COMPLETED


def test_the_deadline_counts_from_the_first_next(built: Clients) -> None:
    """Making the iterator and leaving it does not use it up."""
    with ScriptedServer() as server:
        outcomes = built(server).map("f", range(3), deadline=1.0)
        time.sleep(1.05)
        assert sorted(outcome.value for outcome in outcomes) == [0, 1, 2]


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf"), "soon", True])
def test_a_deadline_that_is_none(built: Clients, deadline: Any) -> None:
    """It is a positive number of seconds; anything else is refused at once."""
    with ScriptedServer() as server:
        with pytest.raises(RequestError):
            built(server).fan_out("f", [1], deadline=deadline)
        assert server.connections == 0


def test_a_timeout_in_a_job(built: Clients) -> None:
    """``timeout`` bounds each item's attempts, and a slow item fails alone."""
    with ScriptedServer(lambda call: hang() if call.json == 3 else ok(call.body)) as server:
        report = built(server).fan_out("f", range(10), concurrency=4, timeout=1.0)
        (failed,) = report.failed
        assert failed.index == 3
        assert isinstance(failed.error, ResponseTimeoutError)
        assert server.executions == 10


def test_an_item_that_queues_behind_another_job_was_not_sent(built: Clients) -> None:
    """With every connection taken by another job, a job's deadline finds its items unsent: NO."""
    with ScriptedServer([hang()]) as server:
        client = built(server, max_concurrency=1)
        with client.map("stuck", [0], concurrency=1) as stuck:
            thread = threading.Thread(target=lambda: next(stuck, None), daemon=True)
            thread.start()
            server.wait_until(lambda s: s.executions == 1)
            report = client.fan_out("f", range(2), concurrency=1, deadline=1.0)
            assert {outcome.executed for outcome in report} == {Executed.NO}
            assert server.requests == 1
            stuck.close()
            thread.join(timeout=PATIENCE)
