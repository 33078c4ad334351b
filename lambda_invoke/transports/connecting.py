"""A TCP connection to the first of a host's addresses that answers (RFC 8305, "happy eyeballs").

asyncio has this too, but on Python 3.11 it can lose a socket when it is cancelled. Names are looked up
in daemon threads of the library's own: the loop's default executor is joined at its end, however long a
name server takes; and uvloop's has threads that a forked child cannot end without.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import itertools
import os
import socket
from typing import Any

from lambda_invoke.transports.threads import DaemonThreads, in_thread

DELAY_SECONDS = 0.25
"""An address that has not answered for so long is joined by the next one (RFC 8305's default)."""

_THREADS = DaemonThreads(4)
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})
_PROACTOR: Any = getattr(asyncio, "ProactorEventLoop", ())
"""Windows' loop, which has no ``add_writer``."""

Address = tuple[socket.AddressFamily, Any]


async def connected_socket(host: str, port: int) -> socket.socket:
    """A connected socket that does not block. Names are resolved anew each time.

    Raises:
        OSError: no address answered; the first one's error.
    """
    addresses = await _addresses(host, port)
    if len(addresses) == 1:
        return await _connected(addresses[0])
    left, racing = iter(addresses), set[asyncio.Task[socket.socket]]()
    failure: BaseException | None = None
    try:
        while True:
            following = next(left, None)
            if following is not None:
                racing.add(asyncio.ensure_future(_connected(following)))
            elif not racing:
                break
            longest = None if following is None else DELAY_SECONDS
            ended, _ = await asyncio.wait(racing, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
            for attempt in ended:
                error = attempt.exception()
                if error is None:
                    racing.discard(attempt)
                    return attempt.result()
                failure = failure or error
            racing -= ended
    finally:
        await _put_away(racing)
    raise failure or OSError(f"{host} has no address")


async def _addresses(host: str, port: int) -> list[Address]:
    """The addresses of a host, its families by turns, the system's first choice first."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        pass
    else:
        family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
        return [(family, (host, port))]
    found = await in_thread(_THREADS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    families: dict[socket.AddressFamily, list[Address]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append((family, address))
    by_turns = itertools.chain.from_iterable(itertools.zip_longest(*families.values()))
    return [address for address in by_turns if address is not None]


async def _connected(address: Address) -> socket.socket:
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await _connect(asyncio.get_running_loop(), sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect(loop: asyncio.AbstractEventLoop, sock: socket.socket, where: Any) -> None:
    if isinstance(loop, _PROACTOR):
        await loop.sock_connect(sock, where)
        return
    error = sock.connect_ex(where)
    if error in _UNDER_WAY:
        await _writable(loop, sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


async def _writable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Until a connect has come to its end, well or not."""
    ended: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_writer(sock, end)
    try:
        await ended
    finally:
        loop.remove_writer(sock)


async def _put_away(racing: set[asyncio.Task[socket.socket]]) -> None:
    """End the attempts that are not wanted any more; one may have come through meanwhile."""
    for attempt in racing:
        attempt.cancel()
        attempt.add_done_callback(_close)
    if racing:
        await asyncio.wait(racing)


def _close(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
