"""One accepted connection: reads HTTP/1.1 requests and does the steps it is given."""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from tests.support.steps import Call, Ending

if TYPE_CHECKING:
    import threading

    from tests.support.steps import Step

_INVOKE_PREFIX = "/2015-03-31/functions/"
_INVOKE_SUFFIX = "/invocations"


class Accept(enum.Enum):
    """What is done with a connection when it is accepted, over TLS after the handshake."""

    NORMAL = "normal"
    NO_READ = "no_read"  # nothing is ever read from it
    CLOSE = "close"
    RESET = "reset"


class Owner(Protocol):
    """What a connection asks of its server, on the loop's thread."""

    def opened(self, connection: Connection) -> Accept: ...
    def lost(self, connection: Connection) -> None: ...
    def begin(self, call: Call) -> tuple[Call, Step]: ...
    def end(self, call: Call, step: Step) -> None: ...
    def spawn(self, connection: Connection, call: Call, step: Step) -> None: ...
    async def passed(self, gate: threading.Event) -> None: ...


@attrs.frozen
class _Head:
    method: str
    target: str
    headers: dict[str, str]
    size: int
    """Bytes of the head, the empty line included."""


class BadRequestError(ValueError):
    """What came is not an HTTP/1.1 request."""


def _parse_head(data: bytes) -> _Head:
    start, *lines = data.decode("latin-1").split("\r\n")
    try:
        method, target, version = start.split(" ")
    except ValueError as exc:
        raise BadRequestError(start) from exc
    if version != "HTTP/1.1":
        raise BadRequestError(start)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return _Head(method, target, headers, len(data) + 4)


def _dechunk(data: bytes | bytearray, at: int) -> tuple[bytes, int] | None:
    """The body of a chunked request and where it ends, or None while it is not whole."""
    pieces: list[bytes] = []
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line_end].split(b";")[0], 16)
        start, stop = line_end + 2, line_end + 2 + size
        if len(data) < stop + 2:
            return None
        if size == 0:
            return b"".join(pieces), stop + 2
        pieces.append(bytes(data[start:stop]))
        at = stop + 2
    return None


def _call(head: _Head, body: bytes, connection: int) -> Call:
    parts = urlsplit(head.target)  # the absolute form too: what a client sends to an HTTP proxy
    path = unquote(parts.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    invokes = head.method == "POST" and path.startswith(_INVOKE_PREFIX) and path.endswith(_INVOKE_SUFFIX)
    function = path[len(_INVOKE_PREFIX) : -len(_INVOKE_SUFFIX)] if invokes else ""
    return Call(
        function=function,
        qualifier=query.get("Qualifier"),
        method=head.method,
        target=head.target,
        path=path,
        query=query,
        headers=head.headers,
        body=body,
        number=0,
        connection=connection,
        time=time.monotonic(),
    )


class Connection(asyncio.Protocol):
    """Requests are answered one after another; what comes meanwhile waits in the buffer."""

    def __init__(self, owner: Owner, number: int) -> None:
        self.number = number
        self.busy = False
        self.lost = False
        self.closed = asyncio.Event()
        self._owner = owner
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._hanging: tuple[Call, Step] | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits for the first byte of a request."""
        return not (self.busy or self._buffer or self.lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        match self._owner.opened(self):
            case Accept.NO_READ:
                transport.pause_reading()
            case Accept.CLOSE:
                self.finish(Ending.ABORT)
            case Accept.RESET:
                self.finish(Ending.RESET)
            case Accept.NORMAL:
                pass

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._buffer.clear()
        if self._hanging is not None:
            self._owner.end(*self._hanging)
        self._owner.lost(self)
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def finish(self, ending: Ending) -> None:
        """End the connection as told, or go on to what waits in the buffer."""
        match ending:
            case Ending.KEEP:
                self.busy = False
                self._advance()
            case Ending.CLOSE:
                self._transport.close()
            case Ending.ABORT:
                self._transport.abort()
            case Ending.RESET:
                sock = self._transport.get_extra_info("socket")
                if not self.lost:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._transport.abort()
            case Ending.HANG:
                pass

    async def perform(self, call: Call, step: Step) -> None:
        """Do a step that takes time."""
        await asyncio.sleep(step.wait)
        for gate in step.gates:
            await self._owner.passed(gate)
        if not step.interval:
            self._write(call, step)
        else:
            await self._trickle(call, step)
        await asyncio.sleep(step.linger)
        self.finish(step.ending)

    def _advance(self) -> None:
        while not (self.busy or self.lost or self._transport.is_closing()):
            try:
                call = self._take()
            except BadRequestError:
                self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                self._transport.close()
                return
            if call is None:
                return
            self.busy = True
            call, step = self._owner.begin(call)
            if not step.instant:
                self._owner.spawn(self, call, step)
                return
            self._write(call, step)
            if step.ending is Ending.KEEP:  # here, and not in finish(), which would recurse
                self.busy = False
            else:
                self.finish(step.ending)

    def _take(self) -> Call | None:
        """The next whole request, or None while it is not whole."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if self._buffer[:1] == b"\x16":
                    raise BadRequestError("a TLS handshake on a plain port")
                return None
            self._head = _parse_head(bytes(self._buffer[:end]))
            if self._head.headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = self._head
        if head.headers.get("transfer-encoding", "").lower() == "chunked":
            taken = _dechunk(self._buffer, head.size)
            if taken is None:
                return None
            body, end = taken
        else:
            end = head.size + int(head.headers.get("content-length", "0"))
            if len(self._buffer) < end:
                return None
            body = bytes(self._buffer[head.size : end])
        del self._buffer[:end]
        self._head = None
        return _call(head, body, self.number)

    def _write(self, call: Call, step: Step) -> None:
        # The execution ends before the first byte of its reply: a client that answers a reply with
        # its next request is never counted twice.
        if step.ending is Ending.HANG and not step.replies and not self.lost:
            self._hanging = call, step
            return
        self._owner.end(call, step)
        if not self.lost and step.replies:
            head, body = step.render(call)
            self._transport.write(head + body)

    async def _trickle(self, call: Call, step: Step) -> None:
        self._owner.end(call, step)
        head, body = step.render(call)
        pieces = [head[at : at + 1] for at in range(len(head))] if step.trickled_head else [head]
        pieces += [body[at : at + 1] for at in range(len(body))]
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(step.interval)
            if self.lost:
                return
            self._transport.write(piece)
