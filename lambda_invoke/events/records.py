"""One reader for what asynchronous invocation leaves behind, whatever carried it. Pure: no I/O, no clock.

Source: "Capturing records of Lambda asynchronous invocations" and "Retaining discarded batch records",
AWS Lambda developer guide, 2026-11, and records that real functions sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from lambda_invoke.core.codec import check_response_type
from lambda_invoke.core.function_errors import NO_ERROR_TYPES, check_error_types
from lambda_invoke.errors import FunctionError
from lambda_invoke.events.carriers import Letter, opened, text_letter
from lambda_invoke.events.json_object import JsonObject, NotAnObjectError
from lambda_invoke.events.outcome import BatchFailure, EventOutcome, UnreadableRecord
from lambda_invoke.events.reading import Decoding, read_dead_letter, read_document, read_redriven

T = TypeVar("T")
Data = str | bytes | Mapping[str, Any]
ErrorTypes = Mapping[str, type[FunctionError]]


@overload
def read_record(
    data: Data, *, response: None = None, error_types: ErrorTypes | None = None, redact: bool = False
) -> EventOutcome[Any] | BatchFailure | UnreadableRecord: ...
@overload
def read_record(
    data: Data, *, response: type[T], error_types: ErrorTypes | None = None, redact: bool = False
) -> EventOutcome[T] | BatchFailure | UnreadableRecord: ...
@overload
def read_record(
    data: Data, *, response: Any, error_types: ErrorTypes | None = None, redact: bool = False
) -> EventOutcome[Any] | BatchFailure | UnreadableRecord: ...
def read_record(
    data: Data, *, response: Any = None, error_types: ErrorTypes | None = None, redact: bool = False
) -> EventOutcome[Any] | BatchFailure | UnreadableRecord:
    """What became of an Event, or of a batch of an event source mapping.

    Nothing that ``data`` is makes it raise: what cannot be read comes back as UnreadableRecord.
    Payloads keep the bytes of the text that they came in; of a mapping, which somebody has parsed,
    they are written anew.

    Args:
        data: a message of SQS as boto3 returns it (receive it with ``MessageAttributeNames=["All"]``
            and ``MessageSystemAttributeNames=["All"]``: a dead letter is told by its attributes, and
            a redriven one by DeadLetterQueueSourceArn); its body; an SNS notification; an
            EventBridge event; an S3 object's text; the record itself; or the event of a Lambda
            function that SQS or SNS called, if one record is in it.
        response: the type that the function's result is decoded to, as of ``invoke``. A result that
            does not fit it is a PayloadDecodingError in ``error``.
        error_types: remote error types and the classes for them, as of ``invoke``.
        redact: leave remote messages and stacks out of the errors' ``str`` and ``repr``.

    Raises:
        RequestError: no reply could be decoded to ``response``.
        TypeError: an entry of ``error_types`` is not one.
    """
    return _read(data, _decoding(response, error_types, redact=redact))


def read_records(
    event: Data, *, response: Any = None, error_types: ErrorTypes | None = None, redact: bool = False
) -> list[EventOutcome[Any] | BatchFailure | UnreadableRecord]:
    """All that a carrier of several holds, in its order: one of its ``Records`` each.

    That is the event of a Lambda function that SQS or SNS called, or what boto3's receive_message
    answered (``Messages``). Anything else is read as :func:`read_record` does, and is one.

    Args:
        event: the event, its JSON, or the answer.
        response: as of :func:`read_record`.
        error_types: as of :func:`read_record`.
        redact: as of :func:`read_record`.

    Raises:
        RequestError: no reply could be decoded to ``response``.
        TypeError: an entry of ``error_types`` is not one.
    """
    decoding = _decoding(response, error_types, redact=redact)
    try:
        document = _letter(event).document
        held = None if document is None else _held(document)
    except NotAnObjectError:
        held = None
    return [_read(event, decoding)] if held is None else [_read(each, decoding) for each in held]


def _decoding(response: Any, error_types: ErrorTypes | None, *, redact: bool) -> Decoding:
    check_response_type(response)
    return Decoding(response, check_error_types(error_types) if error_types else NO_ERROR_TYPES, redact)


def _read(data: object, decoding: Decoding) -> EventOutcome[Any] | BatchFailure | UnreadableRecord:
    try:
        letters = _opened(data)
    except NotAnObjectError as error:
        return UnreadableRecord(str(error), _raw(data))
    last = letters[-1]
    try:
        if last.is_dead_letter:
            return read_dead_letter(last, decoding)
        if last.is_record and last.document is not None:
            return read_document(last, last.document, decoding)
        reason = "it has no requestContext of Lambda's" if last.document is not None else last.problem
    except NotAnObjectError as error:
        reason = str(error)
    redriven = next((letter for letter in letters if letter.redriven_from is not None), None)
    if redriven is not None:
        return read_redriven(redriven)
    if any(letter.carrier == "sqs" for letter in letters):
        reason += ", and the message has neither Lambda's attributes nor SQS's DeadLetterQueueSourceArn"
    return UnreadableRecord(reason, _raw(data) if last.text is None else last.text)


def _opened(data: object) -> list[Letter]:
    letter = _letter(data)
    held = None if letter.document is None else _held(letter.document)
    if held is None:
        return opened(letter)
    if len(held) != 1:
        raise NotAnObjectError(f"it holds {len(held)} records, which read_records reads")
    return opened(_letter(held[0]))


def _letter(data: object) -> Letter:
    if isinstance(data, Mapping):
        return Letter("lambda", None, JsonObject.of(data))
    if isinstance(data, (bytes, bytearray, memoryview)):
        try:
            return text_letter(bytes(data).decode(), "text")
        except UnicodeDecodeError as error:
            raise NotAnObjectError(f"it is not UTF-8, at byte {error.start}") from None
        except ValueError:
            raise NotAnObjectError("it is a memoryview that was released") from None
    if isinstance(data, str):
        return text_letter(data, "text")
    raise NotAnObjectError(f"it is neither text nor a mapping but {type(data).__name__}")


def _held(document: JsonObject) -> list[Any] | None:
    """The records in a Lambda function's event, or in SQS's answer; None if it is neither."""
    for name in ("Records", "Messages"):
        held = document.get(name)
        if isinstance(held, list) and "requestContext" not in document.members:
            return held
    return None


def _raw(data: object) -> str:
    """The text of what was given, for a reader to look at."""
    if isinstance(data, str):
        return data
    try:
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data).decode("utf-8", "backslashreplace")
        return json.dumps(data, default=repr)
    except Exception:  # noqa: BLE001 - whatever an object of the caller's does when it is shown
        return f"<{type(data).__name__}>"
