"""What is told of an Event that ended: the invocation record, and the message of a dead-letter queue. Pure.

Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda developer guide, 2026-11, and
records that real functions sent.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local.event_state import RECURSIVE_INVOCATION, SUCCESS
from lambda_invoke.local.function import LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.local.event_state import QueuedEvent

MAX_ERROR_MESSAGE_BYTES = 1024
"""AWS, 2026-11: the attribute ErrorMessage has "the first 1 KB of the error message"."""
_NOT_IN_ATTRIBUTES = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""SQS refuses a message whose attributes have any of these (SendMessage, API reference, 2026-11)."""


@attrs.frozen
class Message:
    """What goes to one destination, as JSON text.

    ``brief`` is the record without its payloads, for where the whole is too large. ``attributes`` are a
    dead-letter message's: name to data type and value; a record has none.
    """

    body: str = attrs.field(repr=False)
    function_name: str
    function_arn: str
    request_id: str
    succeeded: bool = False
    brief: str | None = attrs.field(default=None, repr=False)
    attributes: Mapping[str, tuple[str, str]] = attrs.field(factory=dict, repr=False)

    def to_value(self) -> Any:
        """As a JSON value: the record, or a dead-letter message in the shape that SQS returns it in."""
        if not self.attributes:
            return json.loads(self.body)
        return {"Body": self.body, "MessageAttributes": message_attributes(self.attributes)}


def message_attributes(attributes: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    """The attributes as SQS and SNS take them."""
    return {
        name: {"DataType": kind, "StringValue": value} for name, (kind, value) in sorted(attributes.items())
    }


def invocation_record(event: QueuedEvent, function_arn: str) -> Message:
    """The record of an Event that ended; ``function_arn`` is the function's, unqualified.

    Payloads stand in it as they were sent: no number or key is read and written anew.
    """
    arn = f"{function_arn}:{event.qualifier or LATEST}"
    head: dict[str, Any] = {
        "version": "1.0",
        "timestamp": event.ended_at,
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": arn,
            "condition": event.condition,
            "approximateInvokeCount": event.attempts,
        },
    }
    parts = [json.dumps(head)[1:-1]]
    whole = [*parts, f'"requestPayload": {_json_text(event.invocation.payload)}']
    if event.response is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": event.response.executed_version}
        if event.response.failed:
            context["functionError"] = "Unhandled"
        told = f'"responseContext": {json.dumps(context)}'
        parts.append(told)
        whole += [told, f'"responsePayload": {_json_text(event.response.payload)}']
    return Message(
        _object(whole),
        event.function_name,
        arn,
        event.request_id,
        succeeded=event.condition == SUCCESS,
        brief=_object(parts),
    )


def dead_letter(event: QueuedEvent, function_arn: str) -> Message:
    """The message for the dead-letter queue: the event as it was sent, and what went wrong as attributes."""
    status, text = _error(event)
    attributes = {
        "RequestID": ("String", event.request_id),
        "ErrorCode": ("Number", str(int(status))),
        "ErrorMessage": ("String", _first_bytes(_NOT_IN_ATTRIBUTES.sub("?", text))),
    }
    return Message(
        event.invocation.payload.decode("utf-8", "replace"),
        event.function_name,
        f"{function_arn}:{event.qualifier or LATEST}",
        event.request_id,
        attributes={name: of for name, of in attributes.items() if of[1]},
    )


def _error(event: QueuedEvent) -> tuple[HTTPStatus, str]:
    """The status that Invoke would have answered with, and the error's message."""
    if event.response is not None:
        try:
            error = json.loads(event.response.payload)
        except ValueError:
            error = None
        message = error.get("errorMessage") if isinstance(error, dict) else None
        return HTTPStatus.OK, message if isinstance(message, str) else ""
    if event.condition == RECURSIVE_INVOCATION:
        return HTTPStatus.BAD_REQUEST, "Lambda stopped a recursive loop."
    return HTTPStatus.TOO_MANY_REQUESTS, "Rate Exceeded."


def _first_bytes(text: str) -> str:
    return text.encode("utf-8", "replace")[:MAX_ERROR_MESSAGE_BYTES].decode("utf-8", "ignore")


def _json_text(payload: bytes) -> str:
    """The payload if it is JSON, else as a JSON string: a handler may answer any bytes."""
    text = payload.decode("utf-8", "replace")
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(text)
    return text


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _object(members: list[str]) -> str:
    return "{" + ", ".join(members) + "}"
