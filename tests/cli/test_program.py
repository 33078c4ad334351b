"""The program itself: help, version, progress, and how quickly it starts."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import COMMAND, ROOT, environment, read_terminal, run, write_lines
from tests.support.server import ScriptedServer
from tests.support.watchdog import Watchdog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "command", [[], ["demo"], ["local"], ["invoke"], ["map"], ["list"], ["doctor"]], ids=" ".join
)
def test_help(command: list[str]) -> None:
    """Every command has help, and those whose exit codes mean something say what."""
    done = run(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: lambda_invoke")
    assert ("exit codes:" in done.out) == (command in (["local"], ["invoke"], ["map"], ["doctor"]))


def test_version() -> None:
    """--version names the program."""
    done = run("--version")
    assert done.code == 0
    assert done.out.startswith("lambda_invoke ")


def test_help_is_quick() -> None:
    """Help loads neither boto3 nor asyncio, nor what runs the other commands."""
    code = (
        "import sys; from lambda_invoke.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('boto3', 'botocore', 'asyncio', 'lambda_invoke.local', 'lambda_invoke.cli.mapping')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def map_on_terminal(*arguments: str) -> str:
    """What a terminal shows of ``map`` on standard error; the results go to no terminal."""
    master, slave = pty.openpty()
    try:
        done = subprocess.Popen(
            [*COMMAND, "map", *arguments],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=slave,
        )
    finally:
        os.close(slave)
    with Watchdog(done) as watchdog:
        shown = read_terminal(master).decode()
        code = done.wait()
    watchdog.check(shown)
    assert code == 0
    return shown


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """By default it is shown there, as one line that is rewritten; --no-progress leaves it out."""
    with ScriptedServer() as server:
        where = (write_lines(tmp_path / "items", range(20)), "--endpoint-url", server.url)
        shown = map_on_terminal("f", *where)
        silent = map_on_terminal("f", *where, "--no-progress")
    assert "[########################] 20 of 20 done, 0 in flight" in shown
    assert shown.count("\n") == 3
    assert "\x1b" not in silent
    assert silent.startswith("20 items in ")


def test_no_progress_in_a_pipe(tmp_path: Path) -> None:
    """Where standard error is no terminal there are no escape sequences, asked for or not."""
    with ScriptedServer() as server:
        items = write_lines(tmp_path / "items", range(3))
        for option in ([], ["--progress"]):
            done = run("map", "f", items, "--endpoint-url", server.url, *option)
            assert done.err.startswith("3 items in ")
