"""Records of Kinesis data streams, as Lambda delivers them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.sources.record import Source, SourceRecord, Stamp, ascending, content, epoch, once_each

if TYPE_CHECKING:
    from datetime import datetime

_FIRST_SHARD = "shardId-000000000000"


@attrs.frozen
class KinesisRecord:
    """A record with more to it than its data.

    Args:
        data: text (in UTF-8) and ``bytes`` as they are; everything else as JSON.
        partition_key: default: that of the source.
        sequence_number: decimal digits, ascending within a shard; default: the next one.
        shard_id: default: that of the source. Records of two shards are never in one batch.
        arrived_at: seconds since 1970, or a ``datetime``; default: now.
    """

    data: object = attrs.field(repr=False)
    partition_key: str | None = None
    sequence_number: str | None = attrs.field(default=None, kw_only=True)
    shard_id: str | None = attrs.field(default=None, kw_only=True)
    arrived_at: datetime | float | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class KinesisSource(Source):
    """A Kinesis data stream, or a consumer of one, by its ARN.

    Records are payloads (the data: text and bytes as they are, everything else as JSON) or
    :class:`KinesisRecord`. Source: Using Lambda with Kinesis, AWS Lambda developer guide, 2026-11.

    Args:
        arn: ``arn:aws:kinesis:...:stream/...``.
        shard_id: the shard of records that name none.
        partition_key: of records that name none.
        invoke_identity_arn: the role that Lambda reads the stream with, which stands in every record.
    """

    shard_id: str = attrs.field(default=_FIRST_SHARD, kw_only=True)
    partition_key: str = attrs.field(default="1", kw_only=True)
    invoke_identity_arn: str = attrs.field(default="arn:aws:iam::123456789012:role/lambda-role", kw_only=True)

    kind: ClassVar[str] = "kinesis"
    is_stream: ClassVar[bool] = True

    def build(self, records: list[object], stamp: Stamp) -> list[SourceRecord]:
        """The records as they are delivered, in the same order.

        Raises:
            RequestError: sequence numbers that do not ascend within a shard.
        """
        # 56 digits, as Kinesis numbers records; ascending with time, and unlike those of another call
        start = 4959 * 10**52 + int(stamp.now * 1_000_000) * 10**34 + stamp.number(18) * 10**16
        last: dict[str, int] = {}
        built = []
        for index, given in enumerate(records):
            record = given if isinstance(given, KinesisRecord) else KinesisRecord(given)
            where = f"record {index}"
            shard = record.shard_id or self.shard_id
            # a number that is given first may be a small one: there is none before it
            before = last.get(shard, start if record.sequence_number is None else -1)
            last[shard] = sequence = ascending(record.sequence_number, before, where)
            event = self._event(record, shard, str(sequence), stamp, where)
            built.append(SourceRecord(index, given, str(sequence), event, shard))
        for shard in last:
            once_each([record for record in built if record.lane == shard])
        return built

    def _event(
        self, record: KinesisRecord, shard: str, sequence: str, stamp: Stamp, where: str
    ) -> dict[str, Any]:
        key = self.partition_key if record.partition_key is None else record.partition_key
        if not 1 <= len(key) <= 256:  # noqa: PLR2004 - AWS quota, 2026-11: Kinesis' PartitionKey
            raise RequestError(f"{where}: a partition key has 1 to 256 characters, not {len(key)}")
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": key,
                "sequenceNumber": sequence,
                "data": base64.b64encode(content(record.data, where)).decode(),
                "approximateArrivalTimestamp": round(epoch(record.arrived_at, stamp.now), 3),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self.invoke_identity_arn,
            "awsRegion": self.region,
            "eventSourceARN": self.arn,
        }
