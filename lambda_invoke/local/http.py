"""A small HTTP/1.1 server on loopback: what Lambda's API and the Runtime API are served with.

``http.server`` takes 40 ms a request (delayed acknowledgements), and a web framework would be a
dependency; this one knows only what those two APIs use.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LOOPBACK = "127.0.0.1"
MAX_HEAD_BYTES = 64 * 1024
_READ_AHEAD_BYTES = 1024 * 1024
_DISCARD_BYTES = 256 * 1024
_CLOSE_SECONDS = 1.0


class MalformedRequestError(Exception):
    """The request cannot be read any further; ``status`` is what it is answered with."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


@attrs.frozen
class HttpRequest:
    """A request. Header names are lower-case; ``path`` and ``query`` are as they came, still quoted.

    ``body`` is empty when ``body_size`` is over the server's limit: it was read and thrown away.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    body_size: int


@attrs.frozen
class HttpResponse:
    """A response; Date, Content-Length and Connection are added when it is written."""

    status: int
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)


def comes_from_a_browser(request: HttpRequest) -> bool:
    """Whether a web page sent it: browsers add ``Origin`` or ``Sec-Fetch-*``, SDKs do not."""
    return "origin" in request.headers or any(name.startswith("sec-fetch-") for name in request.headers)


class HttpServer:
    """Serves ``handle`` on a loopback port of its own, connections kept alive."""

    def __init__(self, handle: Callable[[HttpRequest], Awaitable[HttpResponse]], *, body_limit: int) -> None:
        self._handle = handle
        self._body_limit = body_limit
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(
            self._serve, LOOPBACK, 0, limit=_READ_AHEAD_BYTES, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

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
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went, or the server stops: there is nobody to tell
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                request = await self._read(reader)
            except MalformedRequestError as error:
                writer.write(_render(HttpResponse(error.status), keep_alive=False))
                await writer.drain()
                return
            if request is None:
                return
            response = await self._handle(request)
            keep_alive = request.headers.get("connection", "").lower() != "close"
            writer.write(_render(response, keep_alive=keep_alive))
            await writer.drain()
            if not keep_alive:
                return

    async def _read(self, reader: asyncio.StreamReader) -> HttpRequest | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        except asyncio.LimitOverrunError as error:
            raise MalformedRequestError(431) from error
        if len(head) > MAX_HEAD_BYTES:
            raise MalformedRequestError(431)
        method, target, headers = _parse_head(head)
        if "transfer-encoding" in headers:
            raise MalformedRequestError(411)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise MalformedRequestError(400)
        size = int(length)
        if size > self._body_limit:
            await _discard(reader, size)
            body = b""
        else:
            body = await reader.readexactly(size) if size else b""
        path, _, query = target.partition("?")
        return HttpRequest(method, path, query, headers, body, size)


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    try:
        method, target, protocol = first.split(" ")
    except ValueError as error:
        raise MalformedRequestError(400) from error
    if protocol != "HTTP/1.1" or not target.startswith("/"):
        raise MalformedRequestError(400)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or not name:
            raise MalformedRequestError(400)
        name, value = name.lower(), value.strip(" \t")
        if name in headers and name in {"host", "content-length", "authorization"}:
            raise MalformedRequestError(400)  # two of these are how requests are smuggled
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return method, target, headers


async def _discard(reader: asyncio.StreamReader, size: int) -> None:
    while size:
        size -= len(await reader.readexactly(min(size, _DISCARD_BYTES)))


def _render(response: HttpResponse, *, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    headers = {
        "Date": formatdate(usegmt=True),
        **response.headers,
        "Connection": "keep-alive" if keep_alive else "close",
    }
    if response.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(response.body))
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + response.body
