"""How an event source mapping delivers, as the arguments of ``invoke_batch`` say it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.errors import RequestError

if TYPE_CHECKING:
    from lambda_invoke.sources.record import Source


@attrs.frozen
class BatchRules:
    """The arguments of ``invoke_batch`` that a mapping has too; ``retry_delay`` is in seconds."""

    attempts: int = 1
    batch_size: int | None = None
    report_batch_item_failures: bool = True
    bisect: bool = False
    retry_delay: float = 0.0

    def size_for(self, source: Source) -> int:
        """How many records a batch has at most, once the rules are known to be possible with the source.

        Raises:
            RequestError: they are not.
        """
        most = source.largest_batch
        size = most if self.batch_size is None else self.batch_size
        if not _is_count(self.attempts):
            raise RequestError(f"attempts is an int of at least 1, not {self.attempts!r}")
        if not _is_count(size) or size > most:
            raise RequestError(f"batch_size is an int from 1 to {most:,} for {source}, not {size!r}")
        if self.bisect and not source.is_stream:
            raise RequestError("bisect is for streams; what failed of a queue's batch comes again by itself")
        if not 0 <= self.retry_delay < math.inf:
            raise RequestError(f"retry_delay is seconds, at least 0, not {self.retry_delay!r}")
        return size


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value is not True and value >= 1
