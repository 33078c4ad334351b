"""The events are those that Lambda delivers: AWS's examples, Powertools' models, moto's digests."""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBStreamEvent
from aws_lambda_powertools.utilities.parser.models import (
    DynamoDBStreamModel,
    KinesisDataStreamModel,
    SqsModel,
)

from lambda_invoke import (
    DynamoDBChange,
    DynamoDBSource,
    KinesisRecord,
    KinesisSource,
    PayloadEncodingError,
    RequestError,
    SqsMessage,
    SqsSource,
)
from lambda_invoke.sources.record import Stamp
from tests.support.moto import serving

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_545_082_649.185
QUEUE = SqsSource("arn:aws:sqs:us-east-2:123456789012:my-queue")
FIFO = SqsSource("arn:aws:sqs:us-east-2:123456789012:fifo.fifo")
STREAM = KinesisSource("arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream")
TABLE = DynamoDBSource("arn:aws:dynamodb:us-west-2:123456789012:table/people/stream/2026-11", keys=("Id",))


def ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: str(uuid.UUID(int=next(numbers)))


def only(source: Any, record: object) -> dict[str, Any]:
    (event,) = source.event([record], now=NOW, new_id=ids())["Records"]
    return dict(event)


def test_a_message_of_a_standard_queue() -> None:
    """As in the developer guide, member for member."""
    message = SqsMessage(
        "Test message.",
        "059f36b4-87a3-44ab-83d2-661975830a7d",
        receipt_handle="AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        sent_at=1_545_082_649.183,
        sender_id="AIDAEXAMPLE",
    )
    assert only(QUEUE, message) == {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": "Test message.",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
        "awsRegion": "us-east-2",
    }


def test_a_message_of_a_fifo_queue() -> None:
    """It has a group, a deduplication id and a sequence number besides."""
    message = SqsMessage(
        "Test message.", group_id="1", deduplication_id="7", sequence_number="18849496460467696128"
    )
    attributes = only(FIFO, message)["attributes"]
    assert {name: attributes[name] for name in sorted(attributes)[2:5]} == {
        "MessageDeduplicationId": "7",
        "MessageGroupId": "1",
        "SenderId": attributes["SenderId"],
    }
    assert attributes["SequenceNumber"] == "18849496460467696128"
    plain = [one["attributes"] for one in FIFO.event(["a", "a", "b"], now=NOW)["Records"]]
    assert {one["MessageGroupId"] for one in plain} == {"default"}
    assert plain[0]["MessageDeduplicationId"] == plain[1]["MessageDeduplicationId"]  # of the content
    numbers = [int(one["SequenceNumber"]) for one in plain]
    assert numbers == sorted(set(numbers))
    assert {len(one["SequenceNumber"]) for one in plain} == {20}


@pytest.mark.parametrize(
    ("body", "delivered"),
    [
        ("text", "text"),
        ('{"a": 1}', '{"a": 1}'),
        ("", ""),
        (b"caf\xc3\xa9", "café"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (7, "7"),
        (None, "null"),
    ],
)
def test_text_and_bytes_go_as_they_are_and_the_rest_as_json(body: object, delivered: str) -> None:
    """Of a queue's body and a stream's data alike."""
    assert only(QUEUE, body)["body"] == delivered
    assert base64.b64decode(only(STREAM, body)["kinesis"]["data"]).decode() == delivered


def test_message_attributes_have_the_digest_that_sqs_has() -> None:
    """Text, numbers, binary and types of one's own: the digest is the one that moto's SQS answers with."""
    given: dict[str, object] = {
        "trace": "abc",
        "count": 3,
        "price": Decimal("1.50"),
        "blob": b"\x00\x01",
        "id": {"DataType": "String.uuid", "StringValue": "u"},
        "raw": {"DataType": "Binary.png", "BinaryValue": b"png"},
    }
    event = only(QUEUE, SqsMessage("x", message_attributes=given))
    assert event["messageAttributes"]["count"] == {
        "stringValue": "3",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "Number",
    }
    assert event["messageAttributes"]["blob"]["binaryValue"] == "AAE="
    assert event["messageAttributes"]["id"]["dataType"] == "String.uuid"
    with serving() as moto:
        sqs = moto.client("sqs")
        queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
        sent = sqs.send_message(
            QueueUrl=queue,
            MessageBody="x",
            MessageAttributes={
                "trace": {"DataType": "String", "StringValue": "abc"},
                "count": {"DataType": "Number", "StringValue": "3"},
                "price": {"DataType": "Number", "StringValue": "1.50"},
                "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
                "id": given["id"],
                "raw": given["raw"],
            },
        )
        sqs.close()
    assert event["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert event["md5OfBody"] == sent["MD5OfMessageBody"]


def test_a_record_of_a_kinesis_stream() -> None:
    """As in the developer guide, member for member."""
    record = KinesisRecord(
        "Hello, this is a test.",
        sequence_number="49590338271490256608559692538361571095921575989136588898",
        arrived_at=datetime.fromtimestamp(1_545_084_650.987, UTC),
        shard_id="shardId-000000000006",
    )
    assert only(STREAM, record) == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
            "approximateArrivalTimestamp": 1_545_084_650.987,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "us-east-2",
        "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
    }
    numbers = [one["kinesis"]["sequenceNumber"] for one in STREAM.event("abc", now=NOW)["Records"]]
    assert [len(number) for number in numbers] == [56, 56, 56]
    assert sorted(numbers) == numbers


def test_changes_of_a_table() -> None:
    """As in the developer guide: an insert and a change, and their sizes; a removal by time to live."""
    first = {"Message": "New item!", "Id": 101}
    changed = {"Message": "This item has changed", "Id": 101}
    inserted = only(TABLE, first)
    assert inserted == {
        "eventID": "00000000000000000000000000000002",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-west-2",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_545_082_649.0,
            "Keys": {"Id": {"N": "101"}},
            "NewImage": {"Message": {"S": "New item!"}, "Id": {"N": "101"}},
            "SequenceNumber": inserted["dynamodb"]["SequenceNumber"],
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": TABLE.arn,
    }
    modified = only(TABLE, DynamoDBChange(changed, first, sequence_number="222", event_id="2"))
    assert (modified["eventID"], modified["eventName"]) == ("2", "MODIFY")
    assert modified["dynamodb"]["OldImage"] == inserted["dynamodb"]["NewImage"]
    assert modified["dynamodb"]["SequenceNumber"] == "222"
    assert modified["dynamodb"]["SizeBytes"] == 59
    removed = only(TABLE, DynamoDBChange(old=changed, expired=True))
    assert removed["eventName"] == "REMOVE"
    assert "NewImage" not in removed["dynamodb"]
    assert removed["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_a_stream_shows_what_its_view_says(view: Any, shown: set[str]) -> None:
    """The keys always, the images as the view has it."""
    source = DynamoDBSource(TABLE.arn, view=view)
    held = only(source, DynamoDBChange({"id": "a", "n": 2}, {"id": "a", "n": 1}))["dynamodb"]
    assert held.keys() & {"NewImage", "OldImage"} == shown
    assert held["Keys"] == {"id": {"S": "a"}}


def test_every_type_of_dynamodb() -> None:
    """Powertools reads back what was given."""
    item = {
        "id": "a",
        "whole": 10**20,
        "share": 0.25,
        "exact": Decimal("1.10"),
        "yes": True,
        "none": None,
        "blob": b"\x00\xff",
        "list": ["x", 1, [None]],
        "map": {"inner": {"deep": False}},
        "names": {"b", "a"},
        "numbers": {2, 1},
        "blobs": frozenset({b"z"}),
    }
    event = DynamoDBSource(TABLE.arn).event([item], now=NOW)
    image = event["Records"][0]["dynamodb"]["NewImage"]
    assert image["exact"] == {"N": "1.10"}
    assert image["names"] == {"SS": ["a", "b"]}
    (record,) = DynamoDBStreamEvent(json.loads(json.dumps(event))).records
    assert record.dynamodb is not None
    read = record.dynamodb.new_image
    assert read["map"] == item["map"]
    assert (read["whole"], read["share"], read["yes"], read["none"]) == (10**20, Decimal("0.25"), True, None)
    assert read["numbers"] == {Decimal(1), Decimal(2)}
    assert image["whole"] == {"N": "1" + "0" * 20}
    assert event["Records"][0]["dynamodb"]["SizeBytes"] > 100


def test_powertools_models_take_the_events() -> None:
    """Their schemas are strict: what they take is what handlers expect."""
    message = SqsMessage(
        {"a": 1}, message_attributes={"n": 1, "b": b"x"}, attributes={"AWSTraceHeader": "Root=1"}
    )
    for source in (QUEUE, FIFO):
        sqs = SqsModel.model_validate(source.event([message, "text"]))
        assert sqs.Records[0].attributes.ApproximateReceiveCount == "1"
    kinesis = KinesisDataStreamModel.model_validate(STREAM.event([b"\x00", {"a": 1}]))
    assert kinesis.Records[1].kinesis.data == b'{"a":1}'
    table = DynamoDBStreamModel.model_validate(
        TABLE.event([{"Id": 1}, DynamoDBChange({"Id": 1, "n": 2}, {"Id": 1}), DynamoDBChange(old={"Id": 1})])
    )
    assert [record.eventName for record in table.Records] == ["INSERT", "MODIFY", "REMOVE"]


def test_ids_are_new_each_time_unless_given() -> None:
    """Two events of the same records share no id, so that an idempotent handler takes both."""
    for source, where in ((QUEUE, "messageId"), (STREAM, "eventID"), (DynamoDBSource(TABLE.arn), "eventID")):
        events = [source.event([{"id": 1}, {"id": 2}], now=NOW) for _ in range(2)]
        assert len({record[where] for event in events for record in event["Records"]}) == 4
        fixed = [source.event([{"id": 1}], now=NOW, new_id=lambda: str(uuid.UUID(int=7))) for _ in range(2)]
        assert fixed[0] == fixed[1]


@pytest.mark.parametrize(
    ("source", "records", "message"),
    [
        (QUEUE, ["a", b"\xff"], "record 1: the body"),
        (QUEUE, [SqsMessage("a", "7"), SqsMessage("b", "7")], "records 0 and 1 have the same id, '7'"),
        (QUEUE, [SqsMessage("a", sequence_number="7")], "record 0 has a sequence number"),
        (QUEUE, [SqsMessage("a", message_attributes={"x": [1]})], "record 0: message attribute 'x'"),
        (
            QUEUE,
            [SqsMessage("a", message_attributes={"x": {"DataType": "String"}})],
            "attribute 'x' has DataType",
        ),
        (FIFO, [SqsMessage("a", sequence_number="x")], "record 0: a sequence number is decimal digits"),
        (
            STREAM,
            [KinesisRecord("a", sequence_number="7"), KinesisRecord("b", sequence_number="7")],
            "record 1: its",
        ),
        (STREAM, [KinesisRecord("a", "")], "record 0: a partition key"),
        (TABLE, ["a"], "record 0 is an item"),
        (TABLE, [{"id": 1}], "record 0: the item has no 'Id'"),
        (TABLE, [DynamoDBChange()], "record 0: a change has"),
        (TABLE, [{"Id": 1, "x": {1, "a"}}], "record 0: x: a set"),
        (TABLE, [{"Id": 1, "x": [object()]}], r"record 0: x\[0\]: DynamoDB has no type"),
        (TABLE, [{"Id": float("nan")}], "record 0: Id: DynamoDB has no nan"),
    ],
)
def test_what_the_source_could_not_hold_is_refused(source: Any, records: list[object], message: str) -> None:
    """The message says which record, and why."""
    with pytest.raises(RequestError, match=message):
        source.event(records)


def test_a_payload_without_json_is_refused() -> None:
    """By the record's place."""
    with pytest.raises(PayloadEncodingError, match="record 1 cannot be encoded"):
        QUEUE.event(["a", {"x": object()}])


@pytest.mark.parametrize("arn", ["orders", "arn:aws:sqs", "arn:aws:sqs::1:q", TABLE.arn, None])
def test_a_source_is_named_by_an_arn_of_its_service(arn: Any) -> None:
    """Anything else is refused where it is written."""
    with pytest.raises(RequestError, match="SqsSource takes the ARN"):
        SqsSource(arn)


@pytest.mark.parametrize("options", [{"keys": "id"}, {"keys": ()}, {"keys": (1,)}, {"view": "ALL"}])
def test_a_stream_is_told_its_keys_and_view(options: dict[str, Any]) -> None:
    """What they cannot be is refused where it is written."""
    with pytest.raises(RequestError, match=next(iter(options))):
        DynamoDBSource(TABLE.arn, **options)


def test_payloads_stay_out_of_reprs() -> None:
    """Of records: bodies, data, items and attributes."""
    secret = "SECRET"
    for record in (
        SqsMessage(secret, message_attributes={"a": secret}),
        KinesisRecord(secret),
        DynamoDBChange({"id": secret}, {"id": secret}),
        *QUEUE.build([secret], Stamp()),
    ):
        assert secret not in repr(record)
