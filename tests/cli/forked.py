"""Processes forked for commands: the tests' side of ``fork_server.py``."""

from __future__ import annotations

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from tests.support.measuring import MEASURED
from tests.support.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVER = Path(__file__).with_name("fork_server.py")


class ForkServer:
    """A process that forks for one command after the other; started with the environment given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._calls, theirs = socket.socketpair()
        with theirs:
            # Pipes, as the commands get: what Python finds out about its streams as it starts is the same.
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", str(SERVER), str(theirs.fileno())],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        self._answers = self._calls.makefile()
        self._busy = threading.Lock()

    def close(self) -> None:
        """End it."""
        self._answers.close()
        self._calls.close()
        self._process.communicate()

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str
    ) -> tuple[int, str, str]:
        """Run ``python -m lambda_invoke`` to its end: its return code, and what it wrote to either stream.

        One that does not end within a minute fails, and the failure says what it was doing.
        """
        (read, given), (out, printed), (err, complained) = os.pipe(), os.pipe(), os.pipe()
        call = json.dumps({"arguments": arguments, "environment": dict(environment)})
        with self._busy, ThreadPoolExecutor(3) as pool:
            streams = [read, printed, complained]
            socket.send_fds(self._calls, [f"{call}\n".encode()], streams)
            for stream in streams:
                os.close(stream)
            process = _Forked(int(self._answers.readline()), arguments)
            pool.submit(_write, given, stdin)
            texts = [pool.submit(_read, out), pool.submit(_read, err)]
            with Watchdog(process) as watchdog:
                process.returncode = int(self._answers.readline())
            printed_text, complaints = (text.result() for text in texts)
            watchdog.check(complaints)
            return process.returncode, printed_text, complaints


@attrs.define
class _Forked:
    pid: int
    args: Sequence[str]
    returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode


def _write(descriptor: int, text: str) -> None:
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _read(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8") as stream:
        return stream.read()


@functools.cache
def fork_server() -> ForkServer:
    """The one of this process, started when first asked for."""
    root = str(SERVER.parents[2])
    server = ForkServer({**os.environ, **MEASURED, "PYTHONWARNINGS": "error", "PYTHONPATH": root})
    atexit.register(server.close)
    return server
