"""What asynchronous invocation and event source mappings left behind, as recorded, read by read_record.

Run by ``nox -s recordings``, as ``test_recordings``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from lambda_invoke import (
    BatchFailure,
    EventConfig,
    EventDroppedError,
    EventOutcome,
    FunctionError,
    UnreadableRecord,
    read_record,
)
from tests.events.shapes import (
    bus_event_text,
    lambda_event,
    notification,
    sns_record,
    sqs_message,
    sqs_record,
)
from tests.recordings.test_recordings import recorded


def carried(text: str) -> list[tuple[str, Any]]:
    """A recorded text in everything that could have brought it."""
    return [
        ("text", text),
        ("text", text.encode()),
        ("lambda", json.loads(text)),
        ("sqs", sqs_message(text)),
        ("sqs", lambda_event(sqs_record(text))),
        ("sns", sqs_message(json.dumps(notification(text)))),
        ("sns", lambda_event(sns_record(text))),
        ("eventbridge", sqs_message(bus_event_text(text))),
    ]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@recorded("destination_records.json")
def test_destination_record(case: dict[str, Any]) -> None:
    """Everything that was read off by hand, whatever carries it."""
    expected = case["expected"]
    for carrier, data in carried(case["raw"]):
        found = read_record(data)
        assert not isinstance(found, UnreadableRecord)
        assert found.carrier == carrier
        assert found.request_id == expected["request_id"]
        assert found.function == expected["function_arn"]
        assert found.condition == expected["condition"]
        assert found.attempts == expected["approximate_invoke_count"]
        assert found.ended_at == moment(expected["timestamp"])
        assert found.executed_version == expected["executed_version"]
        if expected["batch_kind"] is not None:
            check_batch(found, case)
        else:
            check_event(found, case)


def check_batch(found: Any, case: dict[str, Any]) -> None:
    expected, raw = case["expected"], json.loads(case["raw"])
    assert isinstance(found, BatchFailure)
    assert found.kind == expected["batch_kind"]
    assert (found.batch_size, found.shard_id) == (expected["batch_size"], expected["shard_id"])
    assert found.status_code == expected["status_code"]
    assert (found.error.function_error if found.error else None) == expected["function_error"]
    assert found.reported_failures is (expected["has_response_context"] and not expected["function_error"])
    assert (found.payload is not None) is expected["has_inline_payload"]
    if found.payload is not None:
        assert json.loads(found.payload) == raw["payload"]
    (info,) = (value for name, value in raw.items() if name.endswith("BatchInfo"))
    assert found.source_arn == info["streamArn"]
    assert found.start_sequence_number == info["startSequenceNumber"]
    assert found.end_sequence_number == info["endSequenceNumber"]
    assert found.first_arrival == moment(info["approximateArrivalOfFirstRecord"])
    assert found.last_arrival == moment(info["approximateArrivalOfLastRecord"])


def check_event(found: Any, case: dict[str, Any]) -> None:
    expected, raw = case["expected"], json.loads(case["raw"])
    assert isinstance(found, EventOutcome)
    assert found.ok is expected["success"]
    assert (found.request_payload is not None) is expected["has_request_payload"]
    assert json.loads(found.request_payload or b"null") == raw["requestPayload"]
    if found.invocation is not None:
        assert found.value == raw["responsePayload"]
        assert found.invocation.status_code == expected["status_code"]
    elif expected["has_response_context"]:
        assert isinstance(found.error, FunctionError)
        assert found.error.error_type == expected["error_type"]
        assert found.error.error_message == expected["error_message"]
        assert found.error.function_error == expected["function_error"]
    else:
        assert isinstance(found.error, EventDroppedError)
        assert found.error.condition == expected["condition"]


@recorded("dlq_messages.json")
def test_dead_letter(case: dict[str, Any]) -> None:
    """A message that SQS redrove has no attributes of Lambda's: it is no Event's, and its body is kept.

    Which it is shows in DeadLetterQueueSourceArn, a system attribute that the recordings lack.
    """
    expected, message = case["expected"], json.loads(case["raw"])
    assert expected["request_id"] is None
    found = read_record(message)
    assert isinstance(found, UnreadableRecord)
    assert json.loads(found.raw) == expected["body"]
    redriven = read_record({**message, "Attributes": {"DeadLetterQueueSourceArn": "arn:aws:sqs:x"}})
    assert isinstance(redriven, BatchFailure)
    assert (redriven.kind, redriven.source_arn, redriven.request_id) == ("sqs", "arn:aws:sqs:x", None)
    assert json.loads(redriven.payload or b"") == expected["body"]


@recorded("invoke_configs.json")
def test_event_config(case: dict[str, Any]) -> None:
    """Empty destinations are none, and what was not set is None."""
    raw, expected = json.loads(case["raw"]), case["expected"]
    answers = raw["FunctionEventInvokeConfigs"] if case["operation"] == "list" else [raw]
    assert len(answers) == expected["count"]
    for answer, wanted in zip(answers, expected["configs"], strict=True):
        found = EventConfig.of(answer)
        assert (found.function, found.qualifier) == (wanted["function_arn"], wanted["qualifier"])
        assert found.maximum_retry_attempts == wanted["maximum_retry_attempts"]
        assert found.maximum_event_age == wanted["maximum_event_age_seconds"]
        assert (found.on_success, found.on_failure) == (wanted["on_success"], wanted["on_failure"])
        assert found.last_modified is not None
        assert found.last_modified.timestamp() == pytest.approx(wanted["last_modified_epoch"])
