"""An SQS queue: batches, partial failures, errors in the library's terms. moto's server is the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from lambda_invoke import Executed, QueueError, RequestError
from lambda_invoke.events.queue import Queue, QueueMessage, checked_queue_url, is_fifo, queue_name
from tests.support.moto import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/outcomes"


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    """boto3's SQS client for a moto server."""
    with serving() as moto:
        client = moto.client("sqs")
        yield client
        client.close()


def counts(client: Any, url: str) -> tuple[int, int]:
    """Visible and hidden messages, as the queue counts."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def test_messages_are_received_hidden_given_back_and_deleted(sqs: Any) -> None:
    """25 of them, in calls of ten; the queue counts."""
    queue = Queue(sqs, sqs.create_queue(QueueName="whole")["QueueUrl"])
    for number in range(25):
        sqs.send_message(QueueUrl=queue.url, MessageBody=str(number))
    got: list[QueueMessage] = []
    while len(got) < 25:
        got += queue.receive(wait=0, visibility_timeout=600)
    assert {message.raw["Body"] for message in got} == {str(number) for number in range(25)}
    assert all(message.receive_count == 1 and message.sent_at is not None for message in got)
    assert counts(sqs, queue.url) == (0, 25)
    assert queue.change_visibility(got[:12], 0) == []
    assert counts(sqs, queue.url) == (12, 13)
    assert queue.delete(got[12:]) == []
    assert counts(sqs, queue.url) == (12, 0)
    assert queue.attributes("QueueArn")["QueueArn"].endswith(":whole")


def test_a_queue_that_does_not_exist_is_a_queue_error(sqs: Any) -> None:
    """With its code and URL; nothing ran."""
    absent = Queue(sqs, f"{sqs.meta.endpoint_url}/123456789012/absent")
    with pytest.raises(QueueError, match="queue absent: ") as caught:
        absent.receive(wait=0)
    assert caught.value.code in {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
    assert (caught.value.queue_url, caught.value.executed) == (absent.url, Executed.NO)
    assert caught.value.status_code == 400


def test_a_queue_that_cannot_be_reached_is_a_queue_error() -> None:
    """Without a code."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    client = session.client("sqs", endpoint_url="http://127.0.0.1:9", config=config)
    with pytest.raises(QueueError, match=r"queue outcomes: EndpointConnectionError") as caught:
        Queue(client, URL).delete([message(1)])
    assert caught.value.code is None
    client.close()


def message(number: int) -> QueueMessage:
    return QueueMessage(str(number), f"receipt {number}", {})


class Scripted:
    """An SQS client whose batches fail by script: (entry's receipt, whose fault) per call."""

    def __init__(self, *script: dict[str, bool]) -> None:
        self.script = list(script)
        self.calls: list[list[str]] = []

    def delete_message_batch(self, **request: Any) -> Any:
        entries = request["Entries"]
        self.calls.append([entry["ReceiptHandle"] for entry in entries])
        fails = self.script.pop(0) if self.script else {}
        return {
            "Failed": [
                {"Id": entry["Id"], "SenderFault": fails[entry["ReceiptHandle"]], "Code": "Why"}
                for entry in entries
                if entry["ReceiptHandle"] in fails
            ]
        }


def test_only_what_sqs_failed_by_its_own_fault_is_sent_again() -> None:
    """The sender's fault is final at once, SQS's after three sends; the rest of the batch is not repeated."""
    theirs = {"receipt 1": False}
    client = Scripted({"receipt 0": True, **theirs, "receipt 2": False}, theirs, theirs)
    failed = Queue(client, URL).delete([message(number) for number in range(4)])
    assert client.calls == [
        [f"receipt {number}" for number in range(4)],
        ["receipt 1", "receipt 2"],
        ["receipt 1"],
    ]
    assert [(one.message.message_id, one.code) for one in failed] == [("0", "Why"), ("1", "Why")]


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://127.0.0.1:5000/123456789012/outcomes",
        "http://localhost:4566/queue/eu-west-1/000000000000/outcomes",
        "https://eu-west-1.queue.amazonaws.com/123456789012/outcomes",
    ],
)
def test_the_url_of_a_queue_is_taken(url: str) -> None:
    """AWS's, its older form, and those of emulators."""
    assert checked_queue_url(url) == url
    assert (queue_name(url), is_fifo(url), is_fifo(url + ".fifo")) == ("outcomes", False, True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:SECRET", "an ARN"),
        ("SECRET", "none"),
        ("https://SECRET@sqs.eu-west-1.amazonaws.com/1/q", "none"),
        ("", "none"),
        (None, "none"),
    ],
)
def test_what_is_no_url_of_a_queue_is_refused(url: Any, words: str) -> None:
    """Before anything is sent, and without repeating it."""
    with pytest.raises(RequestError, match=f"queue_url is {words}, and not the URL") as caught:
        checked_queue_url(url)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "region", "words"),
    [
        ("AccessDenied", "eu-west-1", "the caller needs sqs:ReceiveMessage on it"),
        ("QueueDoesNotExist", "us-east-1", "its URL is of eu-west-1, and the client asks in us-east-1"),
        ("QueueDoesNotExist", "eu-west-1", r"no message \(executed: no\)"),
        ("OverLimit", "eu-west-1", r"no message \(executed: no\)"),
    ],
)
def test_a_refusal_names_what_is_missing(code: str, region: str, words: str) -> None:
    """The permission, or the region that the URL is not of."""
    session = boto3.Session("test", "test", region_name=region)
    client = session.client("sqs", config=Config(retries={"total_max_attempts": 1}))
    from botocore.stub import Stubber

    with Stubber(client) as stub:
        stub.add_client_error("receive_message", code, "", 400)
        with pytest.raises(QueueError, match=words) as caught:
            Queue(client, URL).receive()
    assert caught.value.code == code
    client.close()
