"""What became of an Event, as a destination or a dead-letter queue tells it: frozen values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from lambda_invoke.errors import Executed

if TYPE_CHECKING:
    from datetime import datetime

    from lambda_invoke.errors import LambdaInvokeError
    from lambda_invoke.results import Invocation

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class EventOutcome(Generic[T_co]):
    """What became of one Event: as of a synchronous call, either ``invocation`` or ``error`` is set.

    ``request_id`` is the id that Invoke answered the Event with. ``condition`` is why the record was
    written (an open string: Success, RetriesExhausted, EventAgeExceeded...), ``attempts`` how often
    Lambda tried, about; ``ended_at`` when it was done. ``carrier`` is what brought it: "sqs", "sns",
    "eventbridge", "s3", "lambda", or "dead-letter". What the record did not say is None.
    """

    request_id: str | None
    function: str
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
        """Whether the function succeeded."""
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


@attrs.frozen
class UnreadableRecord:
    """What is no record of Lambda's. ``reason`` says what was missing, ``raw`` is the text as it came."""

    reason: str
    raw: str = attrs.field(repr=False)
