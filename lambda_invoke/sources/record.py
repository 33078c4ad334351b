"""A record as Lambda delivers it, and what every source does with what it is given."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from lambda_invoke.core.codec_encode import encode_json
from lambda_invoke.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime


@attrs.frozen
class SourceRecord:
    """One record of an event: its place in the caller's list, and how Lambda would deliver it.

    ``identifier`` is what a handler names it by in ``batchItemFailures``; ``lane`` is the shard of a
    stream, "" for a queue: a batch never holds records of two.
    """

    index: int
    given: object = attrs.field(repr=False)
    identifier: str
    event: Mapping[str, Any] = attrs.field(repr=False)
    lane: str = ""


@attrs.frozen
class Stamp:
    """What making records draws on: the time (seconds since 1970) and fresh ids (UUIDs as text)."""

    now: float = attrs.field(factory=time.time)
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def number(self, digits: int) -> int:
        """A fresh number of at most so many digits."""
        number: int = 10**digits
        return int(self.new_id().replace("-", ""), 16) % number


@attrs.frozen
class Source:
    """Where records come from; :class:`SqsSource`, :class:`KinesisSource` and :class:`DynamoDBSource` are."""

    arn: str = attrs.field()

    kind: ClassVar[str] = ""
    is_stream: ClassVar[bool] = False
    """Whether it is a stream: ordered by shard, with a checkpoint."""

    @arn.validator
    def _is_an_arn_of_its_service(self, _attribute: object, arn: object) -> None:
        if not isinstance(arn, str) or service_of(arn) != self.kind or not region_of(arn):
            raise RequestError(
                f"{type(self).__name__} takes the ARN of its source, arn:aws:{self.kind}:..., not {arn!r}"
            )

    @property
    def region(self) -> str:
        """The source's region, of its ARN."""
        return region_of(self.arn)

    @property
    def largest_batch(self) -> int:
        """How many records Lambda delivers in one batch at most."""
        return 10_000  # AWS quota, 2026-11: BatchSize of standard queues, Kinesis and DynamoDB streams

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return False

    def event(
        self, records: Iterable[object], *, now: float | None = None, new_id: Callable[[], str] | None = None
    ) -> dict[str, Any]:
        """The event that Lambda would invoke a function with for these records, however many.

        Args:
            records: payloads, or records of the source's own type.
            now: when they were sent, in seconds since 1970; default: the present.
            new_id: makes the ids that no record has of its own, UUIDs as text; default: random ones.

        Raises:
            RequestError: a record that the source could not hold; the message says which.
        """
        return {"Records": [dict(record.event) for record in self.build(list(records), stamp(now, new_id))]}

    def build(self, records: list[object], stamp: Stamp) -> list[SourceRecord]:
        """The records as they are delivered for the first time, in the same order."""
        raise NotImplementedError

    def delivered_again(
        self,
        event: Mapping[str, Any],
        times: int,  # noqa: ARG002 - a stream's records do not say how often they were delivered
    ) -> Mapping[str, Any]:
        """A record as it looks after it has been delivered ``times`` times already."""
        return event

    def __str__(self) -> str:
        return self.arn


def stamp(now: float | None, new_id: Callable[[], str] | None) -> Stamp:
    """A stamp of what is given, and of the present and chance for the rest."""
    given: dict[str, Any] = {"now": now, "new_id": new_id}
    return Stamp(**{name: value for name, value in given.items() if value is not None})


def service_of(arn: str) -> str:
    """The service that an ARN names, "" if it is none."""
    parts = arn.split(":", 5)
    return parts[2] if len(parts) == 6 and parts[0] == "arn" else ""  # noqa: PLR2004 - an ARN has six


def region_of(arn: str) -> str:
    """The region that an ARN names, "" if it is none."""
    parts = arn.split(":", 5)
    return parts[3] if len(parts) == 6 else ""  # noqa: PLR2004


def content(value: object, where: str) -> bytes:
    """What a record holds of a payload: text and bytes as they are, everything else as JSON.

    Raises:
        PayloadEncodingError: it has no JSON form.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    return encode_json(value, what=where)


def epoch(moment: datetime | float | None, default: float) -> float:
    """Seconds since 1970."""
    if moment is None:
        return default
    return float(moment) if isinstance(moment, int | float) else moment.timestamp()


def once_each(records: list[SourceRecord]) -> list[SourceRecord]:
    """The records, whose identifiers are known to differ, so that a reply can name each of them.

    Raises:
        RequestError: two have the same.
    """
    seen: dict[str, int] = {}
    for record in records:
        first = seen.setdefault(record.identifier, record.index)
        if first != record.index:
            raise RequestError(f"records {first} and {record.index} have the same id, {record.identifier!r}")
    return records


def ascending(given: str | None, last: int, where: str) -> int:
    """The sequence number of a stream's or FIFO queue's next record: the given one, or the next free.

    Raises:
        RequestError: it is no number, or not above the last one.
    """
    if given is None:
        return last + 1
    if not (given.isascii() and given.isdigit()):
        raise RequestError(f"{where}: a sequence number is decimal digits, not {given!r}")
    if int(given) <= last:
        raise RequestError(f"{where}: its sequence number {given} is not above that of the record before it")
    return int(given)
