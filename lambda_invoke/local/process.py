"""One worker process: started in a group of its own, its output read, its end noticed, its group killed."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import termios
from typing import TYPE_CHECKING

from lambda_invoke.local import memory
from lambda_invoke.local.life_line import LifeLine

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from lambda_invoke.local.launch import Launch

_READ_BYTES = 64 * 1024
_POLL_SECONDS = 0.02
_MAX_DRAIN_READS = 256
"""16 MB: a handler's child that prints without end must not hold up the reply."""


class _Reader:
    """Hands on what comes through a pipe."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, descriptor: int, on_data: Callable[[bytes], None]
    ) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._on_data = on_data
        self._waiting = array.array("i", [0])
        os.set_blocking(descriptor, False)
        loop.add_reader(descriptor, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._descriptor)
            return False
        self._on_data(data)
        return True

    def drain(self) -> None:
        """Read all that is there."""
        for _ in range(_MAX_DRAIN_READS):
            # Asked first: a read that finds nothing costs an exception, and mostly there is nothing.
            fcntl.ioctl(self._descriptor, termios.FIONREAD, self._waiting)
            if not (self._waiting[0] and self._read()):
                return

    def close(self) -> None:
        """Read no more."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)


class WorkerProcess:
    """Runs what a launch says. Used on the event loop that starts it.

    ``on_output`` gets what it prints (both streams, in one order), ``on_exit`` its return code as
    ``subprocess`` gives it, once, when the whole group has been killed and the output is read. ``channel`` is
    a Python worker's end of its channel, which is closed here.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        launch: Launch,
        environment: dict[str, str],
        on_output: Callable[[bytes], None],
        on_exit: Callable[[int], None],
        channel: socket.socket | None = None,
    ) -> None:
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self.exited = asyncio.Event()
        with contextlib.ExitStack() as handed_over, contextlib.ExitStack() as on_failure:
            if channel is not None:
                handed_over.enter_context(channel)
            self._life_line = LifeLine()
            handed_over.callback(self._life_line.handed_over)
            on_failure.callback(self._life_line.cut)
            output, printed = os.pipe()
            handed_over.callback(os.close, printed)
            on_failure.callback(os.close, output)
            given = [] if channel is None else [self._life_line.childs_end, channel.fileno()]
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own function
                [*launch.command, *map(str, given)],
                stdin=subprocess.DEVNULL if launch.stdin is None else launch.stdin,
                stdout=printed,
                stderr=printed,
                env=environment,
                cwd=launch.directory,
                pass_fds=given,
                start_new_session=True,
            )
            on_failure.pop_all()
        self.pid = self._process.pid
        self._output = _Reader(self._loop, output, on_output)
        self.memory = memory.OwnFigures(self.pid)
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

    def drain(self) -> None:
        """Read all that it has printed so far."""
        if not self.exited.is_set():
            self._output.drain()

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
        self.memory.close()
        self._output.drain()
        self._output.close()
        self._life_line.cut()
        self.exited.set()
        self._on_exit(code)


def _pidfd(pid: int) -> int | None:
    """A descriptor that tells when the process ends; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
