"""Processes forked for commands: the tests' side of ``fork_server.py``."""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.measuring import MEASURED

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
                [sys.executable, str(SERVER), str(theirs.fileno())],
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
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m lambda_invoke`` to its end, as ``subprocess.run`` would.

        Raises:
            TimeoutError: it did not end within ``timeout`` seconds, and was killed.
        """
        (read, given), (out, printed), (err, complained) = os.pipe(), os.pipe(), os.pipe()
        call = json.dumps({"arguments": arguments, "environment": dict(environment)})
        with self._busy, ThreadPoolExecutor(3) as pool:
            streams = [read, printed, complained]
            socket.send_fds(self._calls, [f"{call}\n".encode()], streams)
            for stream in streams:
                os.close(stream)
            pid = int(self._answers.readline())
            pool.submit(_write, given, stdin)
            texts = [pool.submit(_read, out), pool.submit(_read, err)]
            begun = time.monotonic()
            killer = threading.Timer(timeout, os.kill, [pid, signal.SIGKILL])
            killer.start()
            code = int(self._answers.readline())
            killer.cancel()
            if code == -signal.SIGKILL and time.monotonic() - begun >= timeout:
                raise TimeoutError(f"{arguments} did not end in {timeout} s")
            return subprocess.CompletedProcess(arguments, code, *(text.result() for text in texts))


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
