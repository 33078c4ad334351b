"""A second opinion on SQS: MiniStack's, whose hidden messages come back to the second, as AWS's do."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

import lambda_invoke as li
from tests.events.memory_queue import record
from tests.local.compare.worlds import KEYS, REGION, ministack
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


@pytest.fixture(scope="module")
def services() -> Iterator[Callable[[str], Any]]:
    """boto3's clients for a MiniStack of the module's own."""
    with ministack() as world:
        session = boto3.Session(KEYS["aws_access_key_id"], KEYS["aws_secret_access_key"], region_name=REGION)
        yield functools.partial(session.client, endpoint_url=world.url, config=Config(proxies={}))


def test_two_trackers_share_a_queue_with_others(services: Callable[[str], Any]) -> None:
    """200 records each among 40 of nobody: each gets its own, and the 40 are there at the end."""
    sqs = services("sqs")
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    ids = [[f"{name}-{number}" for number in range(200)] for name in "ab"]
    bodies: list[str] = []
    for number in range(200):
        bodies += [record(mine[number], number) for mine in ids]
        if number < 40:
            bodies.append(record(f"nobody's {number}") if number % 2 else f"no record {number}")
    for first in range(0, len(bodies), 10):
        sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(place), "MessageBody": body}
                for place, body in enumerate(bodies[first : first + 10])
            ],
        )
    got: dict[str, Any] = {}

    def resolve(mine: list[str]) -> None:
        with (
            li.LambdaClient(region_name=REGION, services=services) as client,
            client.outcomes(url) as tracker,
        ):
            handles = [tracker.handle(one) for one in mine]
            for handle in tracker.as_completed(handles, 4 * PATIENCE):
                got[str(handle.request_id)] = handle.result()

    threads = [threading.Thread(target=resolve, args=(mine,)) for mine in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * PATIENCE)
    assert got == {one: number for mine in ids for number, one in enumerate(mine)}

    def counts() -> list[int]:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
        return [int(found[name]) for name in COUNTS]

    soon(lambda: counts() == [40, 0])
    sqs.close()


def test_a_queue_that_does_not_exist_is_said(services: Callable[[str], Any]) -> None:
    """By its name, to who waits; created meanwhile, the same handle resolves."""
    sqs = services("sqs")
    url = sqs.create_queue(QueueName="first")["QueueUrl"].replace("first", "absent")
    with li.LambdaClient(region_name=REGION, services=services) as client, client.outcomes(url) as tracker:
        handle = tracker.handle("id-1")
        with pytest.raises(li.QueueError, match=r"queue absent: .*NonExistentQueue"):
            handle.result(PATIENCE)
        assert sqs.create_queue(QueueName="absent")["QueueUrl"] == url
        sqs.send_message(QueueUrl=url, MessageBody=record("id-1", 1))
        assert handle.result(PATIENCE) == 1
    sqs.close()
