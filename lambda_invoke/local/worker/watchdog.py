"""Ends what workers have left behind when their endpoint goes, however it goes.

Run as a script with the number of its life line's descriptor and the endpoint's mark. The mark stands in
every worker's environment, which all that a worker starts inherits: so even a process that left its
group, its session and its parents is found. Linux only (``/proc``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

ROUND_SECONDS = 0.01
MAX_ROUNDS = 500
"""Five seconds: a process that a SIGKILL does not end in that time hangs in the kernel."""


def marked(mark: bytes) -> list[int]:
    """The processes whose environment holds the mark."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib alone would double this script's start
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
                if mark in file.read().split(b"\0"):
                    found.append(int(name))
    return found


def end_all(mark: bytes) -> None:
    """Kill them, and whom they forked meanwhile, until there are none."""
    for _ in range(MAX_ROUNDS):
        processes = marked(mark)
        if not processes:
            return
        for process in processes:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(ROUND_SECONDS)


def main() -> None:
    """Wait for the life line's end, then clear up."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.read(int(sys.argv[1]), 1)
    end_all(sys.argv[2].encode())


if __name__ == "__main__":
    main()
