"""Resident memory of a worker's process tree.

Watched rather than limited: ``RLIMIT_AS`` counts reserved address space, of which Python and its
extensions take far more than they ever touch, and it is per process.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

BYTES_PER_MB = 1024 * 1024
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

HAS_PROC = sys.platform == "linux"


def descendants(pid: int) -> list[int]:
    """The process and all that descend from it, parents first (Linux only)."""
    found = [pid]
    for process in found:
        with contextlib.suppress(OSError):  # it ended meanwhile
            for task in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - read many times a second
                found.extend(_children(process, task))
    return found


def _children(process: int, task: int | str) -> list[int]:
    with open(f"/proc/{process}/task/{task}/children", "rb") as file:  # noqa: PTH123 - as often
        return [int(pid) for pid in file.read().split()]


def is_alone(pid: int) -> bool:
    """Whether the process's main thread has no child that runs (Linux; elsewhere it is not known: False)."""
    if not HAS_PROC:
        return False
    try:
        return not _children(pid, pid)
    except OSError:
        return True


def resident_bytes(pids: list[int]) -> dict[int, int]:
    """Resident memory of each process's tree, in bytes; a process that has ended has none."""
    if HAS_PROC:
        return {pid: sum(map(_resident, descendants(pid))) for pid in pids}
    listing = subprocess.run(
        ["/bin/ps", "-axo", "pid=,ppid=,rss="], capture_output=True, check=False, text=True
    ).stdout
    return sum_trees(listing, pids)


def sum_trees(listing: str, pids: list[int]) -> dict[int, int]:
    """The same from what ``ps -axo pid=,ppid=,rss=`` printed (``rss`` in KiB)."""
    resident: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for line in listing.splitlines():
        pid, parent, kibibytes = map(int, line.split())
        resident[pid] = kibibytes * 1024
        children.setdefault(parent, []).append(pid)
    sums = {}
    for root in pids:
        tree = [root]
        for pid in tree:
            tree.extend(children.get(pid, ()))
        sums[root] = sum(resident.get(pid, 0) for pid in tree)
    return sums


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - read many times a second
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def peak_bytes(pid: int) -> int:
    """The most that the process itself (not its children) ever had resident, in bytes; 0: not known."""
    if not HAS_PROC:
        return 0
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
