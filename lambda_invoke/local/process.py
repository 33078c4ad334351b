"""One worker process: started in a group of its own, its output read, its end noticed, its group killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lambda_invoke.local import memory

if TYPE_CHECKING:
    from collections.abc import Callable

_BOOTSTRAP = str(Path(__file__).parent / "worker" / "bootstrap.py")
_READ_BYTES = 64 * 1024
_POLL_SECONDS = 0.02
_MAX_DRAIN_READS = 256
"""16 MB: a handler's child that prints without end must not hold up the reply."""

_life_lines: set[int] = set()


def _drop_life_lines() -> None:
    """In a fork of this process: its copies would keep the workers alive when the parent is killed."""
    for life_line in _life_lines:
        os.close(life_line)
    _life_lines.clear()


os.register_at_fork(after_in_child=_drop_life_lines)


class WorkerProcess:
    """Runs ``worker/bootstrap.py``. Used on the event loop that starts it.

    ``on_output`` gets what it prints (both streams, in one order), ``on_exit`` its return code as
    ``subprocess`` gives it, once, when the whole group has been killed and the output is read.
    """

    def __init__(
        self,
        configuration: BinaryIO,
        environment: dict[str, str],
        directory: str,
        on_output: Callable[[bytes], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._on_output = on_output
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self.exited = asyncio.Event()
        life_line, self._life_line = os.pipe()
        _life_lines.add(self._life_line)
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this package's own script
                [sys.executable, "-P", _BOOTSTRAP, str(life_line)],
                stdin=configuration,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=directory,
                pass_fds=[life_line],
                start_new_session=True,
            )
        except BaseException:
            self._cut_life_line()
            os.close(self._output)
            raise
        finally:
            os.close(life_line)
            os.close(output)
        self.pid = self._process.pid
        self._loop.add_reader(self._output, self._read_output)
        self._watch()

    def _watch(self) -> None:
        self._pidfd = _pidfd(self.pid)
        if self._pidfd is None:
            self._loop.call_later(_POLL_SECONDS, self._poll)
        else:
            self._loop.add_reader(self._pidfd, self._ended)

    def _poll(self) -> None:
        # WNOWAIT leaves it a zombie: its group must be killed before its id is free again.
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            self._loop.call_later(_POLL_SECONDS, self._poll)
        else:
            self._ended()

    def _cut_life_line(self) -> None:
        _life_lines.discard(self._life_line)
        os.close(self._life_line)

    def _read_output(self) -> bool:
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._output)
            return False
        self._on_output(data)
        return True

    def drain(self) -> None:
        """Read all that it has printed so far."""
        if not self.exited.is_set():
            self._drain()

    def _drain(self) -> None:
        for _ in range(_MAX_DRAIN_READS):
            if not self._read_output():
                return

    def kill(self) -> None:
        """Kill it and everything that it started; its end comes by ``on_exit``."""
        if self.exited.is_set():
            return
        strays = memory.descendants(self.pid)[1:] if memory.HAS_PROC else []
        self._kill_group()
        for pid in strays:  # those that left the group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _ended(self) -> None:
        self._kill_group()  # not reaped yet, so that the id is still its own
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        code = self._process.wait()
        self._drain()
        self._loop.remove_reader(self._output)
        os.close(self._output)
        self._cut_life_line()
        self.exited.set()
        self._on_exit(code)


def _pidfd(pid: int) -> int | None:
    """A descriptor that tells when the process ends; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
