"""From records to the payloads of batches: encoded once, cut by count and by bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.core.codec_encode import encode_json
from lambda_invoke.errors import PayloadTooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambda_invoke.sources.record import Source, SourceRecord

_BEFORE = b'{"Records":['
_BETWEEN = b","
_BEHIND = b"]}"
_AROUND = len(_BEFORE) + len(_BEHIND)


class Encoder:
    """The records of a call in JSON, and the payloads that are made of them.

    ``limit_bytes`` is Lambda's limit of a synchronous payload, ``most`` how often a record may be
    delivered: its encoding may grow on the way.

    Raises:
        PayloadTooLargeError: a record is over the limit on its own.
    """

    def __init__(
        self, source: Source, records: Sequence[SourceRecord], *, limit_bytes: int, most: int
    ) -> None:
        self._source = source
        self._records = records
        self._limit = limit_bytes
        self._first = [encode_json(record.event, what=f"record {record.index}") for record in records]
        # a message's receive count may have more digits when it is delivered again
        growth = 0 if most == 1 or source.is_stream else len(str(most))
        for record, encoded in zip(records, self._first, strict=True):
            at_most = _AROUND + len(encoded) + growth
            if at_most > limit_bytes:
                raise PayloadTooLargeError(
                    f"record {record.index} makes an event of {at_most:,} bytes on its own; "
                    f"the limit of a synchronous invocation is {limit_bytes:,} bytes",
                    size_bytes=at_most,
                    limit_bytes=limit_bytes,
                )

    def first_of(self, indexes: Sequence[int], delivered: Sequence[int]) -> tuple[tuple[int, ...], bytes]:
        """As many of these records as fit into one batch, and its payload; at least one.

        ``delivered`` says by index how often each record was delivered already.
        """
        taken: list[bytes] = []
        total = _AROUND
        for index in indexes:
            encoded = self._encoded(index, delivered[index])
            total += len(encoded) + (len(_BETWEEN) if taken else 0)
            if total > self._limit and taken:
                break
            taken.append(encoded)
        return tuple(indexes[: len(taken)]), _BEFORE + _BETWEEN.join(taken) + _BEHIND

    def _encoded(self, index: int, delivered: int) -> bytes:
        if delivered == 0:
            return self._first[index]
        event = self._records[index].event
        again = self._source.delivered_again(event, delivered)
        return self._first[index] if again is event else encode_json(again, what=f"record {index}")
