"""Waiting for an Event, blocking: what handles tell, what stays in the queue, what becomes of who waits."""

from __future__ import annotations

import gc
import json
import pickle
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import lambda_invoke as li
from lambda_invoke.events import tracker_poller
from tests.events.memory_queue import URL, MemoryQueue, record
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Iterator

BRIEF = 0.05
"""Seconds that a test waits for what does not come."""


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def tracker(queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[li.OutcomeTracker[Any]]:
    monkeypatch.setattr(tracker_poller, "LINGER_SECONDS", 0.05)
    with queue.client() as client, client.outcomes(URL) as tracker:
        yield tracker


@attrs.frozen
class Report:
    title: str


class RefusedError(li.FunctionError):
    pass


def error(kind: str, message: str = "no") -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": message, "stackTrace": ["  File a.py"]}


def polling() -> list[str]:
    """The threads that ask queues."""
    return [one.name for one in threading.enumerate() if one.name == "lambda_invoke-outcomes"]


def test_a_result_is_the_functions(tracker: li.OutcomeTracker[Any], queue: MemoryQueue) -> None:
    """Its value, in the type asked for; the record is deleted, and the outcome stays with the handle."""
    queue.send(record("id-1", {"title": "x"}))
    handle = tracker.handle("id-1", response=Report)
    assert not handle.done()
    assert handle.result(PATIENCE) == Report("x")
    assert handle.done()
    assert handle.result() == Report("x")
    assert handle.outcome().attempts == 1
    soon(lambda: not queue.messages)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (error("ValueError"), li.HandlerError),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "x"}, li.FunctionTimeoutError),
        ({"errorType": "Runtime.ExitError", "errorMessage": "x"}, li.FunctionExitError),
    ],
)
def test_a_failure_is_the_functions_own_error(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue, document: Any, kind: type[li.FunctionError]
) -> None:
    """Of the same class as from a synchronous call, under the name that the caller has for the function."""
    queue.send(record("id-1", error=document))
    handle = tracker.handle("id-1", function="f")
    with pytest.raises(kind) as caught:
        handle.result(PATIENCE)
    assert type(caught.value) is kind
    assert (caught.value.function, caught.value.request_id) == ("f", "id-1")
    assert caught.value.executed is li.Executed.YES
    assert handle.outcome().attempts == 3


def test_the_clients_error_types_and_redaction_hold(queue: MemoryQueue) -> None:
    """As for its synchronous calls."""
    queue.send(record("id-1", error=error("Refused", "SECRET")))
    with (
        queue.client(error_types={"Refused": RefusedError}, redact_remote=True) as client,
        client.outcomes(URL) as tracker,
        pytest.raises(RefusedError) as caught,
    ):
        tracker.handle("id-1").result(PATIENCE)
    assert "SECRET" not in str(caught.value)
    assert caught.value.error_message == "SECRET"


def test_an_event_that_never_ran_says_so(tracker: li.OutcomeTracker[Any], queue: MemoryQueue) -> None:
    """Lambda dropped it: that is its outcome, and no unknown one."""
    dropped = json.loads(record("id-1", condition="EventAgeExceeded", approximateInvokeCount=0))
    del dropped["responseContext"], dropped["responsePayload"]
    queue.send(json.dumps(dropped))
    with pytest.raises(li.EventDroppedError, match="EventAgeExceeded"):
        tracker.handle("id-1").result(PATIENCE)


def test_a_result_of_another_type_is_a_decoding_error(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue
) -> None:
    """It ran, and its record is not left behind."""
    queue.send(record("id-1", {"headline": "x"}))
    with pytest.raises(li.PayloadDecodingError):
        tracker.handle("id-1", response=Report).result(PATIENCE)
    soon(lambda: not queue.messages)


def test_a_dead_letter_tells_of_a_failure(tracker: li.OutcomeTracker[Any], queue: MemoryQueue) -> None:
    """A dead-letter queue's message has the request id in its attributes."""
    queue.send(
        '{"n": 1}',
        RequestID={"DataType": "String", "StringValue": "id-1"},
        ErrorCode={"DataType": "Number", "StringValue": "200"},
        ErrorMessage={"DataType": "String", "StringValue": "no"},
    )
    outcome = tracker.handle("id-1").outcome(PATIENCE)
    assert (outcome.ok, outcome.carrier, outcome.request_payload) == (False, "dead-letter", b'{"n": 1}')


def test_handles_come_as_they_complete(tracker: li.OutcomeTracker[Any], queue: MemoryQueue) -> None:
    """Those which are here already first; each once, two of one Event both."""
    queue.send(record("id-2", 2))
    first, second, third = (tracker.handle(f"id-{number}") for number in (1, 2, 3))
    twin = tracker.handle("id-3")
    assert second.result(PATIENCE) == 2
    came = tracker.as_completed([first, second, third, twin], PATIENCE)
    assert next(came) is second
    queue.send(record("id-3", 3))
    assert [next(came), next(came)] == [third, twin]
    queue.send(record("id-1", 1))
    assert list(came) == [first]
    assert [one.result() for one in (first, second, third, twin)] == [1, 2, 3, 3]


def test_wait_parts_those_that_came(tracker: li.OutcomeTracker[Any], queue: MemoryQueue) -> None:
    """It raises nothing for those that did not."""
    first, second = tracker.handle("id-1"), tracker.handle("id-2")
    queue.send(record("id-2", error=error("ValueError")))
    assert tracker.wait([second], PATIENCE) == ([second], [])
    assert tracker.wait([first, second], BRIEF) == ([second], [first])


def test_what_is_not_ours_stays(queue: MemoryQueue) -> None:
    """Records of others, messages that are none, and a record whose handle is gone: visible at the end."""
    others = [
        record("other-1", 1),
        record("other-2", error=error("E")),
        "no json",
        '{"a": 1}',
        record("gone"),
    ]
    for body in others:
        queue.send(body)
    queue.send(record("id-1", 1))
    with queue.client() as client:
        tracker = client.outcomes(URL)
        tracker.handle("gone")
        gc.collect()
        assert tracker.handle("id-1").result(PATIENCE) == 1
        with pytest.raises(li.EventOutcomeUnknownError):
            tracker.handle("never").result(BRIEF)
        tracker.close()
    soon(lambda: queue.visible == others)
    assert queue.deleted == ["m5"]


def test_duplicates_do_no_harm(tracker: li.OutcomeTracker[Any], queue: MemoryQueue) -> None:
    """The first one counts; the others are deleted, at once or when they come."""
    queue.send(record("id-1", "first"))
    queue.send(record("id-1", "second"))
    handle = tracker.handle("id-1")
    assert handle.result(PATIENCE) == "first"
    soon(lambda: not queue.messages)
    queue.send(record("id-1", "third"))
    queue.send(record("id-2", 2))
    assert tracker.handle("id-2").result(PATIENCE) == 2
    soon(lambda: not queue.messages)
    assert handle.result() == "first"


def test_a_late_record_resolves_a_handle_that_is_asked_again(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue
) -> None:
    """A timeout is no end."""
    handle = tracker.handle("id-1")
    with pytest.raises(li.EventOutcomeUnknownError):
        handle.result(BRIEF)
    queue.send(record("id-1", 1))
    assert handle.result(PATIENCE) == 1


def test_a_record_may_come_before_its_event_is_tracked(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue
) -> None:
    """While another is waited for it is nobody's, and goes back; then it is found."""
    queue.send(record("id-2", 2))
    first = tracker.handle("id-1")
    with pytest.raises(li.EventOutcomeUnknownError):
        first.result(BRIEF)
    assert "change" in queue.calls
    assert tracker.handle("id-2").result(PATIENCE) == 2


def test_an_unknown_outcome_says_what_is_known(queue: MemoryQueue) -> None:
    """Function, request id, when it was accepted, how long it was waited for and where; it pickles."""
    with queue.client() as client, client.outcomes(URL) as tracker:
        handle = tracker.track(li.Accepted("f", request_id="id-1"))
        with pytest.raises(li.EventOutcomeUnknownError, match=r"nothing at all came there") as caught:
            handle.outcome(BRIEF)
        unknown = pickle.loads(pickle.dumps(caught.value))
        assert (unknown.function, unknown.request_id, unknown.request_ids) == ("f", "id-1", ("id-1",))
        assert (unknown.accepted_at, unknown.queue_url) == (handle.accepted_at, URL)
        assert unknown.waited >= BRIEF
        assert unknown.executed is li.Executed.UNKNOWN
        queue.send("something")
        handles = [handle, *(tracker.handle(f"id-{number}") for number in (2, 3))]
        with pytest.raises(li.EventOutcomeUnknownError, match=r"no record of 3 Events came") as caught:
            list(tracker.as_completed(handles, BRIEF))
        assert caught.value.request_ids == ("id-1", "id-2", "id-3")


def test_many_wait_and_one_thread_asks(tracker: li.OutcomeTracker[Any], queue: MemoryQueue) -> None:
    """20 threads of callers, one of the tracker's; it ends when nobody waits any more."""
    handles = [tracker.handle(f"id-{number}") for number in range(20)]
    results: dict[int, Any] = {}

    def wait(number: int) -> None:
        results[number] = handles[number].result(PATIENCE)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    soon(lambda: queue.calls)
    soon(lambda: len(polling()) == 1)
    for number in range(20):
        queue.send(record(f"id-{number}", number))
    for thread in threads:
        thread.join(PATIENCE)
    assert results == {number: number for number in range(20)}
    assert len(queue.pollers) == 1
    soon(lambda: not polling())
    asked = len(queue.calls)
    assert tracker.handle("later").done() is False
    assert len(queue.calls) == asked


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (
            ClientError(
                {
                    "Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue", "Message": "gone"},
                    "ResponseMetadata": {"HTTPStatusCode": 400},
                },
                "ReceiveMessage",
            ),
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), None),
    ],
)
def test_who_waits_hears_of_a_queue_that_fails(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue, failure: Exception, code: str | None
) -> None:
    """Every waiter, each with an error of its own; once the queue is well the same handles resolve."""
    queue.longest_poll = PATIENCE
    handles = [tracker.handle(f"id-{number}", function="f") for number in range(3)]
    caught: dict[int, BaseException] = {}

    def wait(number: int) -> None:
        try:
            handles[number].result(PATIENCE)
        except li.QueueError as error:
            caught[number] = error

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    soon(lambda: len(tracker._poller._waiters) == 3 and queue.calls)
    with queue.changed:
        queue.failure, queue.longest_poll = failure, 0.02
        queue.changed.notify_all()
    queue.send("wakes the poll")
    for thread in threads:
        thread.join(PATIENCE)
    for number in range(3):
        error = caught[number]
        assert isinstance(error, li.QueueError)
        assert (error.code, error.queue_url, error.function) == (code, URL, "f")
        assert (error.request_id, error.executed) == (f"id-{number}", li.Executed.UNKNOWN)
    assert len({id(error) for error in caught.values()}) == 3
    queue.failure = None
    for number in range(3):
        queue.send(record(f"id-{number}", number))
    assert [handle.result(PATIENCE) for handle in handles] == [0, 1, 2]


def test_a_record_is_handed_over_although_it_cannot_be_deleted(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a result gets it; who waits on hears of the failure."""
    denied = ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteMessageBatch")

    def refuses(**_request: Any) -> Any:
        raise denied

    monkeypatch.setattr(MemoryQueue, "delete_message_batch", lambda _self, **_request: refuses())
    queue.send(record("id-1", 1))
    first, second = tracker.handle("id-1"), tracker.handle("id-2")
    came = tracker.as_completed([first, second], PATIENCE)
    assert next(came) is first
    with pytest.raises(li.QueueError, match="needs sqs:DeleteMessage"):
        next(came)
    assert first.result() == 1


def test_a_closed_tracker_lets_nobody_wait(queue: MemoryQueue) -> None:
    """Who waits gets a RequestError, and who comes later; what it had told it tells still."""
    queue.send(record("id-1", 1))
    with queue.client() as client:
        tracker = client.outcomes(URL)
        told, untold = tracker.handle("id-1"), tracker.handle("id-2")
        assert told.result(PATIENCE) == 1
        caught: list[li.RequestError] = []

        def wait() -> None:
            try:
                untold.result()
            except li.RequestError as error:
                caught.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        soon(lambda: tracker._poller._waiters)
        tracker.close()
        thread.join(PATIENCE)
        assert "the tracker is closed" in str(caught[0])
        assert caught[0].request_id == "id-2"
        with pytest.raises(li.RequestError, match="closed"):
            untold.result()
        assert told.result() == 1
        tracker.close()
    soon(lambda: not polling())


def test_what_comes_during_a_close_goes_back(queue: MemoryQueue) -> None:
    """A long poll cannot be broken off: a record that it brings after the close is left for others."""
    queue.longest_poll = 0.3
    with queue.client() as client:
        tracker = client.outcomes(URL)
        handle = tracker.handle("id-1")

        def wait() -> None:
            with pytest.raises(li.RequestError, match="closed"):
                handle.result()

        waits = threading.Thread(target=wait)
        waits.start()
        soon(lambda: queue.calls)
        with tracker._poller._lock:
            tracker._poller.closed = True
        queue.send(record("id-1", 1))
        tracker.close()
        waits.join(PATIENCE)
    soon(lambda: queue.visible == [record("id-1", 1)])
    assert not handle.done()


def test_a_handle_that_is_gone_cannot_be_had_again(
    tracker: li.OutcomeTracker[Any], queue: MemoryQueue
) -> None:
    """Its record was deleted: waiting for it would be in vain, and is refused."""
    queue.send(record("id-1", 1))
    handle = tracker.handle("id-1")
    assert handle.result(PATIENCE) == 1
    assert tracker.handle("id-1").result() == 1, "while somebody holds it"
    del handle
    gc.collect()
    with pytest.raises(li.RequestError, match="handed over before and deleted"):
        tracker.handle("id-1")


def test_keep_leaves_records_in_the_queue(queue: MemoryQueue) -> None:
    """And a handle can be had as often as one likes."""
    queue.send(record("id-1", 1))
    with queue.client() as client, client.outcomes(URL, keep=True) as tracker:
        assert tracker.handle("id-1").result(PATIENCE) == 1
        gc.collect()
        assert tracker.handle("id-1").result(PATIENCE) == 1
    soon(lambda: queue.visible == [record("id-1", 1)])
    assert "delete" not in queue.calls


def test_it_reads_well(queue: MemoryQueue) -> None:
    """The reprs of tracker and handle say where things stand, and hold no payload."""
    with queue.client() as client, client.outcomes(URL) as tracker:
        handle, bad = tracker.handle("id-1", function="f"), tracker.handle("id-2")
        assert repr(tracker) == "<OutcomeTracker outcomes: 2 waited for, 0 resolved, idle>"
        assert repr(handle) == "<EventHandle f id-1: no record yet>"
        queue.send(record("id-1", "SECRET"))
        queue.send(record("id-2", error=error("ValueError", "SECRET")))
        tracker.wait([handle, bad], PATIENCE)
        assert repr(handle) == "<EventHandle f id-1: succeeded>"
        assert repr(bad) == "<EventHandle function unknown id-2: HandlerError>"
    assert repr(tracker) == "<OutcomeTracker outcomes: 0 waited for, 2 resolved, closed>"


def test_what_cannot_be_a_destination_is_refused(queue: MemoryQueue) -> None:
    """A FIFO queue, what is no URL, and a time that SQS does not have; before anything is sent."""
    with queue.client() as client:
        with pytest.raises(li.RequestError, match=r"outcomes\.fifo is a FIFO queue"):
            client.outcomes(f"{URL}.fifo")
        with pytest.raises(li.RequestError, match="an ARN"):
            client.outcomes("arn:aws:sqs:us-east-1:123456789012:outcomes")
        wrong: Any
        for wrong in (0, 43_201, 1.5, True, "30"):
            with pytest.raises(li.RequestError, match="visibility_timeout is an int from 1 to 43200"):
                client.outcomes(URL, visibility_timeout=wrong)
    assert queue.calls == []
