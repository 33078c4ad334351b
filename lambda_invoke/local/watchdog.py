"""The process that ends all workers when the endpoint is killed, and their strays when it stops."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from pathlib import Path

from lambda_invoke.local import memory
from lambda_invoke.local.life_line import LifeLine

_SCRIPT = str(Path(__file__).parent / "worker" / "watchdog.py")
_POLL_SECONDS = 0.002
_VARIABLE = "_LAMBDA_INVOKE_LOCAL"


class Watchdog:
    """One for each endpoint, started with its first worker. Elsewhere than on Linux it does nothing."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        self._life_line: LifeLine | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What a worker's environment must have, to be found."""
        return {_VARIABLE: self._mark}

    def start(self) -> None:
        """Start it, if that is not done."""
        if self._process is not None or not memory.HAS_PROC:
            return
        self._life_line = LifeLine()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this package's own script
                [
                    *(sys.executable, "-I", "-S", _SCRIPT),
                    *(str(self._life_line.childs_end), f"{_VARIABLE}={self._mark}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                # Not the mark of an endpoint around this one, which would have this one's watchdog killed.
                env={name: value for name, value in os.environ.items() if name != _VARIABLE},
                pass_fds=[self._life_line.childs_end],
                start_new_session=True,
            )
        except BaseException:
            self._life_line.cut()
            raise
        finally:
            self._life_line.handed_over()

    async def close(self) -> None:
        """Have it end what is left, and wait until that is done."""
        if self._process is None or self._life_line is None:
            return
        self._life_line.cut()
        # Polled, since no thread can be started while the interpreter ends.
        while self._process.poll() is None:  # noqa: ASYNC110 - nobody tells of a process's end
            await asyncio.sleep(_POLL_SECONDS)
