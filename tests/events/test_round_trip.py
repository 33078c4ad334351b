"""What the local endpoint writes of Events is read back, over real queues, topics, buses and buckets too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lambda_invoke as li
from lambda_invoke import EventOutcome, Executed, read_record
from lambda_invoke.local import EventInvokeConfig, Function, LocalLambda, Outbox
from lambda_invoke.local.event_records import dead_letter, invocation_record
from lambda_invoke.local.event_state import (
    EVENT_AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    SUCCESS,
    ZERO_RESERVED_CONCURRENCY,
    QueuedEvent,
    Response,
)
from lambda_invoke.local.outcome import Invocation
from tests.events.shapes import ARN, ENDED, REQUEST_ID
from tests.local.event_tools import ADDS, NO_RETRY, SCALE
from tests.support.moto import Moto, serving
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
).map(json.dumps)


def queued(request: str, response: Response | None, condition: str, attempts: int) -> QueuedEvent:
    """An Event that ended."""
    return QueuedEvent(
        "orders",
        "prod",
        Invocation(REQUEST_ID, ARN, request.encode(), "Event", "Root=1"),
        accepted_at=0.0,
        due_at=0.0,
        attempts=attempts,
        response=response,
        condition=condition,
        ended_at=ENDED,
    )


def outcome_of(data: Any, **options: Any) -> EventOutcome[Any]:
    """What became of the Event; anything else fails the test."""
    found = read_record(data, **options)
    assert isinstance(found, EventOutcome), found
    return found


@given(JSON, JSON)
def test_a_written_success_is_read_back(request: str, response: str) -> None:
    """Both payloads byte for byte, whatever JSON they are."""
    event = queued(request, Response("3", response.encode(), failed=False), SUCCESS, 1)
    found = outcome_of(invocation_record(event, ARN).body, response=bytes)
    assert (found.request_payload, found.value) == (request.encode(), response.encode())
    assert (found.request_id, found.function, found.executed_version) == (REQUEST_ID, f"{ARN}:prod", "3")


@given(JSON, JSON, st.sampled_from([RETRIES_EXHAUSTED, EVENT_AGE_EXCEEDED]))
def test_a_written_failure_is_read_back(request: str, error: str, condition: str) -> None:
    """The error's bytes, and the condition; its dead letter has the event's."""
    event = queued(request, Response("3", error.encode(), failed=True), condition, 2)
    found = outcome_of(invocation_record(event, ARN).body)
    assert isinstance(found.error, li.FunctionError)
    assert (found.error.raw_payload, found.condition, found.attempts) == (error.encode(), condition, 2)
    letter = outcome_of(dead_letter(event, ARN).to_value())
    assert (letter.carrier, letter.request_id) == ("dead-letter", REQUEST_ID)
    assert (letter.request_payload, letter.executed) == (request.encode(), Executed.YES)


@given(JSON)
def test_a_written_drop_is_read_back(request: str) -> None:
    """The record says that nothing ran, the dead letter does not."""
    event = queued(request, None, ZERO_RESERVED_CONCURRENCY, 0)
    found = outcome_of(invocation_record(event, ARN).body)
    assert isinstance(found.error, li.EventDroppedError)
    assert found.executed is Executed.NO
    letter = outcome_of(dead_letter(event, ARN).to_value())
    assert isinstance(letter.error, li.EventDroppedError)
    assert (letter.error.status_code, letter.executed) == (429, Executed.UNKNOWN)


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with serving() as server:
        yield server


class Inbox:
    """A queue on moto's server, and the messages that came to it."""

    def __init__(self, moto: Moto, name: str) -> None:
        self._client = moto.client("sqs")
        self._url = self._client.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"

    def messages(self, count: int) -> list[Any]:
        """So many of them, once they are there."""
        found: list[Any] = []

        def came() -> bool:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
                MaxNumberOfMessages=10,
            )
            found.extend(answer.get("Messages", []))
            return len(found) >= count

        soon(came)
        assert len(found) == count
        return found


def test_what_real_services_carried_is_read(moto: Moto, tmp_path: Path) -> None:
    """SQS, SNS and EventBridge through queues, S3, another function, and dead letters over SQS and SNS."""
    direct, over_sns, over_bus = Inbox(moto, "direct"), Inbox(moto, "over-sns"), Inbox(moto, "over-bus")
    dead, dead_over_sns = Inbox(moto, "dead"), Inbox(moto, "dead-over-sns")
    sns, events, s3 = moto.client("sns"), moto.client("events"), moto.client("s3")
    topics = {}
    for name, inbox in (("records", over_sns), ("dead", dead_over_sns)):
        topics[name] = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(TopicArn=topics[name], Protocol="sqs", Endpoint=inbox.arn)
    bus = events.create_event_bus(Name="bus")["EventBusArn"]
    events.put_rule(Name="rule", EventBusName="bus", EventPattern='{"source": ["lambda"]}')
    events.put_targets(Rule="rule", EventBusName="bus", Targets=[{"Id": "1", "Arn": over_bus.arn}])
    s3.create_bucket(Bucket="failures")

    def goes_to(destination: str | Outbox, **options: Any) -> Function:
        config = EventInvokeConfig(maximum_retry_attempts=0, on_success=destination, on_failure=destination)
        return Function(ADDS, events=config, **options)

    functions = {
        "to-sqs": goes_to(direct.arn),
        "to-sns": goes_to(topics["records"]),
        "to-bus": goes_to(bus),
        "to-function": Function(ADDS, events=EventInvokeConfig(on_success="takes", on_failure="takes")),
        "takes": goes_to(outbox := Outbox()),
        "to-s3": Function(
            ADDS, events=EventInvokeConfig(maximum_retry_attempts=0, on_failure="arn:aws:s3:::failures")
        ),
        "dead": Function(ADDS, events=NO_RETRY, dead_letter=dead.arn),
        "dead-sns": Function(ADDS, events=NO_RETRY, dead_letter=topics["dead"]),
    }
    good, bad = {"file": str(tmp_path / "ran"), "n": 1}, {"file": str(tmp_path / "ran"), "fail": "as told"}
    with LocalLambda(functions, services=moto.client, time_scale=SCALE) as local, local.client() as client:
        expected = client.invoke("to-sqs", good).value
        with pytest.raises(li.HandlerError) as raised:
            client.invoke("to-sqs", bad)
        sent = {
            (name, kind): client.invoke_event(name, payload).request_id
            for name in functions
            for kind, payload in (("good", good), ("bad", bad))
            if name != "takes"
        }
        local.wait_for_events(PATIENCE)
        listed = s3.list_objects_v2(Bucket="failures")["Contents"]
        in_s3 = [s3.get_object(Bucket="failures", Key=each["Key"])["Body"].read() for each in listed]
        found = {
            "to-sqs": direct.messages(2),
            "to-sns": over_sns.messages(2),
            "to-bus": over_bus.messages(2),
            "to-s3": in_s3,
            "dead": dead.messages(1),
            "dead-sns": dead_over_sns.messages(1),
        }
        # Each record of "takes" holds, as the event that it was called with, the record that it got.
        found["to-function"] = [outcome_of(record).request_payload for record in outbox.wait(2, PATIENCE)]
        found["to-function"] = [json.loads(record) for record in found["to-function"]]

    carriers = {
        "to-sqs": "sqs",
        "to-sns": "sns",
        "to-bus": "eventbridge",
        "to-s3": "text",
        "to-function": "lambda",
        "dead": "dead-letter",
        "dead-sns": "dead-letter",
    }
    for name, carrier in carriers.items():
        by_id = {each.request_id: each for each in map(outcome_of, found[name])}
        failed = by_id.pop(sent[name, "bad"])
        assert (failed.carrier, failed.executed) == (carrier, Executed.YES)
        assert isinstance(failed.error, li.FunctionError)
        assert failed.error.error_message == raised.value.error_message
        assert json.loads(failed.request_payload or b"") == bad
        if carrier == "dead-letter":
            assert type(failed.error) is li.FunctionError
        else:
            assert type(failed.error) is type(raised.value)
            assert failed.error.stack_trace == raised.value.stack_trace
            assert failed.function_name == name
        if name in ("to-s3", "dead", "dead-sns"):
            assert by_id == {}
            continue
        succeeded = by_id.pop(sent[name, "good"])
        assert succeeded.value == expected
        assert (succeeded.carrier, succeeded.attempts, by_id) == (carrier, 1, {})
    for each in (sns, events, s3):
        each.close()
