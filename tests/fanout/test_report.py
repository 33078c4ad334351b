"""What a report says: counts of all items, why it ended, records, a summary."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from lambda_invoke.errors import (
    AbandonedError,
    Executed,
    FanOutError,
    FunctionNotFoundError,
    HandlerError,
    NotSentError,
    ResponseTimeoutError,
    ThrottledError,
)
from lambda_invoke.fanout.report import CompletionReason, FanOutReport
from lambda_invoke.fanout.tally import Tally
from lambda_invoke.results import RemoteError, Report
from tests.support.outcomes import MIXED, SECRET, bad, collected, good, made, throttled, tried
from tests.support.server import ScriptedServer, error, ok, throttle

if TYPE_CHECKING:
    from lambda_invoke.fanout.report import Keep
    from tests.support.aws import Clients
    from tests.support.server import Call, Step


def test_latency_is_of_the_attempts_that_were_answered() -> None:
    """Not of throttles, which are refused at once, nor of attempts that nobody answered."""
    timeout = ResponseTimeoutError(attempts=(tried("ResponseTimeoutError", Executed.UNKNOWN, took=900.0),))
    not_found = FunctionNotFoundError(
        attempts=(tried("FunctionNotFoundError", Executed.NO, took=4.0, status_code=404),)
    )
    report = made(good(0, throttled(), tried(took=1.0)), good(1), bad(2, timeout), bad(3, not_found))
    assert report.latency is not None
    assert (report.latency.count, report.latency.min, report.latency.max) == (3, 0.1, 4.0)
    assert report.latency.p50 == pytest.approx(1.0, rel=0.02)
    assert made(bad(0, timeout)).latency is None


def test_attempts_retries_and_throttles() -> None:
    """Of failed items as well, by reason, also where there is none."""
    refused = ThrottledError(attempts=(throttled(None), throttled(None)))
    report = made(good(0, throttled(), throttled(), tried()), bad(1, refused), good(2))
    assert (report.attempts, report.retries) == (6, 3)
    assert report.throttles() == Counter({"ConcurrentInvocationLimitExceeded": 2, "unspecified": 2})
    report.throttles().clear()
    report.errors().clear()
    assert sum(report.throttles().values()) == 4
    assert sum(report.errors().values()) == 1


def test_throttles_stand_where_they_were() -> None:
    """An item that was throttled for long counts in the stretches in which it was."""
    tally = Tally()
    tally.add(good(0, throttled(started=0.0), throttled(started=3.0), tried(started=9.0, took=1.0)), 10.5)
    report: FanOutReport[Any] = FanOutReport((), CompletionReason.COMPLETED, 11.0, tally=tally)
    assert [bucket.throttled for bucket in report.timeline] == [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert [bucket.done for bucket in report.timeline] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_bare_outcomes() -> None:
    """A report of outcomes alone counts them; it knows not when they came."""
    report = made(good(0), bad(1))
    assert (len(report), report.succeeded_count, report.failed_count) == (2, 1, 1)
    assert report.timeline == ()
    assert report.rate == 1.0
    assert report.errors() == Counter({"HandlerError": 1})


def test_memory_and_cold_starts() -> None:
    """The headroom is that of the execution that had least of it, whatever its size."""
    report = made(
        good(0, log=Report(billed_duration=0.2, memory_size=1024, max_memory_used=500, init_duration=0.4)),
        good(1, log=Report(billed_duration=0.1, memory_size=128, max_memory_used=120)),
        good(2, log=Report(billed_duration=0.1, memory_size=128, max_memory_used=64)),
        good(3),
    )
    memory = report.memory
    assert memory is not None
    assert (memory.max_used, memory.size, memory.share.max) == (120, 128, 120 / 128)
    assert memory.share.p50 == pytest.approx(0.5, rel=0.04)
    assert (report.cold_starts, report.log_reports) == (1, 3)
    assert report.init_durations is not None
    assert report.init_durations.mean == 0.4
    assert (made(good(0)).memory, made(good(0)).init_durations, made(good(0)).log_reports) == (None, None, 0)


@pytest.mark.parametrize("reason", list(CompletionReason), ids=lambda reason: reason.name)
def test_the_reason_is_said(reason: CompletionReason) -> None:
    """In str and repr; what ended early raises, although nothing failed."""
    report = made(good(0), reason=reason)
    asked = reason in (CompletionReason.COMPLETED, CompletionReason.ENOUGH_SUCCEEDED)
    assert f"{'ended' if asked else 'ended early'}: {reason.value}" in str(report).split("\n")
    assert reason.value in repr(report)
    if asked:
        report.raise_for_failures()
        assert report.values() == [SECRET]
    else:
        with pytest.raises(FanOutError, match=f"ended early .{reason.value}"):
            report.raise_for_failures()


def test_enough_succeeded() -> None:
    """What was given up for it is no failure; an item that failed by itself is one."""
    given_up = (bad(1, AbandonedError()), bad(2, NotSentError()))
    report = made(good(0), *given_up, reason=CompletionReason.ENOUGH_SUCCEEDED)
    report.raise_for_failures()
    assert report.values() == [SECRET]
    assert report.failed == given_up
    broken = made(good(0), *given_up, bad(3), reason=CompletionReason.ENOUGH_SUCCEEDED)
    with pytest.raises(FanOutError, match="1 of 4 items failed: 1 x HandlerError") as caught:
        broken.raise_for_failures()
    assert "early" not in str(caught.value)
    assert caught.value.__cause__ is broken.outcomes[3].error
    with pytest.raises(FanOutError):
        made(*given_up).raise_for_failures()


@pytest.mark.parametrize("keep", ["all", "failures"])
def test_the_input_failed(keep: Keep) -> None:
    """The error has the report of what was taken before, whose summary names the input's error."""
    with pytest.raises(FanOutError, match="ZeroDivisionError after 4 items") as caught:
        collected(
            MIXED, keep=keep, ended=CompletionReason.INPUT_FAILED, input_error=ZeroDivisionError(SECRET)
        )
    assert caught.value.executed is Executed.YES
    assert "ended early: input failed (ZeroDivisionError)" in str(caught.value.report)
    assert SECRET not in str(caught.value.report)


@pytest.mark.parametrize("reason", [CompletionReason.TOLERANCE_EXCEEDED, CompletionReason.ENOUGH_SUCCEEDED])
def test_reasons_that_the_mapping_gives(reason: CompletionReason) -> None:
    """The collection passes them on."""
    assert collected(MIXED, ended=reason).completion_reason is reason


COLUMNS = {
    *("index", "function", "ok", "executed", "attempts", "throttled", "seconds", "request_id"),
    *("executed_version", "error", "error_type", "message", "duration", "billed_duration", "memory_size"),
    *("max_memory_used", "cold_start", "init_duration"),
}


def test_records_are_flat_and_alike() -> None:
    """The same columns for every outcome, of values that any table takes; what is not known is None."""
    remote = HandlerError(
        remote=RemoteError("ValueError", "nothing to see"), executed_version="3", request_id="x"
    )
    log = Report(duration=0.01, billed_duration=0.02, memory_size=128, max_memory_used=40, init_duration=0.3)
    report = made(
        good(0, throttled(), tried(started=2.0, took=0.5), log=log),
        bad(1, remote),
        bad(2, FunctionNotFoundError("no", code="ResourceNotFoundException")),
        bad(3, NotSentError("never sent")),
    )
    rows = report.to_records()
    assert {frozenset(row) for row in rows} == {frozenset(COLUMNS)}
    first, second, third, last = json.loads(json.dumps(rows))
    assert (first["seconds"], first["attempts"], first["throttled"], first["ok"]) == (2.5, 2, 1, True)
    assert (first["billed_duration"], first["cold_start"], first["max_memory_used"]) == (0.02, True, 40)
    assert (first["executed"], first["executed_version"], first["request_id"]) == ("yes", "7", "id")
    assert (second["error"], second["error_type"]) == ("HandlerError", "ValueError")
    assert (second["message"], second["executed_version"]) == ("nothing to see", "3")
    assert (third["error_type"], third["message"]) == ("ResourceNotFoundException", "no")
    assert (last["seconds"], last["cold_start"], last["message"]) == (None, None, "never sent")


def test_records_hold_no_values_unless_asked() -> None:
    """Nor payloads, log texts, or a remote message that is redacted."""
    redacted = HandlerError(remote=RemoteError("E", SECRET), redacted=True)
    report = made(good(0, log=Report()), bad(1, redacted))
    assert SECRET not in str(report.to_records())
    rows = report.to_records(values=True)
    assert [(row["payload"], row["value"]) for row in rows] == [(SECRET, SECRET), (SECRET, None)]


def test_the_summary() -> None:
    """Items, rate, latency, retries by reason, errors, what is unknown, what was billed."""
    log = Report(billed_duration=0.5, memory_size=128, max_memory_used=64, init_duration=0.2)
    text = str(
        made(
            good(0, throttled(), tried(took=1.25), log=log),
            bad(1, HandlerError(remote=RemoteError("ValueError", SECRET), attempts=(tried("HandlerError"),))),
            bad(2, AbandonedError(attempts=(tried("AbandonedError", Executed.UNKNOWN),))),
        )
    )
    assert text.split("\n") == [
        "3 items in 2.0 s (2/s): 1 succeeded, 2 failed",
        "ended: completed",
        "latency p50 1.25 s, p99 1.25 s, max 1.25 s",
        "4 attempts, 1 of them retries (1 ConcurrentInvocationLimitExceeded)",
        "  1 x HandlerError (ValueError)",
        "  1 x AbandonedError",
        "1 items may have run: their outcome is unknown",
        "billed 0.50 s, 1 cold starts (p50 200 ms, max 200 ms), memory at most 64 of 128 MB (50%)",
        (
            "cost about $0.00000144 as x86_64: 0.06 GB-seconds and 2 requests, list prices of most regions, "
            "2026-09-19, without free tier and extras; the time of 2 executions without a REPORT is not in it"
        ),
    ]


def test_the_summary_of_what_went_well() -> None:
    """Is short: no retries, no errors, no log tails, no cost."""
    assert str(made(good(0))).split("\n") == [
        "1 items in 2.0 s (0/s): 1 succeeded, 0 failed",
        "ended: completed",
        "latency p50 100 ms, p99 100 ms, max 100 ms",
    ]
    assert str(FanOutReport((), CompletionReason.COMPLETED, 0.0)).startswith("0 items in 0.0 s (0/s)")


def test_many_kinds_of_errors() -> None:
    """The most frequent are named, and that there are others is said."""
    text = str(made(*(bad(index, HandlerError(remote=RemoteError(f"E{index}", ""))) for index in range(8))))
    assert text.count(" x HandlerError") == 5
    assert "  and 3 more kinds of errors" in text.split("\n")


@pytest.mark.parametrize("keep", ["all", "failures"])
def test_reports_pickle_and_compare(keep: Keep) -> None:
    """With their counts."""
    report = collected(MIXED, keep=keep)
    again = pickle.loads(pickle.dumps(report))
    assert str(again) == str(report)
    assert (len(again), again.keep, again.latency) == (4, keep, report.latency)
    assert made(good(0)) == made(good(0))
    assert made(good(0)) != made(good(1, throttled(), tried()))
    with pytest.raises(AttributeError):
        cast("Any", report).duration = 1.0


def test_a_whole_job(built: Clients) -> None:
    """Throttles, failures and latencies of a job are those that the server made."""
    seen: set[int] = set()

    def script(call: Call) -> Step:
        if call.json % 5 == 0 and call.json not in seen:
            seen.add(call.json)
            return throttle(reason="ReservedFunctionConcurrentInvocationLimitExceeded")
        return error(404, "ResourceNotFoundException") if call.json % 2 else ok(call.body)

    with ScriptedServer(script) as server:
        report = built(server).fan_out("f", range(20), concurrency=4)
        assert report.attempts == server.requests == 24
    assert report.throttles() == Counter({"ReservedFunctionConcurrentInvocationLimitExceeded": 4})
    assert report.latency is not None
    assert report.latency.count == 20
    assert sum(bucket.done for bucket in report.timeline) == 20
    assert sum(bucket.failed for bucket in report.timeline) == 10
    assert sum(bucket.throttled for bucket in report.timeline) == 4
    assert [row["index"] for row in report.to_records()] == list(range(20))
