"""What a tracker is given: types, timeouts, handles and ids; each refused before a record is taken."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import lambda_invoke as li
from tests.events.memory_queue import URL, MemoryQueue, record
from tests.events.test_tracker import BRIEF, RefusedError, Report, error
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def tracker(queue: MemoryQueue) -> Iterator[li.OutcomeTracker[Any]]:
    with queue.client() as client, client.outcomes(URL) as tracker:
        yield tracker


class Unreadable:
    """A type that no reply can be decoded to."""

    def __init__(self, text: str) -> None:
        self.text = text


def test_a_type_that_nothing_decodes_to_is_refused_before_its_record_is_taken(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue
) -> None:
    """Found out later, the record would be deleted, and nobody could read the outcome any more."""
    with queue.client() as client, pytest.raises(li.RequestError, match="no rule for Unreadable"):
        client.outcomes(URL, response=Unreadable)
    with pytest.raises(li.RequestError, match="no rule for Unreadable"):
        tracker.handle("id-1", response=Unreadable)
    with pytest.raises(li.RequestError, match="no rule for Unreadable"):
        tracker.track(li.Accepted("f", request_id="id-1"), response=Unreadable)
    assert queue.calls == []


@pytest.mark.parametrize("timeout", [float("nan"), "5", True])
def test_what_is_no_timeout_is_refused(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue, timeout: Any
) -> None:
    """Before anything is asked; a NaN would never be over."""
    handle = tracker.handle("id-1")
    with pytest.raises(li.RequestError, match="timeout is a number of seconds"):
        handle.result(timeout)
    assert queue.calls == []


@pytest.mark.parametrize("timeout", [float("inf"), 1e12])
def test_a_timeout_may_be_for_ever(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue, timeout: float
) -> None:
    """Longer than a thread can be told to wait."""
    handle = tracker.handle("id-1")
    came = tracker.as_completed([handle], timeout)
    threading.Timer(BRIEF, queue.send, [record("id-1", 1)]).start()
    assert next(came).result() == 1


def test_what_is_no_handle_is_refused(tracker: li.OutcomeTracker[Any]) -> None:
    """And what is no request id: nothing could come for either. The message says what it is."""
    wrong: Any
    for wrong in (None, "", 5, li.Accepted("f", request_id="id-1")):
        with pytest.raises(li.RequestError, match=f"a request id is text, not {type(wrong).__name__}"):
            tracker.handle(wrong)
    accepted: Any = li.Accepted("f", request_id="id-1")
    foreign: Any = li.AsyncEventHandle("f", request_id="id-1")
    for wrong in (accepted, foreign):
        with pytest.raises(li.RequestError, match=f"as track gives, is wanted, not {type(wrong).__name__}"):
            tracker.wait([wrong], BRIEF)
    text: Any = "id-1"
    with pytest.raises(li.RequestError, match="not str"):
        tracker.track(text)


def test_a_handle_may_be_read_as_another_type(queue: MemoryQueue) -> None:
    """A handle given to track with a type of its own, or of the other client: what it knew it keeps."""
    queue.send(record("id-1", {"title": "x"}))
    queue.send(record("id-2", error=error("Refused")))
    with (
        queue.client(error_types={"Refused": RefusedError}) as sender,
        queue.client() as client,
        sender.outcomes(URL) as first,
        client.outcomes(URL) as tracker,
    ):
        sent = first.track(li.Accepted("f", request_id="id-1"))
        typed = tracker.track(sent, response=Report)
        other = first.track(li.Accepted("f", request_id="id-2"))
        awaited: li.AsyncEventHandle[Any] = li.AsyncEventHandle(
            "f", request_id="id-2", accepted_at=other.accepted_at, link=other.link
        )
        again = tracker.track(awaited)
        assert typed.result(PATIENCE) == Report("x")
        assert type(again) is li.EventHandle
        assert again.accepted_at == other.accepted_at
        with pytest.raises(RefusedError):
            again.result(PATIENCE)


def test_a_handle_given_to_another_tracker_meanwhile_is_told_by_whichever_has_the_record(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue
) -> None:
    """Two queues, one for each outcome: who waits at the first one has what comes there."""
    elsewhere = MemoryQueue()
    handle = tracker.handle("id-1")
    came = tracker.as_completed([handle, tracker.handle("id-2")], PATIENCE)
    queue.send(record("id-2"))
    next(came)
    with elsewhere.client() as client, client.outcomes(URL) as second:
        assert second.track(handle) is handle
        queue.send(record("id-1", 1))
        assert next(came).result() == 1
