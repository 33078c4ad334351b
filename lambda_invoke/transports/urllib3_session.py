"""botocore's HTTP session with what it lacks: a bound on the whole attempt, and live keep-alive.

botocore has no public way to set keep-alive intervals, and its read timeout starts anew with every
byte received. This session is put into clients that the library builds. It learns of the attempt
under way through a context variable; a request outside any attempt is botocore's own business.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.httpsession import URLLib3Session

from lambda_invoke.transports.failures import check_length

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

CONNECT_TIMEOUT = 10.0
"""Seconds for the TCP connection and the TLS handshake, each."""

MAX_IDLE_SECONDS = 20.0
"""A pooled connection idle for longer is not used again: a load balancer, or a NAT gateway that
forgets a flow (350 s), may have dropped it without a word. Java's SDK has 60 s, .NET's 50 s; a
handshake every 20 s costs less than one call whose outcome is unknown."""

_KEEPALIVE_SECONDS = 30
"""A first probe after 30 s of silence, then one every 30 s: NAT gateways forget a flow after 350 s
(AWS documentation of NAT gateways), Linux on its own waits 7,200 s."""

_SEND_CHUNK_BYTES = 256 * 1024
_JOINED_BYTES = 64 * 1024
_READ_BUFFER_BYTES = 64 * 1024


def keepalive_options() -> list[tuple[int, int, int]]:
    """Socket options: no Nagle delay, and keep-alive probes that outpace NAT gateways."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    intervals = {"TCP_KEEPIDLE": _KEEPALIVE_SECONDS, "TCP_KEEPINTVL": _KEEPALIVE_SECONDS, "TCP_KEEPCNT": 4}
    if not hasattr(socket, "TCP_KEEPIDLE"):  # macOS has its own name for the same thing
        intervals["TCP_KEEPALIVE"] = intervals.pop("TCP_KEEPIDLE")
    options += [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in intervals.items()
        if hasattr(socket, name)
    ]
    return options


class Exchange:
    """One attempt on the wire: its bounds, and what is known of it.

    ``timeout`` counts from the first byte written, ``expires`` is a point on ``time.monotonic``.
    """

    __slots__ = ("_end", "_lock", "_sock", "aborted", "ended", "expires", "replied", "timeout", "wrote")

    def __init__(self, timeout: float | None, expires: float | None) -> None:
        self.timeout = timeout
        self.expires = expires
        self.wrote = False
        self.replied = False
        self.ended = False
        self.aborted = False
        self._end = expires
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()

    def begin(self, sock: socket.socket) -> None:
        """A byte is about to be written."""
        self._sock = sock
        if not self.wrote:
            if self.aborted:
                raise ConnectionAbortedError("the call was given up by its caller")
            self.wrote = True
            if self.timeout is not None:
                end = time.monotonic() + self.timeout
                self._end = end if self.expires is None else min(end, self.expires)

    def left(self) -> float | None:
        """Seconds left.

        Raises:
            TimeoutError: none are left.
        """
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def abort(self) -> None:
        """Give the attempt up from another thread: its socket is shut down under it."""
        self.aborted = True
        with self._lock:
            if self._sock is not None:
                with contextlib.suppress(OSError):  # already closed: there is nothing left to give up
                    # Not SSLSocket.shutdown: it takes the TLS layer away before the system call, and a
                    # writer in between would write in clear.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def end(self) -> None:
        """The connection is free for another exchange: this one has no hold on it any more."""
        with self._lock:
            self._sock = None


EXCHANGE: ContextVar[Exchange | None] = ContextVar("lambda_invoke_exchange", default=None)


class _BoundedReader(io.RawIOBase):
    """Reads from a socket, each time for no longer than the exchange has left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.left())
        count: int | None = self._raw.readinto(buffer)
        if count:
            self._exchange.replied = True
        else:
            self._exchange.ended = True
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()


class _Opener:
    """Stands for a socket where a response opens its file."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._exchange = exchange

    def makefile(self, mode: str) -> io.BufferedReader:
        raw = self._sock.makefile(mode, 0)  # type: ignore[call-overload]
        return io.BufferedReader(_BoundedReader(raw, self._sock, self._exchange), _READ_BUFFER_BYTES)


class _BoundedResponse(http.client.HTTPResponse):
    """A response read within its exchange's bounds, status line, headers and body alike."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        exchange = EXCHANGE.get()
        source: Any = sock if exchange is None else _Opener(sock, exchange)
        super().__init__(source, *args, **kwargs)
        self._exchange = exchange

    def begin(self) -> None:
        super().begin()
        if self._exchange is not None and self._exchange.ended:
            # http.client takes headers that break off for whole ones.
            raise http.client.IncompleteRead(b"")


class _BoundedConnection:
    """Mixed into botocore's connections: writes and connects within the exchange's bounds."""

    idle_since = 0.0
    sock: socket.socket | None
    timeout: float | None
    _body: bytes | None = None

    def connect(self) -> None:
        exchange = EXCHANGE.get()
        if exchange is not None:
            left = exchange.left()
            self.timeout = CONNECT_TIMEOUT if left is None else min(left, CONNECT_TIMEOUT)
        super().connect()  # type: ignore[misc]

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        # urllib3 writes head and body apart; together they are one packet and one system call less.
        joined = (
            isinstance(body, bytes)
            and len(body) <= _JOINED_BYTES
            and headers is not None
            and "Content-Length" in headers
            and "Expect" not in headers
            and EXCHANGE.get() is not None
        )
        self._body = body if joined else None
        super().request(method, url, None if joined else body, headers, **options)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        exchange = EXCHANGE.get()
        if exchange is None:
            super().send(data)  # type: ignore[misc]
            return
        if self.sock is None:
            self.connect()
        assert self.sock is not None
        if self._body is not None:
            data, self._body = data + self._body, None
        exchange.begin(self.sock)
        if isinstance(self.sock, ssl.SSLSocket) and len(data) > _SEND_CHUNK_BYTES:
            # Over TLS, sendall applies the timeout to each record anew.
            view = memoryview(data)
            for start in range(0, len(data), _SEND_CHUNK_BYTES):
                self.sock.settimeout(exchange.left())
                super().send(view[start : start + _SEND_CHUNK_BYTES])  # type: ignore[misc]
            return
        self.sock.settimeout(exchange.left())
        super().send(data)  # type: ignore[misc]


class _HTTPConnection(_BoundedConnection, AWSHTTPConnection):
    response_class = _BoundedResponse


class _HTTPSConnection(_BoundedConnection, AWSHTTPSConnection):
    response_class = _BoundedResponse


class _AgeingPool:
    """Mixed into the pools: a connection that was idle for too long is opened anew."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn = super()._get_conn(timeout)  # type: ignore[misc]
        if conn.sock is not None and time.monotonic() - conn.idle_since > MAX_IDLE_SECONDS:
            conn.close()
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
            exchange = EXCHANGE.get()
            if exchange is not None:
                exchange.end()
        super()._put_conn(conn)  # type: ignore[misc]


class _HTTPPool(_AgeingPool, AWSHTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(_AgeingPool, AWSHTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class BoundedSession(URLLib3Session):
    """botocore's session, configured like ``original``, that keeps to the exchange's bounds."""

    def __init__(self, original: URLLib3Session) -> None:
        super().__init__(
            verify=original._verify,
            proxies=original._proxy_config._proxies,
            proxies_config=original._proxy_config.settings,
            timeout=(CONNECT_TIMEOUT, None),
            max_pool_connections=original._max_pool_connections,
            socket_options=keepalive_options(),
            client_cert=(original._cert_file, original._key_file),
        )
        # PoolManager keeps this very dictionary, and so do proxy managers made later.
        self._pool_classes_by_scheme.update(http=_HTTPPool, https=_HTTPSPool)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send, and check an error's body for its length."""
        response = super().send(request)
        if EXCHANGE.get() is not None and response.status_code >= http.client.MULTIPLE_CHOICES:
            check_length(response)
        return response
