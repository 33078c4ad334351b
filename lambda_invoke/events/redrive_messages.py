"""What a message of a dead-letter queue or failure destination is, for a redrive."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import FunctionError, PayloadDecodingError
from lambda_invoke.events.outcome import BatchFailure, UnreadableRecord
from lambda_invoke.events.records import read_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lambda_invoke.errors import LambdaInvokeError
    from lambda_invoke.events.outcome import EventOutcome
    from lambda_invoke.events.queue import QueueMessage


class Kind(enum.Enum):
    """What a message is. Only a ``FAILED_EVENT`` is ever sent again."""

    FAILED_EVENT = "failed event"
    SUCCESS = "success"
    """A record of an Event that succeeded: nothing to do again."""
    BATCH = "batch of an event source mapping"
    """Pointers into a stream, or a batch of a queue, and not what was sent to the function."""
    SOURCE_MESSAGE = "message of a source queue"
    """SQS itself moved it here from another queue, by that queue's redrive policy."""
    UNREADABLE = "unreadable"
    """No record of Lambda's."""


@attrs.frozen
class ReadMessage:
    """A message as it was received and read: whose it is, how old, and what Lambda says in it.

    ``outcome`` is set of failed Events and of successes; ``reason`` says of anything else why it is not
    sent again.
    """

    message: QueueMessage
    kind: Kind
    reason: str = ""
    outcome: EventOutcome[Any] | None = None

    @property
    def message_id(self) -> str:
        """SQS's id of it, the same at each receive."""
        return self.message.message_id

    @property
    def request_id(self) -> str | None:
        """The request id that the Event was accepted with."""
        return None if self.outcome is None else self.outcome.request_id

    @property
    def function(self) -> str:
        """The function that failed, an ARN; empty where the message does not name it."""
        return (self.outcome.function or "") if self.outcome is not None else ""

    @property
    def error_type(self) -> str:
        """What the message is grouped by: the error's remote type, else why it never ran, else its kind."""
        if self.outcome is None or self.outcome.error is None:
            return self.kind.value
        return error_type_of(self.outcome.error, self.outcome.condition)

    @property
    def since(self) -> datetime | None:
        """When Lambda was done with the Event; of a dead letter, when it came here."""
        ended = None if self.outcome is None else self.outcome.ended_at
        return ended or self.message.sent_at


def error_type_of(error: LambdaInvokeError, condition: str | None) -> str:
    """The name that an error goes by: its remote type, the record's condition, or its class."""
    remote = error.error_type if isinstance(error, FunctionError) else None
    if remote:
        return remote
    if condition and condition != "RetriesExhausted":
        return condition  # EventAgeExceeded and the like: it never ran, and that is why
    return type(error).__name__


def read_message(message: QueueMessage) -> ReadMessage:
    """Read a message. Raises nothing for what it holds."""
    return ReadMessage(message, *_classify(message.raw))


def _classify(raw: Mapping[str, Any]) -> tuple[Kind, str, EventOutcome[Any] | None]:
    record = read_record(raw)
    if isinstance(record, UnreadableRecord):
        return Kind.UNREADABLE, f"unreadable: {record.reason}", None
    if isinstance(record, BatchFailure):
        return (*_of_a_mapping(record), None)
    if record.error is None or isinstance(record.error, PayloadDecodingError):
        return Kind.SUCCESS, "it succeeded", record
    if record.request_payload is None:
        return Kind.UNREADABLE, "unreadable: the record does not hold what was sent to the function", None
    return Kind.FAILED_EVENT, "", record


def _of_a_mapping(record: BatchFailure) -> tuple[Kind, str]:
    source = (record.source_arn or "").rpartition(":")[2] or "a source"
    if record.kind == "sqs":
        return Kind.SOURCE_MESSAGE, f"SQS moved it here from {source}: StartMessageMoveTask moves it back"
    return Kind.BATCH, f"a batch of {source} that an event source mapping gave up, and no Event"
