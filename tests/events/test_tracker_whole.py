"""Events from end to end: sent to the local Lambda, executed, their records on moto's queues, resolved.

What is left is counted on the queue's side.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import lambda_invoke as li
from lambda_invoke.local import EventInvokeConfig, Function, LocalLambda
from tests.events.memory_queue import record
from tests.support.moto import serving
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.moto import Moto

ROOT = Path(__file__).parents[2]
HANDLER = f"{Path(__file__).parent / 'outcome_handlers.py'}:ends"
SCALE = 0.002
TOGETHER = 100
"""Events on their way at once: moto takes the longer for a message, the more it holds."""
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
ENDS = {
    "refuse": li.HandlerError,
    "raise": li.HandlerError,
    "exit": li.FunctionExitError,
    "unserialisable": li.FunctionResponseError,
}


class RefusedError(li.FunctionError):
    pass


@attrs.frozen
class Count:
    n: int


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with serving() as moto:
        yield moto


@attrs.frozen
class Queue:
    client: Any
    url: str

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:us-east-1:123456789012:{self.url.rpartition('/')[2]}"

    def put(self, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def counts(self) -> tuple[int, int]:
        """Visible and hidden messages, as the queue counts."""
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(COUNTS))
        return int(found["Attributes"][COUNTS[0]]), int(found["Attributes"][COUNTS[1]])

    def bodies(self) -> list[str]:
        """All that is visible, received by somebody else."""
        found: list[str] = []
        while True:
            answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
            if "Messages" not in answer:
                return sorted(found)
            found += [message["Body"] for message in answer["Messages"]]


@pytest.fixture
def queue(moto: Moto, request: pytest.FixtureRequest) -> Iterator[Queue]:
    client = moto.client("sqs")
    name = re.sub(r"\W", "-", request.node.name)[:60]
    yield Queue(client, client.create_queue(QueueName=name)["QueueUrl"])
    client.close()


@contextlib.contextmanager
def serve(moto: Moto, queue: Queue, **options: Any) -> Iterator[LocalLambda]:
    """A local Lambda with one function that sends both outcomes to the queue."""
    config = EventInvokeConfig(maximum_retry_attempts=0, on_success=queue.arn, on_failure=queue.arn)
    function = Function(HANDLER, events=config, reserved_concurrency=4)
    with LocalLambda({"ends": function}, services=moto.client, time_scale=SCALE, **options) as local:
        yield local


def how(number: int) -> str:
    """How the Event of a number ends: of twenty, one exits, one is unserialisable, five raise."""
    if number % 20 in {3, 13}:
        return "exit" if number % 20 == 3 else "unserialisable"
    return ("refuse", "raise")[number % 2] if number % 4 == 0 else "succeed"


def event(number: int) -> dict[str, Any]:
    return {"n": number, "how": how(number)}


OTHERS = [
    *(record(f"another's {number}", number) for number in range(15)),
    *(record(f"another's failure {number}", error={"errorMessage": "x"}) for number in range(10)),
    *(f"no record {number}" for number in range(5)),
    '{"requestContext": {"requestId": 7}}',
]


def check(number: int, outcome: li.EventOutcome[Count]) -> None:
    """The Event's own outcome, and no other."""
    ending = how(number)
    if ending == "succeed":
        assert outcome.value == Count(number)
        return
    error = outcome.error
    assert isinstance(error, li.FunctionError)
    if ending == "refuse":
        assert type(error) is RefusedError
        assert error.error_message == str(number)
    else:
        assert type(error) is ENDS[ending]
    if ending == "raise":
        assert error.error_message == str(number)


def resolve_blocking(local: LocalLambda, queue: Queue, count: int) -> None:
    with (
        local.client(error_types={"RefusedError": RefusedError}) as client,
        client.outcomes(queue.url) as tracker,
    ):
        fn = client.function("ends", response=Count)
        sent: set[str | None] = set()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for first in range(0, count, TOGETHER):
                part = range(first, min(first + TOGETHER, count))
                handles = list(pool.map(lambda number: fn.event(event(number)), part))
                numbers = {handle.request_id: number for handle, number in zip(handles, part, strict=True)}
                for handle in tracker.as_completed(handles, 4 * PATIENCE):
                    check(numbers.pop(handle.request_id), handle.outcome())
                assert not numbers
                sent |= {handle.request_id for handle in handles}
        assert len(sent) == count


async def resolve_awaited(local: LocalLambda, queue: Queue, count: int) -> None:
    client = local.async_client(error_types={"RefusedError": RefusedError})
    async with client, client.outcomes(queue.url) as tracker:
        fn = client.function("ends", response=Count)
        gate = asyncio.Semaphore(TOGETHER)

        async def one(number: int) -> None:
            async with gate:
                handle = await fn.event(event(number))
                check(number, await handle.outcome(4 * PATIENCE))

        await asyncio.gather(*(one(number) for number in range(count)))
        assert "0 waited for" in repr(tracker)


def resolve(moto: Moto, queue: Queue, count: int, *, awaited: bool) -> None:
    """Send and resolve so many Events with others' messages on the queue, which must all be there after."""
    queue.put(*OTHERS)
    with serve(moto, queue) as local:
        if awaited:
            asyncio.run(resolve_awaited(local, queue, count))
        else:
            resolve_blocking(local, queue, count)
        assert local.stats("ends").delivered == count
    soon(lambda: queue.counts() == (len(OTHERS), 0))
    assert queue.bodies() == sorted(OTHERS)


@pytest.mark.parametrize("awaited", [False, True], ids=["blocking", "asyncio"])
def test_each_handle_resolves_to_its_own_outcome(moto: Moto, queue: Queue, *, awaited: bool) -> None:
    """100 Events, four ways to fail; the queue ends empty of ours and untouched of others'."""
    resolve(moto, queue, 100, awaited=awaited)


@pytest.mark.soak
@pytest.mark.parametrize("awaited", [False, True], ids=["blocking", "asyncio"])
def test_a_thousand_events_resolve_to_their_own_outcomes(moto: Moto, queue: Queue, *, awaited: bool) -> None:
    """The same with 1,000."""
    resolve(moto, queue, 1000, awaited=awaited)


def test_a_dead_letter_queue_carries_failures_too(moto: Moto, queue: Queue) -> None:
    """Success by a destination, failure by a dead letter on the same queue; check knows that both come."""
    config = EventInvokeConfig(maximum_retry_attempts=0, on_success=queue.arn)
    function = Function(HANDLER, events=config, dead_letter=queue.arn)
    with (
        LocalLambda({"ends": function}, services=moto.client, time_scale=SCALE) as local,
        local.client() as client,
        client.outcomes(queue.url) as tracker,
    ):
        assert tracker.check("ends")
        fn = client.function("ends")
        good, bad = fn.event({"n": 1, "how": "succeed"}), fn.event({"n": 2, "how": "raise"})
        assert good.result(PATIENCE) == {"n": 1}
        with pytest.raises(li.FunctionError) as caught:
            bad.result(PATIENCE)
        assert caught.value.request_id == bad.request_id
        assert bad.outcome().carrier == "dead-letter"


def test_check_names_what_is_missing(moto: Moto, queue: Queue) -> None:
    """Per qualifier; with the call that mends it, and a warning of a queue that counts receives."""
    success = EventInvokeConfig(on_success=queue.arn)
    functions = {
        "none": Function(HANDLER),
        "half": Function(HANDLER, events=success),
        "whole": Function(HANDLER, events=attrs.evolve(success, on_failure=queue.arn)),
        "elsewhere": Function(HANDLER, events=attrs.evolve(success, on_failure=queue.arn + "-other")),
    }
    policy = {"deadLetterTargetArn": queue.arn, "maxReceiveCount": 5}
    with (
        LocalLambda(functions, services=moto.client) as local,
        local.client() as client,
        client.outcomes(queue.url) as tracker,
    ):
        assert [len(tracker.check(name).problems) for name in functions] == [2, 1, 0, 1]
        assert f"go to {queue.arn}-other, and not to" in tracker.check("elsewhere").problems[0]
        route = tracker.check("half")
        assert not route
        assert (route.on_success, route.on_failure, route.queue_arn) == (queue.arn, None, queue.arn)
        with pytest.raises(li.RequestError, match="on failure its Events go to no destination"):
            route.raise_for_problems()
        assert client.get_event_config("none") is None
        for name in ("half", "none", "elsewhere"):
            fix = tracker.check(name).problems[-1].rpartition(": client.")[2]
            call, arguments = fix.rstrip(")").split("(", 1)
            eval(f"getattr(client, {call!r})({arguments})")  # our own message
            assert tracker.check(name), fix
        tracker.check("whole").raise_for_problems()
        with pytest.raises(li.FunctionNotFoundError):
            tracker.check("absent")
        assert tracker.check("whole").warnings == ()
        queue.client.set_queue_attributes(
            QueueUrl=queue.url, Attributes={"RedrivePolicy": json.dumps(policy)}
        )
        assert "received 5 times" in tracker.check("whole").warnings[0]

        async def awaited() -> None:
            async with local.async_client() as client, client.outcomes(queue.url) as tracker:
                assert (await tracker.check("whole")).ok

        asyncio.run(awaited())


WAITS = """
import json, sys, time, boto3, functools
from botocore.config import Config
import lambda_invoke as li

session = boto3.Session("test", "test", region_name="us-east-1")
services = functools.partial(session.client, endpoint_url=sys.argv[1], config=Config(proxies={}))
client = li.LambdaClient(session=session, services=services)
tracker = client.outcomes(sys.argv[2], visibility_timeout=2)
handles = [tracker.handle(one) for one in json.loads(sys.stdin.readline())]
"""
RESOLVES = """
began = time.monotonic()
got = {one.request_id: one.result() for one in tracker.as_completed(handles, 120)}
foreign = tracker._poller.foreign
tracker.close()
print(json.dumps([got, time.monotonic() - began, foreign]))
"""
STOPS_BEFORE_IT_TELLS = """
from lambda_invoke.events.tracker_poller import Poller

def stop(self, received):
    print("received", len(received), flush=True)
    time.sleep(3600)

Poller._matched = stop
list(tracker.as_completed(handles))
"""


def start(moto: Moto, queue: Queue, program: str, request_ids: list[str]) -> subprocess.Popen[str]:
    """A process that has a tracker of its own on the queue."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS + program, moto.url, queue.url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(request_ids) + "\n")
    process.stdin.flush()
    return process


def test_two_processes_share_a_queue(moto: Moto, queue: Queue) -> None:
    """Each gets its own 20 records, found again by their request ids; both end, and the rest is untouched."""
    others = OTHERS[-6:]
    queue.put(*others)
    ids = [[f"{name}-{number}" for number in range(20)] for name in "ab"]
    queue.put(*(record(one, one) for pair in zip(*ids, strict=True) for one in pair))
    processes = [start(moto, queue, RESOLVES, mine) for mine in ids]
    for process, mine in zip(processes, ids, strict=True):
        out, _err = process.communicate(timeout=4 * PATIENCE)
        got, _seconds, _foreign = json.loads(out)
        assert got == {one: one for one in mine}
    soon(lambda: queue.counts() == (len(others), 0))


def test_what_a_killed_process_had_received_comes_again(moto: Moto, queue: Queue) -> None:
    """It received all of them and told nobody: after its visibility timeout the next process has them."""
    ids = [f"id-{number}" for number in range(10)]
    queue.put(*(record(one, one) for one in ids))
    killed = start(moto, queue, STOPS_BEFORE_IT_TELLS, ids)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "received 10\n"
    killed.kill()
    killed.communicate()
    assert queue.counts()[0] + queue.counts()[1] == 10
    out, _err = start(moto, queue, RESOLVES, ids).communicate(timeout=4 * PATIENCE)
    assert json.loads(out)[0] == {one: one for one in ids}
    assert queue.counts() == (0, 0)
