"""What became of the records of ``invoke_batch``: frozen values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import BatchError, Executed, LambdaInvokeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambda_invoke.results import Invocation
    from lambda_invoke.sources.record import Source

_NAMED_AT_MOST = 3


def _name(error: LambdaInvokeError | None) -> str:
    return "None" if error is None else type(error).__name__


def _count(indexes: tuple[int, ...]) -> str:
    return str(len(indexes))


@attrs.frozen
class BatchRecord:
    """What became of one record.

    ``index`` is its place in the caller's list, ``record`` what stood there, ``identifier`` its message
    id or sequence number, ``shard`` the shard of a stream. ``error`` is None when it succeeded.
    ``reported`` says whether the handler named it as failed, in its last delivery: a record behind a
    stream's checkpoint, and one whose batch failed as a whole, has an error without that.
    ``deliveries`` counts how often it was delivered.
    """

    index: int
    record: object = attrs.field(repr=False)
    identifier: str
    error: LambdaInvokeError | None = attrs.field(default=None, repr=_name)
    reported: bool = False
    deliveries: int = 0
    shard: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.error is None

    @property
    def executed(self) -> Executed:
        """Whether the function ran for it."""
        return Executed.YES if self.error is None else self.error.executed


@attrs.frozen
class Delivery:
    """One batch as it was sent, or was to be.

    ``indexes`` are those of its records; either ``invocation`` or ``error`` is set.

    ``failed`` are the indexes of those that failed, ``whole`` is why the whole batch counted as failed,
    or None. The invocation's value is the reply as JSON has it.
    """

    number: int
    indexes: tuple[int, ...] = attrs.field(repr=_count)
    invocation: Invocation[Any] | None = None
    error: LambdaInvokeError | None = attrs.field(default=None, repr=_name)
    failed: tuple[int, ...] = attrs.field(default=(), repr=_count)
    whole: str | None = None


@attrs.frozen(repr=False)
class BatchReport:
    """What became of every record of ``invoke_batch``, in the order of the input."""

    function: str
    source: Source
    records: tuple[BatchRecord, ...]
    deliveries: tuple[Delivery, ...]

    @property
    def succeeded(self) -> tuple[BatchRecord, ...]:
        """The records that succeeded."""
        return tuple(record for record in self.records if record.ok)

    @property
    def failed(self) -> tuple[BatchRecord, ...]:
        """The records that did not: each has its ``error``."""
        return tuple(record for record in self.records if not record.ok)

    @property
    def ok(self) -> bool:
        """Whether all succeeded."""
        return all(record.ok for record in self.records)

    @property
    def invocations(self) -> tuple[Invocation[Any], ...]:
        """The invocations that were answered without an error, in order."""
        return tuple(one.invocation for one in self.deliveries if one.invocation is not None)

    @property
    def checkpoint(self) -> str | None:
        """The sequence number of a stream's first record that did not succeed: where to go on from.

        None when all succeeded, and of a queue. Of several shards, that of the shard whose record
        stands first; :attr:`checkpoints` has all.
        """
        return next(iter(self.checkpoints.values()), None)

    @property
    def checkpoints(self) -> Mapping[str, str]:
        """By shard, the sequence number of its first record that did not succeed."""
        found: dict[str, str] = {}
        for record in self.records:
            if not record.ok and record.shard is not None:
                found.setdefault(record.shard, record.identifier)
        return found

    @property
    def executed(self) -> Executed:
        """Whether anything ran: the worst that is to be said of any record."""
        said = {record.executed for record in self.records}
        for worst in (Executed.UNKNOWN, Executed.YES):
            if worst in said:
                return worst
        return Executed.NO

    def raise_for_failures(self) -> None:
        """Return if all records succeeded.

        Raises:
            BatchError: some did not; its ``report`` is this, its cause the first one's error.
        """
        failed = self.failed
        if not failed:
            return
        named = ", ".join(str(record.index) for record in failed[:_NAMED_AT_MOST])
        more = ", ..." if len(failed) > _NAMED_AT_MOST else ""
        raise BatchError(
            f"{len(failed)} of {len(self.records)} records failed ({named}{more}); {_first(failed[0])}",
            report=self,
            function=self.function,
            executed=self.executed,
        ) from failed[0].error

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[BatchRecord]:
        return iter(self.records)

    def __repr__(self) -> str:
        failed = len(self.failed)
        sent = len(self.deliveries)
        parts = [
            f"{len(self.records) - failed} of {len(self.records)} records succeeded",
            f"{sent} {'delivery' if sent == 1 else 'deliveries'}",
        ]
        if self.checkpoint is not None:
            parts.append(f"checkpoint {self.checkpoint}")
        return f"<BatchReport {self.function}: {', '.join(parts)}>"


def _first(record: BatchRecord) -> str:
    error = record.error
    assert error is not None
    return f"the first: {type(error).__name__}"
