"""``map``: what goes in, what comes out, and the exit code."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import HANDLERS, Running, environment, json_lines, run, write_lines
from tests.support.server import ScriptedServer
from tests.support.steps import (
    by_function,
    drop_after_executing,
    error,
    hang,
    ok,
    throttle,
)

if TYPE_CHECKING:
    from tests.support.steps import Call, Step

ECHO = "echo"


def some_fail(call: Call) -> Step:
    """Fails item 1 by a handler's error, item 2 by a refusal, item 3 by silence."""
    match call.json:
        case 1:
            return ok(b'{"errorType": "OddError", "errorMessage": "one is odd"}', function_error="Unhandled")
        case 2:
            return error(404, "ResourceNotFoundException", "no such function")
        case 3:
            return drop_after_executing()
        case _:
            return ok(call.body)


def test_all_succeed(tmp_path: Path) -> None:
    """Exit code 0, a line for every item in the output file, and a summary on standard error alone."""
    with ScriptedServer() as server:
        items, output = write_lines(tmp_path / "items", range(40)), tmp_path / "out"
        done = run("map", ECHO, items, "--endpoint-url", server.url, "-o", str(output), "-c", "8")
        assert server.executions == 40
        assert server.max_in_flight <= 8
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("40 items in ")
    assert "40 succeeded, 0 failed" in done.err
    results = json_lines(output.read_text())
    assert sorted(line["index"] for line in results) == list(range(40))
    assert all(line == {"index": line["index"], "ok": True, "value": line["index"]} for line in results)


def test_some_fail(tmp_path: Path) -> None:
    """Exit code 1; each failure says its class, its type, its message and whether the function ran."""
    with ScriptedServer(some_fail) as server:
        items = write_lines(tmp_path / "items", range(5))
        done = run("map", ECHO, items, "--endpoint-url", server.url, "--ordered")
        assert server.requests == 5
    assert done.code == 1
    first, odd, missing, lost, last = done.lines
    assert (first["value"], last["value"]) == (0, 4)
    assert odd == {
        "index": 1,
        "ok": False,
        "error": {"class": "HandlerError", "type": "OddError", "message": "one is odd", "executed": "yes"},
        "attempts": 1,
    }
    assert missing["error"] == {
        "class": "FunctionNotFoundError",
        "type": "ResourceNotFoundException",
        "message": "no such function",
        "executed": "no",
    }
    assert (lost["error"]["class"], lost["error"]["type"]) == ("ConnectionLostError", None)
    assert lost["error"]["executed"] == "unknown"
    assert "1 x HandlerError (OddError)" in done.err
    assert "1 items may have run" in done.err


def test_all_fail(tmp_path: Path) -> None:
    """Exit code 2."""
    with ScriptedServer([error(403, "AccessDeniedException", "no")]) as server:
        done = run("map", ECHO, write_lines(tmp_path / "items", range(3)), "--endpoint-url", server.url)
    assert done.code == 2
    assert [line["ok"] for line in done.lines] == [False] * 3


def test_no_items(tmp_path: Path) -> None:
    """An empty input is no failure, and an absent server is not noticed."""
    done = run("map", ECHO, write_lines(tmp_path / "items", []), "--endpoint-url", "http://127.0.0.1:9")
    assert (done.code, done.out) == (0, "")


def test_lines_travel_as_they_stand() -> None:
    """Numbers keep their digits, empty lines and a byte order mark are passed over."""
    text = '\ufeff{"price": 1.10}\n\n   \n12345678901234567890.123\n"\\ud83c\\udf75"\n'
    with ScriptedServer() as server:
        done = run("map", ECHO, "-", "--endpoint-url", server.url, "--ordered", "-c", "1", stdin=text)
        sent = [call.body for call in server.calls]
    assert sent == [b'{"price": 1.10}', b"12345678901234567890.123", b'"\\ud83c\\udf75"']
    assert (done.code, [line["index"] for line in done.lines]) == (0, [0, 1, 2])
    assert done.lines[2]["value"] == "🍵"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{'a': 1}", "not JSON"),
        ('{"a": NaN}', "NaN is a number to Python only"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=["not json", "nan", "deep"],
)
def test_a_bad_line_is_named_after_the_rest_is_done(line: str, complaint: str, tmp_path: Path) -> None:
    """Exit code 65 and the line's number; what came before is written, what comes after is not sent."""
    items = tmp_path / "items"
    items.write_text(f"1\n\n2\n{line}\n3\n")
    with ScriptedServer() as server:
        done = run("map", ECHO, str(items), "--endpoint-url", server.url, "--ordered")
        assert server.executions == 2
    assert done.code == 65
    assert [entry["value"] for entry in done.lines] == [1, 2]
    assert f"{items}, line 4: " in done.err
    assert complaint in done.err
    assert "2 succeeded" in done.err


def test_input_is_read_and_output_written_as_it_goes() -> None:
    """A line is sent and its result written while the next one is still to come: nothing waits for it."""
    with ScriptedServer() as server, Running("map", ECHO, "-", "--endpoint-url", server.url) as running:
        for number in range(3):
            running.feed_slowly(1)
            assert running.next_line()["index"] == number
            assert server.executions == number + 1
        assert running.end().code == 0


def test_a_slow_reader_of_the_results_does_not_hold_replies_up(tmp_path: Path) -> None:
    """What is in flight goes on while the output is full; then no more of the input is taken."""
    items = write_lines(tmp_path / "items", ["x" * 10_000] * 300)
    with ScriptedServer() as server, Running("map", ECHO, items, "--endpoint-url", server.url) as running:
        server.wait_until(lambda seen: seen.executions >= 60)  # a pipe holds six results
        assert server.executions < 200
        done = running.end()
    assert (done.code, len(done.lines)) == (0, 300)


def test_the_deadline_ends_the_job(tmp_path: Path) -> None:
    """What was in flight is unknown, the rest is not taken, and the summary says so."""
    with ScriptedServer([ok(b"1"), hang()]) as server:
        done = run(
            *("map", ECHO, write_lines(tmp_path / "items", range(100)), "-c", "1"),
            *("--endpoint-url", server.url, "--deadline", "3"),
        )
        assert server.requests == 2
    assert done.code == 1
    assert done.lines[0]["ok"]
    assert done.lines[1]["error"]["executed"] == "unknown"
    assert "the deadline passed" in done.err


def test_a_count_of_failures_ends_the_job(tmp_path: Path) -> None:
    """--tolerate 3: the fourth failure is the last, with an exit code of its own."""
    items = write_lines(tmp_path / "items", range(100))
    with ScriptedServer([error(403, "AccessDeniedException", "no")]) as server:
        done = run("map", ECHO, items, "-c", "1", "--endpoint-url", server.url, "--tolerate", "3")
        assert server.requests <= 6  # and what was on its way by then
    assert done.code == 3
    assert 4 <= len(done.lines) <= 6
    assert "more items failed than --tolerate allows" in done.err


def test_a_share_of_failures_ends_the_job(tmp_path: Path) -> None:
    """Of a file's items, that are counted before; of standard input's so far, in the end at the latest."""
    items = write_lines(tmp_path / "items", range(100))
    with ScriptedServer([error(403, "AccessDeniedException", "no")]) as server:
        of_a_file = run("map", ECHO, items, "-c", "1", "--endpoint-url", server.url, "--tolerate", "3%")
        assert server.requests <= 6
    some = "".join(f"{number}\n" for number in range(5))
    with ScriptedServer(some_fail) as server:
        where = ("-", "--endpoint-url", server.url, "--tolerate")
        too_many = run("map", ECHO, *where, "50%", stdin=some)
        borne = run("map", ECHO, *where, "60%", stdin=some)
    assert (of_a_file.code, too_many.code, borne.code) == (3, 3, 1)
    assert len(too_many.lines) == len(borne.lines) == 5


def test_throttling_is_waited_out_and_told(tmp_path: Path) -> None:
    """429s do not fail an item; the summary counts them, and -v names each retry without a payload."""
    with ScriptedServer([throttle(), throttle(), ok(b"1")]) as server:
        done = run(
            "map", ECHO, write_lines(tmp_path / "items", ["secret"]), "--endpoint-url", server.url, "-v"
        )
    assert done.code == 0
    assert "3 attempts, 2 of them retries (2 ConcurrentInvocationLimitExceeded)" in done.err
    assert done.err.count("trying again") == 2
    assert "secret" not in done.err


def test_no_retry_and_max_attempts(tmp_path: Path) -> None:
    """--no-retry is one attempt even when throttled, --max-attempts bounds what idempotent allows."""
    items = write_lines(tmp_path / "items", [1])
    with ScriptedServer([throttle()]) as server:
        assert run("map", ECHO, items, "--endpoint-url", server.url, "--no-retry").code == 2
        assert server.requests == 1
    with ScriptedServer([drop_after_executing()]) as server:
        done = run("map", ECHO, items, "--endpoint-url", server.url, "--idempotent", "--max-attempts", "2")
        assert server.requests == 2
    assert done.lines[0]["attempts"] == 2


def test_a_qualifier_is_sent(tmp_path: Path) -> None:
    """--qualifier reaches the service, and so does one in the name."""
    items = write_lines(tmp_path / "items", [1])
    with ScriptedServer(by_function({"f": [ok(b"1")]})) as server:
        run("map", "f", items, "--endpoint-url", server.url, "--qualifier", "prod")
        run("map", "f:7", items, "--endpoint-url", server.url)
        assert [call.qualifier for call in server.calls] == ["prod", "7"]


def test_a_local_handler_with_log_tails(tmp_path: Path) -> None:
    """--local serves the handler; with --log-tail every line has its log, failures too."""
    items = write_lines(tmp_path / "items", [2, 3, 4])
    done = run("map", "halve", items, "--local", str(HANDLERS), "--ordered", "--log-tail", "-c", "2")
    assert done.code == 1
    assert [line.get("value") for line in done.lines] == [1, None, 2]
    assert done.lines[1]["error"]["message"] == "3 is odd"
    assert all("halving\n" in line["log"] for line in done.lines)
    assert "billed" in done.err


def test_the_reader_of_standard_output_goes(tmp_path: Path) -> None:
    """``| head`` ends the job quietly: exit code 74, no traceback, no complaint at exit."""
    with (
        ScriptedServer() as server,
        Running("map", ECHO, "-", "--endpoint-url", server.url) as running,
    ):
        running.feed_until_it_answers()
        running.next_line()
        running.stop_reading()
        with contextlib.suppress(BrokenPipeError):  # it may have gone by then
            running.feed_slowly(20)
        done = running.end()
    assert done.code == 74
    assert "Exception ignored" not in done.err


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """66 for the input, 74 for the output, one line each, and nothing is sent."""
    items = write_lines(tmp_path / "items", [1])
    with ScriptedServer() as server:
        missing = run("map", ECHO, str(tmp_path / "none"), "--endpoint-url", server.url)
        nowhere = run("map", ECHO, items, "--endpoint-url", server.url, "-o", str(tmp_path / "no" / "out"))
        assert server.requests == 0
    assert (missing.code, nowhere.code) == (66, 74)
    assert missing.err == f"lambda_invoke: {tmp_path / 'none'}: No such file or directory\n"
    assert nowhere.err == f"lambda_invoke: {tmp_path / 'no' / 'out'}: No such file or directory\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("where", ["-o /dev/full", "> /dev/full"])
def test_a_full_disk(where: str) -> None:
    """74 and one line after the summary, and nothing more at exit."""
    with ScriptedServer() as server:
        command = f"echo 1 | '{sys.executable}' -m lambda_invoke map f - --endpoint-url {server.url} {where}"
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 74, done.stderr
    assert done.stderr.splitlines()[-1].endswith(": No space left on device")
    assert "Traceback" not in done.stderr


def test_a_name_that_no_item_could_be_sent_with(tmp_path: Path) -> None:
    """It is a usage error at once, not one for every item."""
    done = run("map", "no such name", write_lines(tmp_path / "items", range(9)))
    assert (done.code, done.out) == (64, "")
    assert done.err.count("\n") == 1


def test_the_results_are_not_written_over_the_items(tmp_path: Path) -> None:
    """The same file for both, by whatever name: refused, and the items are still there. Nor a journal."""
    with ScriptedServer() as server:
        items = tmp_path / "items"
        write_lines(items, range(3))
        before = items.read_bytes()
        other_name = tmp_path / "link"
        other_name.symlink_to(items)
        for output in (items, other_name):
            done = run("map", ECHO, str(items), "--endpoint-url", server.url, "-o", str(output))
            assert done.code == 64
            assert "over the items" in done.err
        as_journal = run("map", ECHO, str(items), "--journal", str(other_name))
        assert (as_journal.code, "over the items" in as_journal.err) == (64, True)
        both = run("map", ECHO, str(items), "--journal", str(tmp_path / "new"), "-o", f"{tmp_path}/./new")
        assert (both.code, "over the journal" in both.err) == (64, True)
        assert items.read_bytes() == before
        assert server.requests == 0
