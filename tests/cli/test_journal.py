"""``map --journal``: a job that is run again sends only what is missing."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke.cli.items import key_in
from lambda_invoke.errors import RequestError
from tests.cli.command import COMMAND, Running, environment, run, run_program, write_lines
from tests.support.server import ScriptedServer
from tests.support.steps import hang, ok

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.steps import Call, Step


def odd_ones_fail(call: Call) -> Step:
    if call.json % 2:
        return ok(b'{"errorType": "OddError", "errorMessage": "odd"}', function_error="Unhandled")
    return ok(call.body)


def test_a_second_run_sends_nothing_again(tmp_path: Path) -> None:
    """Its output is whole all the same, and what ran and failed is sent with --retry-failed alone."""
    items, journal = write_lines(tmp_path / "items", range(4)), str(tmp_path / "job.db")
    with ScriptedServer(odd_ones_fail) as server:
        job = ("map", "f", items, "--endpoint-url", server.url, "--journal", journal, "--ordered")
        first = run(*job, "--durable")
        assert server.requests == 4
        second = run(*job)
        assert server.requests == 4
        third = run(*job, "--retry-failed")
        assert server.requests == 6
    assert [done.code for done in (first, second, third)] == [1, 1, 1]
    assert first.lines == second.lines == third.lines
    assert [line.get("value") for line in second.lines] == [0, None, 2, None]
    assert "0 of the successes were in the journal already" in first.err
    assert "2 of the successes were in the journal already" in second.err


def test_a_killed_job_goes_on(tmp_path: Path) -> None:
    """After kill -9 what was in flight is unknown, and is sent again with --resend-unknown alone."""
    items, journal = write_lines(tmp_path / "items", range(3)), str(tmp_path / "job.db")
    killed = threading.Event()

    def script(call: Call) -> Step:
        return hang() if call.json == 1 and not killed.is_set() else ok(call.body)

    with ScriptedServer(script) as server:
        job = ("map", "f", items, "--endpoint-url", server.url, "--journal", journal, "--ordered")
        with Running(*job) as running:
            running.next_line()  # item 0's: the journal had it first
            server.wait_until(lambda seen: seen.executions == 3)
            running.signal(signal.SIGKILL)
        killed.set()
        resumed = run(*job)
        sent = server.requests
        again = run(*job, "--resend-unknown")
        # Item 2 was answered as well, but the kill may have come before that was written down.
        unknown = [
            line["index"] for line in resumed.lines if line.get("error", {}).get("executed") == "unknown"
        ]
        assert server.requests == sent + len(unknown)
    assert resumed.code == 1
    assert unknown in ([1], [1, 2])
    assert (again.code, [line["value"] for line in again.lines]) == (0, [0, 1, 2])


def test_a_journal_that_is_refused(tmp_path: Path) -> None:
    """Exit code 73 and one line, nothing is sent, and the results of the run that has it stay there."""
    journal, output = tmp_path / "job.db", tmp_path / "out"
    with (
        ScriptedServer() as server,
        Running(
            *("map", "f", "-", "--endpoint-url", server.url, "--journal", str(journal), "-o", str(output))
        ) as running,
    ):
        running.feed_slowly(1)
        server.wait_until(lambda seen: seen.executions == 1)
        where = ("--endpoint-url", server.url, "-o", str(output))
        items = write_lines(tmp_path / "items", range(3))
        in_use = run("map", "f", items, *where, "--journal", str(journal))
        assert running.end().code == 0
        there = output.read_bytes()
        other = run("map", "g", items, *where, "--journal", str(journal))
        none = run("map", "f", items, *where, "--journal", str(tmp_path))
        assert server.requests == 1
    assert output.read_bytes() == there != b""
    for refused, why in ((in_use, "in use"), (other, "another job"), (none, "cannot be opened")):
        assert (refused.code, refused.out, refused.err.count("\n")) == (73, "", 1)
        assert refused.err.startswith("lambda_invoke: journal ")
        assert why in refused.err


def test_a_journal_that_cannot_be_written_any_more(tmp_path: Path) -> None:
    """Exit code 74: the job ends, what was known is written, and a line says why."""
    items = write_lines(tmp_path / "items", ["x" * 1000] * 500)
    with ScriptedServer() as server:
        job = ("map", "f", items, "--endpoint-url", server.url, "--journal", str(tmp_path / "job.db"))
        # Without coverage, whose own file would be as limited, and with no modules compiled.
        env = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}
        done = run_program(
            ["/bin/sh", "-c", 'ulimit -f 300; exec "$@"', "sh", *COMMAND, *job],
            env={**env, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert server.requests < 500
    assert done.code == 74, done.err
    assert "nothing more was sent" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_items_with_keys(tmp_path: Path) -> None:
    """--key tells them apart by that field alone; an item without one fails, and the others do not."""
    journal = str(tmp_path / "job.db")
    with ScriptedServer() as server:
        job = ("--endpoint-url", server.url, "--journal", journal, "--key", "id", "--ordered")
        old: list[Any] = [{"id": 1, "at": 1}, {"id": "1", "at": 1}, {"at": 1}, 7]
        first = run("map", "f", write_lines(tmp_path / "old", old), *job)
        assert server.requests == 2
        new = [{"id": "1", "at": 2}, {"id": 2, "at": 2}, {"id": 1, "at": 2}]
        second = run("map", "f", write_lines(tmp_path / "new", new), *job)
        assert server.requests == 3
    assert (first.code, second.code) == (1, 0)
    assert [line["ok"] for line in first.lines] == [True, True, False, False]
    assert first.lines[2]["error"]["class"] == "RequestError"
    assert [line["value"]["at"] for line in second.lines] == [1, 2, 1]


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        ('{"id": "a/b", "x": 1}', "a/b"),
        ('{"id": 12345678901234567890}', 12345678901234567890),
        ('{"ID": 1}', None),
        ('{"x": {"id": 1}}', None),
        ('{"id": null}', None),
        ('{"id": true}', None),
        ('{"id": 1.0}', None),
        ('["id"]', None),
        ('"id"', None),
    ],
)
def test_what_a_key_is(payload: str, key: str | int | None) -> None:
    """The field of an object, if that is a string or a whole number; what is in the item is not told."""
    key_of = key_in("id")
    if key is not None:
        assert key_of(payload.encode()) == key
        return
    with pytest.raises(RequestError, match=r"there is no field 'id' with a string or a whole number"):
        key_of(payload.encode())
