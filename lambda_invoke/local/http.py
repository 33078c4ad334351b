"""A small HTTP/1.1 server on loopback: what Lambda's API and the Runtime API are served with.

``http.server`` takes 40 ms a request (delayed acknowledgements), and a web framework would be a
dependency; this one knows only what those two APIs use.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local.chunked import ChunkedBody
from lambda_invoke.local.http_reply import HangUpError, write_reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambda_invoke.local.http_reply import ByteStream, Delivery

LOOPBACK = "127.0.0.1"
MAX_HEAD_BYTES = 64 * 1024
_READ_AHEAD_BYTES = 1024 * 1024
_DISCARD_BYTES = 256 * 1024
_CLOSE_SECONDS = 1.0
_LINGER_SECONDS = 1.0
_ACCEPT_TURNS = 10
"""Turns of the loop after which a connection that the system had accepted has a task (asyncio takes four)."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SINGLE = frozenset({"host", "content-length", "transfer-encoding", "authorization"})
"""Two of one of these are how requests are smuggled."""
_MAX_LENGTH_DIGITS = 15


class MalformedRequestError(Exception):
    """The request cannot be read any further; ``status`` is what it is answered with."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


@attrs.frozen
class HttpRequest:
    """A request. Header names are lower-case; ``path`` and ``query`` are as they came, still quoted.

    ``body`` is empty when ``body_size`` is over the server's limit: it was read and thrown away. A
    chunked body comes as ``stream`` instead, of which ``body_size`` says nothing.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    body_size: int
    stream: ChunkedBody | None = attrs.field(default=None, repr=False)


@attrs.frozen
class HttpResponse:
    """A response; Date, Connection and the body's framing are added when it is written.

    ``stream`` makes a body that is sent as it comes; it is closed when nobody takes it any more.
    ``delivery`` spoils it on its way.
    """

    status: int
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)
    stream: ByteStream | None = attrs.field(default=None, repr=False)
    delivery: Delivery | None = None


def comes_from_a_browser(request: HttpRequest) -> bool:
    """Whether a web page sent it: browsers add ``Origin`` or ``Sec-Fetch-*``, SDKs do not."""
    return "origin" in request.headers or any(name.startswith("sec-fetch-") for name in request.headers)


class HttpServer:
    """Serves ``handle`` on a loopback port, connections kept alive.

    Args:
        handle: answers one request.
        body_limit: bytes of a body that are kept.
        port: where it listens; 0 is a port that is free.
        read_timeout: seconds that a client has for a request, from its first byte to its last; None
            for no limit. A connection without a request may stay. A chunked body has no limit.
        accept_chunked: whether a body may be chunked; it then comes as a stream.
        admits: asked of every new connection, with the client's address and the server's; one that it
            refuses is dropped.
    """

    def __init__(
        self,
        handle: Callable[[HttpRequest], Awaitable[HttpResponse]],
        *,
        body_limit: int,
        port: int = 0,
        read_timeout: float | None = None,
        accept_chunked: bool = False,
        admits: Callable[[tuple[str, int], tuple[str, int]], bool] | None = None,
    ) -> None:
        self._admits = admits
        self._handle = handle
        self._body_limit = body_limit
        self._read_timeout = read_timeout
        self._accept_chunked = accept_chunked
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = port

    async def start(self) -> None:
        """Listen; ``port`` is then what it listens on."""
        self._server = await asyncio.start_server(
            self._serve, LOOPBACK, self.port, limit=_READ_AHEAD_BYTES, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def hung_up(self, timeout: float) -> None:
        """Wait until every client has hung up and been heard, for at most ``timeout`` seconds."""
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=timeout)

    async def close(self) -> None:
        """Stop listening, and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_CLOSE_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            if self._admits is None or self._admits(
                writer.get_extra_info("peername"), writer.get_extra_info("sockname")
            ):
                await self._converse(reader, writer)
        except TimeoutError:
            writer.transport.abort()  # a client that takes nothing would keep what is left for ever
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, HangUpError):
            pass  # the client went or is to be left, or the server stops: there is nobody to tell
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                request = await self._read(reader, writer)
            except MalformedRequestError as error:
                await write_reply(writer, HttpResponse(error.status), keep_alive=False)
                await _linger(reader, writer)
                return
            if request is None:
                return
            response = await self._handle(request)
            unread = request.stream is not None and not request.stream.finished
            keep_alive = not unread and request.headers.get("connection", "").lower() != "close"
            await write_reply(writer, response, keep_alive=keep_alive, without_body=request.method == "HEAD")
            if not keep_alive:
                return

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> HttpRequest | None:
        while (first := await reader.read(1)) in (b"\r", b"\n"):
            pass  # empty lines before a request mean nothing (RFC 9112, section 2.2)
        if not first:
            return None
        if self._read_timeout is None:
            return await self._request(first, reader, writer)
        try:
            async with asyncio.timeout(self._read_timeout):
                return await self._request(first, reader, writer)
        except TimeoutError as error:
            raise MalformedRequestError(408) from error

    async def _request(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> HttpRequest:
        try:
            head = first + await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise MalformedRequestError(431) from error
        if len(head) > MAX_HEAD_BYTES:
            raise MalformedRequestError(431)
        method, target, headers = _parse_head(head)
        path, _, query = target.partition("?")
        if "expect" in headers:
            await _continue(headers["expect"], writer)
        if "transfer-encoding" in headers:
            self._check_chunked(headers)
            return HttpRequest(method, path, query, headers, b"", 0, ChunkedBody(reader))
        size, body = await self._body(headers, reader)
        return HttpRequest(method, path, query, headers, body, size)

    async def _body(self, headers: dict[str, str], reader: asyncio.StreamReader) -> tuple[int, bytes]:
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or len(length) > _MAX_LENGTH_DIGITS:
            raise MalformedRequestError(400)
        size = int(length)
        if size > self._body_limit:
            await _discard(reader, size)
            return size, b""
        return size, await reader.readexactly(size) if size else b""

    def _check_chunked(self, headers: dict[str, str]) -> None:
        if "content-length" in headers:
            raise MalformedRequestError(400)
        if not self._accept_chunked:
            raise MalformedRequestError(411)
        if headers["transfer-encoding"].lower() != "chunked":
            raise MalformedRequestError(501)


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    text = head[:-4].decode("latin-1")
    first, *lines = text.split("\r\n")
    if not len(lines) == text.count("\r") == text.count("\n") or "\0" in text:
        raise MalformedRequestError(400)  # a lone CR or LF is a line's end to some, and not to others
    try:
        method, target, protocol = first.split(" ")
    except ValueError as error:
        raise MalformedRequestError(400) from error
    if protocol != "HTTP/1.1" or not target.startswith("/") or not _TOKEN.fullmatch(method):
        raise MalformedRequestError(400)
    headers: dict[str, str] = {}
    for line in lines:
        given, colon, value = line.partition(":")
        name = _header_name(given)
        if not colon or name is None:
            raise MalformedRequestError(400)
        value = value.strip(" \t")
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise MalformedRequestError(400)
        else:
            headers[name] += f",{value}"
    return method, target, headers


@functools.lru_cache(maxsize=256)
def _header_name(text: str) -> str | None:
    """A header's name in lower case, or None if it cannot be one."""
    return text.lower() if _TOKEN.fullmatch(text) else None


async def _continue(expected: str, writer: asyncio.StreamWriter) -> None:
    """Ask for the body: curl waits a second for it when that is over 1 MB."""
    if expected.lower() != "100-continue":
        raise MalformedRequestError(417)
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await writer.drain()


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read on for a moment: a socket that is closed with bytes unread takes the reply back."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_LINGER_SECONDS):
            writer.write_eof()
            while await reader.read(_DISCARD_BYTES):
                pass


async def _discard(reader: asyncio.StreamReader, size: int) -> None:
    while size:
        size -= len(await reader.readexactly(min(size, _DISCARD_BYTES)))
