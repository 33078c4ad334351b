"""A TCP connection to the first of a host's addresses that answers (RFC 8305, "happy eyeballs").

asyncio has this too, but on Python 3.11 it can lose a socket when it is cancelled.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import socket
from typing import Any

DELAY_SECONDS = 0.25
"""An address that has not answered for so long is joined by the next one (RFC 8305's default)."""

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
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
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
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


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
