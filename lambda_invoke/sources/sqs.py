"""Messages of SQS queues, as Lambda delivers them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.sources.record import Source, SourceRecord, Stamp, ascending, content, epoch, once_each

if TYPE_CHECKING:
    from datetime import datetime

_DEFAULT_GROUP = "default"
_SENDER_ID = "AIDAIENQZJOLO23YVJ4VO"


@attrs.frozen
class SqsMessage:
    """A message with more to it than its body.

    Args:
        body: text as it is; ``bytes``, which must be UTF-8; everything else as JSON.
        message_id: default: a random UUID.
        message_attributes: by name: text (``String``), numbers (``Number``), ``bytes`` (``Binary``), or
            a mapping as boto3 has it (``{"DataType": "String.uuid", "StringValue": ...}``).
        group_id: the message group; of a FIFO queue "default", of a standard one none.
        deduplication_id: of a FIFO queue; default: the SHA-256 of the body, as content-based
            deduplication has it.
        sequence_number: of a FIFO queue, decimal digits, ascending.
        receive_count: how often it was received, this time included.
        sent_at: seconds since 1970, or a ``datetime``; default: now.
        sender_id: of the principal that sent it.
        receipt_handle: default: made of the message id.
        attributes: more system attributes (``AWSTraceHeader``, ``DeadLetterQueueSourceArn``).
    """

    body: object = attrs.field(repr=False)
    message_id: str | None = None
    message_attributes: Mapping[str, object] = attrs.field(factory=dict, repr=False, kw_only=True)
    group_id: str | None = attrs.field(default=None, kw_only=True)
    deduplication_id: str | None = attrs.field(default=None, kw_only=True)
    sequence_number: str | None = attrs.field(default=None, kw_only=True)
    receive_count: int = attrs.field(default=1, kw_only=True)
    sent_at: datetime | float | None = attrs.field(default=None, kw_only=True)
    sender_id: str = attrs.field(default=_SENDER_ID, kw_only=True)
    receipt_handle: str | None = attrs.field(default=None, kw_only=True, repr=False)
    attributes: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)


@attrs.frozen
class SqsSource(Source):
    """An SQS queue by its ARN; one whose name ends in ``.fifo`` is a FIFO queue, as AWS has it.

    Records are payloads (the body: text and bytes as they are, everything else as JSON) or
    :class:`SqsMessage`. Source: Using Lambda with Amazon SQS, AWS Lambda developer guide, 2026-11.
    """

    kind: ClassVar[str] = "sqs"

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return self.arn.endswith(".fifo")

    @property
    def largest_batch(self) -> int:
        """10 for a FIFO queue, 10,000 for a standard one."""
        return 10 if self.is_fifo else super().largest_batch  # AWS quota, 2026-11: BatchSize

    def build(self, records: list[object], stamp: Stamp) -> list[SourceRecord]:
        """The messages as they are received for the first time, in the same order.

        Raises:
            RequestError: a body that is not text, a message attribute that SQS has no type for, two
                messages of one id, or sequence numbers that do not ascend.
        """
        # 20 digits, as SQS numbers the messages of a FIFO queue
        sequence = 18 * 10**18 + int(stamp.now * 1000) * 10**5
        built = []
        for index, given in enumerate(records):
            message = given if isinstance(given, SqsMessage) else SqsMessage(given)
            where = f"record {index}"
            if self.is_fifo:
                sequence = ascending(message.sequence_number, sequence, where)
            elif message.sequence_number is not None or message.deduplication_id is not None:
                raise RequestError(
                    f"{where} has a sequence number or deduplication id, which are for FIFO queues: "
                    f"the name of {self.arn} does not end in .fifo"
                )
            event = self._event(message, sequence, stamp, where)
            built.append(SourceRecord(index, given, event["messageId"], event))
        return once_each(built)

    def delivered_again(self, event: Mapping[str, Any], times: int) -> Mapping[str, Any]:
        """The message with its ``ApproximateReceiveCount`` raised by ``times``."""
        attributes = event["attributes"]
        count = int(attributes["ApproximateReceiveCount"]) + times
        return {**event, "attributes": {**attributes, "ApproximateReceiveCount": str(count)}}

    def _event(self, message: SqsMessage, sequence: int, stamp: Stamp, where: str) -> dict[str, Any]:
        body = content(message.body, where)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise RequestError(f"{where}: the body of a message is text, and these bytes are not") from None
        message_id = message.message_id if message.message_id is not None else stamp.new_id()
        handle = message.receipt_handle
        event: dict[str, Any] = {
            "messageId": message_id,
            "receiptHandle": base64.b64encode(message_id.encode()).decode() if handle is None else handle,
            "body": text,
            "attributes": self._attributes(message, body, sequence, stamp),
            "messageAttributes": {
                name: delivered_attribute(value, f"{where}: message attribute {name!r}")
                for name, value in message.message_attributes.items()
            },
            "md5OfBody": hashlib.md5(body, usedforsecurity=False).hexdigest(),
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": self.region,
        }
        if event["messageAttributes"]:
            event["md5OfMessageAttributes"] = md5_of_attributes(event["messageAttributes"])
        return event

    def _attributes(self, message: SqsMessage, body: bytes, sequence: int, stamp: Stamp) -> dict[str, str]:
        sent = str(round(epoch(message.sent_at, stamp.now) * 1000))
        found = {
            "ApproximateReceiveCount": str(message.receive_count),
            "SentTimestamp": sent,
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(max(round(stamp.now * 1000), int(sent))),
        }
        group = message.group_id
        if self.is_fifo:
            found["SequenceNumber"] = str(sequence)
            found["MessageDeduplicationId"] = message.deduplication_id or hashlib.sha256(body).hexdigest()
            group = group or _DEFAULT_GROUP
        if group is not None:
            found["MessageGroupId"] = group
        return {**found, **message.attributes}


def delivered_attribute(value: object, where: str) -> dict[str, Any]:
    """A message attribute as it stands in Lambda's event.

    Raises:
        RequestError: SQS has no type for it.
    """
    lists: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    if isinstance(value, Mapping):
        kind = value.get("DataType")
        if isinstance(kind, str) and kind.startswith("Binary"):
            value = value.get("BinaryValue")
        else:
            value = value.get("StringValue")
            if not isinstance(value, str):
                kind = None
        if not isinstance(kind, str) or not isinstance(value, str | bytes):
            raise RequestError(f"{where} has DataType, and StringValue (text) or BinaryValue (bytes)")
    elif isinstance(value, bytes):
        kind = "Binary"
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        kind, value = "Number", str(value)
    else:
        kind = "String"
    if isinstance(value, bytes):
        return {"binaryValue": base64.b64encode(value).decode(), **lists, "dataType": kind}
    if not isinstance(value, str):
        raise RequestError(f"{where} is text, a number or bytes, not a {type(value).__name__}")
    return {"stringValue": value, **lists, "dataType": kind}


def md5_of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """The digest of message attributes that SQS answers with and delivers.

    Source: Calculating the MD5 message digest for message attributes, Amazon SQS developer guide, 2026-11.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        binary = "binaryValue" in attribute
        value = (
            base64.b64decode(attribute["binaryValue"]) if binary else str(attribute["stringValue"]).encode()
        )
        for part in (name.encode(), str(attribute["dataType"]).encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\x02" if binary else b"\x01") + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()
