"""A redrive that is killed at any moment: the server's count shows nothing lost and nothing doubled."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke.local import Function, LocalLambda
from tests.cli.command import environment
from tests.events.redrive_tools import failure
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.moto import Moto

HERE = Path(__file__).parent
COUNTS = f"{HERE / 'redrive_handlers.py'}:counts"
RUNS = 12
"""Runs in which what killed ones had received has long become visible again."""


@attrs.frozen
class Redriven:
    """A queue of failures of a local function, and the processes that redrive it."""

    sqs: Any
    url: str
    told: dict[str, Any]
    ran: Path
    local: LocalLambda
    as_events: bool

    def put(self, events: range, *, seconds: float) -> None:
        """Records of as many Events that failed."""
        entries = []
        for event in events:
            record = json.loads(failure(event))
            record["requestContext"]["functionArn"] = self.told["function"]
            record["requestPayload"] = {"id": event, "file": str(self.ran), "seconds": seconds}
            entries.append({"Id": str(event % 10), "MessageBody": json.dumps(record)})
            if len(entries) == 10 or event == events[-1]:
                self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
                entries = []

    @contextlib.contextmanager
    def child(self) -> Iterator[subprocess.Popen[str]]:
        """A process that has just begun."""
        told = json.dumps({**self.told, "as_events": self.as_events})
        with subprocess.Popen(
            [sys.executable, str(HERE / "redrive_child.py"), told],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            try:
                yield child
            finally:
                child.kill()

    def finish(self) -> dict[str, Any]:
        """Run until nothing is in the queue but what may have run; the last report."""
        for _ in range(RUNS):
            with self.child() as child:
                assert child.stdout is not None
                report: dict[str, Any] = json.loads(child.stdout.read().splitlines()[-1])
            if len(self.left()) == len(report["may_have_run"]):
                return report
        raise AssertionError("the queue did not come to its end")

    def executions(self) -> Counter[int]:
        """How often each id ran, as the handler counts it."""
        self.local.wait_for_events(PATIENCE)
        lines = self.ran.read_text().split() if self.ran.exists() else []
        return Counter(map(int, lines))

    def left(self) -> set[int]:
        """The ids that are in the queue, hidden or not; a look that waits until all can be seen."""
        found: dict[str, int] = {}
        until = time.monotonic() + PATIENCE
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while True:
            counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
            if len(found) == sum(map(int, counts.values())):
                return set(found.values())
            assert time.monotonic() < until, "what was received did not come back"
            got = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=1)
            for message in got.get("Messages", []):
                found[message["MessageId"]] = json.loads(message["Body"])["requestPayload"]["id"]


@pytest.fixture(params=[False, True], ids=["synchronous", "as-events"])
def redriven(redrive_moto: Moto, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Redriven]:
    """A queue of its own, and the function."""
    sqs = redrive_moto.client("sqs")
    url = sqs.create_queue(QueueName=f"killed-{random.getrandbits(32):x}")["QueueUrl"]
    with LocalLambda({"orders": Function(COUNTS)}, concurrency_limit=8) as local:
        key = local.session().get_credentials()
        told = {
            "queue": url,
            "moto": redrive_moto.url,
            "lambda": local.endpoint_url,
            "function": local.arn("orders", "$LATEST"),
            "key": key.access_key,
            "secret": key.secret_key,
            "journal": str(tmp_path / "journal"),
        }
        yield Redriven(sqs, url, told, tmp_path / "ran", local, request.param)
    sqs.close()


def wait_for(child: subprocess.Popen[str], line: str) -> None:
    """Until it says so, or is at its end."""
    assert child.stdout is not None
    while (said := child.stdout.readline()) and said != f"{line}\n":
        pass


@pytest.mark.parametrize(("kills", "lot"), [(2, 20), pytest.param(30, 20, marks=pytest.mark.soak, id="soak")])
def test_nothing_is_lost_and_nothing_doubled(redriven: Redriven, kills: int, lot: int) -> None:
    """Each message ran once, or is in the queue and reported as one that may have run: ran once or never."""
    messages, chance = kills * lot, random.Random()
    for number in range(kills):
        # New ones for each: moto takes its time over a long queue.
        redriven.put(range(number * lot, (number + 1) * lot), seconds=0.05)
        with redriven.child() as child:
            wait_for(child, chance.choice(["begins", "sending", "sending"]))
            time.sleep(chance.uniform(0, 0.8))
            child.kill()
    before = redriven.executions()
    report = redriven.finish()
    ran, left = redriven.executions(), redriven.left()
    doubled = {event: times for event, times in ran.items() if times > 1}
    may_have_run = {int(one["request_id"].removeprefix("request-")) for one in report["may_have_run"]}
    print(
        f"{kills} kills, {messages} messages: {len(before)} ran in killed runs; in the end {len(ran)} ran, "
        f"{len(doubled)} of them twice; {len(left)} are in the queue, {len(may_have_run)} are reported as "
        f"perhaps run, of which {len(may_have_run & ran.keys())} did"
    )
    assert doubled == {}
    assert left == may_have_run
    assert set(range(messages)) - ran.keys() <= may_have_run
    assert report["failed"] == report["undeleted"] == report["skipped"] == []
