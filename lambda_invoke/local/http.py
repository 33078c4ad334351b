"""A small HTTP/1.1 server on loopback: what Lambda's API and the Runtime API are served with.

``http.server`` takes 40 ms a request (delayed acknowledgements), and a web framework would be a
dependency; this one knows only what those two APIs use.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from lambda_invoke.local.http_connection import Connection, ServerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.http_connection import Handle

LOOPBACK = "127.0.0.1"
_CLOSE_SECONDS = 1.0
_ACCEPT_TURNS = 10
"""Turns of the loop after which a connection that the system had accepted is known (asyncio takes three)."""


class HttpServer:
    """Serves ``handle`` on a loopback port, connections kept alive.

    Args:
        handle: answers one request: at once, with a LaterResponse, or as a coroutine.
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
        handle: Handle,
        *,
        body_limit: int,
        port: int = 0,
        read_timeout: float | None = None,
        accept_chunked: bool = False,
        admits: Callable[[tuple[str, int], tuple[str, int]], bool] | None = None,
    ) -> None:
        self._options = ServerOptions(handle, body_limit, read_timeout, accept_chunked, admits)
        self._connections: set[Connection] = set()
        self._ended: asyncio.Event | None = None
        self._server: asyncio.Server | None = None
        self.port = port

    async def start(self) -> None:
        """Listen; ``port`` is then what it listens on."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._options, self._connections), LOOPBACK, self.port, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def hung_up(self, timeout: float) -> None:
        """Wait until every client has hung up and been heard, for at most ``timeout`` seconds."""
        await self._all_made()
        await self._all_over(timeout)

    async def _all_made(self) -> None:
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)

    async def _all_over(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                for connection in list(self._connections):
                    await connection.over.wait()

    async def close(self) -> None:
        """Stop listening, and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        await self._all_made()
        for connection in list(self._connections):
            connection.drop()
        await self._all_over(_CLOSE_SECONDS)
