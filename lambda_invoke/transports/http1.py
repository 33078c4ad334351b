"""One connection of HTTP/1.1, as an asyncio protocol: one exchange at a time.

It owns what decides whether a function can have run: ``wrote`` says whether a byte of the request was
handed to the system, ``replied`` whether a byte of the reply came. What a reply is stands in
``http1_reply``.
"""

from __future__ import annotations

import asyncio
import functools
import math
import select
import ssl
import weakref
from typing import TYPE_CHECKING, cast

from lambda_invoke.transports.http1_reply import (
    MAX_BODY_BYTES,
    MalformedReplyError,
    RawReply,
    ReplyReader,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.transports.tls import TlsLayer

_JOINED_BYTES = 64 * 1024
"""A body up to this goes out in one write with the head."""

_SLICE_BYTES = 256 * 1024
"""What is written of a larger body before back pressure is looked at again."""


_BUFFER_BYTES = 256 * 1024

_BUFFERS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = weakref.WeakKeyDictionary()
"""What the connections of a loop read into. Without it asyncio makes 256 KB for every read and gives nearly
all of it back, which, as malloc pleases, can take as long as the rest of an exchange."""


class HttpError(Exception):
    """An exchange without a whole reply.

    ``wrote``: a byte of the request was handed to the system, so the function may have run.
    ``replied``: a byte of the reply came.
    """

    def __init__(self, message: str, *, wrote: bool, replied: bool) -> None:
        super().__init__(message)
        self.wrote = wrote
        self.replied = replied


class ConnectionBrokenError(HttpError):
    """The connection ended before the reply was whole; the cause is the system's error, if it had one."""


class BadReplyError(HttpError):
    """What came is not HTTP/1.1 as it is understood here, or is over a bound."""


class ExchangeAbortedError(HttpError):
    """:meth:`HttpConnection.abort` was called; the message is its ``reason``."""


class ExchangeTimedOutError(HttpError):
    """The reply was not whole when it was due."""


class HttpConnection(asyncio.BufferedProtocol):
    """One connection, made by ``loop.create_connection`` or its kind, or over a ``TlsLayer``.

    ``max_body_bytes`` bounds a reply's body. ``on_lost`` is called once, as soon as the connection can
    carry no further exchange: the peer closed it, said that it will, or sent what nobody asked for; or
    it was aborted. That may be within :meth:`exchange`, before it returns.

    ``wrote`` and ``replied`` are those of the exchange under way, or of the last one. ``idle_since`` is
    the loop's time when the last one ended, or when the connection was made. ``closed``: the transport
    is gone.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_closing",
        "_due",
        "_loop",
        "_lost",
        "_max_body_bytes",
        "_on_lost",
        "_paused",
        "_readable",
        "_reader",
        "_timer",
        "_transport",
        "_unsent",
        "_waiter",
        "closed",
        "idle_since",
        "replied",
        "wrote",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        on_lost: Callable[[HttpConnection], object] | None = None,
    ) -> None:
        self._loop = loop
        self._buffer = buffer_of(loop)
        self._max_body_bytes = max_body_bytes
        self._on_lost = on_lost
        self._transport: asyncio.Transport | TlsLayer | None = None
        self._waiter: asyncio.Future[RawReply | HttpError] | None = None
        self._reader: ReplyReader | None = None
        self._unsent: memoryview | None = None
        self._readable: Callable[[], object] | None = None
        self._closing: asyncio.Future[None] | None = None
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._lost = False
        self.closed = False
        self.idle_since = 0.0
        self.wrote = False
        self.replied = False

    @property
    def reusable(self) -> bool:
        """Whether an exchange can begin now, as far as the loop has been told."""
        return self._waiter is None and not self._lost and self._transport is not None

    def looks_stale(self) -> bool:
        """Ask the system whether the peer has closed, or sent something, unknown to the loop so far.

        For an idle connection: the loop hears of a FIN once per turn, and a request that is written
        before that has an outcome nobody knows. Costs one system call.
        """
        if self._transport is None or self._lost:
            return True
        sock = self._transport.get_extra_info("socket")  # None: TLS was torn down, and we are told later
        descriptor = -1 if sock is None else sock.fileno()
        if descriptor < 0:
            return True
        if self._readable is None:
            self._readable = _watch(descriptor)
        return bool(self._readable())

    async def exchange(self, head: bytes, body: bytes = b"", *, due: float | None = None) -> RawReply:
        """Send a request and read its reply. Cancelling it aborts the connection.

        ``head`` is the request line and the headers, the empty line included. The reply is ``due`` at
        that time of the loop's, or when it comes.

        Raises:
            ExchangeTimedOutError: the reply was not whole in time; the connection is aborted.
            ConnectionBrokenError: the connection ended before the reply was whole. With ``wrote`` False
                it had ended already, or the first write to it failed at once.
            BadReplyError: what came is no reply.
            ExchangeAbortedError: the connection was aborted meanwhile.
        """
        assert self._waiter is None, "one exchange at a time"
        transport = self._transport
        self.wrote = self.replied = False
        if transport is None or self._lost:
            raise self._broken("the connection had ended before the request was written")
        waiter: asyncio.Future[RawReply | HttpError] = self._loop.create_future()
        self._waiter = waiter
        self._set_timer(math.inf if due is None else due)
        self._reader = ReplyReader(self._max_body_bytes)
        if len(body) <= _JOINED_BYTES:
            transport.write(head + body)
        else:
            self._unsent = memoryview(body)
            transport.write(head)
        # A failure of the very first write closes asyncio's transport on the spot, with nothing sent.
        # (uvloop's writes later, and tells later: there it counts as written.)
        self.wrote = not transport.is_closing()
        if self._unsent is not None:
            self._write_more()
        try:
            outcome = await waiter
        except asyncio.CancelledError:
            self.abort("the exchange was cancelled")
            raise
        if not isinstance(outcome, HttpError):
            return outcome
        try:
            raise outcome
        finally:
            del outcome  # its traceback holds this frame, and with it the request

    def abort(self, reason: str = "the connection was given up") -> None:
        """Close at once, without a goodbye. The exchange under way raises with ``reason``."""
        self._stop(ExchangeAbortedError(reason, wrote=self.wrote, replied=self.replied))

    async def wait_closed(self) -> None:
        """Wait until the transport is gone; it must have been aborted, or it is the peer's to end it."""
        if self.closed or self._transport is None:
            return
        if self._closing is None:
            self._closing = self._loop.create_future()
        await asyncio.shield(self._closing)

    def connection_made(self, transport: asyncio.BaseTransport | TlsLayer) -> None:
        """The connection is there, TLS included."""
        self._transport = cast("asyncio.Transport | TlsLayer", transport)  # uvloop's only behaves like one
        self.idle_since = self._loop.time()
        if self._lost:
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Lend the loop's buffer until :meth:`buffer_updated`, which comes before anything else does."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        reader = self._reader
        if reader is None:
            self.abort("bytes came that belong to no reply")
            return
        self.replied = True
        try:
            reply = reader.feed(bytes(self._buffer[:nbytes]))
        except MalformedReplyError as error:
            bad = BadReplyError(str(error), wrote=True, replied=True)
            bad.__cause__ = error
            self._stop(bad)
            return
        if reply is not None:
            self._finish(reply, reusable=reader.reusable)

    def eof_received(self) -> None:
        """The peer will send no more: over TLS it said so, over TCP it closed its side."""
        reply = None if self._reader is None else self._reader.end()
        if reply is None or not self._ended_in_order():
            self._stop(self._broken("the connection was closed before the reply was whole"))
        else:
            self._finish(reply, reusable=False)

    def fail(self, exc: Exception | None) -> None:
        """What carries the connection failed: it ends."""
        error = self._broken("the connection was lost before the reply was whole")
        error.__cause__ = exc
        self._stop(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self.closed = True
        self.fail(exc)
        self._transport = None  # the two refer to each other
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._paused = False
        if self._unsent is not None:
            self._write_more()

    def _set_timer(self, due: float) -> None:
        """The exchange is to end by then.

        The timer outlives its exchange, and looks at what is due when it fires: a timer for each would cost
        more than all the rest of the connection's bookkeeping.
        """
        self._due = due
        if due < (math.inf if self._timer is None else self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._due:
            self._set_timer(self._due)
        else:
            late = "the reply was not whole in time"
            self._stop(ExchangeTimedOutError(late, wrote=self.wrote, replied=self.replied))

    def _write_more(self) -> None:
        """Write the rest of a large body, a slice at a time, for as long as the transport takes it."""
        transport = self._transport
        assert transport is not None
        while self._unsent is not None and not self._paused and not transport.is_closing():
            piece = self._unsent[:_SLICE_BYTES]
            rest = self._unsent[_SLICE_BYTES:]
            self._unsent = rest if len(rest) else None
            transport.write(piece)

    def _ended_in_order(self) -> bool:
        """Whether the peer's end can be the end of a body (RFC 9112, section 9.8).

        Over TLS it must have been said, lest anyone cut the reply off; asyncio does not tell the two apart.
        """
        assert self._transport is not None
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLError:
            return False

    def _broken(self, message: str) -> ConnectionBrokenError:
        return ConnectionBrokenError(message, wrote=self.wrote, replied=self.replied)

    def _finish(self, reply: RawReply, *, reusable: bool) -> None:
        """End the exchange with a reply. A request that it came too early for is not sent to its end."""
        if reusable and self._unsent is None and not self._paused:
            self._answer(reply)
            self.idle_since = self._loop.time()
        else:
            self._stop(reply)

    def _stop(self, outcome: RawReply | HttpError) -> None:
        """End the connection, and with it the exchange if there is one.

        By ``abort`` always: ``close`` would wait for a peer that does not read, and over TLS for one
        that does not say goodbye.
        """
        if self._transport is not None:
            self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lost:
            self._lost = True
            if self._on_lost is not None:
                self._on_lost(self)
        self._answer(outcome)

    def _answer(self, outcome: RawReply | HttpError) -> None:
        waiter, self._waiter = self._waiter, None
        self._reader = self._unsent = None
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)


def buffer_of(loop: asyncio.AbstractEventLoop) -> memoryview:
    """What the connections of a loop read into. It holds nothing from one turn of the loop to the next."""
    buffer = _BUFFERS.get(loop)
    if buffer is None:
        buffer = _BUFFERS[loop] = memoryview(bytearray(_BUFFER_BYTES))
    return buffer


if hasattr(select, "poll"):

    def _watch(descriptor: int) -> Callable[[], object]:
        """What says whether a socket is readable, at once."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return functools.partial(poll.poll, 0)

else:  # Windows, whose select knows no highest descriptor

    def _watch(descriptor: int) -> Callable[[], object]:
        return lambda: select.select([descriptor], [], [], 0)[0]
