"""``doctor``: the table, JSON, exit codes, and how it ends when it cannot look."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import Diagnosis, Finding, Severity
from lambda_invoke.cli.doctor import exit_code, plain_text
from tests.cli.command import COMMAND, Running, environment, read_terminal, run
from tests.doctor.endpoint import answering
from tests.doctor.world import World, validate
from tests.support.moto import serving
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer
from tests.support.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.moto import Moto


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with serving() as running:
        yield running


@pytest.fixture
def world(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> World:
    """A function of moto's, where every service of the command is."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return World(moto).function()


def test_json(world: World) -> None:
    """It is by the schema, and the exit code is that of an error."""
    world.permit("*")
    done = run("doctor", world.name, "--json", "--concurrency", "7")
    document = json.loads(done.out)
    validate(document)
    assert (done.code, done.err) == (2, "")
    assert document["function"] == world.name
    assert document["worst"] == "error"
    assert document["findings"][0]["id"] == "public-invoke"


def test_in_a_pipe_it_is_plain_text(world: World) -> None:
    """Every finding with evidence, why, fix and source; what moto does not know could not be looked at."""
    done = run("doctor", world.name, "--timeout", "20", "--hours", "1")
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith(f"{world.name}: 1 warning, 2 could not be looked at\n")
    assert "WARNING  The client waits 20 s, the function may take 30 s\n" in done.out
    for name in (
        "[client-timeout-too-short]",
        "seen:",
        "why:",
        "fix:",
        "source:",
        "CloudWatch metrics (1 h).",
    ):
        assert name in done.out
    assert "could not be looked at" in done.out
    assert "allow lambda:GetAccountSettings" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 3),
        (["--fail-on", "warning"], 0),
        (["--timeout", "20", "--fail-on", "error"], 0),
    ],
    ids=["default", "warning", "error"],
)
def test_what_counts_as_failure(options: list[str], code: int, world: World) -> None:
    """By default what could not be looked at does, too: --fail-on says from where on."""
    assert run("doctor", world.name, *options).code == code


@pytest.mark.parametrize("severity", Severity)
def test_the_exit_code_is_that_of_the_worst(severity: Severity) -> None:
    """Remarks alone are no failure, nor is nothing."""
    finding = Finding("an-id", severity, "a title", {}, "why", "fix", "source")
    diagnosis = Diagnosis("f", None, 24.0, (), (finding,))
    codes = {"error": 2, "warning": 1, "unknown": 3, "info": 0}
    assert exit_code(diagnosis, Severity.UNKNOWN) == codes[severity]
    assert exit_code(diagnosis, Severity.ERROR) == (2 if severity is Severity.ERROR else 0)
    assert exit_code(Diagnosis("f", None, 24.0, (), ()), Severity.UNKNOWN) == 0


def on_terminal(*arguments: str, **variables: str) -> str:
    """What a terminal shows of standard output."""
    master, slave = pty.openpty()
    try:
        done = subprocess.Popen(
            [*COMMAND, "doctor", *arguments],
            env={**environment(), "COLUMNS": "120", "TERM": "xterm-256color", **variables},
            stdin=subprocess.DEVNULL,
            stdout=slave,
        )
    finally:
        os.close(slave)
    with Watchdog(done) as watchdog:
        shown = read_terminal(master)
        code = done.wait()
    watchdog.check(shown.decode())
    assert code == 1
    return shown.decode()


def test_on_a_terminal_it_is_a_table(world: World) -> None:
    """With rich, in colours, unless NO_COLOR asks for none; no command in it is cut off."""
    world.permit("sns.amazonaws.com")
    shown = on_terminal(world.name)
    assert "╭" in shown
    assert "\x1b[1;33mWARNING\x1b[0m" in shown
    assert "service-without-source" in shown
    plain = on_terminal(world.name, NO_COLOR="1")
    assert "╭" in plain
    assert "\x1b[1;33m" not in plain
    assert "…" not in plain


def test_a_narrow_table_cuts_no_word(world: World) -> None:
    """At 80 columns finding and fix share one column, so that ids and options stay whole."""
    world.function()
    world.reserve(10)
    shown = re.sub(r"\x1b\[[\d;]*m", "", on_terminal(world.name, COLUMNS="80", NO_COLOR="1"))
    assert max(map(len, shown.splitlines())) <= 80
    assert "│ reserved-concurrency-below-fan-out " in shown
    assert "--reserved-concurrent-executions" in shown
    assert "│ Finding, why, and the fix " in shown


def test_text_heeds_the_terminals_width(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich it is text, no wider than the terminal, and never wider than is good to read."""
    monkeypatch.setenv("COLUMNS", "80")
    world.permit("sns.amazonaws.com")
    with world.client() as client:
        diagnosis = client.diagnose(world.name)
    for columns, widest in ((80, 80), (60, 60), (200, 100), (10, 60)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, plain_text(diagnosis, on_terminal=True).splitlines())) <= widest
    assert max(map(len, plain_text(diagnosis, on_terminal=False).splitlines())) > 80


def test_no_such_function(world: World) -> None:
    """One line, and an exit code that no finding has."""
    done = run("doctor", "nope", "--json")
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("lambda_invoke: nope: ")
    assert done.err.count("\n") == 1


def test_no_connection() -> None:
    """The same."""
    with ScriptedServer(refusing=True) as server:
        done = run("doctor", "f", "--endpoint-url", server.url)
    assert (done.code, done.out) == (4, "")


def test_no_permission_at_all(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is refused: all of it is said, by its IAM action, and there is no traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", moto.url)
    refusal = {"Message": "not authorized"}
    with answering(lambda _: (403, refusal), x_amzn_errortype="AccessDeniedException") as url:
        done = run("doctor", "f", "--json", "--endpoint-url", url)
    document = json.loads(done.out)
    validate(document)
    assert (done.code, document["worst"]) == (2, "error")
    refused = [each["evidence"]["action"] for each in document["findings"] if each["severity"] == "unknown"]
    assert len(refused) == 7
    assert all(action.startswith("lambda:") for action in refused)


@pytest.mark.parametrize(
    "arguments",
    [["f", "--hours", "nan"], ["f g"], ["f", "--fail-on", "info"]],
    ids=" ".join,
)
def test_a_wrong_command_line(arguments: list[str]) -> None:
    """It is a usage error, and nothing is asked."""
    assert run("doctor", *arguments, "--region", "eu-west-1").code == 64


def test_ctrl_c() -> None:
    """It ends at once and in good order, in the midst of a question."""
    asked, ended = threading.Event(), threading.Event()

    def answer(path: str) -> tuple[int, dict[str, str]]:
        if path.endswith("/policy"):
            asked.set()
            assert ended.wait(PATIENCE)
        return 200, {"FunctionName": "f", "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f"}

    with answering(answer) as url, Running("doctor", "f", "--endpoint-url", url) as running:
        assert asked.wait(PATIENCE)
        assert running.signal(signal.SIGINT) < PATIENCE
        done = running.end()
        ended.set()
    assert (done.code, done.out, done.err) == (130, "", "lambda_invoke: interrupted\n")
