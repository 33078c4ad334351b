"""The file of a resumable fan-out: what was begun, and what became of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Self

import attrs

from lambda_invoke.errors import Executed, JournalError, RequestError
from lambda_invoke.fanout import journal_rows as table
from lambda_invoke.fanout.journal_schema import open_database
from lambda_invoke.fanout.journal_state import Begun, Counts, Decision, Record, Rules, decide

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from types import TracebackType

_FINISHED, _FAILED, _UNKNOWN, _BEGUN = range(4)


class JournalFile:
    """A SQLite file with the state and result of each item of one job; for one thread at a time.

    Locked as long as it is open: a second opening, of this process or another, is refused. Everything
    that was committed survives ``kill -9``; with ``durable``, a power cut too, at an fsync for each
    commit. Request payloads are never stored, and with ``store_results=False`` replies are not either:
    an item that succeeded is still not sent again, but comes back with the value None and no payload.

    Items are told apart by their keys. With ``own_keys``, keys are the caller's and no two items of a
    run may have the same; without, equal keys are equal items, and counted in the order of the input.

    Args:
        path: the file; made if it is not there.
        job: what the job is, in words: a journal of another job is refused.
        durable: survive a power cut.
        store_results: keep replies.
        own_keys: the keys are the caller's.
        rules: whether an item is sent, given what earlier runs left of it: see :func:`decide`.

    Raises:
        RequestError: the file is in use, belongs to another job, is not a journal or is damaged. It
            is left as it was.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        job: str,
        durable: bool = False,
        store_results: bool = True,
        own_keys: bool = False,
        rules: Rules = decide,
    ) -> None:
        # Absolute: SQLite gives some relative names a meaning of their own.
        self.path = str(Path(path).absolute())
        self._store_results = store_results
        self._own_keys = own_keys
        self._rules = rules
        opened = open_database(self.path, job=job, own_keys=own_keys, durable=durable)
        self.connection = opened.connection
        self._earlier = opened.last_row
        self._next = opened.last_row + 1
        self._counts = opened.counts
        self._totals = [*attrs.astuple(opened.counts)]
        self._failure: JournalError | None = None
        self._closed = False

    @property
    def counts(self) -> Counts:
        """Where the items of all runs stand, as of the last commit. From any thread, at no cost."""
        return self._counts

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is begun and finished inside is committed together, at its end.

        Raises:
            JournalError: it could not be committed, and nothing of it was; nor will anything later be.
        """
        if self._failure is not None:
            raise JournalError(self._failure.message) from self._failure.__cause__
        if self._closed:
            raise JournalError(f"journal {self.path!r} is closed")
        if self.connection.in_transaction:
            yield
            return
        try:
            self.connection.execute("BEGIN")
            yield
            counts = Counts(*self._totals)
            if counts != self._counts:
                table.update_totals(self.connection, counts)
            self.connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            self._failure = JournalError(f"journal {self.path!r} failed: {type(error).__name__}: {error}")
            if isinstance(error, Exception):
                raise self._failure from error
            raise
        self._counts = counts

    def begin(self, items: Sequence[tuple[int, bytes]]) -> list[Begun | RequestError]:
        """Take up ``(index, key)`` items, in the order of the input; in one transaction.

        When it returns, the file knows of every item that is to be sent: from now on it counts as in
        flight, until it is finished. With ``own_keys``, an item whose key another item of this run has
        gets an error in the list, and nothing of it is recorded.

        Raises:
            JournalError: nothing was recorded.
        """
        begun: list[Begun | RequestError] = []
        new: list[tuple[int, bytes, int]] = []
        again: list[int] = []
        with self.transaction():
            placed = [
                (key, place)
                for (_, key), place in zip(
                    items, table.places(self.connection, items, own_keys=self._own_keys), strict=True
                )
            ]
            wanted = [(key, place) for key, place in placed if not isinstance(place, RequestError)]
            known = table.look_up(self.connection, wanted, earlier=self._earlier)
            for key, place in placed:
                if isinstance(place, RequestError):
                    begun.append(place)
                    continue
                row, found = known.get((key, place), (self._next, None))
                decision = self._rules(found)
                if found is None:
                    self._next += 1
                    self._totals[_BEGUN] += 1
                    new.append((row, key, place))
                elif decision is Decision.SEND and found.record is not None:
                    self._count(found.record, -1)
                    again.append(row)
                begun.append(Begun(row, decision, found))
            table.insert_begun(self.connection, new)
            table.delete_done(self.connection, again)
        return begun

    def finish(self, finished: Sequence[tuple[int, Record]]) -> None:
        """Store what became of items, each by the row that ``begin`` gave it; in one transaction.

        Raises:
            JournalError: nothing was stored. To finish a row twice is such an error too.
        """
        with self.transaction():
            for _, record in finished:
                self._count(record, 1)
            table.insert_done(self.connection, finished, store_results=self._store_results)

    def close(self) -> None:
        """Close the file and leave it a single one: its log is written into it. May be called twice."""
        if not self._closed:
            self._closed = True
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JournalFile {self.path!r}: {self.counts}>"

    def _count(self, record: Record, change: int) -> None:
        """An item gets a record, or loses it."""
        failed = _UNKNOWN if record.executed is Executed.UNKNOWN else _FAILED
        self._totals[_FINISHED if record.ok else failed] += change
        self._totals[_BEGUN] -= change
