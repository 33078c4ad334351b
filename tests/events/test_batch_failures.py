"""Batches that event source mappings gave up, told apart from Events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import lambda_invoke as li
from lambda_invoke import BatchFailure, Executed, UnreadableRecord, read_record
from tests.events.shapes import (
    ARN,
    BIG,
    FAILED_CONTEXT,
    QUEUE,
    REQUEST_ID,
    STREAM_INFO,
    batch_text,
    carried,
    lambda_event,
    notification,
    record_text,
    sqs_message,
    sqs_record,
)

FAILED = json.loads(FAILED_CONTEXT)
SUCCEEDED = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}


def batch_of(data: Any) -> BatchFailure:
    """The batch; anything else fails the test."""
    found = read_record(data)
    assert isinstance(found, BatchFailure), found
    return found


@pytest.mark.parametrize(
    ("carrier", "data"),
    [pytest.param(carrier, data, id=name) for name, carrier, data in carried(batch_text(context=FAILED))],
)
def test_a_streams_batch_whatever_carried_it(carrier: str, data: Any) -> None:
    """Where it is in the stream, how large it was and when its records came."""
    found = batch_of(data)
    assert (found.kind, found.carrier) == ("kinesis", carrier)
    assert found.source_arn == STREAM_INFO["streamArn"]
    assert (found.shard_id, found.batch_size) == (STREAM_INFO["shardId"], 500)
    assert found.start_sequence_number == STREAM_INFO["startSequenceNumber"]
    assert found.end_sequence_number == STREAM_INFO["endSequenceNumber"]
    assert found.first_arrival == datetime(2026, 11, 2, 10, 0, 0, 500_000, tzinfo=UTC)
    assert found.last_arrival == datetime(2026, 11, 2, 10, 0, 7, tzinfo=UTC)
    assert (found.request_id, found.function, found.attempts) == (REQUEST_ID, ARN, 4)
    assert found.condition == "RetryAttemptsExhausted"
    assert found.ended_at is not None
    assert found.age(found.ended_at) == 0.0


def test_how_the_function_ended() -> None:
    """It failed; it succeeded and reported failures; it was not called, or nobody knows."""
    failed = batch_of(batch_text(context=FAILED))
    assert type(failed.error) is li.FunctionError
    assert (failed.error.function_error, failed.executed_version) == ("Unhandled", "3")
    assert (failed.executed, failed.reported_failures) == (Executed.YES, False)
    reported = batch_of(batch_text(context=SUCCEEDED))
    assert (reported.error, reported.reported_failures, reported.executed) == (None, True, Executed.YES)
    for context in ("absent", None):
        unknown = batch_of(batch_text(context=context, condition="RecordAgeExceeded"))
        assert (unknown.status_code, unknown.error, unknown.reported_failures) == (None, None, False)
        assert unknown.executed is Executed.UNKNOWN
    assert batch_of(batch_text(attempts=0)).executed is Executed.NO


@pytest.mark.parametrize(
    ("info", "about", "kind", "source"),
    [
        ("DDBStreamBatchInfo", {"streamArn": "arn:aws:dynamodb:x"}, "dynamodb", "arn:aws:dynamodb:x"),
        ("KafkaBatchInfo", {"eventSourceArn": "arn:aws:kafka:x"}, "kafka", "arn:aws:kafka:x"),
        ("KafkaBatchInfo", {"bootstrapServers": "b:9092"}, "kafka", None),
        ("DocumentDBBatchInfo", {}, "documentdb", None),
        ("KinesisBatchInfo", "no object", "kinesis", None),
    ],
)
def test_sources_are_told_by_the_name_of_their_part(
    info: str, about: Any, kind: str, source: str | None
) -> None:
    """New ones too: the kind is an open string."""
    found = batch_of(batch_text(info, about))
    assert (found.kind, found.source_arn, found.shard_id) == (kind, source, None)


def test_kafkas_partitions() -> None:
    """Offsets and timestamps by topic and partition, as recorded."""
    about = {
        "batchSize": 2,
        "recordsInfo": {
            "clicks-0": {"firstRecordOffset": "10", "lastRecordOffset": "11"},
            "clicks-1": {"firstRecordOffset": "4", "lastRecordOffset": "4"},
            "odd": 7,
        },
    }
    found = batch_of(
        batch_text("KafkaBatchInfo", about, condition="MaximumPayloadSizeExceeded", context=None)
    )
    assert found.partitions == (
        ("clicks-0", {"firstRecordOffset": "10", "lastRecordOffset": "11"}),
        ("clicks-1", {"firstRecordOffset": "4", "lastRecordOffset": "4"}),
    )


def test_the_batch_itself_where_it_is_held() -> None:
    """S3 and Kafka hold the whole event, as an object or as its text; its bytes are as they came."""
    assert batch_of(batch_text()).payload is None
    assert batch_of(batch_text(payload=BIG)).payload == BIG.encode()
    assert batch_of(batch_text(payload=json.dumps(BIG))).payload == BIG.encode()


def test_a_message_that_sqs_redrove() -> None:
    """It says whence it comes and nothing else: no function, no error, no attempts."""
    attributes = {"DeadLetterQueueSourceArn": QUEUE, "SentTimestamp": "1793614830000"}
    for data in (
        sqs_message(BIG, Attributes=attributes),
        lambda_event(sqs_record(BIG, attributes=attributes)),
        sqs_message("no json", Attributes=attributes),
        sqs_message(json.dumps(notification("of somebody else's")), Attributes=attributes),
    ):
        found = batch_of(data)
        assert (found.kind, found.carrier, found.source_arn, found.batch_size) == ("sqs", "sqs", QUEUE, 1)
        assert (found.function, found.error, found.attempts) == (None, None, None)
        assert found.executed is Executed.UNKNOWN
        assert found.payload == str(data.get("Body", BIG)).encode()
        assert found.first_arrival == datetime.fromtimestamp(1793614830, UTC)


def test_a_record_that_sqs_redrove_is_still_a_record() -> None:
    """A destination's queue may have a redrive policy as well."""
    message = sqs_message(record_text(), Attributes={"DeadLetterQueueSourceArn": QUEUE})
    assert isinstance(read_record(message), li.EventOutcome)
    broken = sqs_message(record_text().replace("prod", "\\ud800"), Attributes={})
    assert not isinstance(read_record(broken), UnreadableRecord)
