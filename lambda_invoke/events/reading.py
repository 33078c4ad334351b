"""From an opened record or dead-letter message to what it says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.codec import decode_payload
from lambda_invoke.core.function_errors import NO_ERROR_TYPES, build_function_error, error_class
from lambda_invoke.errors import (
    EventDroppedError,
    Executed,
    FunctionError,
    HandlerError,
    LambdaInvokeError,
    PayloadDecodingError,
)
from lambda_invoke.events.carriers import timestamp
from lambda_invoke.events.json_object import JsonObject, NotAnObjectError
from lambda_invoke.events.outcome import BatchFailure, EventOutcome
from lambda_invoke.results import Invocation, RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.events.carriers import Letter

SUCCESS = "Success"
_OK = 200
_BATCH_NO_REPLY = "the function failed; the records of batches do not say how"
_BATCH_INFO = "BatchInfo"
_KINDS = {"DDBStream": "dynamodb"}
_NO_REPLY = "the record does not hold the function's reply: SNS leaves out what is too large for it"


@attrs.frozen
class Decoding:
    """How results and errors are made: as of a synchronous call."""

    response: Any = None
    error_types: Mapping[str, type[FunctionError]] = NO_ERROR_TYPES
    redact: bool = False


@attrs.frozen
class _Record:
    """What the records of Events and of batches have in common."""

    document: JsonObject
    function: str
    condition: str
    request_id: str | None
    attempts: int | None
    answered: bool
    status_code: int | None
    executed_version: str | None
    function_error: str | None

    @classmethod
    def of(cls, document: JsonObject) -> _Record:
        context = document.child("requestContext") or JsonObject({})
        function, condition = context.string("functionArn"), context.string("condition")
        if function is None or condition is None:
            raise NotAnObjectError("its requestContext does not name functionArn and condition")
        told = document.child("responseContext")
        reply = told or JsonObject({})
        failure = reply.get("functionError")
        return cls(
            document,
            function,
            condition,
            context.string("requestId"),
            context.integer("approximateInvokeCount"),
            told is not None,
            reply.integer("statusCode"),
            reply.string("executedVersion"),
            str(failure) if failure else None,
        )

    def failure(self, decoding: Decoding, *, without_reply: str = _NO_REPLY) -> FunctionError | None:
        """The function's error, if it failed; ``without_reply`` is its message if nothing tells of it."""
        if self.function_error is None:
            return None
        payload = _bytes(self.document.text_of("responsePayload"))
        if payload is None:
            return FunctionError(
                without_reply,
                function=self.function,
                request_id=self.request_id,
                function_error=self.function_error,
                executed_version=self.executed_version,
                redacted=decoding.redact,
            )
        return build_function_error(
            function=self.function,
            payload=payload,
            function_error=self.function_error,
            request_id=self.request_id,
            log=None,
            executed_version=self.executed_version,
            error_types=decoding.error_types,
            redact=decoding.redact,
        )


def read_document(
    letter: Letter, document: JsonObject, decoding: Decoding
) -> EventOutcome[Any] | BatchFailure:
    """What a record says.

    Raises:
        NotAnObjectError: it lacks what every record has.
    """
    record = _Record.of(document)
    batch = next((name for name in document.members if str(name).endswith(_BATCH_INFO)), None)
    if batch is not None:
        return _batch_failure(letter.carrier, record, batch, decoding)
    invocation, error = _result(record, decoding)
    return EventOutcome(
        record.request_id,
        record.function,
        record.condition,
        letter.carrier,
        invocation,
        error,
        _bytes(document.text_of("requestPayload")),
        record.attempts,
        record.executed_version,
        timestamp(document.get("timestamp")),
    )


def _result(record: _Record, decoding: Decoding) -> tuple[Invocation[Any] | None, LambdaInvokeError | None]:
    """The invocation, or the error: a function error wherever there is one, whatever the condition."""
    failure = record.failure(decoding)
    if failure is not None:
        return None, failure
    if record.condition != SUCCESS:
        return None, EventDroppedError(
            condition=record.condition,
            status_code=record.status_code,
            function=record.function,
            request_id=record.request_id,
            executed=Executed.NO if record.attempts == 0 and not record.answered else Executed.UNKNOWN,
        )
    payload = _bytes(record.document.text_of("responsePayload"))
    if payload is None:
        return None, PayloadDecodingError(_NO_REPLY, function=record.function, request_id=record.request_id)
    try:
        value = decode_payload(
            payload, decoding.response, function=record.function, request_id=record.request_id
        )
    except PayloadDecodingError as error:
        return None, error
    status = _OK if record.status_code is None else record.status_code
    return Invocation(
        value, payload, record.function, status, record.executed_version, record.request_id
    ), None


def _batch_failure(carrier: str, record: _Record, name: str, decoding: Decoding) -> BatchFailure:
    kind = name.removesuffix(_BATCH_INFO)
    info = record.document.child(name) or JsonObject({})
    error = record.failure(decoding, without_reply=_BATCH_NO_REPLY)
    partitions = info.child("recordsInfo") or JsonObject({})
    return BatchFailure(
        _KINDS.get(kind, kind.lower()),
        carrier,
        source_arn=info.string("streamArn") or info.string("eventSourceArn"),
        request_id=record.request_id,
        function=record.function,
        condition=record.condition,
        attempts=record.attempts,
        batch_size=info.integer("batchSize"),
        shard_id=info.string("shardId"),
        start_sequence_number=info.string("startSequenceNumber"),
        end_sequence_number=info.string("endSequenceNumber"),
        first_arrival=timestamp(info.get("approximateArrivalOfFirstRecord")),
        last_arrival=timestamp(info.get("approximateArrivalOfLastRecord")),
        partitions=tuple(
            (str(each), {str(key): str(text) for key, text in of.items()})
            for each, of in partitions.members.items()
            if isinstance(of, dict)
        ),
        payload=_whole_event(record.document),
        status_code=record.status_code,
        executed_version=record.executed_version,
        error=error,
        ended_at=timestamp(record.document.get("timestamp")),
    )


def _whole_event(document: JsonObject) -> bytes | None:
    """The event that holds the batch: an object, or that object's text as a string (AWS shows both)."""
    text = document.string("payload")
    return _bytes(document.text_of("payload") if text is None else text)


def read_dead_letter(letter: Letter, decoding: Decoding) -> EventOutcome[Any]:
    """What a dead-letter message says: the event, the request, a status, and 1 KB of the error's message.

    Status 200 is that of a function that ran and failed. No type, stack or version comes with it, so
    the error is a timeout, a crash or out of memory where the message is Lambda's own sentence about
    this request, and else a bare :class:`~lambda_invoke.FunctionError`: whether the handler raised
    or its module could not be loaded is not told, and ``error_types`` has no type to go by. Every other
    status means that Lambda gave up without an answer of the function to that attempt; attempts
    before it may have run.

    Source: "Dead-letter queue message attributes", AWS Lambda developer guide, 2026-11.
    """
    told = letter.attributes
    request_id = told["RequestID"]
    status = _status(told.get("ErrorCode"))
    message = told.get("ErrorMessage")
    error: LambdaInvokeError
    if status == _OK:
        remote = RemoteError(error_message=message)
        cls = error_class(remote, request_id=request_id)
        error = (FunctionError if cls is HandlerError else cls)(
            remote=remote, request_id=request_id, redacted=decoding.redact
        )
    else:
        error = EventDroppedError(
            f"Lambda dropped the event: {status or ''} {message or ''}".rstrip(" :"),
            status_code=status,
            request_id=request_id,
        )
    return EventOutcome(
        request_id,
        None,
        None,
        "dead-letter",
        error=error,
        request_payload=_bytes(letter.text),
        ended_at=letter.sent_at,
    )


def read_redriven(letter: Letter) -> BatchFailure:
    """A message that SQS itself moved, after it had been received too often: nobody says what went wrong."""
    return BatchFailure(
        "sqs",
        letter.carrier,
        source_arn=letter.redriven_from,
        batch_size=1,
        payload=_bytes(letter.text),
        first_arrival=letter.sent_at,
        last_arrival=letter.sent_at,
    )


def _status(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) == 3 else None  # noqa: PLR2004


def _bytes(text: str | None) -> bytes | None:
    """A lone surrogate, which UTF-8 cannot hold, as its escape, which in JSON means the same."""
    return None if text is None else text.encode("utf-8", "backslashreplace")
