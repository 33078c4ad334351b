"""Sending again: what is sent where, what is deleted, what stays, and what the report says."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest

from lambda_invoke import (
    HandlerError,
    QueueError,
    RedriveEnd,
    RedriveError,
    RedriveInterrupted,
    RedriveReport,
    RequestError,
)
from lambda_invoke.events import redrive_run
from lambda_invoke.testing import having
from tests.events.redrive_tools import SECRET, DeadQueue, batch_failure, failure, success
from tests.support.patience import PATIENCE


def test_each_goes_to_its_own_function(dead: DeadQueue) -> None:
    """Without a function, to the one that its record names; what succeeds is deleted."""
    dead.fake.function("orders", lambda event: event["id"])
    dead.fake.function("bills", lambda event: event["id"])
    dead.put_failures(range(15))
    dead.put_failures(range(15, 20), function="bills")
    report = dead.client().redrive(dead.url, send=True)
    assert (report.succeeded_count, report.deleted_count, report.left_in_queue) == (20, 20, 0)
    assert report.ended is RedriveEnd.DRAINED
    assert report.ok
    assert (dead.fake.executions("orders"), dead.fake.executions("bills")) == (15, 5)
    assert dead.executions() == list(range(20))
    assert dead.counts == (0, 0)
    report.raise_for_failures()


def test_the_payload_goes_as_it_was(dead: DeadQueue) -> None:
    """Byte for byte, what had been sent to the function."""
    dead.fake.function("orders", lambda event: None)
    body = json.loads(failure(1))
    text = json.dumps(body).replace(json.dumps(body["requestPayload"]), '{"id":  1.50, "name": "é"}')
    dead.put(text)
    dead.client().redrive(dead.url, send=True)
    (call,) = dead.fake.calls
    assert call.payload == {"id": 1.5, "name": "é"}


def test_what_fails_again_stays(dead: DeadQueue) -> None:
    """Visible at once, with its new error in the report; the next run may try it again."""
    dead.fake.on("orders", lambda event: event["id"] < 3).raises("StillBroken", "no")
    dead.fake.function("orders", lambda event: "ok")
    dead.put_failures(range(8))
    client = dead.client()
    report = client.redrive(dead.url, send=True)
    assert (report.succeeded_count, report.failed_count, report.deleted_count) == (5, 3, 5)
    assert {one.request_id for one in report.failed} == {"request-0", "request-1", "request-2"}
    assert all(isinstance(one.error, HandlerError) for one in report.failed)
    assert "3  HandlerError (StillBroken)  orders:$LATEST  request-" in str(report)
    assert SECRET not in f"{report} {report!r} {json.dumps(report.as_dict())}"
    assert dead.counts == (3, 0)
    with pytest.raises(RedriveError, match="3 failed") as caught:
        report.raise_for_failures()
    assert caught.value.report is report
    assert isinstance(caught.value.__cause__, HandlerError)
    dead.fake.on("orders").returns("mended")
    again = client.redrive(dead.url, send=True)
    assert (again.succeeded_count, again.failed_count) == (3, 0)
    assert dead.counts == (0, 0)


def test_dead_letters_go_where_they_are_sent(dead: DeadQueue) -> None:
    """To the function that was given, whatever the record names."""
    dead.fake.function("new-orders", lambda event: None)
    dead.put_dead_letter(1)
    dead.put_failures([2])
    report = dead.client().redrive(dead.url, "new-orders", send=True)
    assert report.succeeded_count == 2
    assert dead.fake.executions("new-orders") == 2


def test_a_late_dead_letter_is_left_alone(dead: DeadQueue) -> None:
    """One that names no function, and came after they were counted, is skipped and said so."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures([1])
    looked: list[int] = []

    def once(_answer: Any) -> None:
        if not looked and dead.watched.calls["change_message_visibility_batch"]:
            looked.append(1)
            dead.put_dead_letter(2)

    def of_long_ago(answer: Any) -> None:
        for message in answer.get("Messages", []):
            message["Attributes"]["SentTimestamp"] = "1"

    dead.watched.after["change_message_visibility_batch"] = once
    dead.watched.after["receive_message"] = of_long_ago
    report = dead.client().redrive(dead.url, send=True)
    assert report.succeeded_count == 1
    assert [one.reason for one in report.skipped] == ["it does not name its function"]
    assert dead.counts == (1, 0)


def test_only_what_is_chosen_is_sent(dead: DeadQueue) -> None:
    """The rest, and what is foreign, stays, each with its reason."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(3))
    dead.put_failures(range(3, 6), error_type="ValueError")
    dead.put(success(7), batch_failure(), "garbage")
    report = dead.client().redrive(dead.url, send=True, error_type="ValueError")
    assert dead.executions() == [3, 4, 5]
    assert report.ok
    assert (report.succeeded_count, report.skipped_count, report.left_in_queue) == (3, 6, 6)
    reasons = {one.reason.partition(":")[0] for one in report.skipped}
    assert {"not chosen", "it succeeded", "unreadable"} <= reasons
    assert dead.counts == (6, 0)


def test_a_limit_bounds_what_is_sent(dead: DeadQueue) -> None:
    """No more are sent, and the others are in the queue."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(30))
    report = dead.client().redrive(dead.url, "orders", send=True, limit=12)
    assert (report.succeeded_count, report.ended, report.ok) == (12, RedriveEnd.LIMIT, True)
    assert dead.counts == (18, 0)


def test_as_events(dead: DeadQueue) -> None:
    """Handed over as Events, deleted when accepted, and the values are nobody's."""
    dead.fake.function("orders", lambda event: "value")
    dead.put_failures(range(12))
    report = dead.client().redrive(dead.url, send=True, as_events=True)
    dead.fake.assert_invoked("orders", invocation_type="Event", times=12)
    assert (report.succeeded_count, report.deleted_count) == (12, 12)
    assert "12 accepted" in str(report)
    assert dead.counts == (0, 0)


def test_an_event_that_comes_back_is_not_sent_again_by_this_run(dead: DeadQueue) -> None:
    """Where the queue is the function's own failure destination, the run would never end otherwise."""
    dead.put_failures(range(3))

    def fails_again(event: Any, context: Any) -> None:
        dead.put(failure(event["id"], request_id=context.aws_request_id))

    dead.fake.function("orders", fails_again)
    report = dead.client().redrive(dead.url, send=True, as_events=True)
    assert (report.succeeded_count, report.deleted_count) == (3, 3)
    assert dead.fake.executions("orders") == 3
    assert {one.reason for one in report.skipped} == {"came after the run began"}
    assert dead.counts == (3, 0)


def test_throttles_are_waited_out(dead: DeadQueue) -> None:
    """By the engine, for as long as it takes: no message fails for them."""
    dead.fake.on("orders").throttles(times=20).returns("ok")
    dead.put_failures(range(5))
    report = dead.client().redrive(dead.url, send=True)
    assert (report.succeeded_count, report.failed_count) == (5, 0)
    assert dead.fake.requests == 25


def test_a_message_that_cannot_be_sent_fails(dead: DeadQueue) -> None:
    """A function that is not there: nothing ran, the message stays."""
    dead.fake.on("orders").fails(404, "ResourceNotFoundException")
    dead.put_failures([1])
    report = dead.client().redrive(dead.url, send=True)
    assert (report.failed_count, report.left_in_queue) == (1, 1)
    assert "FunctionNotFoundError (ResourceNotFoundException)" in str(report)
    assert dead.counts == (1, 0)


def test_a_deadline_ends_it(dead: DeadQueue) -> None:
    """What was not sent by then is in the queue, and the report says why it ended."""
    dead.fake.on("orders").throttles()
    dead.put_failures(range(3))
    report = dead.client().redrive(dead.url, send=True, deadline=30)
    assert (report.ended, report.ok) == (RedriveEnd.DEADLINE, False)
    assert dead.counts == (3, 0)


def test_a_predicate_that_raises_ends_it(dead: DeadQueue) -> None:
    """Its error is the cause, nothing of that lot was sent, and all is in the queue."""

    def broken(outcome: Any) -> bool:
        raise ZeroDivisionError

    dead.put_failures([1])
    with pytest.raises(RedriveError, match="where raised ZeroDivisionError") as caught:
        dead.client().redrive(dead.url, "orders", send=True, where=broken)
    assert isinstance(caught.value.__cause__, RequestError)
    assert caught.value.report.ended is RedriveEnd.FAILED
    assert dead.counts == (1, 0)
    assert dead.fake.requests == 0


def test_progress_is_told_on_the_callers_thread(dead: DeadQueue) -> None:
    """And the last of it is of the end."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(12))
    seen: list[tuple[int, Any]] = []
    report = dead.client().redrive(
        dead.url, send=True, progress=lambda told: seen.append((threading.get_ident(), told))
    )
    assert isinstance(report, RedriveReport)
    assert {thread for thread, _ in seen} == {threading.get_ident()}
    last = seen[-1][1]
    assert (last.done, last.failed, last.finished) == (12, 0, True)


def test_a_stop_gives_back_what_was_not_sent(dead: DeadQueue) -> None:
    """With drain, what is in flight is waited for; nothing may have run."""
    stop = threading.Event()

    def first_stops(event: Any) -> None:
        stop.set()

    dead.fake.function("orders", first_stops)
    dead.put_failures(range(30))
    report = dead.client().redrive(dead.url, "orders", send=True, stop=stop, drain=True, concurrency=1)
    assert report.ended is RedriveEnd.STOPPED
    assert not report.may_have_run
    assert report.succeeded_count == dead.fake.executions("orders") < 30
    assert dead.counts == (30 - report.succeeded_count, 0)
    rest = dead.client().redrive(dead.url, "orders", send=True)
    assert rest.succeeded_count == 30 - report.succeeded_count
    assert dead.executions() == list(range(30))


def test_ctrl_c(dead: DeadQueue) -> None:
    """Nothing new is sent; the report says what may have run, which the next run leaves alone."""
    dead.fake.function("orders", lambda event: None)
    hold = dead.fake.on("orders", having({"id": 1})).holds()
    dead.put_failures([1])
    client = dead.client()
    caller = threading.current_thread()

    def interrupt() -> None:
        hold.wait_entered(1, timeout=PATIENCE)
        signal.pthread_kill(caller.ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(RedriveInterrupted) as caught:
        client.redrive(dead.url, send=True, journal=None)
    thread.join()
    hold.release()
    report = caught.value.report
    assert report.ended is RedriveEnd.INTERRUPTED
    assert [one.request_id for one in report.may_have_run] == ["request-1"]
    assert dead.counts == (1, 0)
    again = client.redrive(dead.url, send=True)
    assert (again.succeeded_count, again.may_have_run_count) == (0, 1)


def test_the_queue_fails_on_the_way(dead: DeadQueue) -> None:
    """What was done is in the report of the error, and what was sent is not lost."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(15))

    def gone_at_the_second(request: dict[str, Any]) -> Any:
        if dead.watched.calls["receive_message"] > 1:
            return dead.sqs.receive_message(**{**request, "QueueUrl": f"{dead.url}-gone"})
        return None

    dead.watched.before["receive_message"] = gone_at_the_second
    with pytest.raises(RedriveError, match="broke off") as caught:
        dead.client().redrive(dead.url, "orders", send=True)
    assert isinstance(caught.value.__cause__, QueueError)
    report = caught.value.report
    assert (report.succeeded_count, report.deleted_count, report.ended) == (10, 10, RedriveEnd.FAILED)
    assert dead.counts == (5, 0)


def test_it_ends_when_too_many_stay_in_the_queue(dead: DeadQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQS gives no more while 120,000 are in flight, and so what is held is bounded."""
    monkeypatch.setattr(redrive_run, "MOST_HELD", 10)
    dead.put_failures(range(25))
    report = dead.client().redrive(dead.url, "orders", send=True, error_type="Other")
    assert (report.ended, report.ok) == (RedriveEnd.IN_FLIGHT_LIMIT, False)
    assert report.skipped_count == 10
    assert dead.counts == (25, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": True},
        {"visibility_timeout": 2},
        {"visibility_timeout": 43_201},
        {"visibility_timeout": 10.5},
        {"may_have_run": "resend"},
        {"qualifier": "prod"},
        {"older_than": "x"},
        {"timeout": -1},
        {"concurrency": 0},
    ],
)
def test_arguments_are_checked_before_anything_is_read(dead: DeadQueue, options: dict[str, Any]) -> None:
    """Each is named."""
    with pytest.raises(RequestError, match=next(iter(options))):
        dead.client().redrive(dead.url, send=True, **options)
    assert not dead.watched.calls["receive_message"]


def test_a_progress_callback_that_raises_ends_it(dead: DeadQueue) -> None:
    """Its error comes when all is put away: what was sent has its outcome, the rest is in the queue."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(12))

    def broken(_progress: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dead.client().redrive(dead.url, "orders", send=True, progress=broken)
    assert dead.counts[1] == 0
    again = dead.client().redrive(dead.url, "orders", send=True)
    ran = dead.executions()
    assert len(ran) == len(set(ran))
    doubtful = {int((one.request_id or "").removeprefix("request-")) for one in again.may_have_run}
    assert {*ran, *doubtful} == set(range(12))
