"""``invoke`` and ``list``: what is printed, and what the exit code says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lambda_invoke.local import Function, LocalLambda
from tests.cli.command import HANDLERS, run
from tests.support.server import ScriptedServer
from tests.support.steps import drop_after_executing, error, hang, ok

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.steps import Step

FAILED = ok(
    b'{"errorType": "OddError", "errorMessage": "it is odd", "stackTrace": ["  File a.py, line 3"]}',
    function_error="Unhandled",
    log_result="START RequestId: 1 Version: 1\nhalving\n",
)


@pytest.mark.parametrize(
    ("step", "options", "code", "says"),
    [
        (FAILED, [], 1, "f: OddError: it is odd (executed: yes"),
        (error(404, "ResourceNotFoundException", "none"), [], 2, "404 ResourceNotFoundException: none"),
        (error(500, "ServiceException", "oops"), [], 3, "500 ServiceException: oops"),
        (drop_after_executing(), [], 3, "(executed: unknown"),
        (hang(), ["--timeout", "0.3"], 3, "(executed: unknown"),
        (ok(b"{"), [], 1, "(executed: yes"),
    ],
    ids=["function error", "refused", "fault", "lost", "timeout", "reply"],
)
def test_exit_codes_say_whether_it_ran(step: Step, options: list[str], code: int, says: str) -> None:
    """1: it ran and failed; 2: refused; 3: it may have run. One attempt, nothing on standard output."""
    with ScriptedServer([step]) as server:
        done = run("invoke", "f", "{}", "--endpoint-url", server.url, *options)
        assert server.requests == 1
    assert (done.code, done.out) == (code, "")
    (line,) = (line for line in done.err.splitlines() if line.startswith("lambda_invoke: f: "))
    assert says in line


def test_no_connection_is_4() -> None:
    """A refused connection did not run anything, and was tried again."""
    with ScriptedServer(refusing=True) as server:
        done = run("invoke", "f", "--endpoint-url", server.url, "-v")
    assert (done.code, done.out) == (4, "")
    assert "executed: no" in done.err
    assert done.err.count("trying again") == 2


def test_the_value_is_printed(tmp_path: Path) -> None:
    """As one line of JSON; the payload is an argument, a file, standard input, or none at all."""
    (tmp_path / "payload").write_text('{"a": 1.50}')
    with ScriptedServer() as server:
        where = ("--endpoint-url", server.url)
        given = [
            run("invoke", "f", '{"a": "ä"}', *where),
            run("invoke", "f", f"@{tmp_path / 'payload'}", *where),
            run("invoke", "f", "-", *where, stdin="[1]\n"),
        ]
        run("invoke", "f", *where)
        assert [call.body for call in server.calls] == [
            '{"a": "ä"}'.encode(),
            b'{"a": 1.50}',
            b"[1]\n",
            b"",
        ]
    assert [(done.code, done.out) for done in given] == [
        (0, '{"a": "ä"}\n'),
        (0, '{"a": 1.5}\n'),
        (0, "[1]\n"),
    ]
    assert [done.err for done in given] == ["", "", ""]


def test_event_and_dry_run() -> None:
    """--event prints the request id, --dry-run whether it is allowed; a refusal of the latter is 2."""
    with ScriptedServer() as server:
        event = run("invoke", "f", "{}", "--event", "--endpoint-url", server.url)
        dry = run("invoke", "f", "--dry-run", "--endpoint-url", server.url)
        types = [call.invocation_type for call in server.calls]
        (accepted, _) = server.calls
    assert types == ["Event", "DryRun"]
    assert (event.code, dry.code) == (0, 0)
    assert json.loads(event.out) == {"status_code": 202, "request_id": accepted.request_id}
    assert json.loads(dry.out) == {"allowed": True, "reason": None}
    with ScriptedServer([error(403, "AccessDeniedException", "not you")]) as server:
        denied = run("invoke", "f", "--dry-run", "--endpoint-url", server.url)
    assert (denied.code, json.loads(denied.out)) == (2, {"allowed": False, "reason": "not you"})


def test_the_log_tail_goes_to_standard_error() -> None:
    """Of a success and of a failure, before the error; standard output is the value alone."""
    success = ok(b"1", log_result="START RequestId: 1 Version: 1\nhalving")
    with ScriptedServer([success, FAILED]) as server:
        good, bad = (run("invoke", "f", "--log-tail", "--endpoint-url", server.url) for _ in range(2))
    assert (good.out, good.err) == ("1\n", "START RequestId: 1 Version: 1\nhalving\n")
    assert bad.err.startswith("START RequestId: 1 Version: 1\nhalving\nlambda_invoke: f: OddError")


@pytest.mark.parametrize(
    "function",
    [["halve", "--local", str(HANDLERS)], [f"{HANDLERS}:halve"]],
    ids=["--local", "FILE.py:HANDLER"],
)
def test_a_local_handler(function: list[str]) -> None:
    """Both ways of naming it run it, with no AWS account and whatever the environment says of one."""
    done = run("invoke", *function, "42")
    assert (done.code, done.out, done.err) == (0, "21\n", "")


def test_a_nested_local_handler() -> None:
    """A name inside of a class is found, although no function of Lambda could be called so."""
    assert run("invoke", f"{HANDLERS}:Nested.echo", '"x"').out == '"x"\n'


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 64, "required: COMMAND"),
        (["nonsense"], 64, "invalid choice: 'nonsense'"),
        (["invoke"], 64, "required: FUNCTION"),
        (["map", "f"], 64, "required: ITEMS"),
        (["invoke", "f", "1", "2"], 64, "unrecognized arguments: 2"),
        (["invoke", "f", "--event", "1", "2"], 64, "unrecognized arguments: 2"),
        (["invoke", "f", "--evnt", "1"], 64, "unrecognized arguments: --evnt"),
        (["map", "f", "-", "-c", "0"], 64, "a whole number, 1 or more, not '0'"),
        (["map", "f", "-", "--timeout", "inf"], 64, "a positive number of seconds, not 'inf'"),
        (["map", "f", "-", "--no-retry", "--max-attempts", "2"], 64, "not allowed with"),
        (["map", "f", "-", "--tolerate", "101%"], 64, "a whole number, or a share such as 2.5%, not '101%'"),
        (["map", "f", "-", "--tolerate", "0.1"], 64, "a whole number, or a share such as 2.5%, not '0.1'"),
        (["map", "f", "-", "--retry-failed"], 64, "--retry-failed is for a job with a --journal"),
        (["invoke", "f", "--event", "--dry-run"], 64, "not allowed with"),
        (["invoke", "f", "--event", "--log-tail"], 64, "--log-tail needs somebody who waits"),
        (["invoke", "f", '{"a": }'], 64, "the payload is not JSON: Expecting value at column 7"),
        (["invoke", "f", "@none.json"], 66, "none.json: No such file"),
        (["invoke", "f", "--local-memory", "512"], 64, "--local-memory is for a local function"),
        (["invoke", "a.py:f", "--region", "eu-west-1"], 64, "--region is for Lambda"),
        (["invoke", "a.py:f", "--local", "b.py"], 64, "leave --local out"),
        (["invoke", "a.py:f"], 69, "there is no file a.py"),
        (["invoke", f"{HANDLERS}:halve", "--local-timeout", "901"], 64, "timeout must be"),
        (["invoke", "f", "--profile", "none"], 64, "none"),
    ],
)
def test_what_cannot_be_meant(arguments: list[str], code: int, says: str) -> None:
    """One line says what is wrong (after argparse's usage), and nothing is sent."""
    done = run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err.splitlines()[-1]


def test_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions; or the versions and aliases of one; for people or as JSON Lines."""
    functions: dict[str, Function | str] = {
        "first": Function("os:getcwd", versions={"1": "os:getcwd"}, aliases={"prod": "1"}),
        "second": "os:getcwd",
    }
    with LocalLambda(functions, region_name="eu-west-1") as local:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", local.credentials.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", local.credentials.secret_access_key)
        monkeypatch.delenv("AWS_SESSION_TOKEN")
        where = ("--endpoint-url", local.endpoint_url)
        names = [line.split()[0] for line in run("list", *where).out.splitlines()]
        one = [line.split() for line in run("list", "first", *where).out.splitlines()]
        facts = run("list", "first", "--json", *where).lines
        missing = run("list", "third", *where)
    assert names == ["first", "second"]
    assert [line[0] for line in one] == ["first", "first:1", "prod"]
    assert one[2][1:] == ["->", "1"]
    assert [fact.get("version", fact.get("function_version")) for fact in facts] == ["$LATEST", "1", "1"]
    assert (missing.code, missing.out) == (2, "")


@pytest.mark.parametrize("arguments", [["list"], ["list", "f"], ["invoke", "f"]])
def test_no_region(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one line, for every command."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    done = run(*arguments)
    assert (done.code, done.out) == (64, "")
    assert "You must specify a region" in done.err
