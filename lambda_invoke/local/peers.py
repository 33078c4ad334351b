"""Who is at the other end of a loopback connection (Linux).

A runtime client that we did not write can send no token: it takes ``host:port`` and nothing more. What
it cannot hide is whose process it is: the kernel lists the owner of every socket.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # a dual-stack client's socket is in the second
_ESTABLISHED = "01"
_CLOSE_WAIT = "08"
_MAPPED = bytes(10) + b"\xff\xff"
"""IPv4 as IPv6, ``::ffff:127.0.0.1``."""

AVAILABLE = _TABLES[0].exists()


def same_user(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether the client's end of a connection between these addresses belongs to a process of ours.

    An end that is closed already has no owner, and so is nobody's.
    """
    local, remote = _spelled(client), _spelled(server)
    for table in _TABLES:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[1] in local and fields[2] in remote and fields[3] in (_ESTABLISHED, _CLOSE_WAIT):
                return int(fields[7]) == os.geteuid() and fields[9] != "0"
    return False


def _spelled(address: tuple[str, int]) -> frozenset[str]:
    """An IPv4 address as the tables spell it: words of the machine's own byte order, in hexadecimal."""
    host, port = address
    plain = socket.inet_aton(host)
    return frozenset(
        "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", packed)) + f":{port:04X}"
        for packed in (plain, _MAPPED + plain)
    )
