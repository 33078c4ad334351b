"""Chunked request bodies, read as they come: how a worker streams its reply.

Source: "Building a custom runtime", response streaming, AWS Lambda developer guide, 2026-11; RFC 9112,
section 7.1.
"""

from __future__ import annotations

import asyncio
import re

PIECE_BYTES = 64 * 1024
"""The most that is held of one body at a time, whatever sizes its chunks have."""
_MAX_LINE_BYTES = 4 * 1024
_MAX_TRAILER_BYTES = 1024 * 1024
"""A trailer holds an error's whole stack as base64."""
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


class BrokenBodyError(Exception):
    """The body ended before its end, or is not chunked as HTTP has it."""


class ChunkedBody:
    """The body of one request. ``trailers`` (lower-case names) are complete once ``finished`` is true."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._left = 0
        self._first = True
        self.finished = False
        self.trailers: dict[str, str] = {}

    async def read(self) -> bytes:
        """The next piece of at most ``PIECE_BYTES``; empty at the end.

        Raises:
            BrokenBodyError: the connection ended in the middle, or a chunk is malformed.
        """
        if self.finished:
            return b""
        try:
            if not self._left and not await self._begin_chunk():
                return b""
            piece = await self._reader.read(min(self._left, PIECE_BYTES))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BrokenBodyError("the body broke off") from error
        if not piece:
            raise BrokenBodyError("the body broke off")
        self._left -= len(piece)
        return piece

    async def _begin_chunk(self) -> bool:
        """Read the line that begins a chunk; False when it was the end."""
        if not self._first and await self._reader.readexactly(2) != b"\r\n":
            raise BrokenBodyError("a chunk is longer than it says")
        self._first = False
        text = (await self._line(_MAX_LINE_BYTES)).partition(b";")[0].strip()
        if not _SIZE.fullmatch(text):
            raise BrokenBodyError("a chunk has no size")
        self._left = int(text, 16)
        if not self._left:
            await self._read_trailers()
            self.finished = True
        return not self.finished

    async def _read_trailers(self) -> None:
        budget = _MAX_TRAILER_BYTES
        while line := await self._line(budget):
            budget -= len(line)
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise BrokenBodyError("a trailer has no name")
            self.trailers[name.strip().lower()] = value.strip(" \t")

    async def _line(self, limit: int) -> bytes:
        line = await self._reader.readuntil(b"\r\n")
        if len(line) > limit:
            raise BrokenBodyError("a line of the body's framing is too long")
        return line[:-2]

    async def read_all(self, limit: int) -> tuple[bytes, int]:
        """The body, empty when it is over ``limit`` bytes, and its size. What is over is thrown away.

        Raises:
            BrokenBodyError: as ``read``.
        """
        kept, size = bytearray(), 0
        while piece := await self.read():
            size += len(piece)
            if size <= limit:
                kept += piece
            else:
                kept.clear()
        return bytes(kept), size
