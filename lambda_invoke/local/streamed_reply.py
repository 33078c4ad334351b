"""A streamed reply at its two ends: taken from the worker, and made an event stream for the caller."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import TYPE_CHECKING

from lambda_invoke.local import log
from lambda_invoke.local.outcome import MAX_RESPONSE_BYTES, MAX_STREAMED_BYTES, Answered, Streamed
from lambda_invoke.local.response_stream import invoke_complete, payload_chunk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from lambda_invoke.local.chunked import ChunkedBody
    from lambda_invoke.local.executor import Execution
    from lambda_invoke.local.response_stream import ReplyStream

_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"


async def receive(body: ChunkedBody, stream: ReplyStream | None, *, declared: bool) -> Answered | Streamed:
    """Take a reply from the worker: passed on as it comes, or collected when the caller wants it whole.

    What is over Lambda's limit is not taken. An error in the trailers counts, but for a caller that wants it
    whole and a worker that has not declared it a stream: sendPayloadLimitedResponse in core/directinvoke of
    AWS's runtime interface emulator.

    Raises:
        BrokenBodyError: it broke off.
    """
    if stream is None:
        payload, size = await body.read_all(MAX_RESPONSE_BYTES)
        error_type, error = _trailers(body)
        if error_type is None or not declared:
            return Answered(payload, is_error=False, size=size)
        error = error or json.dumps({"errorType": error_type}).encode()
        return Answered(error, is_error=True, size=len(error))
    size = 0
    while piece := await body.read():
        await stream.put(piece[: MAX_STREAMED_BYTES - size])
        size += len(piece)
        if size > MAX_STREAMED_BYTES:
            return Streamed(size)
    return Streamed(size, *_trailers(body))


def _trailers(body: ChunkedBody) -> tuple[str | None, bytes]:
    """The error of a reply that failed after it had begun."""
    error_type = body.trailers.get(_ERROR_TYPE)
    try:
        error = base64.b64decode(body.trailers.get(_ERROR_BODY, ""), validate=True)
    except (ValueError, binascii.Error):
        error = b""  # as the runtime interface emulator has it: the type alone counts
    return error_type or None, error


class EventStream:
    """The body of the reply to InvokeWithResponseStream, message by message.

    The function runs on when nobody reads it any more: ``aclose``, which counts even before the first
    message was asked for.
    """

    def __init__(self, running: asyncio.Task[Execution], stream: ReplyStream, *, tail: bool) -> None:
        self._running = running
        self._stream = stream
        self._tail = tail
        self._messages = self._make()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._messages

    async def aclose(self) -> None:
        """Have what is still to come thrown away."""
        self._stream.abandon()
        await self._messages.aclose()

    async def _make(self) -> AsyncGenerator[bytes, None]:
        streamed = False
        while piece := await self._stream.get():
            streamed = True
            yield payload_chunk(piece)
        execution = await asyncio.shield(self._running)
        verdict = execution.verdict
        if verdict.payload and not verdict.failed and not streamed:
            yield payload_chunk(verdict.payload)
        details: dict[str, str] = {}
        if verdict.failed:
            details["ErrorCode"] = verdict.stream_error
            details["ErrorDetails"] = verdict.payload.decode("utf-8", "replace")
        if self._tail:
            details["LogResult"] = log.tail(execution.log)
        yield invoke_complete(json.dumps(details).encode())
