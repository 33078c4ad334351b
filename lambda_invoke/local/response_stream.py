"""A reply that is streamed: the way of its pieces from the worker to the caller, and their framing.

Source: InvokeWithResponseStream in Lambda's service model (botocore 1.44.5); "Event stream encoding",
Amazon Transcribe and Smithy specifications, 2026-11.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections import deque

_MAX_WAITING_BYTES = 256 * 1024
_STRING = 7
"""The type of a header's value in an event stream."""

CONTENT_TYPE = "application/vnd.amazon.eventstream"


class ReplyStream:
    """Pieces on their way from one worker to one caller, at most 256 KB of them at a time.

    The worker waits while the caller is slow. When the caller has gone, what comes is thrown away:
    Lambda lets the function run to its end too. Used on one event loop.
    """

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._abandoned = False
        self._ended = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self.began = asyncio.Event()

    async def put(self, piece: bytes) -> None:
        """Hand over one piece, when there is room for it."""
        self.began.set()
        while self._waiting_bytes >= _MAX_WAITING_BYTES and not self._abandoned:
            self._writable.clear()
            await self._writable.wait()
        if not self._abandoned:
            self._pieces.append(piece)
            self._waiting_bytes += len(piece)
            self._readable.set()

    def end(self) -> None:
        """Say that no more pieces come."""
        self._ended = True
        self.began.set()
        self._readable.set()

    def abandon(self) -> None:
        """Take no more of them."""
        self._abandoned = True
        self._pieces.clear()
        self._writable.set()

    async def get(self) -> bytes:
        """The next piece; empty when there are no more."""
        while not self._pieces:
            if self._ended:
                return b""
            self._readable.clear()
            await self._readable.wait()
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        self._writable.set()
        return piece


def payload_chunk(payload: bytes) -> bytes:
    """The message of one ``PayloadChunk``."""
    return message("PayloadChunk", "application/octet-stream", payload)


def invoke_complete(details: bytes) -> bytes:
    """The message of ``InvokeComplete``; ``details`` is its JSON object."""
    return message("InvokeComplete", "application/json", details)


def message(event_type: str, content_type: str, payload: bytes) -> bytes:
    """One event: lengths, their CRC32, headers, payload, and the CRC32 of all before it."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + struct.pack("!BH", _STRING, len(value)) + value.encode()
        for name, value in (
            (":event-type", event_type),
            (":content-type", content_type),
            (":message-type", "event"),
        )
    )
    # 4 bytes each: the total length, the headers' length, the CRC of these two, the CRC of all.
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    begun = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return begun + struct.pack("!I", zlib.crc32(begun))
