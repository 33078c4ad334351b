"""The journal's thread: what waits is committed together, answered once, and an error is told to all."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import Executed
from lambda_invoke.errors import JournalError
from lambda_invoke.fanout.journal import JournalWriter
from lambda_invoke.fanout.journal_file import JournalFile
from lambda_invoke.fanout.journal_state import Begun, Counts, Decision, Known, Record, caller_key
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
OK = Record(ok=True, executed=Executed.YES, body=b"1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal may be made."""
    return tmp_path / "job.db"


def items(*numbers: int) -> list[tuple[int, bytes]]:
    """Items by number."""
    return [(number, caller_key(number)) for number in numbers]


def begin(writer: JournalWriter, *numbers: int) -> list[Begun]:
    """Begin items and wait for it."""
    taken = writer.begin(items(*numbers)).result(PATIENCE)
    return [one for one in taken if isinstance(one, Begun)]


class Answers:
    """What ``then`` was told, and on which threads."""

    def __init__(self) -> None:
        self.errors: list[JournalError | None] = []
        self.threads: set[str] = set()

    def __call__(self, error: JournalError | None) -> None:
        self.threads.add(threading.current_thread().name)
        self.errors.append(error)


class Slow(JournalFile):
    """A file whose commits wait until they are let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, job="f")
        self.committing = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.commits = 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Wait before what is outermost is committed."""
        outermost = not self.connection.in_transaction
        with super().transaction():
            yield
            if outermost:
                self.commits += 1
                self.committing.release()
                assert self.go.acquire(timeout=PATIENCE)


def test_begun_and_finished_items_are_there_in_the_next_run(path: Path) -> None:
    """Futures and callbacks come after the commit, on the writer's thread; counts follow."""
    answers = Answers()
    with JournalWriter(JournalFile(path, job="f")) as writer:
        one, two = begin(writer, 1, 2)
        assert writer.counts == Counts(begun=2)
        writer.finish(one.row, OK, answers)
        soon(lambda: answers.errors)
        assert writer.counts == Counts(finished=1, begun=1)
        assert answers.threads == {"lambda_invoke-journal"}
        assert "job.db" in repr(writer)
    assert answers.errors == [None]
    with JournalWriter(JournalFile(path, job="f")) as writer:
        assert begin(writer, 2, 1) == [
            Begun(two.row, Decision.KEEP, Known()),
            Begun(one.row, Decision.KEEP, Known(OK)),
        ]


def test_what_comes_during_a_commit_goes_into_the_next(path: Path) -> None:
    """However many they are; nobody is answered before the commit that holds what is theirs."""
    file = Slow(path)
    answers = Answers()
    with JournalWriter(file) as writer:
        file.go.release()
        begun = begin(writer, *range(50))
        assert file.committing.acquire(timeout=PATIENCE)
        writer.finish(begun[0].row, OK, answers)
        assert file.committing.acquire(timeout=PATIENCE)
        for one in begun[1:]:
            writer.finish(one.row, OK, answers)
        futures = [writer.begin(items(number)) for number in range(100, 120)]
        assert not answers.errors
        file.go.release()
        assert file.committing.acquire(timeout=PATIENCE)
        assert len(answers.errors) == 1
        assert not any(future.done() for future in futures)
        file.go.release()
        assert not wait(futures, PATIENCE).not_done
        assert file.commits == 3
    assert answers.errors == [None] * 50


def test_a_batch_is_bounded_by_bytes(path: Path) -> None:
    """Large replies do not pile up in one transaction."""
    file = Slow(path)
    big = Record(ok=True, executed=Executed.YES, body=b"x" * (10 << 20))
    answers = Answers()
    with JournalWriter(file) as writer:
        file.go.release()
        begun = begin(writer, *range(5))
        for one in begun:
            writer.finish(one.row, big, answers)
        for _ in range(10):
            file.go.release()
    assert answers.errors == [None] * 5
    assert 4 <= file.commits <= 6


def test_many_threads_share_one_writer(path: Path) -> None:
    """Each gets its own rows."""
    rows: list[int] = []

    def work(start: int) -> None:
        for number in range(start, start + 20):
            (one,) = begin(writer, number)
            rows.append(one.row)
            writer.finish(one.row, OK, Answers())

    with JournalWriter(JournalFile(path, job="f")) as writer:
        threads = [threading.Thread(target=work, args=(number * 100,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(rows)) == 160
    with JournalFile(path, job="f") as file:
        assert file.counts == Counts(finished=160)


def test_an_error_is_told_to_all_who_wait_and_all_who_come(path: Path) -> None:
    """A full disk: nothing is left without an answer, and what was committed can be resumed."""
    file = JournalFile(path, job="f")
    answers = Answers()
    with JournalWriter(file) as writer:
        begun = begin(writer, *range(3))
        (pages,) = file.connection.execute("PRAGMA page_count").fetchone()
        file.connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        big = Record(ok=True, executed=Executed.YES, body=b"x" * 100_000)
        for one in begun:
            writer.finish(one.row, big, answers)
        with pytest.raises(JournalError, match="full") as caught:
            writer.begin(items(7)).result(PATIENCE)
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert writer.counts == Counts(begun=3)
    assert [str(error) for error in answers.errors] == [str(caught.value)] * 3
    with JournalFile(path, job="f") as file:
        assert file.counts == Counts(begun=3)


def test_rules_that_raise_are_told_too(path: Path) -> None:
    """Any error in the thread reaches those who wait; the thread does not die of it."""

    def rules(known: object) -> Decision:
        raise ZeroDivisionError("rules")

    with (
        JournalWriter(JournalFile(path, job="f", rules=rules)) as writer,
        pytest.raises(JournalError, match="ZeroDivisionError: rules"),
    ):
        begin(writer, 1)


def test_a_callback_that_raises_is_logged_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others are called, and the journal goes on."""

    def bad(error: JournalError | None) -> None:
        raise ZeroDivisionError("mine")

    answers = Answers()
    with JournalWriter(JournalFile(path, job="f")) as writer:
        one, two = begin(writer, 1, 2)
        writer.finish(one.row, OK, bad)
        writer.finish(two.row, OK, answers)
        begin(writer, 3)
    assert answers.errors == [None]
    assert "a callback of the journal raised" in caplog.text


def test_close_commits_what_was_given(path: Path) -> None:
    """Then nothing more is taken: later orders are answered with an error, at once."""
    answers = Answers()
    writer = JournalWriter(JournalFile(path, job="f"))
    one, two = begin(writer, 1, 2)
    writer.finish(one.row, OK, answers)
    assert writer.close(PATIENCE)
    assert writer.close()
    assert answers.errors == [None]
    assert list(path.parent.iterdir()) == [path]
    writer.finish(two.row, OK, answers)
    assert "closed" in str(answers.errors[1])
    with pytest.raises(JournalError, match="closed"):
        writer.begin(items(3)).result(0)
    with JournalFile(path, job="f") as file:
        assert file.counts == Counts(finished=1, begun=1)


def test_close_waits_no_longer_than_it_is_told(path: Path) -> None:
    """A disk that hangs does not hang the caller."""
    file = Slow(path)
    writer = JournalWriter(file)
    future = writer.begin(items(1))
    assert file.committing.acquire(timeout=PATIENCE)
    assert not writer.close(timeout=0.01)
    file.go.release()
    assert writer.close(PATIENCE)
    assert len(future.result(PATIENCE)) == 1


def test_close_from_a_callback_does_not_wait_for_itself(path: Path) -> None:
    """On the writer's own thread it says that it is not closed yet, and closes afterwards."""
    closed: list[bool] = []
    writer = JournalWriter(JournalFile(path, job="f"))
    (one,) = begin(writer, 1)
    writer.finish(one.row, OK, lambda error: closed.append(writer.close()))
    soon(lambda: closed)
    assert closed == [False]
    assert writer.close(PATIENCE)


def test_an_error_of_closing_is_told_to_whoever_comes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed is in the log, which stays."""
    file = JournalFile(path, job="f")
    writer = JournalWriter(file)

    def fail() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(file, "close", fail)
    assert writer.close(PATIENCE)
    with pytest.raises(JournalError, match="could not be closed: disk I/O error"):
        writer.begin(items(1)).result(0)
    monkeypatch.undo()
    file.close()


def test_a_dropped_writer_closes_its_file(path: Path) -> None:
    """The thread does not keep it alive, and the file can be opened again."""
    file = JournalFile(path, job="f")
    gone = threading.Event()
    weakref.finalize(file, gone.set)
    writer = JournalWriter(file)
    begin(writer, 1)
    del writer, file
    gc.collect()
    assert gone.wait(PATIENCE)
    JournalFile(path, job="f").close()


def run(code: str, path: Path, *options: str) -> str:
    """What a process prints that ends well, and without a word of warning."""
    before = """
        import gc, os, sys, warnings
        from lambda_invoke import Executed
        from lambda_invoke.fanout.journal import JournalWriter
        from lambda_invoke.fanout.journal_file import JournalFile
        from lambda_invoke.fanout.journal_state import Record, caller_key
        OK = Record(ok=True, executed=Executed.YES, body=b"1")
        items = [(number, caller_key(number)) for number in range(1_000)]
        path = sys.argv[1]
    """
    done = subprocess.run(
        [
            *(sys.executable, *options, "-c", textwrap.dedent(before) + textwrap.dedent(code)),
            str(path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("ending", ["writer.close()", "pass"])
def test_the_interpreter_ends_with_a_writer_at_work(path: Path, ending: str) -> None:
    """Closed or abandoned: no hang and no warning, and the file is sound."""
    code = f"""
        writer = JournalWriter(JournalFile(path, job="f"))
        begun = writer.begin(items).result()
        for one in begun:
            writer.finish(one.row, OK, lambda error: None)
        {ending}
    """
    run(code, path, "-X", "dev", "-W", "error")
    with JournalFile(path, job="f") as file:
        assert file.counts.total == 1_000
        assert ending == "pass" or file.counts.finished == 1_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_does_no_harm(path: Path) -> None:
    """Its exit, collection and all, leaves the parent's log, lock and commits alone."""
    code = """
        warnings.simplefilter("ignore")  # of fork with threads
        writer = JournalWriter(JournalFile(path, job="f"))
        begun = writer.begin(items[:500]).result()
        child = os.fork()
        if not child:
            del writer
            gc.collect()
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        again = writer.begin(items[500:]).result()
        for one in begun + again:
            writer.finish(one.row, OK, lambda error: None)
        print(os.path.exists(path + "-wal"))
        writer.close()
    """
    assert run(code, path) == "True\n"
    with JournalFile(path, job="f") as file:
        assert file.counts == Counts(finished=1_000)
        assert file.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
