"""The endpoint's end of the channel to a Python worker, by which invocations go and answers come.

It stands in for the Runtime API's HTTP, which costs the worker and the endpoint more (see
``docs/design/local.md``). Its other end is ``worker/runtime_client.py``, under awslambdaric. What comes is a
kind (one byte), the sizes of a request id and of a body (unsigned, 32 and 64 bits, little-endian), the two
themselves:

- ``N``: the worker waits for its first invocation;
- ``R``, ``E``: a handler's result or error; the worker waits for more;
- ``I``: files that the worker has imported, see ``reload.py``.

What goes is an invocation: the sizes of its head and of its payload, and the two. The head is lines, in the
order of ``worker/runtime_client.py``; an empty one stands for what the invocation does not have.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from typing import TYPE_CHECKING, Protocol, cast

from lambda_invoke.local.outcome import MAX_RESPONSE_BYTES, Answered

if TYPE_CHECKING:
    from lambda_invoke.local.outcome import Invocation
    from lambda_invoke.local.runtime_api import Asker

logger = logging.getLogger("lambda_invoke.local")

_FROM_WORKER = struct.Struct("<cIQ")
_TO_WORKER = struct.Struct("<IQ")
_KINDS = (b"N", b"R", b"E", b"I")
_MAX_REQUEST_ID_BYTES = 256


class ChannelEvents(Protocol):
    """Whom the channel tells what the worker says."""

    def next_invocation(self, asker: Asker) -> None:
        """Hand it the next invocation, once there is one."""

    def answered(self, request_id: str, answer: Answered) -> bool:
        """Take the handler's result or error; False when that invocation is not waiting for one."""

    def imported(self, lines: bytes) -> None:
        """Take the files that it imported, a line for each."""


class Channel(asyncio.Protocol):
    """To one worker. Used on one event loop."""

    def __init__(self, events: ChannelEvents) -> None:
        self._events = events
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._received = bytearray()
        self._head: tuple[bytes, str, int] | None = None
        self._thrown = 0
        """Bytes of the body that is over the limit."""
        self._over = asyncio.Event()
        self.unread = False
        """Whether the worker's end was closed before all that was written to it had been read."""

    async def open(self) -> socket.socket:
        """Begin; the worker's end, which is to be closed here once it was inherited."""
        ours, theirs = socket.socketpair()
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        self._descriptor = ours.fileno()
        return theirs

    @property
    def gone(self) -> bool:
        """Whether the worker's end is closed."""
        return self._transport is None or self._transport.is_closing()

    def hand_over(self, invocation: Invocation, deadline: int) -> None:
        """Give the worker an invocation; ``deadline`` in milliseconds since the epoch."""
        head = "\n".join(
            (
                invocation.request_id,
                str(deadline),
                invocation.invoked_arn,
                invocation.trace_id,
                invocation.client_context or "",
                invocation.tenant_id or "",
            )
        ).encode()
        payload = invocation.payload
        self._write(b"".join((_TO_WORKER.pack(len(head), len(payload)), head, payload)))

    def _write(self, data: bytes) -> None:
        """At once, as far as the socket takes it: a transport may wait for the end of the loop's turn."""
        assert self._transport is not None
        written = 0
        if not self._transport.get_write_buffer_size():
            with contextlib.suppress(OSError):  # it is full; or broken, which the transport is to find out
                written = os.write(self._descriptor, data)
        if written < len(data):
            self._transport.write(data[written:])

    async def hung_up(self, timeout: float) -> None:
        """Wait until all that a worker said before it ended was heard, for at most ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._over.wait()
        except TimeoutError:
            return  # something that it left behind holds its end

    def close(self) -> None:
        """Say and hear no more."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the worker has, or is to. Linux reports a reset for what was not read."""
        self.unread = isinstance(exc, ConnectionError)
        self._over.set()

    def data_received(self, data: bytes) -> None:
        """Take what the worker said, once it is there."""
        self._received += data
        while self._take_one():
            pass

    def _take_one(self) -> bool:
        if self._head is None and not self._take_head():
            return False
        assert self._head is not None
        kind, request_id, size = self._head
        if size > MAX_RESPONSE_BYTES:
            if not self._throw(size):
                return False
            body = b""
        elif len(self._received) < size:
            return False
        else:
            body = bytes(self._received[:size])
            del self._received[:size]
        self._head = None
        self._tell(kind, request_id, body, size)
        return True

    def _take_head(self) -> bool:
        if len(self._received) < _FROM_WORKER.size:
            return False
        kind, id_size, size = _FROM_WORKER.unpack_from(self._received)
        if kind not in _KINDS or id_size > _MAX_REQUEST_ID_BYTES:
            logger.error("a worker wrote what it should not into its channel, and is left")
            self._received.clear()
            self.close()  # awslambdaric ends with its process
            return False
        start = _FROM_WORKER.size + id_size
        if len(self._received) < start:
            return False
        self._head = (kind, self._received[_FROM_WORKER.size : start].decode("utf-8", "replace"), size)
        del self._received[:start]
        return True

    def _throw(self, size: int) -> bool:
        """Throw a body away as it comes; whether that was all of it."""
        now = min(size - self._thrown, len(self._received))
        del self._received[:now]
        self._thrown += now
        if self._thrown < size:
            return False
        self._thrown = 0
        return True

    def _tell(self, kind: bytes, request_id: str, body: bytes, size: int) -> None:
        if kind == b"I":
            self._events.imported(body)
            return
        if kind != b"N":
            self._events.answered(request_id, Answered(body, is_error=kind == b"E", size=size))
        self._events.next_invocation(self)
