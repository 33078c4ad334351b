"""Changes of DynamoDB tables, as Lambda delivers them from a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.sources.attribute_values import attribute_values, size_bytes
from lambda_invoke.sources.record import Source, SourceRecord, Stamp, ascending, epoch, once_each

if TYPE_CHECKING:
    from datetime import datetime

View = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]
_NEW = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})
_OLD = frozenset({"OLD_IMAGE", "NEW_AND_OLD_IMAGES"})
_FIRST_SHARD = "shardId-00000000000000000000-00000000"


@attrs.frozen
class DynamoDBChange:
    """A change of an item: INSERT has ``new``, REMOVE has ``old``, MODIFY has both.

    Args:
        new: the item as it is since, as plain Python values.
        old: the item as it was before.
        event_id: default: a random one.
        sequence_number: decimal digits, ascending within a shard; default: the next one.
        shard_id: records of two shards are never in one batch (it does not stand in the record).
        changed_at: seconds since 1970, or a ``datetime``; default: now.
        expired: the item's time to live had passed, and DynamoDB removed it.
    """

    new: Mapping[str, object] | None = attrs.field(default=None, repr=False)
    old: Mapping[str, object] | None = attrs.field(default=None, repr=False)
    event_id: str | None = attrs.field(default=None, kw_only=True)
    sequence_number: str | None = attrs.field(default=None, kw_only=True)
    shard_id: str | None = attrs.field(default=None, kw_only=True)
    changed_at: datetime | float | None = attrs.field(default=None, kw_only=True)
    expired: bool = attrs.field(default=False, kw_only=True)

    @property
    def event_name(self) -> str:
        """INSERT, MODIFY or REMOVE."""
        return "INSERT" if self.old is None else "REMOVE" if self.new is None else "MODIFY"


@attrs.frozen
class DynamoDBSource(Source):
    """A table's stream, by its ARN.

    Records are items (mappings of plain Python values), which are inserts, or
    :class:`DynamoDBChange`. Source: Using Lambda with DynamoDB, AWS Lambda developer guide, 2026-11.

    Args:
        arn: ``arn:aws:dynamodb:...:table/.../stream/...``.
        keys: the names of the table's key attributes.
        view: what the stream shows of an item besides its keys.
        shard_id: the shard of records that name none.
    """

    keys: tuple[str, ...] = attrs.field(default=("id",), kw_only=True)
    view: View = attrs.field(default="NEW_AND_OLD_IMAGES", kw_only=True)
    shard_id: str = attrs.field(default=_FIRST_SHARD, kw_only=True)

    @view.validator
    def _is_a_view(self, _attribute: object, view: object) -> None:
        if view not in get_args(View):
            raise RequestError(f"view is one of {', '.join(get_args(View))}, not {view!r}")

    @keys.validator
    def _are_names(self, _attribute: object, keys: object) -> None:
        if not isinstance(keys, tuple) or not keys or not all(isinstance(key, str) for key in keys):
            raise RequestError(f"keys is a tuple of the names of the table's key attributes, not {keys!r}")

    kind: ClassVar[str] = "dynamodb"
    is_stream: ClassVar[bool] = True

    def build(self, records: list[object], stamp: Stamp) -> list[SourceRecord]:
        """The changes as they are delivered, in the same order.

        Raises:
            RequestError: no item, one without the table's keys or with a value that DynamoDB has no
                type for, or sequence numbers that do not ascend within a shard.
        """
        # as long as DynamoDB's can be; ascending with time, and unlike those of another call
        start = int(stamp.now * 1_000_000) * 10**16 + stamp.number(8) * 10**8
        last: dict[str, int] = {}
        built = []
        for index, given in enumerate(records):
            where = f"record {index}"
            change = _change_of(given, where)
            shard = change.shard_id or self.shard_id
            before = last.get(shard, start if change.sequence_number is None else -1)
            last[shard] = sequence = ascending(change.sequence_number, before, where)
            event = self._event(change, str(sequence), stamp, where)
            built.append(SourceRecord(index, given, str(sequence), event, shard))
        for shard in last:
            once_each([record for record in built if record.lane == shard])
        return built

    def _event(self, change: DynamoDBChange, sequence: str, stamp: Stamp, where: str) -> dict[str, Any]:
        item = change.new if change.new is not None else change.old
        assert item is not None
        missing = [key for key in self.keys if key not in item]
        if missing:
            raise RequestError(
                f"{where}: the item has no {missing[0]!r}; keys= of the source names the key attributes"
            )
        shown: dict[str, Any] = {"Keys": attribute_values({key: item[key] for key in self.keys}, where)}
        if change.new is not None and self.view in _NEW:
            shown["NewImage"] = attribute_values(change.new, where)
        if change.old is not None and self.view in _OLD:
            shown["OldImage"] = attribute_values(change.old, where)
        event: dict[str, Any] = {
            "eventID": stamp.new_id().replace("-", "") if change.event_id is None else change.event_id,
            "eventName": change.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "dynamodb": {
                "ApproximateCreationDateTime": float(int(epoch(change.changed_at, stamp.now))),
                **shown,
                "SequenceNumber": sequence,
                "SizeBytes": sum(size_bytes(image) for image in shown.values()),
                "StreamViewType": self.view,
            },
            "eventSourceARN": self.arn,
        }
        if change.expired:
            event["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return event


def _change_of(given: object, where: str) -> DynamoDBChange:
    change = given if isinstance(given, DynamoDBChange) else None
    if change is None and isinstance(given, Mapping):
        change = DynamoDBChange(given)
    if change is None:
        raise RequestError(
            f"{where} is an item (a mapping) or a DynamoDBChange, not a {type(given).__name__}"
        )
    if change.new is None and change.old is None:
        raise RequestError(f"{where}: a change has the new item, the old one, or both")
    return change
