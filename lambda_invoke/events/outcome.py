"""What became of an Event, as a destination or a dead-letter queue tells it: frozen values."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from lambda_invoke.errors import Executed

if TYPE_CHECKING:
    from lambda_invoke.errors import LambdaInvokeError
    from lambda_invoke.results import Invocation

T_co = TypeVar("T_co", covariant=True)

_QUALIFIED = 8
"""arn:partition:lambda:region:account:function:name:qualifier"""


def arn_parts(arn: str | None) -> tuple[str | None, str | None]:
    """The name and the qualifier in a function's ARN; None for what it does not have."""
    parts = (arn or "").split(":")
    if len(parts) not in (_QUALIFIED - 1, _QUALIFIED) or parts[5] != "function":
        return None, None
    return parts[6], parts[7] if len(parts) == _QUALIFIED else None


def seconds_since(moment: datetime | None, now: datetime | float) -> float | None:
    """Seconds from then to now, which is a datetime or :func:`time.time`'s; None without a then."""
    if moment is None:
        return None
    return (now.timestamp() if isinstance(now, datetime) else now) - moment.timestamp()


@attrs.frozen
class EventOutcome(Generic[T_co]):
    """What became of one Event: as of a synchronous call, either ``invocation`` or ``error`` is set.

    ``request_id`` is the id that Invoke answered the Event with. ``function`` is the ARN as it was
    recorded, with ``:$LATEST`` or without; a dead-letter message does not say whose it is (None).
    ``condition`` is why the record was written (an open string: Success, RetriesExhausted,
    EventAgeExceeded...), ``attempts`` how often Lambda tried, about; ``ended_at`` when it was done
    (of a dead-letter message: when it was sent, if its carrier says). ``carrier`` is what brought it:
    "sqs", "sns", "eventbridge", "lambda" (the record was the event itself), "text" (the bare record,
    as in an object of S3), or "dead-letter". ``request_payload`` is the event as it was sent.
    What the record did not say is None.
    """

    request_id: str | None
    function: str | None
    condition: str | None
    carrier: str
    invocation: Invocation[T_co] | None = None
    error: LambdaInvokeError | None = None
    request_payload: bytes | None = attrs.field(default=None, repr=False)
    attempts: int | None = None
    executed_version: str | None = None
    ended_at: datetime | None = None

    @property
    def ok(self) -> bool:
        """Whether the function succeeded, and its result is what was asked for."""
        return self.error is None

    @property
    def value(self) -> T_co:
        """The function's result.

        Raises:
            LambdaInvokeError: it failed, or never ran; its own error is raised.
        """
        if self.invocation is None:
            assert self.error is not None
            raise self.error
        return self.invocation.value

    @property
    def executed(self) -> Executed:
        """Whether the function ran."""
        return Executed.YES if self.error is None else self.error.executed

    @property
    def function_name(self) -> str | None:
        """The bare name in ``function``."""
        return arn_parts(self.function)[0]

    @property
    def qualifier(self) -> str | None:
        """What the Event was sent to, as ``function`` has it: a version, an alias, ``$LATEST``, or None."""
        return arn_parts(self.function)[1]

    def age(self, now: datetime | float) -> float | None:
        """Seconds since ``ended_at``. ``now`` is a datetime, or what :func:`time.time` says.

        How old the Event was when it ended is in no record: none says when it was accepted.
        """
        return seconds_since(self.ended_at, now)


@attrs.frozen
class BatchFailure:
    """A batch of a queue or stream that an event source mapping gave up: no Event, and no request of anybody.

    ``kind`` is the source's: "kinesis", "dynamodb", "kafka", "sqs" (a message that SQS's own redrive
    policy moved to a dead-letter queue), or whatever the record calls it. ``source_arn`` is the
    stream's, cluster's or queue's. ``first_arrival`` and ``last_arrival`` are about when its records
    came. ``payload`` is the whole event that the function was called with, which only S3 and Kafka
    hold, or the redriven message's body. ``partitions`` are Kafka's offsets and timestamps, by
    topic and partition, as recorded. ``status_code`` is None when no call was answered. ``error`` is
    the function's, if it failed. ``carrier``, ``condition``, ``attempts`` and ``ended_at`` are as of
    :class:`EventOutcome`. What the record did not say is None.
    """

    kind: str
    carrier: str
    source_arn: str | None = None
    request_id: str | None = None
    function: str | None = None
    condition: str | None = None
    attempts: int | None = None
    batch_size: int | None = None
    shard_id: str | None = None
    start_sequence_number: str | None = None
    end_sequence_number: str | None = None
    first_arrival: datetime | None = None
    last_arrival: datetime | None = None
    partitions: tuple[tuple[str, dict[str, str]], ...] = attrs.field(default=(), repr=False)
    payload: bytes | None = attrs.field(default=None, repr=False)
    status_code: int | None = None
    executed_version: str | None = None
    error: LambdaInvokeError | None = None
    ended_at: datetime | None = None

    @property
    def reported_failures(self) -> bool:
        """Whether the function succeeded, and said in ``batchItemFailures`` what of the batch did not."""
        return self.status_code is not None and self.error is None

    @property
    def executed(self) -> Executed:
        """Whether the function was called with this batch."""
        if self.status_code is not None or self.error is not None:
            return Executed.YES
        return Executed.NO if self.attempts == 0 else Executed.UNKNOWN

    def age(self, now: datetime | float) -> float | None:
        """Seconds since ``ended_at``. ``now`` is a datetime, or what :func:`time.time` says."""
        return seconds_since(self.ended_at, now)


@attrs.frozen
class UnreadableRecord:
    """What is no record of Lambda's. ``reason`` says what was missing, ``raw`` is the text as it came.

    Of a message, ``raw`` is its body; of a mapping that is none, its JSON.
    """

    reason: str
    raw: str = attrs.field(repr=False)
