"""Each step of a redrive fails, or the process dies right after it: nothing lost, nothing doubled."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke import (
    JournalError,
    RedriveEnd,
    RedriveError,
    RedriveInterrupted,
    RedriveReport,
    RequestError,
)
from lambda_invoke.events.redrive_journal import RedriveJournal
from lambda_invoke.fanout import journal_rows
from tests.cli.command import environment
from tests.events.redrive_tools import DeadQueue, Watched, failure
from tests.support.patience import PATIENCE, soon, upon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.moto import Moto

DYING = Path(__file__).parent / "redrive_dying.py"


@attrs.frozen
class Instant:
    """Where the process dies, and what is true after it and after the next run.

    ``ran`` is how often the function had run by then; the next run reports the message as one that may
    have run (``in_doubt``) and leaves it, or is done with it, having sent it or not (``sends``).
    """

    name: str
    ran: int
    in_doubt: bool = False
    sends: bool = False
    left: int = 1


INSTANTS = [
    Instant("received", 0, sends=True),
    Instant("begun", 0, in_doubt=True),
    Instant("sent", 1, in_doubt=True),
    Instant("replied", 1, in_doubt=True),
    Instant("stored", 1),
    Instant("stored-failure", 1, sends=True),
    Instant("deleted", 1, left=0),
]


@attrs.frozen
class Died:
    """What a process left that died at an instant."""

    instant: Instant
    dead: DeadQueue
    place: Path

    @property
    def journal(self) -> Path:
        return self.place / f"{self.instant.name}.journal"

    @property
    def ran(self) -> int:
        """How often the function ran in it."""
        file = self.place / f"{self.instant.name}.ran"
        return len(file.read_text().split()) if file.exists() else 0


@pytest.fixture
def died(redrive_moto: Moto, tmp_path: Path) -> Iterator[list[Died]]:
    """One for each instant."""
    sqs = redrive_moto.client("sqs")
    found, told = [], []
    with contextlib.ExitStack() as stack:
        stack.callback(sqs.close)
        for instant in INSTANTS:
            url = sqs.create_queue(QueueName=f"dies-{instant.name}")["QueueUrl"]
            stack.callback(sqs.delete_queue, QueueUrl=url)
            one = Died(instant, DeadQueue(sqs, url, Watched(sqs)), tmp_path)
            one.dead.put(failure(1))
            found.append(one)
            told.append(
                {
                    "instant": instant.name,
                    "moto": redrive_moto.url,
                    "queue": url,
                    "journal": str(one.journal),
                    "ran": str(tmp_path / f"{instant.name}.ran"),
                }
            )
        done = subprocess.run(
            [sys.executable, str(DYING), json.dumps(told)],
            env=environment(),
            stdout=subprocess.PIPE,
            timeout=2 * PATIENCE,
            check=True,
        )
        assert json.loads(done.stdout) == {instant.name: signal.SIGKILL for instant in INSTANTS}
        yield found


def all_visible(dead: DeadQueue) -> bool:
    return dead.counts[1] == 0


def test_killed_at_each_instant(died: list[Died]) -> None:
    """Between any two steps: the message is in the queue, or its function ran and succeeded, once."""
    for one in died:
        instant, dead = one.instant, one.dead
        assert one.ran == instant.ran, instant
        assert sum(dead.counts) == instant.left, instant
        soon(functools.partial(all_visible, dead))
        dead.fake.function("orders", lambda event: None)
        report = dead.client().redrive(dead.url, "orders", send=True, journal=one.journal)
        assert report.may_have_run_count == instant.in_doubt, instant
        assert dead.fake.executions("orders") == report.succeeded_count == instant.sends, instant
        assert dead.counts == (int(instant.in_doubt), 0), instant


def full_disk(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(journal_rows, statement, refuse)


def test_a_disk_that_is_full_before_the_send(dead: DeadQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the journal cannot take is not sent; all is in the queue, and the next run sends it."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(15))
    with monkeypatch.context() as full:
        full_disk(full, "insert_begun")
        with pytest.raises(RedriveError, match=r"broke off: journal .* disk is full") as caught:
            dead.client().redrive(dead.url, "orders", send=True)
    assert isinstance(caught.value.__cause__, JournalError)
    assert (dead.fake.requests, dead.counts) == (0, (15, 0))
    assert dead.client().redrive(dead.url, "orders", send=True).succeeded_count == 15


def test_a_disk_that_is_full_after_the_send(dead: DeadQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A success is known good and deleted all the same; what failed counts as perhaps run from then on."""
    dead.fake.on("orders", lambda event: event["id"] == 1).raises("Broken", "no")
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(3))
    with monkeypatch.context() as full:
        full_disk(full, "insert_done")
        with pytest.raises(RedriveError, match="disk is full") as caught:
            dead.client().redrive(dead.url, "orders", send=True)
    report = caught.value.report
    assert (report.succeeded_count, report.deleted_count, report.ended) == (2, 2, RedriveEnd.FAILED)
    assert [one.request_id for one in report.failed] == ["request-1"]
    again = dead.client().redrive(dead.url, "orders", send=True)
    assert (again.succeeded_count, again.may_have_run_count) == (0, 1)
    assert dead.counts == (1, 0)


def test_a_deletion_that_fails_in_no_way_we_know(dead: DeadQueue) -> None:
    """A client that was handed over may raise anything: the run ends with it, and does not wait for ever."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(60))

    def broken(_request: Any) -> None:
        raise ZeroDivisionError

    dead.watched.before["delete_message_batch"] = broken
    with pytest.raises(RedriveError, match="ZeroDivisionError was raised") as caught:
        dead.client().redrive(dead.url, "orders", send=True)
    report = caught.value.report
    assert report.succeeded_count == len(report.undeleted) == dead.fake.executions("orders")
    del dead.watched.before["delete_message_batch"]
    assert dead.client().redrive(dead.url, "orders", send=True).left_in_queue == 0
    assert dead.executions() == list(range(60))


def test_what_lapsed_before_it_was_sent_is_not_sent(dead: DeadQueue) -> None:
    """Somebody else may have it by then; it is skipped, and no later run takes it for perhaps run."""
    dead.fake.function("orders", lambda event: None)
    hold = dead.fake.on("orders", lambda event: True).holds()
    dead.put_failures(range(40))
    refused = threading.Event()

    def refuse(request: dict[str, Any]) -> Any:
        if request["Entries"][0]["VisibilityTimeout"] == 0:
            return None
        refused.set()
        failed = [{"Id": one["Id"], "SenderFault": True, "Code": "Gone"} for one in request["Entries"]]
        return {"Failed": failed}

    dead.watched.before["change_message_visibility_batch"] = refuse

    with upon(refused, hold.release):
        report = dead.client().redrive(dead.url, "orders", send=True, visibility_timeout=9, concurrency=1)
    lapsed = [one for one in report.skipped if "visible to others" in one.reason]
    assert lapsed
    assert report.lapsed >= len(lapsed)
    assert report.may_have_run_count == 0
    assert dead.fake.executions("orders") == report.succeeded_count == 40 - report.skipped_count


def test_a_second_run_is_refused_before_it_looks(dead: DeadQueue) -> None:
    """A look would hide messages from the first run, which would take the queue for drained."""
    dead.put_failures([1])
    with RedriveJournal(dead.url).open(), pytest.raises(RequestError, match="in use by another run"):
        dead.client().redrive(dead.url, send=True)
    assert not dead.watched.calls["receive_message"]


def test_a_stop_before_the_first_send(dead: DeadQueue) -> None:
    """Nothing is sent, whatever is in the queue, and the report says why."""
    dead.put_failures([1])
    dead.put_dead_letter(2)
    stop = threading.Event()
    dead.watched.after["receive_message"] = lambda _answer: stop.set()  # in the look for dead letters
    report = dead.client().redrive(dead.url, send=True, stop=stop)
    assert isinstance(report, RedriveReport)
    assert (report.ended, report.ok, dead.fake.requests) == (RedriveEnd.STOPPED, False, 0)
    assert dead.counts == (2, 0)


def test_ctrl_c_is_one_also_when_the_run_fails(dead: DeadQueue) -> None:
    """It is not lost in another error, which is its cause."""
    dead.fake.function("orders", lambda event: None)
    hold = dead.fake.on("orders").holds()
    dead.put_failures([1])

    def fails(_answer: Any) -> None:
        if dead.watched.calls["receive_message"] > 1:
            hold.wait_entered(1, timeout=PATIENCE)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            raise ZeroDivisionError

    dead.watched.after["receive_message"] = fails
    with pytest.raises(RedriveInterrupted) as caught:
        dead.client().redrive(dead.url, "orders", send=True)
    hold.release()
    assert isinstance(caught.value.__cause__, RedriveError)
    assert caught.value.report.may_have_run_count == 1
    assert dead.counts == (1, 0)


def test_an_exit_in_the_middle_waits_for_the_end(dead: DeadQueue) -> None:
    """A signal handler that raises SystemExit leaves no run behind that goes on sending."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures(range(30))

    def ends(_progress: Any) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        dead.client().redrive(dead.url, "orders", send=True, progress=ends)
    assert dead.counts[1] == 0
    with RedriveJournal(dead.url).open() as file:
        assert file.counts.finished == 30 - dead.counts[0]


def test_what_a_killed_run_hides_is_said(dead: DeadQueue) -> None:
    """Else a run right after a kill would look as if the queue were empty."""
    dead.put_failures([1])
    dead.sqs.receive_message(QueueUrl=dead.url, VisibilityTimeout=300)
    report = dead.client().redrive(dead.url, "orders", send=True)
    assert (report.left_in_queue, report.in_flight, report.as_dict()["in_flight"]) == (0, 1, 1)
    assert "about 1 more were hidden" in str(report)


def test_what_came_after_the_run_began_is_left_for_the_next(dead: DeadQueue) -> None:
    """By the queue's own clock: a run that sends to a function which goes on failing has an end."""
    dead.fake.function("orders", lambda event: None)
    dead.put_failures([1, 2])

    def late(answer: Any) -> None:
        for message in answer.get("Messages", []):
            if "request-2" in message["Body"]:
                message["Attributes"]["SentTimestamp"] = str(int(time.time() + 60) * 1000)

    dead.watched.after["receive_message"] = late
    report = dead.client().redrive(dead.url, "orders", send=True)
    assert dead.executions() == [1]
    assert [one.reason for one in report.skipped] == ["came after the run began"]
    assert dead.counts == (1, 0)
