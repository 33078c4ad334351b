"""``local``: what it serves and prints, how it ends, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

import boto3
import pytest

from lambda_invoke.cli import main
from lambda_invoke.cli.local_lines import InvocationLines, printed
from lambda_invoke.local import Function, InvocationRecord
from tests.cli.command import COMMAND, environment, read_terminal, run, run_program
from tests.local.conftest import alive
from tests.support.patience import PATIENCE, soon
from tests.support.watchdog import Watchdog

if TYPE_CHECKING:
    from pathlib import Path

HANDLERS = """
import os, subprocess

def who(event, context):
    print("asked", event)
    return os.getpid()

def fails(event, context):
    raise LookupError("no")

def family(event, context):
    child = subprocess.Popen(["/bin/sleep", "600"])
    return [os.getpid(), child.pid]
"""


class Serving:
    """The command, with its output in files; ends with the ``with`` statement."""

    def __init__(self, place: Path, *arguments: str) -> None:
        self._out, self._err = place / "out", place / "err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [*COMMAND, "local", *arguments],
                cwd=place,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def __enter__(self) -> Self:
        soon(lambda: "unset AWS_SESSION_TOKEN" in self.out or self.process.poll() is not None)
        assert self.process.poll() is None, self.err
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def variables(self) -> dict[str, str]:
        return dict(re.findall(r"export (\w+)=(\S+)", self.out))

    def invoke(self, name: str, event: Any = None, **options: Any) -> Any:
        """Through a plain boto3 client, made of what was printed."""
        variables = self.variables
        client = boto3.client(
            "lambda",
            endpoint_url=variables["AWS_ENDPOINT_URL_LAMBDA"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=variables["AWS_REGION"],
        )
        reply = client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **options)
        value = reply["Payload"].read()
        client.close()
        return json.loads(value) if value else None

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        with Watchdog(self.process, PATIENCE) as watchdog:
            code = self.process.wait()
        watchdog.check(self.err)
        return code


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(HANDLERS)
    return tmp_path


TOML = """
[local]
region = "eu-west-1"
[functions.who]
handler = "app.py:who"
memory_size = 256
reserved_concurrency = 1
versions = { 1 = "app.who" }
aliases = { live = "1" }
[functions.family]
handler = "app.family"
memory_size = 512
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_from_the_start_to_the_end(place: Path, number: signal.Signals, code: int) -> None:
    """It says what it serves and each invocation, and at a signal sums up and leaves no process behind."""
    (place / "lambda_invoke.toml").write_text(TOML)
    with Serving(place) as serving:
        assert "Serving 2 functions at http://127.0.0.1:" in serving.out
        assert "region eu-west-1" in serving.out
        row = r"who +app\.py:who +3 s +256 MB +reserved 1; versions 1; live -> 1"
        assert re.search(row, serving.out)
        pids = [serving.invoke("who"), *serving.invoke("family"), serving.invoke("who", Qualifier="live")]
        assert all(map(alive, pids))
        serving.invoke("who", InvocationType="Event")
        soon(lambda: " Event " in serving.out)
        assert serving.end(number) == code
        assert not any(map(alive, pids))
        lines = re.findall(r"^\d\d:\d\d:\d\d  .*$", serving.out, re.MULTILINE)
        assert [re.split(r" {2,}", line)[1:5] for line in lines] == [
            ["who", "$LATEST", "RequestResponse", "ok"],
            ["family", "$LATEST", "RequestResponse", "ok"],
            ["who", "1", "RequestResponse", "ok"],
            ["who", "$LATEST", "Event", "ok"],
        ]
        assert re.search(
            r"  \d+\.\d\d ms  billed \d+ ms  \d+/256 MB  cold start \d+ ms  [0-9a-f]{8}$", lines[0]
        )
        assert re.search(r"who +3 +3 +0 +0 +2\n", serving.out)
        assert serving.err == ""


def test_kill_9_leaves_nothing(place: Path) -> None:
    """Neither a worker nor its child outlives a kill that nobody can handle."""
    with Serving(place, "app.py:family", "--memory", "1024") as serving:
        pids = serving.invoke("family")
        assert all(map(alive, pids))
        serving.process.kill()
        soon(lambda: not any(map(alive, pids)))


def test_functions_of_the_command_line(place: Path) -> None:
    """NAME=HANDLER and FILE.py:HANDLER, with a time and memory of their own; --logs shows what they print."""
    with Serving(
        place, "app.py:who", "bad=app.fails", "--timeout", "7", "--memory", "300", "--logs", "--port", "0"
    ) as serving:
        assert re.search(r"bad +app\.fails +7 s +300 MB", serving.out)
        assert serving.invoke("who", 5) > 0
        serving.invoke("bad")
        assert serving.end(signal.SIGINT) == 130
    assert "\n  | asked 5\n" in serving.out
    assert "  failed: LookupError  " in serving.out
    assert "  | [ERROR] LookupError: no\n" in serving.out
    assert "START RequestId" not in serving.out


def test_a_template(place: Path) -> None:
    """What of it cannot run here is said on standard error; parameters come from the command line."""
    (place / "template.yaml").write_text(
        "Parameters: {Name: {Type: String}}\n"
        "Globals: {Function: {Runtime: ruby3.3}}\n"
        "Resources:\n"
        "  Ruby: {Type: AWS::Serverless::Function, Properties: {Handler: index.handler}}\n"
        "  Who:\n    Type: AWS::Serverless::Function\n    Properties:\n"
        f"      {{Handler: app.who, Runtime: python{sys.version_info.major}.{sys.version_info.minor},"
        " FunctionName: !Ref Name}\n"
    )
    with Serving(place, "--parameter", "Name=shop") as serving:
        assert serving.invoke("shop") > 0
        assert serving.err == (
            "lambda_invoke: template.yaml: Ruby is not served: its Runtime is ruby3.3; "
            "only Python, nodejs and provided runtimes can be run here\n"
        )
        assert serving.end(signal.SIGINT) == 130


def test_variables_for_eval(place: Path) -> None:
    """--print-env: standard output has the shell's lines only and is closed, so that eval goes on."""
    program = " ".join(COMMAND)
    script = (
        "export AWS_SESSION_TOKEN=mine\n"
        f'eval "$({program} local app.py:who --print-env 2>err &)"\n'
        f"{program} invoke who 7\n"
        'echo "[$AWS_SESSION_TOKEN]"\n'
        'kill -INT "$LAMBDA_INVOKE_LOCAL_PID"; kill "$LAMBDA_INVOKE_LOCAL_PID"\n'
        'echo "$LAMBDA_INVOKE_LOCAL_PID"\n'
    )
    done = run_program(["/bin/sh", "-c", script], cwd=place)
    assert (done.code, done.err) == (0, "")
    worker, token, server = done.out.splitlines()
    assert token == "[]"
    soon(lambda: not alive(int(server)))
    assert not alive(int(worker))
    told = (place / "err").read_text()
    assert "Serving 1 function at " in told
    assert "AWS_SECRET_ACCESS_KEY" not in told
    assert "  who  $LATEST  RequestResponse  ok  " in told


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 64, "nothing to serve: name a definition file or NAME=HANDLER; there is no lambda_invoke.toml"),
        (["who"], 64, "neither a definition file nor NAME=HANDLER nor FILE.py:HANDLER: who"),
        (["a.toml", "b.yaml"], 64, "one definition file at a time, not a.toml and b.yaml"),
        (["good.toml", "--timeout", "3"], 64, "--timeout is for NAME=HANDLER; a file says it itself"),
        (["good.toml", "who=app.who"], 64, "there are two functions 'who'"),
        (["app.py:who", "--parameter", "A=1"], 64, "--parameter is for an AWS SAM template"),
        (["good.toml", "--parameter", "A"], 64, "argument --parameter: NAME=VALUE, not 'A'"),
        (["good.toml", "--port", "70000"], 64, "argument --port: a port, 0 to 65535, not '70000'"),
        (["app.py:who", "--memory", "1"], 64, "memory_size must be from 128"),
        (["a b=app.who"], 64, "neither a definition file nor NAME=HANDLER"),
        (["good.toml", "--concurrency", "1"], 64, "cover what the functions reserve (2)"),
        (["bad.toml"], 65, "bad.toml: [functions.who]: there is no key 'timout'; did you mean 'timeout'?"),
        (["good.toml", "--parameter", "A=1"], 65, "good.toml: parameters are for an AWS SAM template"),
        (["nix.toml"], 66, "nix.toml: No such file or directory"),
        (["nix.py:who"], 69, "who: handler 'nix.py:who': there is no file nix.py in "),
        (["who=nix.who"], 69, "who: handler 'nix.who': there is no module nix in "),
        (["gone.toml"], 69, "gone.toml: [functions.who]: handler 'nix.who': there is no module nix in "),
    ],
)
def test_what_cannot_be_served(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    """One line that names it, and the exit code for its kind."""
    (place / "good.toml").write_text('[functions.who]\nhandler = "app.who"\nreserved_concurrency = 2')
    (place / "bad.toml").write_text('[functions.who]\nhandler = "app.who"\ntimout = 2')
    (place / "gone.toml").write_text('[functions.who]\nhandler = "nix.who"')
    monkeypatch.chdir(place)
    assert called("local", *arguments) == code
    done = capsys.readouterr()
    *usage, line = done.err.splitlines()
    assert done.out == ""
    assert says in line
    assert not usage or usage[0].startswith("usage: ")


def called(*arguments: str) -> object:
    """The exit code of a command that is run in this process."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


def test_a_machine_that_cannot_serve(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What LocalLambda says of it, in one line, and exit code 69."""
    monkeypatch.setattr(sys, "executable", "")
    assert called("local", f"{place}/app.py:who") == 69
    assert capsys.readouterr().err.count("\n") == 1


def test_a_port_in_use(place: Path) -> None:
    """One line, exit code 69."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("local", f"{place}/app.py:who", "--port", str(port))
    assert (done.code, done.out) == (69, "")
    assert done.err == (
        f"lambda_invoke: port {port} of 127.0.0.1 is in use: choose another, or 0 for one that is free\n"
    )


def test_nobody_reads(place: Path) -> None:
    """Its reader gone, it ends with what cannot be written, and without a traceback."""
    with subprocess.Popen(
        [*COMMAND, "local", "app.py:who"],
        cwd=place,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        with Watchdog(process) as watchdog:
            said = process.stderr.read()
        watchdog.check(said.decode())
        assert (process.wait(PATIENCE), said) == (74, b"")


def test_a_terminal_has_colours(place: Path) -> None:
    """Ctrl-C there ends it in good order."""
    master, slave = pty.openpty()
    shown = b""
    with (
        subprocess.Popen(
            [*COMMAND, "local", "bad=app.fails"],
            cwd=place,
            env={**environment(), "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        ) as process,
        Watchdog(process) as watchdog,
    ):
        os.close(slave)
        while b"unset AWS_SESSION_TOKEN" not in shown:
            shown += os.read(master, 65536)
        serving = dict(re.findall(r"export (\w+)=(\S+)", shown.decode()))
        session = boto3.Session(serving["AWS_ACCESS_KEY_ID"], serving["AWS_SECRET_ACCESS_KEY"])
        client = session.client("lambda", "us-east-1", endpoint_url=serving["AWS_ENDPOINT_URL_LAMBDA"])
        client.invoke(FunctionName="bad")["Payload"].read()
        client.close()
        process.send_signal(signal.SIGINT)
        process.wait()
        shown += read_terminal(master)
    watchdog.check(shown.decode())
    assert process.returncode == 130
    assert b"Stopped." in shown
    assert b"\x1b[31mfailed: LookupError\x1b[0m" in shown


RECORD = InvocationRecord("f", "$LATEST", "01234567-89ab", "RequestResponse", "succeeded", 1, None, 0.0123)


RETRIED = "3000.00 ms  billed 3500 ms  4/128 MB  cold start 500 ms"


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (RECORD, "f     $LATEST  RequestResponse  ok  12.30 ms  billed 13 ms  0/128 MB  01234567"),
        (
            InvocationRecord("f", "7", RECORD.request_id, "Event", "failed", 2, "E", 3.0, 0.5, 4),
            f"f     7        Event #2         failed: E  {RETRIED}  01234567",
        ),
        (
            InvocationRecord("f", "7", "abcdefghi", "Event", "failed", 1, "a\x1b[2J\nb"),
            "f     7        Event            failed: a\\x1b[2J\\nb  0.00 ms  billed 0 ms  0/128 MB  abcdefgh",
        ),
        (
            InvocationRecord("long", "7", "abcdefghi", "Event", "throttled", 1, "TooManyRequestsException"),
            "long  7        Event            throttled  abcdefgh",
        ),
    ],
    ids=["ok", "retried", "escapes", "throttled"],
)
def test_a_line_for_an_invocation(record: InvocationRecord, line: str) -> None:
    """What is billed includes the init; a remote error type cannot drive the terminal."""
    lines = InvocationLines({"f": Function("a.b"), "long": Function("a.b")}, logs=True, colour=False)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  (.*)\n", lines.of(record)).groups() == (line,)  # type: ignore[union-attr]


def test_lambdas_own_lines_are_left_out() -> None:
    """Of a log, only what the handler printed is shown."""
    log = "START RequestId: 1 Version: 1\nhello\n\nEND RequestId: 1\nREPORT RequestId: 1\tDuration: 1 ms\n"
    assert printed(log) == ["hello"]
