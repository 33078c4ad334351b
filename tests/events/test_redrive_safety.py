"""What may have run is not sent again, what is done is not lost, and what is in work is hidden."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import AbandonedError, ConnectionLostError, RedriveEnd, RedriveError, RequestError
from lambda_invoke.events.redrive_journal import RedriveJournal, default_path
from lambda_invoke.fanout.journal_state import caller_key
from tests.events.redrive_tools import DeadQueue, failure, message_ids
from tests.support.patience import PATIENCE, soon, upon

if TYPE_CHECKING:
    from pathlib import Path


def left_in_flight(dead: DeadQueue, events: range) -> None:
    """Put failures, and have the journal say that an earlier run was killed while it sent them."""
    dead.put_failures(events)
    answer = dead.sqs.receive_message(QueueUrl=dead.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    ids = message_ids(answer)
    assert len(ids) == len(events)
    with RedriveJournal(dead.url).open() as file:
        file.begin([(index, caller_key(one)) for index, one in enumerate(ids)])


def test_what_was_in_flight_when_a_run_died_is_not_sent_again(dead: DeadQueue) -> None:
    """It is reported, stays in the queue and is no reason to delete anything; new messages are sent."""
    left_in_flight(dead, range(3))
    dead.put_failures(range(3, 5))
    dead.fake.function("orders", lambda event: None)
    client = dead.client()
    plan = client.redrive(dead.url)
    assert (plan.may_have_run, plan.chosen) == (3, 2)
    assert "3 may have run" in str(plan)
    report = client.redrive(dead.url, send=True)
    assert dead.executions() == [3, 4]
    assert (report.succeeded_count, report.may_have_run_count, report.left_in_queue) == (2, 3, 3)
    assert all(isinstance(one.error, AbandonedError) for one in report.may_have_run)
    assert "may have run:" in str(report)
    assert report.journal in str(report)
    assert dead.counts == (3, 0)
    with pytest.raises(RedriveError):
        report.raise_for_failures()


@pytest.mark.parametrize("options", [{"idempotent": True}, {"may_have_run": "send"}])
def test_what_may_have_run_is_sent_again_when_it_is_said(dead: DeadQueue, options: dict[str, Any]) -> None:
    """Declared idempotent, or by name; then it is done with."""
    left_in_flight(dead, range(3))
    dead.fake.function("orders", lambda event: None)
    report = dead.client().redrive(dead.url, send=True, **options)
    assert (report.succeeded_count, report.may_have_run_count) == (3, 0)
    assert dead.counts == (0, 0)


def test_what_may_have_run_is_deleted_when_it_is_said(dead: DeadQueue) -> None:
    """Not sent, and gone from the queue."""
    left_in_flight(dead, range(3))
    report = dead.client().redrive(dead.url, send=True, may_have_run="delete")
    assert (report.succeeded_count, report.deleted_count, report.left_in_queue) == (0, 3, 0)
    assert dead.fake.requests == 0
    assert dead.counts == (0, 0)


def test_an_unknown_outcome_stays_unknown(dead: DeadQueue) -> None:
    """No whole reply came: it may have run, in this run and in all later ones, whatever those choose."""
    dead.fake.on("orders").drops().returns("ok")
    dead.put_failures([1])
    client = dead.client()
    report = client.redrive(dead.url, send=True)
    assert (report.failed_count, report.may_have_run_count) == (0, 1)
    assert isinstance(report.may_have_run[0].error, ConnectionLostError)
    again = client.redrive(dead.url, send=True)
    assert (again.may_have_run_count, dead.fake.requests) == (1, 1)
    assert isinstance(again.may_have_run[0].error, ConnectionLostError)
    assert again.may_have_run[0].reason == "sent by an earlier redrive"
    assert client.redrive(dead.url, send=True, idempotent=True).succeeded_count == 1


def test_a_success_that_was_not_deleted_is_deleted_by_the_next_run(dead: DeadQueue) -> None:
    """And not sent: the journal has its outcome from before the deletion."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(3))
    dead.watched.before["delete_message_batch"] = lambda request: {
        "Failed": [{"Id": one["Id"], "SenderFault": True, "Code": "Broken"} for one in request["Entries"]]
    }
    client = dead.client()
    report = client.redrive(dead.url, send=True)
    assert (report.succeeded_count, report.deleted_count, len(report.undeleted)) == (3, 0, 3)
    assert not report.ok
    assert dead.counts == (3, 0)
    del dead.watched.before["delete_message_batch"]
    assert "3 succeeded in an earlier redrive" in str(client.redrive(dead.url))
    again = client.redrive(dead.url, send=True)
    assert (again.succeeded_count, again.deleted_count, again.left_in_queue) == (0, 3, 0)
    assert dead.fake.executions("orders") == 3
    assert dead.counts == (0, 0)


def test_a_queue_that_may_not_be_deleted_from(dead: DeadQueue) -> None:
    """The run ends with that error; what was sent is known, and not sent again."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(3))
    dead.watched.before["delete_message_batch"] = lambda request: dead.sqs.delete_message_batch(
        **{**request, "QueueUrl": f"{dead.url}-gone"}
    )
    client = dead.client()
    with pytest.raises(RedriveError) as caught:
        client.redrive(dead.url, "orders", send=True)
    report = caught.value.report
    assert (report.ended, report.succeeded_count, len(report.undeleted)) == (RedriveEnd.FAILED, 3, 3)
    del dead.watched.before["delete_message_batch"]
    assert client.redrive(dead.url, "orders", send=True).deleted_count == 3
    assert dead.fake.executions("orders") == 3


def test_a_message_that_is_delivered_twice_is_sent_once(dead: DeadQueue) -> None:
    """While it is in work, and after it was deleted: SQS delivers at least once."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(5))
    seen: list[Any] = []

    def again(answer: Any) -> None:
        messages = list(answer.get("Messages", []))
        answer.setdefault("Messages", []).extend(messages[:2])
        if dead.watched.calls["delete_message_batch"] and seen:
            answer["Messages"].extend(seen.pop()[:3])
        if messages:
            seen.append(messages)

    dead.watched.after["receive_message"] = again
    report = dead.client().redrive(dead.url, "orders", send=True)
    assert dead.fake.executions("orders") == 5
    assert (report.succeeded_count, report.left_in_queue) == (5, 0)
    assert dead.counts == (0, 0)


def test_messages_are_hidden_as_long_as_they_are_in_work(dead: DeadQueue) -> None:
    """Their visibility is extended before it ends: another reader does not get them meanwhile."""
    dead.fake.function("orders", lambda event: None)
    hold = dead.fake.on("orders").holds()
    dead.put_failures(range(12))
    beats: list[int] = []
    enough = threading.Event()

    def beat(answer: Any) -> None:
        beats.append(len(answer.get("Successful", [])))
        if sum(beats) >= 12:
            enough.set()

    dead.watched.after["change_message_visibility_batch"] = beat
    others: list[Any] = []

    def let_go() -> None:
        others.append(dead.sqs.receive_message(QueueUrl=dead.url, MaxNumberOfMessages=10))
        hold.release()

    with upon(enough, let_go):
        # 9 s: an extension is due each third, and a busy machine may hold it up for some seconds more.
        report = dead.client().redrive(dead.url, "orders", send=True, visibility_timeout=9)
    assert others[0].get("Messages", []) == []
    assert (report.succeeded_count, report.lapsed) == (12, 0)


def test_a_receipt_that_expired_is_found_out(dead: DeadQueue) -> None:
    """The report says that the message was visible to others; the next run deletes it and sends nothing."""
    dead.fake.function("orders", lambda event: None)
    hold = dead.fake.on("orders").holds()
    dead.put_failures([1])
    expired = threading.Event()

    def refuse(request: dict[str, Any]) -> Any:
        expired.set()
        return {
            "Failed": [
                {"Id": one["Id"], "SenderFault": True, "Code": "InvalidParameterValue"}
                for one in request["Entries"]
            ]
        }

    dead.watched.before["change_message_visibility_batch"] = refuse
    dead.watched.before["delete_message_batch"] = refuse

    with upon(expired, hold.release):
        report = dead.client().redrive(dead.url, "orders", send=True, visibility_timeout=3)
    assert (report.lapsed, len(report.undeleted)) == (1, 1)
    assert "became visible to other readers" in str(report)


def test_two_runs_at_once_are_refused(dead: DeadQueue) -> None:
    """By the journal, before anything is sent; a look meanwhile says what it cannot tell."""
    dead.put_failures([1])
    with RedriveJournal(dead.url).open():
        with pytest.raises(RequestError, match="in use by another run"):
            dead.client().redrive(dead.url, "orders", send=True)
        plan = dead.client().redrive(dead.url)
    assert "cannot be told" in str(plan)
    assert dead.counts == (1, 0)
    assert dead.fake.requests == 0


def test_a_journal_is_one_queues(dead: DeadQueue, tmp_path: Path) -> None:
    """That of another queue is refused; function and choice may change from run to run."""
    dead.fake.on("orders").raises("Broken", "no")
    dead.fake.function("new-orders", lambda event: None)
    dead.put_failures([1])
    path = tmp_path / "journal"
    client = dead.client()
    assert client.redrive(dead.url, "orders", send=True, journal=path).failed_count == 1
    assert client.redrive(dead.url, "new-orders", send=True, journal=path).succeeded_count == 1
    other = dead.sqs.create_queue(QueueName="another")["QueueUrl"]
    with pytest.raises(RequestError, match="belongs to another job"):
        client.redrive(other, "orders", send=True, journal=path)


def test_the_default_journal_is_in_the_state_directory(dead: DeadQueue, tmp_path: Path) -> None:
    """One for each queue, named in plan and report, private, and without payloads."""
    dead.fake.function("orders", lambda event: "SECRET-REPLY")
    dead.put_failures([1])
    client = dead.client()
    path = default_path(dead.url)
    assert path.is_relative_to(tmp_path / "state" / "lambda_invoke" / "redrive")
    assert client.redrive(dead.url).journal == str(path)
    assert not path.exists()
    assert client.redrive(dead.url, send=True).journal == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert default_path(f"{dead.url}2") != path
    text = "\n".join(sqlite3.connect(path).iterdump())
    assert "SECRET" not in text


def test_a_state_directory_that_cannot_be_made(dead: DeadQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the way out, and nothing is sent."""
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")
    dead.put(failure(1))
    with pytest.raises(RequestError, match=r"/dev/null/state.* place it with journal="):
        dead.client().redrive(dead.url, "orders", send=True)
    assert dead.counts == (1, 0)


def test_a_kill_before_the_journal_is_closed_loses_nothing(dead: DeadQueue, tmp_path: Path) -> None:
    """A journal copied in the middle of a run, as a kill leaves it, says of each message what is true."""
    hold = dead.fake.on("orders", lambda event: event["id"] == 0).holds()
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(10))
    path, killed = tmp_path / "journal", tmp_path / "killed"

    def copy() -> None:
        hold.wait_entered(1, timeout=PATIENCE)
        soon(lambda: sum(dead.counts) == 1)
        for name in ("", "-wal"):
            shutil.copy(f"{path}{name}", f"{killed}{name}")
        hold.release()

    thread = threading.Thread(target=copy)
    thread.start()
    dead.client().redrive(dead.url, "orders", send=True, journal=path)
    thread.join()
    with RedriveJournal(dead.url, killed).open() as file:
        assert (file.counts.finished, file.counts.begun) == (9, 1)
