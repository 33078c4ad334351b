"""The dry run: what it counts and shows, what it leaves alone, and that it leaves the queue as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_invoke import QueueError, RequestError
from lambda_invoke.events.queue import message_of
from lambda_invoke.events.redrive_choice import Choice, choice_of
from lambda_invoke.events.redrive_messages import Kind, read_message
from lambda_invoke.events.redrive_table import age_text
from tests.events.redrive_tools import SECRET, DeadQueue, batch_failure, failure, function_arn, success

NOW = datetime.now(UTC)


def test_it_groups_by_error_type_function_and_age(dead: DeadQueue) -> None:
    """Counts, ages and samples of request ids of each group, the largest first; a table that shows them."""
    dead.put_failures(range(5), age=7200)
    dead.put_failures(range(5, 7), error_type="TimeoutError", function="bills", age=3 * 86_400)
    plan = dead.client().redrive(dead.url)
    first, second = plan.groups
    assert (first.error_type, first.function, first.count) == ("KeyError", function_arn("orders"), 5)
    assert (second.error_type, second.count, second.by_age) == ("TimeoutError", 2, (0, 0, 2, 0))
    assert first.oldest == pytest.approx(7200, abs=60)
    assert len(first.request_ids) == 3
    assert plan.by_error_type() == {"KeyError": 5, "TimeoutError": 2}
    assert (plan.looked_at, plan.chosen, plan.complete) == (7, 7, True)
    shown = str(plan)
    assert "7 messages; 7 to be sent again" in shown
    assert "bills:$LATEST" in shown
    assert "3 d" in shown
    assert "by age: 5 1 h to 1 d, 2 1 d to 4 d" in shown


def test_no_payload_is_shown(dead: DeadQueue) -> None:
    """Neither what was sent to the function, nor what it said, nor a message that cannot be read."""
    dead.put_failures(range(3))
    dead.put(f"not a record: {SECRET}", success(1))
    plan = dead.client().redrive(dead.url)
    assert plan.looked_at == 5
    assert SECRET not in f"{plan} {plan!r} {plan.groups!r} {json.dumps(plan.as_dict())}"


def test_the_foreign_and_the_unreadable_are_told_apart(dead: DeadQueue) -> None:
    """Batches of streams, successes and garbage are counted by what they are, and none is chosen."""
    dead.put(failure(1), success(2), batch_failure(), "garbage")
    plan = dead.client().redrive(dead.url)
    assert {group.kind for group in plan.groups} == {
        Kind.FAILED_EVENT,
        Kind.SUCCESS,
        Kind.BATCH,
        Kind.UNREADABLE,
    }
    assert (plan.chosen, plan.foreign, plan.unreadable) == (1, 2, 1)
    assert "(unreadable)" in str(plan)


def test_what_sqs_itself_moved_here_is_a_message_of_its_queue(redrive_moto: Any) -> None:
    """By DeadLetterQueueSourceArn; a record of Lambda's that SQS moved is still one."""
    raw = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": '{"order": 1}',
        "Attributes": {"DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:1:orders"},
    }
    moved = read_message(message_of(raw))
    assert moved.kind is Kind.SOURCE_MESSAGE
    assert "orders: StartMessageMoveTask" in moved.reason
    assert read_message(message_of({**raw, "Body": failure(1)})).kind is Kind.FAILED_EVENT


def test_the_queue_is_as_it_was(dead: DeadQueue) -> None:
    """After the look every message can be received at once, and nothing was sent or deleted."""
    dead.put_failures(range(12))
    dead.client().redrive(dead.url)
    assert dead.counts == (12, 0)
    assert dead.fake.requests == 0
    assert not dead.watched.calls["delete_message_batch"]


def test_a_look_costs_one_receive(dead: DeadQueue) -> None:
    """Each look counts as a receive; a queue with a redrive policy of its own has a warning of it."""
    elsewhere = dead.sqs.create_queue(QueueName="elsewhere")["QueueUrl"]
    arn = dead.sqs.get_queue_attributes(QueueUrl=elsewhere, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 9}
    dead.sqs.set_queue_attributes(QueueUrl=dead.url, Attributes={"RedrivePolicy": json.dumps(policy)})
    dead.put_failures(range(3))
    plan = dead.client().redrive(dead.url)
    assert "after 9 of them" in str(plan)
    names = ["ApproximateReceiveCount"]
    got = dead.sqs.receive_message(
        QueueUrl=dead.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=names
    )
    assert {one["Attributes"]["ApproximateReceiveCount"] for one in got["Messages"]} == {"2"}


def test_a_look_is_bounded(dead: DeadQueue) -> None:
    """With a limit no more is looked at, and the plan says that there is more."""
    dead.put_failures(range(25))
    plan = dead.client().redrive(dead.url, limit=12)
    assert (plan.looked_at, plan.complete, plan.approximate) == (12, False, 25)
    assert "12 of about 25 messages" in str(plan)


def test_dead_letters_need_a_function(dead: DeadQueue) -> None:
    """They name none: the plan counts them, and sending is refused with the count before anything is sent."""
    dead.put_failures(range(2))
    for event in range(3):
        dead.put_dead_letter(event)
    client = dead.client()
    plan = client.redrive(dead.url)
    assert (plan.chosen, plan.unnamed) == (5, 3)
    assert "3 do not name their function" in str(plan)
    with pytest.raises(RequestError, match="3 of the messages are dead letters"):
        client.redrive(dead.url, send=True)
    assert dead.fake.requests == 0
    assert dead.counts == (5, 0)
    assert client.redrive(dead.url, "orders").unnamed == 0


def test_copies_are_counted(dead: DeadQueue) -> None:
    """Two messages that tell of one Event, as when a record is delivered twice."""
    dead.put(failure(1), failure(1), failure(2))
    plan = dead.client().redrive(dead.url)
    assert plan.copies == 1


def test_a_queue_that_is_not_there(dead: DeadQueue) -> None:
    """It is named, and so is an argument that is no URL."""
    with pytest.raises(QueueError, match="queue gone"):
        dead.client().redrive(dead.url.rpartition("/")[0] + "/gone")
    with pytest.raises(RequestError, match="queue_url is an ARN"):
        dead.client().redrive("arn:aws:sqs:us-east-1:1:dead")


OLD = read_message(
    message_of({"MessageId": "m", "ReceiptHandle": "r", "Body": failure(1, age=7200), "Attributes": {}})
)


@pytest.mark.parametrize(
    ("given", "takes"),
    [
        ({}, True),
        ({"error_type": "KeyError"}, True),
        ({"error_type": "HandlerError"}, True),
        ({"error_type": ["ValueError", "RetriesExhausted"]}, True),
        ({"error_type": "ValueError"}, False),
        ({"older_than": 3600}, True),
        ({"older_than": timedelta(hours=3)}, False),
        ({"newer_than": timedelta(hours=3)}, True),
        ({"newer_than": 3600.0}, False),
        ({"from_function": "orders"}, True),
        ({"from_function": "orders:$LATEST"}, True),
        ({"from_function": function_arn("orders").removesuffix(":$LATEST")}, True),
        ({"from_function": "bills"}, False),
        ({"request_ids": ["request-1"]}, True),
        ({"request_ids": ["request-2"]}, False),
        ({"where": lambda outcome: outcome.attempts == 3}, True),
        ({"where": lambda outcome: outcome.request_payload is None}, False),
        ({"error_type": "KeyError", "from_function": "bills"}, False),
    ],
)
def test_what_is_chosen(given: dict[str, Any], takes: bool) -> None:
    """Each filter by itself, and all of them together."""
    names = ("error_type", "older_than", "newer_than", "from_function", "request_ids", "where")
    choice = choice_of(**{name: given.get(name) for name in names})
    assert (choice.refusal(OLD, NOW) is None) is takes
    assert choice.narrows is bool(given)


def test_what_is_no_filter() -> None:
    """It is refused, and named."""
    none: dict[str, Any] = dict.fromkeys(
        ("error_type", "older_than", "newer_than", "from_function", "request_ids", "where")
    )
    for name, bad in [("older_than", -1), ("newer_than", "1h"), ("error_type", [3]), ("where", "x")]:
        with pytest.raises(RequestError, match=name):
            choice_of(**{**none, name: bad})


def test_a_message_without_a_time_is_of_no_age() -> None:
    """Where nothing says how old it is, a filter by age leaves it alone."""
    body = json.loads(failure(1))
    del body["timestamp"]
    timeless = read_message(
        message_of({"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps(body), "Attributes": {}})
    )
    assert Choice(older_than=0.0).refusal(timeless, NOW) is not None
    assert Choice().refusal(timeless, NOW) is None


def test_ages_read_well() -> None:
    """In the largest unit of which there are two."""
    assert [age_text(age) for age in (None, 0, 119, 120, 7199, 7200, 172_800)] == [
        *("-", "0 s", "119 s", "2 min", "120 min", "2 h", "2 d"),
    ]
