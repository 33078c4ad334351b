"""The journal's file: what a kill, a second opening, a foreign file or a full disk does to it."""

from __future__ import annotations

import functools
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lambda_invoke as li
from lambda_invoke import Executed
from lambda_invoke.errors import JournalError
from lambda_invoke.fanout.journal_file import JournalFile
from lambda_invoke.fanout.journal_records import record_of
from lambda_invoke.fanout.journal_state import (
    Begun,
    Counts,
    Decision,
    Known,
    Record,
    caller_key,
    decide,
    item_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent

OK = Record(
    ok=True,
    executed=Executed.YES,
    body=b'{"n": 1}',
    request_id="id",
    version="7",
    attempts=1,
    status_code=200,
)
RAN = Record(ok=False, executed=Executed.YES, detail="{}")
REFUSED = Record(ok=False, executed=Executed.NO, detail="{}")
LOST = Record(ok=False, executed=Executed.UNKNOWN, in_doubt=True, detail="{}")

posix = pytest.mark.skipif(os.name != "posix", reason="modes and signals of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal may be made."""
    return tmp_path / "job.db"


def keys(*numbers: int) -> list[tuple[int, bytes]]:
    """Items, by number, in the order of the input."""
    return [(index, item_key("f", None, b"%d" % number)) for index, number in enumerate(numbers)]


def begun(journal: JournalFile, items: list[tuple[int, bytes]]) -> list[Begun]:
    """Begin items none of which is refused."""
    taken = [one for one in journal.begin(items) if isinstance(one, Begun)]
    assert len(taken) == len(items)
    return taken


def known(journal: JournalFile, items: list[tuple[int, bytes]]) -> list[Record | str]:
    """What a run finds: the record, "new", or "in flight"."""
    return ["new" if one.known is None else one.known.record or "in flight" for one in begun(journal, items)]


def test_what_was_finished_is_found_again(path: Path) -> None:
    """By the next run, in any order: finished items with all fields, others as in flight or new."""
    with JournalFile(path, job="f") as journal:
        first = begun(journal, keys(0, 1, 2, 3, 4))
        assert [one.decision for one in first] == [Decision.SEND] * 5
        rows = [one.row for one in first]
        journal.finish([(rows[0], OK), (rows[3], LOST)])
        journal.finish([(rows[2], RAN)])
        assert journal.counts == Counts(finished=1, failed=1, unknown=1, begun=2)
    with JournalFile(path, job="f") as journal:
        assert journal.counts == Counts(finished=1, failed=1, unknown=1, begun=2)
        assert known(journal, keys(4, 3, 2, 5, 1, 0)) == ["in flight", LOST, RAN, "new", "in flight", OK]
        assert journal.counts == Counts(finished=1, failed=1, unknown=1, begun=3)


@pytest.mark.parametrize("count", [1, 3, 63, 64, 65, 300])
def test_batches_of_every_size(path: Path, count: int) -> None:
    """Whatever number of items comes at once, each gets its own record."""
    records = [Record(ok=True, executed=Executed.YES, body=b"%d" % number) for number in range(count)]
    with JournalFile(path, job="f") as journal:
        rows = [one.row for one in begun(journal, keys(*range(count)))]
        journal.finish(list(zip(rows, records, strict=True)))
    with JournalFile(path, job="f") as journal:
        assert known(journal, keys(*range(count))) == records


def test_replies_of_every_size(path: Path) -> None:
    """Empty ones, and such as are too large to be stored together."""
    bodies = [b"", b"x", b"y" * 20_000, b"z" * 3_000_000]
    records = [Record(ok=True, executed=Executed.YES, body=body) for body in bodies]
    with JournalFile(path, job="f") as journal:
        rows = [one.row for one in begun(journal, keys(0, 1, 2, 3))]
        journal.finish(list(zip(rows, records, strict=True)))
    with JournalFile(path, job="f") as journal:
        assert known(journal, keys(0, 1, 2, 3)) == records


def test_equal_items_are_counted(path: Path) -> None:
    """Two of three equal items were finished: the third is new, within batches and across them."""
    with JournalFile(path, job="f") as journal:
        rows = [one.row for one in begun(journal, keys(7, 7))]
        rows += [one.row for one in begun(journal, keys(7))]
        assert len(set(rows)) == 3
        journal.finish([(rows[0], OK), (rows[2], RAN)])
    with JournalFile(path, job="f") as journal:
        assert known(journal, keys(7)) == [OK]
        assert known(journal, keys(7, 8, 7, 7)) == ["in flight", "new", RAN, "new"]


def test_a_key_of_the_callers_is_used_once(path: Path) -> None:
    """A second item with it is refused, both are named, and the others of the batch go on."""

    def items(*names: str, start: int = 0) -> list[tuple[int, bytes]]:
        return [(start + index, caller_key(name)) for index, name in enumerate(names)]

    with JournalFile(path, job="f", own_keys=True) as journal:
        taken = journal.begin(items("a", "b", "a", "c"))
        assert [type(one) for one in taken] == [Begun, Begun, li.RequestError, Begun]
        assert "item 2 of the input has the same key as item 0" in str(taken[2])
        (late,) = journal.begin(items("b", start=1_000))
        assert "item 1,000 of the input has the same key as item 1" in str(late)
        assert journal.counts.begun == 3
    with JournalFile(path, job="f", own_keys=True) as journal:  # another run may have it
        assert known(journal, items("b", "a")) == ["in flight", "in flight"]


def test_an_item_that_is_sent_again_is_in_flight(path: Path) -> None:
    """A kill right after it leaves it UNKNOWN, not as the failure that it was before."""
    with JournalFile(path, job="f") as journal:
        rows = [one.row for one in begun(journal, keys(0, 1, 2))]
        journal.finish([(rows[0], REFUSED), (rows[1], RAN), (rows[2], OK)])
    with JournalFile(path, job="f") as journal:
        again = begun(journal, keys(0, 1, 2))
        assert [one.decision for one in again] == [Decision.SEND, Decision.KEEP, Decision.KEEP]
        assert again[0].known == Known(REFUSED)
        assert journal.counts == Counts(finished=1, failed=1, begun=1)
    with JournalFile(path, job="f") as journal:
        assert known(journal, keys(0, 1, 2)) == ["in flight", RAN, OK]


def test_the_rules_decide(path: Path) -> None:
    """With resend_unknown and retry_failed what failed is sent again, and its new outcome counts."""
    with JournalFile(path, job="f") as journal:
        rows = [one.row for one in begun(journal, keys(0, 1, 2))]
        journal.finish([(rows[0], LOST), (rows[1], RAN)])
    rules = functools.partial(decide, resend_unknown=True, retry_failed=True)
    with JournalFile(path, job="f", rules=rules) as journal:
        again = begun(journal, keys(0, 1, 2))
        assert [one.decision for one in again] == [Decision.SEND] * 3
        assert [one.row for one in again] == rows
        assert journal.counts == Counts(begun=3)
        journal.finish([(row, OK) for row in rows])
    with JournalFile(path, job="f") as journal:
        assert known(journal, keys(0, 1, 2)) == [OK] * 3
        assert journal.counts == Counts(finished=3)


def test_without_results_states_are_kept(path: Path) -> None:
    """A success is still known as one; its reply is not in the file."""
    with JournalFile(path, job="f", store_results=False) as journal:
        (one,) = begun(journal, keys(0))
        journal.finish([(one.row, OK)])
    with JournalFile(path, job="f", store_results=False) as journal:
        (record,) = known(journal, keys(0))
        assert isinstance(record, Record)
        assert (record.ok, record.body) == (True, None)
    assert b'{"n": 1}' not in path.read_bytes()


def test_no_payload_stands_in_the_file(path: Path) -> None:
    """Neither in the database nor in its log, while it is open and afterwards; nor a caller's key."""
    payload = b"SECRET-PAYLOAD"
    outcome = li.Outcome(0, "f", payload, li.Invocation(1, b"1", "f"))
    error = li.ConnectionLostError("broke", function="f")
    with JournalFile(path, job="f") as journal:
        first, second = begun(journal, [(0, item_key("f", None, payload)), (1, caller_key("SECRET-KEY"))])
        lost: li.Outcome[Any] = li.Outcome(1, "f", payload, error=error)
        journal.finish([(first.row, record_of(outcome)), (second.row, record_of(lost))])
        files = list(path.parent.iterdir())
        assert path in files
        assert not any(b"SECRET" in file.read_bytes() for file in files if file != path)
    assert b"SECRET" not in path.read_bytes()


@posix
def test_the_file_is_private(path: Path) -> None:
    """0600 whatever the umask, of the log too; an empty file made beforehand becomes so."""
    umask = os.umask(0)
    try:
        with JournalFile(path, job="f") as journal:
            begun(journal, keys(0))
            files = list(path.parent.iterdir())
            assert len(files) >= 2
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        empty = path.parent / "empty.db"
        empty.touch(0o666)
        JournalFile(empty, job="f").close()
        assert stat.S_IMODE(empty.stat().st_mode) == 0o600
    finally:
        os.umask(umask)


def test_a_single_file_is_left(path: Path) -> None:
    """Closing writes the log into the database and removes it; closing twice is fine."""
    journal = JournalFile(path, job="f")
    begun(journal, keys(0))
    journal.close()
    journal.close()
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(JournalError, match="closed"):
        journal.begin(keys(1))


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "a b'\"%;ü\n.db", "-wal"])
def test_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """They are names of files and nothing else; relative ones too, as str."""
    if os.name != "posix":
        pytest.skip("not names of files")
    monkeypatch.chdir(tmp_path)
    with JournalFile(name, job="f") as journal:
        begun(journal, keys(0))
    assert (tmp_path / name).stat().st_size > 0
    with JournalFile(tmp_path / name, job="f") as journal:
        assert known(journal, keys(0)) == ["in flight"]


def refuse(path: Path, match: str, **options: Any) -> None:
    """Opening is refused, the message names the file, and the file is as it was."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(li.RequestError, match=match) as caught:
        JournalFile(path, **{"job": "f", **options})
    assert str(path) in str(caught.value)
    assert before is None or path.read_bytes() == before


def test_another_job_is_refused(path: Path) -> None:
    """Both are named."""
    JournalFile(path, job="orders:prod").close()
    refuse(path, "another job: 'orders:prod', and this one is 'reports'", job="reports")


def test_other_keys_are_refused(path: Path) -> None:
    """With other keys every item would look new, and be sent again."""
    JournalFile(path, job="f").close()
    refuse(path, "this run has keys of the caller's, it has not", own_keys=True)
    other = path.parent / "other.db"
    JournalFile(other, job="f", own_keys=True).close()
    refuse(other, "it has keys of the caller's, this run has not")


def text_file(path: Path) -> None:
    path.write_text("dear diary\n" * 1_000)


def short_text_file(path: Path) -> None:
    path.write_text("x")


def other_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()


def newer_format(path: Path) -> None:
    JournalFile(path, job="f").close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def without_a_job(path: Path) -> None:
    JournalFile(path, job="f").close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM job")
    connection.commit()
    connection.close()


def without_totals(path: Path) -> None:
    JournalFile(path, job="f").close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM totals")
    connection.commit()
    connection.close()


def damaged(path: Path) -> None:
    JournalFile(path, job="f").close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3_000)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (text_file, "not a database"),
        (short_text_file, "not a database"),
        (other_database, "not a journal"),
        (newer_format, "format 99"),
        (without_a_job, "damaged"),
        (without_totals, "damaged"),
        (damaged, "malformed"),
        (Path.mkdir, "unable to open"),
    ],
)
def test_what_is_not_a_journal_is_refused(path: Path, make: Callable[[Path], None], match: str) -> None:
    """And left as it was, byte for byte."""
    make(path)
    refuse(path, match)


def test_a_place_where_no_file_can_be_is_refused(path: Path) -> None:
    """A directory that is not there, and a name that no file system has."""
    refuse(path / "below" / "job.db", "cannot be created")
    with pytest.raises(li.RequestError, match="cannot be created"):
        JournalFile(f"{path}\0", job="f")
    if os.name == "posix":
        path.symlink_to(path.parent / "gone.db")
        refuse(path, "cannot be opened")


def test_a_file_that_was_only_just_made_is_taken(path: Path) -> None:
    """A kill between making the file and its tables leaves an empty one, or an empty database."""
    path.touch()
    JournalFile(path, job="f").close()
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("VACUUM")
    connection.close()
    assert path.stat().st_size > 0
    JournalFile(path, job="f").close()


def test_a_second_opening_is_refused(path: Path) -> None:
    """Of the same process too, by any name, before and after the first commit; not after a close."""
    link = path.parent / "link.db"
    with JournalFile(path, job="f") as journal:
        refuse(path, "in use")
        begun(journal, keys(0))
        if os.name == "posix":
            link.symlink_to(path)
            refuse(link, "in use")
        begun(journal, keys(1))
    JournalFile(path, job="f").close()


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs code with the names that it needs."""
    before = """
        import os, sys
        from lambda_invoke import Executed, RequestError
        from lambda_invoke.fanout.journal import JournalWriter
        from lambda_invoke.fanout.journal_file import JournalFile
        from lambda_invoke.fanout.journal_state import Record, item_key
        path = sys.argv[1]
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-c", textwrap.dedent(before) + textwrap.dedent(code)),
            *map(str, arguments),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_is_refused(path: Path) -> None:
    """As long as the first one lives; the file of one that was killed opens at once."""
    code = """
        journal = JournalFile(path, job="f")
        journal.begin([(0, item_key("f", None, b"0"))])
        print("open", flush=True)
        sys.stdin.read()
    """
    with child(code, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        refuse(path, "in use")
        process.kill()
        process.wait()
    with JournalFile(path, job="f") as journal:
        assert known(journal, keys(0)) == ["in flight"]


def test_of_several_at_once_one_gets_it(path: Path) -> None:
    """Processes that open the file in the same moment do not all refuse each other."""
    code = """
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            journal = JournalFile(path, job="f")
        except RequestError as error:
            print("refused" if "in use" in str(error) else error, flush=True)
        else:
            print("open", flush=True)
            sys.stdin.readline()
    """
    processes = [child(code, path) for _ in range(3)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.stdout.readline() for process in processes if process.stdout]
        assert sorted(said) == ["open\n", "refused\n", "refused\n"]
    finally:
        for process in processes:
            process.communicate("end\n")


@posix
@pytest.mark.parametrize("seed", range(3))
def test_a_kill_loses_nothing_that_was_committed(path: Path, seed: int) -> None:
    """With kill -9 at any moment: what was told as begun or finished is there, and the file opens at once."""
    code = """
        journal = JournalFile(path, job="f")
        ok = Record(ok=True, executed=Executed.YES, body=b"x" * 2_000)
        number = int(sys.argv[2])
        while True:
            items = [(index, item_key("f", None, b"%d" % (number + index))) for index in range(20)]
            begun = journal.begin(items)
            sys.stdout.write(f"b{number + 20}\\n"); sys.stdout.flush()
            journal.finish([(one.row, ok) for one in begun])
            number += 20
            sys.stdout.write(f"f{number}\\n"); sys.stdout.flush()
    """
    chance = random.Random(seed)
    number = told_begun = told_finished = 0
    for _ in range(3):
        process = child(code, path, number)
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 300)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        for line in process.communicate()[0].splitlines():
            told_begun = int(line[1:]) if line[0] == "b" else told_begun
            told_finished = int(line[1:]) if line[0] == "f" else told_finished
        with JournalFile(path, job="f") as journal:
            found = known(journal, keys(*range(told_begun + 100)))
        states = [state if isinstance(state, str) else "finished" for state in found]
        assert "new" not in states[:told_begun]
        assert set(states[number:told_finished]) <= {"finished"}
        number = told_begun + 100


@pytest.mark.parametrize("commit", ["begin", "finish"])
def test_a_full_disk_is_told_and_loses_nothing(path: Path, commit: str) -> None:
    """The failing batch is not stored, nothing later is taken, and what was there can be resumed."""
    big = Record(ok=True, executed=Executed.YES, body=b"x" * 100_000)
    journal = JournalFile(path, job="f")
    rows = [one.row for one in begun(journal, keys(0, 1))]
    journal.finish([(rows[0], OK)])
    (pages,) = journal.connection.execute("PRAGMA page_count").fetchone()
    journal.connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(JournalError, match="full") as caught:
        if commit == "finish":
            journal.finish([(rows[1], big)])
        else:
            journal.begin([(index, caller_key(index)) for index in range(5_000)])
    assert str(path) in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    with pytest.raises(JournalError, match="full"):
        journal.begin(keys(2))
    assert journal.counts == Counts(finished=1, begun=1)
    journal.close()
    with JournalFile(path, job="f") as journal:
        assert journal.counts == Counts(finished=1, begun=1)
        assert known(journal, keys(0, 1, 2)) == [OK, "in flight", "new"]


def test_a_row_is_finished_once(path: Path) -> None:
    """A second outcome of one item would hide the first: it is an error of whoever writes."""
    with JournalFile(path, job="f") as journal:
        (one,) = begun(journal, keys(0))
        journal.finish([(one.row, OK)])
        with pytest.raises(JournalError, match="UNIQUE"):
            journal.finish([(one.row, RAN)])


def test_a_transaction_is_all_or_nothing(path: Path) -> None:
    """What is finished and begun in one is committed together, or, with an error, not at all."""
    with JournalFile(path, job="f") as journal:
        with journal.transaction():
            (one,) = begun(journal, keys(0))
            journal.finish([(one.row, OK)])
            assert journal.counts == Counts()
        assert journal.counts == Counts(finished=1)
        with pytest.raises(KeyboardInterrupt), journal.transaction():
            begun(journal, keys(1))
            raise KeyboardInterrupt
    with JournalFile(path, job="f") as journal:
        assert known(journal, keys(0, 1)) == [OK, "new"]


def test_durable_flushes_each_commit(path: Path) -> None:
    """FULL: SQLite syncs the log at every commit. Without, at checkpoints only."""
    for durable, level in [(True, 2), (False, 1)]:
        with JournalFile(path, job="f", durable=durable) as journal:
            assert journal.connection.execute("PRAGMA synchronous").fetchone() == (level,)
            assert journal.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_only_earlier_rows_are_indexed(path: Path) -> None:
    """The index is made anew when rows have come since, and a lookup uses it."""
    for items in (keys(0, 1), keys(0, 1, 2), keys(2, 1, 0)):
        with JournalFile(path, job="f") as journal:
            begun(journal, items)
            where = journal.connection.execute(
                "SELECT sql FROM sqlite_master WHERE name = 'earlier'"
            ).fetchall()
    assert where == [("CREATE INDEX earlier ON begun (key, occurrence) WHERE id <= 3",)]


def test_a_copy_is_a_journal_too(path: Path) -> None:
    """The closed file holds everything; the repr shows where and how far."""
    with JournalFile(path, job="f") as journal:
        begun(journal, keys(0))
        assert "job.db" in repr(journal)
    copy = shutil.copy(path, path.parent / "copy.db")
    with JournalFile(copy, job="f") as journal:
        assert journal.counts.total == 1
