"""What carries a record: SQS, SNS, EventBridge and Lambda, opened down to what they brought.

Sources: "Capturing records of Lambda asynchronous invocations", AWS Lambda developer guide; "Amazon
SNS message and JSON formats"; "ReceiveMessage", Amazon SQS API reference, 2026-11.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.events.json_object import JsonObject, NotAnObjectError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CARRIERS = 8
"""One in another: an EventBridge event in a notification in a message. What nests deeper is no record."""

_REDRIVEN_FROM = "DeadLetterQueueSourceArn"
"""SQS's attribute of a message that its redrive policy moved."""


@attrs.frozen
class Letter:
    """What one carrier brought.

    ``text`` is the body as text, ``document`` the object that it is (None if it is none, ``problem``
    says why). ``attributes`` are the message's own, ``sent_at`` is when it was sent, ``redriven_from``
    the queue whose redrive policy moved it.
    """

    carrier: str
    text: str | None = attrs.field(default=None, repr=False)
    document: JsonObject | None = None
    problem: str = "it is not JSON"
    attributes: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    sent_at: datetime | None = None
    redriven_from: str | None = None

    @property
    def is_dead_letter(self) -> bool:
        """Whether Lambda itself put it into a dead-letter queue: it names the request and what went wrong."""
        names = self.attributes
        return "RequestID" in names and ("ErrorCode" in names or "ErrorMessage" in names)

    @property
    def is_record(self) -> bool:
        """Whether it is the record of an Event or of a batch; API Gateway's requestContext has neither."""
        context = None if self.document is None else self.document.get("requestContext")
        return isinstance(context, dict) and "functionArn" in context and "condition" in context


def text_letter(text: str, carrier: str, **facts: Any) -> Letter:
    """A letter of which the text is known."""
    try:
        return Letter(carrier, text, JsonObject.read(text), **facts)
    except NotAnObjectError as error:
        return Letter(carrier, text, None, str(error), **facts)


def opened(letter: Letter) -> list[Letter]:
    """The letter and what was in it, outermost first; the last is the innermost.

    Raises:
        NotAnObjectError: what is in it cannot be read.
    """
    letters = [letter]
    while len(letters) <= MAX_CARRIERS:
        last = letters[-1]
        if last.is_dead_letter or last.is_record or last.document is None:
            return letters
        inner = _inner(last.document)
        if inner is None:
            return letters
        letters.append(inner)
    raise NotAnObjectError(f"more than {MAX_CARRIERS} carriers, one in another")


def _inner(document: JsonObject) -> Letter | None:
    """What this object carries, if it is a carrier."""
    body = document.string("Body")
    if body is not None:
        return _message(body, document.child("MessageAttributes"), document.child("Attributes"))
    body = document.string("body")
    if body is not None and ("messageId" in document.members or document.get("eventSource") == "aws:sqs"):
        return _message(body, document.child("messageAttributes"), document.child("attributes"))
    message = document.string("Message")
    if message is not None and ("TopicArn" in document.members or document.get("Type") == "Notification"):
        return text_letter(
            message,
            "sns",
            attributes=_attributes(document.child("MessageAttributes")),
            sent_at=timestamp(document.get("Timestamp")),
        )
    notification = document.child("Sns")
    if notification is not None:
        return _inner(notification)
    detail = document.child("detail")
    if detail is not None and "detail-type" in document.members:
        return Letter("eventbridge", document.text_of("detail"), detail)
    return None


def _message(body: str, attributes: JsonObject | None, system: JsonObject | None) -> Letter:
    told = system or JsonObject({})
    return text_letter(
        body,
        "sqs",
        attributes=_attributes(attributes),
        sent_at=_epoch(told.get("SentTimestamp")),
        redriven_from=told.string(_REDRIVEN_FROM),
    )


def _attributes(document: JsonObject | None) -> dict[str, str]:
    """Name to text, whichever of the three shapes they are in: boto3's, a Lambda event's, or SNS's."""
    found: dict[str, str] = {}
    for name, value in document.members.items() if document is not None else ():
        if isinstance(value, dict):
            texts = (value.get(key) for key in ("StringValue", "stringValue", "Value"))
            text = next((each for each in texts if isinstance(each, str)), None)
            if text is not None:
                found[name] = text
    return found


def timestamp(value: object) -> datetime | None:
    """An ISO 8601 time; UTC unless it says otherwise. None for what is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _epoch(value: object) -> datetime | None:
    """Milliseconds since 1970, which SQS writes as text."""
    try:
        return datetime.fromtimestamp(int(str(value)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
