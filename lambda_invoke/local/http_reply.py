"""Writes replies: at once, piece by piece as they are made, or as badly as a fault wants it."""

from __future__ import annotations

import asyncio
import functools
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambda_invoke.local.http_message import HttpResponse

WRITE_SECONDS = 60.0
"""A client that takes nothing for so long is given up."""
_SLOW_STEP_SECONDS = 0.02
_NO_CONTENT = int(HTTPStatus.NO_CONTENT)


class HangUpError(Exception):
    """The connection is closed, and the reply is not written any further."""


class ByteStream(Protocol):
    """A body that is made while it is sent: an asynchronous generator, say."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Its pieces."""

    async def aclose(self) -> None:
        """Nobody takes the rest."""


@attrs.frozen
class Delivery:
    """How a reply is spoilt on its way. ``drop``: nothing of it is sent. ``truncate``: only so many bytes
    of its body are, and the connection is closed. ``bytes_per_second``: how fast its body is sent.
    """  # noqa: D205 - three fields, one line each would say less

    drop: bool = False
    truncate: int | None = None
    bytes_per_second: float | None = None


class Writer(Protocol):
    """A connection, as replies are written to it."""

    transport: asyncio.Transport

    @property
    def lost(self) -> bool:
        """Whether the client went."""

    @property
    def writable(self) -> bool:
        """Whether there is a client, and it takes what it is sent."""

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written; OSError when it went."""


def whole_reply(response: HttpResponse, *, keep_alive: bool, head_only: bool = False) -> bytes:
    """The bytes of a reply whose body is known. ``head_only`` is for HEAD."""
    head = _head(response, keep_alive=keep_alive)
    return head if head_only else head + response.body


async def write_reply(
    writer: Writer, response: HttpResponse, *, keep_alive: bool, head_only: bool = False
) -> None:
    """Write one reply, of any kind, and wait for a client that takes it slowly.

    Raises:
        HangUpError: a fault wants the connection closed.
        OSError: the client went (``TimeoutError``: it took nothing for ``WRITE_SECONDS``).
    """
    if response.stream is None and response.delivery is None:
        await _write(writer, whole_reply(response, keep_alive=keep_alive, head_only=head_only))
        return
    try:
        await _write_pieces(_Wire(writer, response.delivery or Delivery()), response, keep_alive, head_only)
    finally:
        if response.stream is not None:
            await response.stream.aclose()


async def _write_pieces(wire: _Wire, response: HttpResponse, keep_alive: bool, head_only: bool) -> None:
    if wire.delivery.drop:
        if response.stream is not None:
            async for _ in response.stream:
                pass  # it is made to its end, and nobody gets it
        raise HangUpError
    await wire.send_head(_head(response, keep_alive=keep_alive))
    if head_only:
        return
    if response.stream is None:
        await wire.send(response.body)
        return
    async for piece in response.stream:
        if piece:
            await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await wire.send(b"0\r\n\r\n")


class _Wire:
    """Sends the bytes of one body within what its delivery leaves of them."""

    def __init__(self, writer: Writer, delivery: Delivery) -> None:
        self._writer = writer
        self.delivery = delivery
        self._left = delivery.truncate

    async def send_head(self, data: bytes) -> None:
        await _write(self._writer, data)

    async def send(self, data: bytes) -> None:
        cut = self._left is not None and len(data) >= self._left
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        rate = self.delivery.bytes_per_second
        if rate is None:
            await _write(self._writer, data)
        else:
            await self._trickle(data, rate)
        if cut:
            raise HangUpError

    async def _trickle(self, data: bytes, rate: float) -> None:
        step = max(1, int(rate * _SLOW_STEP_SECONDS))
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            await asyncio.sleep(len(piece) / rate)
            await _write(self._writer, piece)


async def _write(writer: Writer, data: bytes) -> None:
    """Write, and wait until most of it is taken.

    Raises:
        OSError: the client went, before or now.
    """
    if writer.lost:  # uvloop raises RuntimeError at such a write
        raise ConnectionResetError("the client hung up")
    writer.transport.write(data)
    await drain(writer)


async def drain(writer: Writer) -> None:
    """Wait until the client has taken most of what was written.

    Raises:
        TimeoutError: it took nothing for ``WRITE_SECONDS``.
    """
    transport = writer.transport
    while not writer.writable:
        before = transport.get_write_buffer_size()
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await writer.drain()
        except TimeoutError:
            if transport.get_write_buffer_size() >= before:
                raise


@functools.lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


@functools.lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"


def _head(response: HttpResponse, *, keep_alive: bool) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in response.headers.items()])
    if response.stream is not None:
        framing = "Transfer-Encoding: chunked\r\n"
    elif response.status != _NO_CONTENT:
        framing = f"Content-Length: {len(response.body)}\r\n"
    else:
        framing = ""
    return (
        f"{_status_line(response.status)}Date: {_date(int(time.time()))}\r\n{fields}"
        f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n{framing}\r\n"
    ).encode("latin-1")
