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

_PROC_FILE_BYTES = 4096

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


class OwnFigures:
    """What Linux tells of one process at little cost, since its files under /proc are kept open.

    Elsewhere, and of a process that has ended, nothing is known.
    """

    def __init__(self, pid: int) -> None:
        self._files: list[int] = []
        if HAS_PROC:
            with contextlib.suppress(OSError):  # it ended already
                for name in ("status", f"task/{pid}/children"):
                    self._files.append(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))

    def peak_bytes(self) -> int:
        """The most that the process itself (not its children) ever had resident, in bytes; 0: not known."""
        _, found, text = self._read(0).partition(b"VmHWM:")
        return int(text.partition(b"kB")[0]) * 1024 if found else 0

    def is_alone(self) -> bool:
        """Whether its main thread has no child that runs; False where that is not known."""
        return HAS_PROC and not self._read(1)

    def _read(self, index: int) -> bytes:
        try:
            return os.pread(self._files[index], _PROC_FILE_BYTES, 0)
        except (OSError, IndexError):  # it ended
            return b""

    def close(self) -> None:
        """Close what it holds."""
        while self._files:
            os.close(self._files.pop())
