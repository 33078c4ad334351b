"""TLS between a TCP transport and a connection, over memory BIOs.

asyncio's own layer keeps a buffer of 256 KB for each connection, and takes several times as long: it serves
any protocol. A connection here writes a request, reads its reply, and is aborted at its end.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, cast

from lambda_invoke.transports.http1 import buffer_of

if TYPE_CHECKING:
    import socket

    from lambda_invoke.transports.http1 import HttpConnection

_RECORD_BYTES = 16 * 1024
"""No record of TLS holds more (RFC 8446, section 5.1)."""


async def connect_over(
    sock: socket.socket, connection: HttpConnection, *, context: ssl.SSLContext | None, hostname: str
) -> None:
    """Make a connection over a connected socket, after the TLS handshake where there is a ``context``.

    The socket is closed if that fails or is cancelled.

    Raises:
        OSError: the handshake failed (``ssl.SSLError`` is one), or TCP was lost in it.
    """
    loop = asyncio.get_running_loop()
    layer = None if context is None else TlsLayer(loop, context, hostname, connection)
    try:
        await loop.create_connection(lambda: layer or connection, sock=sock)
    except BaseException:
        sock.close()
        raise
    if layer is not None:
        await layer.handshake()


class TlsLayer(asyncio.BufferedProtocol):
    """A client's side of TLS: a protocol to the TCP transport, and a transport to ``connection``.

    ``connection`` hears of nothing before the handshake is done, which :meth:`handshake` waits for.
    """

    __slots__ = (
        "_buffer",
        "_connection",
        "_failure",
        "_incoming",
        "_loop",
        "_outgoing",
        "_shaking",
        "_tcp",
        "_tls",
        "_waiter",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        hostname: str,
        connection: HttpConnection,
    ) -> None:
        self._loop = loop
        self._buffer = buffer_of(loop)
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        self._shaking = True
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._tcp: asyncio.Transport | None = None

    async def handshake(self) -> None:
        """Wait until the connection is made.

        Raises:
            OSError: the handshake failed (``ssl.SSLError`` is one), or TCP was lost in it.
        """
        if self._shaking and self._failure is None:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            except BaseException:
                self.abort()
                raise
        if self._failure is not None:
            raise self._failure

    def write(self, data: bytes | memoryview) -> None:
        """Encrypt and send. What fails ends the connection."""
        assert self._tcp is not None
        try:
            while data:
                data = memoryview(data)[self._tls.write(data) :]
        except ssl.SSLError as error:
            self._fail(error)
        else:
            self._flush()

    def is_closing(self) -> bool:
        """Whether the connection has ended, or is about to."""
        return self._tcp is None or self._tcp.is_closing()

    def abort(self) -> None:
        """Close at once, without a goodbye."""
        if self._tcp is not None:
            self._tcp.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``ssl_object``, and what the TCP transport knows."""
        if name == "ssl_object":
            return self._tls
        return default if self._tcp is None else self._tcp.get_extra_info(name, default)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is there: begin the handshake."""
        self._tcp = cast("asyncio.Transport", transport)  # uvloop's only behaves like one
        self._shake()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Lend the loop's buffer until :meth:`buffer_updated`, which comes before anything else does."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Records came, or parts of some."""
        self._incoming.write(self._buffer[:nbytes])
        if self._shaking:
            self._shake()
        else:
            self._read()

    def eof_received(self) -> None:
        """The peer closed its side of TCP."""
        if self._shaking:
            self._fail(ConnectionResetError("the peer closed the connection in the TLS handshake"))
        else:
            self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP is gone."""
        self._tcp = None
        if self._shaking:
            self._fail(exc or ConnectionResetError("the connection was lost in the TLS handshake"))
        else:
            self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """TCP's buffer is full."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """TCP's buffer has room again."""
        self._connection.resume_writing()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._flush()  # the alert that tells the peer why
            self._fail(error)
        else:
            self._flush()
            self._shaking = False
            self._connection.connection_made(self)
            self._wake()
            self._read()

    def _read(self) -> None:
        """Hand over what can be decrypted."""
        tls, incoming, connection = self._tls, self._incoming, self._connection
        try:
            while incoming.pending or tls.pending():
                length = cast("int", tls.read(_RECORD_BYTES, self._buffer))
                if not length:  # the peer said goodbye
                    connection.eof_received()
                    return
                connection.buffer_updated(length)
        except ssl.SSLWantReadError:
            pass  # a part of a record, or nothing but what TLS has to say to itself
        except ssl.SSLError as error:
            self._fail(error)
            return
        if self._outgoing.pending:
            self._flush()

    def _flush(self) -> None:
        if self._tcp is not None:
            self._tcp.write(self._outgoing.read())

    def _fail(self, error: Exception) -> None:
        if not self._shaking:
            self._connection.fail(error)
        elif self._failure is None:
            self._failure = error
            self._wake()
        self.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
