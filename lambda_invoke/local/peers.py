"""Who is at the other end of a loopback connection (Linux).

A runtime client that we did not write can send no token: it takes ``host:port`` and nothing more. What
it cannot hide is whose process it is: the kernel knows the owner of every socket, and says so to anybody.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

AVAILABLE = sys.platform == "linux"

Address = tuple[str, int]

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NO_COOKIE = 0xFFFF_FFFF
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
_SOCKET_ID = struct.Struct("!HH4s12x4s12x")
_INTERFACE_AND_COOKIE = struct.Struct("=III")
_REPLY = struct.Struct("=BBxx48xIIIII")
"""``<linux/inet_diag.h>``: a question for one socket, and family, state, socket, three queues, uid, inode."""

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # a dual-stack client's socket is in the second
_MAPPED = bytes(10) + b"\xff\xff"
"""IPv4 as IPv6, ``::ffff:127.0.0.1``."""

_CONNECTED = (1, 8)
"""ESTABLISHED and CLOSE_WAIT: the end is held by a process."""


def same_user(client: Address, server: Address) -> bool:
    """Whether the client's end of a connection between these addresses belongs to a process of ours.

    An end that is closed already has no owner, and so is nobody's.
    """
    try:
        found = ask_kernel(client, server)
    except OSError:  # no netlink in this sandbox
        found = look_up(client, server)
    if found is None:
        return False
    state, uid, inode = found
    return state in _CONNECTED and uid == os.geteuid() and inode != 0


def ask_kernel(local: Address, remote: Address) -> tuple[int, int, int] | None:
    """State, uid and inode of the socket between these addresses, from the kernel's ``sock_diag``.

    Raises:
        OSError: there is no such interface here.
    """
    identity = _SOCKET_ID.pack(local[1], remote[1], socket.inet_aton(local[0]), socket.inet_aton(remote[0]))
    body = (
        _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFF_FFFF)
        + identity
        + _INTERFACE_AND_COOKIE.pack(0, _NO_COOKIE, _NO_COOKIE)
    )
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.sendall(header + body)
        reply = netlink.recv(4096)
    _, kind, *_ = _HEADER.unpack_from(reply)
    if kind != _SOCK_DIAG_BY_FAMILY:  # an error: there is no such socket
        return None
    _, state, _, _, _, uid, inode = _REPLY.unpack_from(reply, _HEADER.size)
    return state, uid, inode


def look_up(local: Address, remote: Address) -> tuple[int, int, int] | None:
    """The same from ``/proc/net/tcp``, which takes milliseconds: the kernel writes out its whole table."""
    locals_, remotes = _spelled(local), _spelled(remote)
    for table in _TABLES:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[1] in locals_ and fields[2] in remotes:
                return int(fields[3], 16), int(fields[7]), int(fields[9])
    return None


def _spelled(address: Address) -> frozenset[str]:
    """An IPv4 address as the tables spell it: words of the machine's own byte order, in hexadecimal."""
    host, port = address
    plain = socket.inet_aton(host)
    return frozenset(
        "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", packed)) + f":{port:04X}"
        for packed in (plain, _MAPPED + plain)
    )
