"""Runs the command line from outside, as a shell does."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, Self

import attrs
import pytest

from tests.cli.forked import fork_server
from tests.support.measuring import MEASURED
from tests.support.patience import PATIENCE
from tests.support.watchdog import SECONDS, Watchdog, end_stuck

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
HANDLERS = Path(__file__).parent / "handlers.py"
COMMAND = (sys.executable, "-X", "faulthandler", "-m", "lambda_invoke")
"""The program; so started it writes its stacks where a :class:`Watchdog` ends it."""


@attrs.frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON Lines."""
        return json_lines(self.out)


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def environment() -> dict[str, str]:
    """The test's own (``tests/conftest.py`` made it safe), measured; a warning is an error there, too."""
    return {**unmeasured_environment(), **MEASURED}


def unmeasured_environment() -> dict[str, str]:
    """The same where the code is measured anyway, or none of it is ours."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


def run(*arguments: str, stdin: str = "") -> Done:
    """Run a command to its end."""
    code, out, err = fork_server().run(arguments, unmeasured_environment(), stdin)
    assert "Traceback" not in err, err
    return Done(code, out, err)


def run_program(program: list[str], stdin: str = "", **options: Any) -> Done:
    """Run any program to its end, in this environment unless ``options`` say otherwise.

    One that does not end within a minute fails, and the failure says what it was doing.
    """
    with subprocess.Popen(
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"env": environment(), **options},
    ) as process:
        try:
            with Watchdog(process) as watchdog:
                out, err = process.communicate(stdin, timeout=2 * SECONDS)
        finally:
            process.kill()
    watchdog.check(err)
    return Done(process.returncode, out, err)


def read_terminal(master: int) -> bytes:
    """All that was written to a terminal whose other side is closed; closes this one too."""
    shown = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux's end of a terminal whose other side is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    return shown


class Running:
    """A command that runs, in a process group of its own, with its standard input open."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                _stream(stream).close()

    def feed_slowly(self, lines: int) -> None:
        """Write some lines to standard input, with pauses in which they can be taken up."""
        for number in range(lines):
            _stream(self._process.stdin).write(f"{number}\n")
            _stream(self._process.stdin).flush()
            time.sleep(0.05)

    def feed_until_it_answers(self) -> None:
        """Write lines to standard input until there is output: it may take a while to start."""
        until = time.monotonic() + PATIENCE
        while not select.select([_stream(self._process.stdout)], [], [], 0)[0]:
            if time.monotonic() > until:
                self._fail("no line came")
            self.feed_slowly(1)

    def next_line(self) -> Any:
        """The next line of standard output, as JSON; one that comes alone."""
        out = _stream(self._process.stdout)
        if not select.select([out], [], [], PATIENCE)[0]:
            self._fail("no line came")
        return json.loads(out.readline())

    def next_complaint(self) -> str:
        """The next line of standard error."""
        err = _stream(self._process.stderr)
        if not select.select([err], [], [], PATIENCE)[0]:
            self._fail("no line came")
        return err.readline()

    def stop_reading(self) -> None:
        _stream(self._process.stdout).close()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the group, as a terminal does."""
        os.killpg(self._process.pid, number)

    def signal(self, number: signal.Signals) -> float:
        """The same, and wait for the end; the seconds until then."""
        begun = time.monotonic()
        self.send(number)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._fail(f"it did not end after {number.name}")
        return time.monotonic() - begun

    def _fail(self, why: str) -> NoReturn:
        doing = end_stuck(self._process)
        pytest.fail(f"{why}\n{doing}\n{_stream(self._process.stderr).read()}")

    def end(self) -> Done:
        """Close its input and wait for its end, and kill it if that does not come."""
        out = _stream(self._process.stdout)
        with contextlib.suppress(BrokenPipeError):
            _stream(self._process.stdin).close()
        with Watchdog(self._process, PATIENCE) as watchdog:
            text = "" if out.closed else out.read()
            err = _stream(self._process.stderr).read()
            code = self._process.wait()
        watchdog.check(err)
        assert "Traceback" not in err, err
        return Done(code, text, err)


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def write_lines(path: Path, values: Iterator[Any] | list[Any] | range) -> str:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")
    return str(path)
