"""A process that does not end in time is ended, and the failure says what it was doing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

SECONDS = 60.0
"""What a command takes for a hang; well above what it needs on a busy machine."""
_DYING_SECONDS = 10.0
"""For writing the stacks down."""


class Process(Protocol):
    """What of a ``subprocess.Popen`` is needed."""

    pid: int
    args: Any

    def poll(self) -> int | None:
        """The return code, if it has ended."""


class Watchdog:
    """Ends a process, and what it started, that is there ``seconds`` after the ``with`` was entered.

    ::

        with Watchdog(process) as watchdog:
            out, err = process.communicate()
        watchdog.check(err)

    ``err`` has the stacks then: see :func:`end_stuck`.
    """

    def __init__(self, process: Process, seconds: float = SECONDS) -> None:
        self._process = process
        self._seconds = seconds
        self._timer = threading.Timer(seconds, self._bite)
        self._doing: str | None = None

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        if error is not None and self._doing is not None:
            error.add_note(self._told())

    def check(self, said: str = "") -> None:
        """Fail if it had to be ended; ``said`` is what it wrote to standard error."""
        assert self._doing is None, f"{self._told()}\n{said}"

    def _told(self) -> str:
        return f"{self._process.args!r} did not end within {self._seconds:g} s\n{self._doing}"

    def _bite(self) -> None:
        if self._process.poll() is None:
            self._doing = end_stuck(self._process)


def end_stuck(process: Process) -> str:
    """End a process and what it started; returns what each of their threads was waiting for.

    By SIGABRT: a Python that was started with ``-X faulthandler`` writes the stack of every thread to
    standard error then.
    """
    family = [process.pid, *_descendants(process.pid)]
    doing = "\n".join(_doing(pid) for pid in family)
    for pid in reversed(family):
        _kill(pid, signal.SIGABRT)
        until = time.monotonic() + _DYING_SECONDS
        while _runs(process, pid) and time.monotonic() < until:
            time.sleep(0.005)
        if _runs(process, pid):
            _kill(pid, signal.SIGKILL)
    return doing


def _runs(process: Process, pid: int) -> bool:
    if pid == process.pid:
        return process.poll() is None
    return _state(Path(f"/proc/{pid}")).get("State", "Z")[0] != "Z"


def _doing(pid: int) -> str:
    """What each thread waits for in the kernel, and how long it ran and waited to run: Linux tells."""
    lines = [f"process {pid}: {_read(Path(f'/proc/{pid}/cmdline')).replace(chr(0), ' ')}"]
    for task in _tasks(pid):
        status = _state(task)
        times = [f"{int(spent) / 1e9:.3f}" for spent in _read(task / "schedstat").split()[:2]]
        ran, waited = times if len(times) > 1 else ("?", "?")
        lines.append(
            f"  thread {task.name} {status.get('Name', '?')}: {status.get('State', '?')} "
            f"in {_read(task / 'wchan') or '?'}, ran {ran} s, waited {waited} s for a CPU; "
            f"system call {_read(task / 'syscall').strip() or '?'}"
        )
    return "\n".join(lines)


def _descendants(pid: int) -> Iterator[int]:
    for task in _tasks(pid):
        for child in map(int, _read(task / "children").split()):
            yield child
            yield from _descendants(child)


def _tasks(pid: int) -> list[Path]:
    try:
        return sorted(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _state(process: Path) -> dict[str, str]:
    lines = _read(process / "status").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it is gone, or not ours to read
        return ""


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
