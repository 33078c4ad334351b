"""From fn.event(x) to its outcome: which tracker a handle finds, forks, Ctrl-C. Over a fake Lambda."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import lambda_invoke as li
from lambda_invoke.testing import FakeLambda
from tests.events.memory_queue import URL, MemoryQueue, record
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def client(queue: MemoryQueue) -> Iterator[li.LambdaClient]:
    """A client of a fake Lambda whose destination the queue is: what is sent is on it at once."""
    fake = FakeLambda()
    fake.function("double", lambda event, context: queue.send(record(context.aws_request_id, event * 2)))
    with li.LambdaClient.over(fake.transport(), services=queue.services) as client:
        yield client


def test_a_handle_finds_the_only_open_tracker(client: li.LambdaClient) -> None:
    """Whether it was opened before the Event was sent, or after."""
    fn = client.function("double", request=int, response=int)
    before = fn.event(1)
    with client.outcomes(URL) as tracker:
        during = fn.event(2)
        assert repr(tracker).startswith("<OutcomeTracker outcomes: 1 waited for")
        assert (before.result(PATIENCE), during.result(PATIENCE)) == (2, 4)


def test_a_handle_without_a_tracker_says_what_is_missing(client: li.LambdaClient) -> None:
    """None is open; or two are, and which one it is has to be said."""
    handle = client.function("double").event(1)
    with pytest.raises(li.RequestError, match=r"client\.outcomes\(queue_url\)") as caught:
        handle.result(PATIENCE)
    assert (caught.value.request_id, caught.value.executed) == (handle.request_id, li.Executed.UNKNOWN)
    assert repr(handle) == f"<EventHandle double {handle.request_id}: untracked>"
    with client.outcomes(URL) as tracker, client.outcomes(URL):
        with pytest.raises(li.RequestError, match=r"say which: tracker\.track\(handle\)"):
            handle.result(PATIENCE)
        assert tracker.track(handle) is handle
        assert handle.result(PATIENCE) == 2
    with pytest.raises(li.RequestError, match="no tracker"):
        client.function("double").event(1).result()


def test_a_handle_is_an_accepted(client: li.LambdaClient) -> None:
    """What was there before is there still."""
    handle = client.function("double").event(1)
    assert isinstance(handle, li.Accepted)
    assert (handle.function, handle.status_code, handle.executed) == ("double", 202, li.Executed.UNKNOWN)
    assert len(handle.attempts) == 1
    assert handle.accepted_at is not None


def test_an_accepted_of_invoke_event_is_tracked(client: li.LambdaClient) -> None:
    """With the tracker's type, or one of its own."""
    with client.outcomes(URL, response=int) as tracker:
        assert tracker.track(client.invoke_event("double", 1)).result(PATIENCE) == 2
        text = tracker.track(client.invoke_event("double", "ab"), response=str)
        assert text.result(PATIENCE) == "abab"
        with pytest.raises(li.RequestError, match="no request id"):
            tracker.track(li.Accepted("double"))


def test_a_handle_travels(client: li.LambdaClient) -> None:
    """It pickles with its type, and the tracker of another process resolves it."""
    handle = client.function("double", response=float).event(2)
    again = pickle.loads(pickle.dumps(handle))
    assert again == handle
    assert again.accepted_at == handle.accepted_at
    with client.outcomes(URL) as tracker:
        assert tracker.track(again).result(PATIENCE) == 4.0
        assert isinstance(again.result(), float)


def test_services_are_needed() -> None:
    """A client over a transport does not know where SQS is, and says so to who waits."""
    with li.LambdaClient.over(FakeLambda().transport()) as client, client.outcomes(URL) as tracker:
        handle = tracker.handle("id-1")
        with pytest.raises(li.RequestError, match="services="):
            handle.result(PATIENCE)


PROGRAM = """
import os, sys, threading, time
from tests.events.memory_queue import URL, MemoryQueue, record
import lambda_invoke as li

queue = MemoryQueue()
client = queue.client()
tracker = client.outcomes(URL)
handle = tracker.handle("id-1")
"""
FORKS = """
waiting = threading.Thread(target=handle.result)
waiting.start()
while not queue.calls: time.sleep(0.001)
child = os.fork()
if child == 0:
    queue = MemoryQueue()  # that of the parent is locked by its thread, as no real one is
    tracker._sender._services = queue.services
    queue.send(record("id-1", "child"))
    os._exit(0 if handle.result(30) == "child" else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
queue.send(record("id-1", "parent"))
waiting.join(30)
assert handle.result(30) == "parent"
"""
INTERRUPTED = """
queue.longest_poll = 20

def tell():
    while not queue.calls:
        time.sleep(0.001)
    print("waits", flush=True)

threading.Thread(target=tell).start()
try:
    handle.result()
except KeyboardInterrupt:
    assert not tracker._poller._waiters
    print("interrupted", flush=True)
tracker.close()
"""


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + program],
        # Python 3.12 warns of every fork with threads about, and ours has the poller's.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore::DeprecationWarning"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_asks_with_a_thread_of_its_own() -> None:
    """While the parent waits; neither hears of the other's."""
    process = start(FORKS)
    try:
        out, err = process.communicate(timeout=2 * PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "", "")


def test_ctrl_c_ends_a_wait() -> None:
    """At once, although a long poll is on its way; the process ends although it is not over."""
    process = start(INTERRUPTED)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "interrupted\n", "")
