"""Accepted Events on disk, so that they outlive the process: an SQLite database in the state directory.

A write is done when the operating system has it: what was answered 202 is there after ``kill -9`` of
the endpoint, at any moment. Of a power cut the last writes may be lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from lambda_invoke.local.event_state import QueuedEvent, Response
from lambda_invoke.local.function import LocalLambdaError
from lambda_invoke.local.outcome import Invocation

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = "events.sqlite3"
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    request_id TEXT PRIMARY KEY,
    function_name TEXT NOT NULL,
    qualifier TEXT,
    invocation TEXT NOT NULL,
    payload BLOB NOT NULL,
    accepted_at REAL NOT NULL,
    due_at REAL NOT NULL,
    attempts INTEGER NOT NULL,
    put_backs INTEGER NOT NULL,
    condition TEXT,
    ended_at TEXT NOT NULL,
    executed_version TEXT,
    response BLOB,
    failed INTEGER
);
CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), now REAL NOT NULL);
INSERT OR IGNORE INTO clock VALUES (1, 0.0);
"""


class EventStore(Protocol):
    """Where a queue keeps its Events. ``now`` is the queue's clock, which is kept with every write."""

    def add(self, event: QueuedEvent, now: float) -> None:
        """Keep a new one."""

    def update(self, event: QueuedEvent, now: float) -> None:
        """Keep what became of one."""

    def remove(self, event: QueuedEvent, now: float) -> None:
        """Forget one that is done with."""

    def load(self) -> tuple[list[QueuedEvent], float]:
        """All that are kept, in the order in which they were accepted, and the last ``now``."""

    def close(self, now: float) -> None:
        """Let go of it."""


class NoStore:
    """Keeps nothing: Events end with the endpoint."""

    def add(self, event: QueuedEvent, now: float) -> None:
        """Keep nothing."""

    def update(self, event: QueuedEvent, now: float) -> None:
        """Keep nothing."""

    def remove(self, event: QueuedEvent, now: float) -> None:
        """Keep nothing."""

    def load(self) -> tuple[list[QueuedEvent], float]:
        """Nothing, and the beginning of time."""
        return [], 0.0

    def close(self, now: float) -> None:
        """There is nothing to let go of."""


class StateDirectory:
    """Keeps Events in a directory, for one endpoint at a time. Used on one thread.

    Raises:
        LocalLambdaError: another endpoint uses the directory, it cannot be written, or what it holds
            was not written by this version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        file = self._path / _FILE
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # payloads are nobody else's business
        except OSError as error:
            raise LocalLambdaError(f"state_dir {self._path} cannot be written: {error.strerror}") from error
        self._database = sqlite3.connect(file, timeout=0.0, isolation_level=None)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        execute = self._database.execute
        try:
            execute("PRAGMA locking_mode = EXCLUSIVE")
            execute("PRAGMA journal_mode = WAL")
            execute("PRAGMA synchronous = NORMAL")  # of WAL: a commit waits for no disk
            execute("BEGIN IMMEDIATE")
            (version,) = execute("PRAGMA user_version").fetchone()
            execute("COMMIT")
            if version not in (0, _VERSION):
                raise LocalLambdaError(
                    f"state_dir {self._path} was written by another version of lambda_invoke (format "
                    f"{version}, not {_VERSION}): use another directory, or that version"
                )
            self._database.executescript(_SCHEMA)
            execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise LocalLambdaError(f"state_dir {self._path} cannot be used: {error}") from error
            raise LocalLambdaError(
                f"state_dir {self._path} is used by another endpoint: give each a directory of its own"
            ) from error
        except sqlite3.DatabaseError as error:
            raise LocalLambdaError(
                f"{self._path / _FILE} is not a file of the local endpoint's ({error}): use another state_dir"
            ) from error

    @contextlib.contextmanager
    def _transaction(self, now: float) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN")
        try:
            yield self._database
            self._database.execute("UPDATE clock SET now = ?", (now,))
            self._database.execute("COMMIT")
        except BaseException:
            self._database.rollback()
            raise

    def add(self, event: QueuedEvent, now: float) -> None:
        """Keep a new one."""
        invocation = attrs.asdict(event.invocation, filter=lambda field, _: field.name != "payload")
        values = (
            event.request_id,
            event.function_name,
            event.qualifier,
            json.dumps(invocation),
            event.invocation.payload,
            event.accepted_at,
            *_state(event),
        )
        with self._transaction(now) as database:
            database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def update(self, event: QueuedEvent, now: float) -> None:
        """Keep what became of one."""
        with self._transaction(now) as database:
            database.execute(
                "UPDATE events SET due_at = ?, attempts = ?, put_backs = ?, condition = ?, ended_at = ?, "
                "executed_version = ?, response = ?, failed = ? WHERE request_id = ?",
                (*_state(event), event.request_id),
            )

    def remove(self, event: QueuedEvent, now: float) -> None:
        """Forget one that is done with."""
        with self._transaction(now) as database:
            database.execute("DELETE FROM events WHERE request_id = ?", (event.request_id,))

    def load(self) -> tuple[list[QueuedEvent], float]:
        """All that are kept, in the order in which they were accepted, and the last ``now``.

        Raises:
            LocalLambdaError: they cannot be read; the directory is let go of.
        """
        try:
            (now,) = self._database.execute("SELECT now FROM clock").fetchone()
            rows = self._database.execute("SELECT * FROM events ORDER BY rowid").fetchall()
            return [_event(*row) for row in rows], now
        except (sqlite3.Error, TypeError, ValueError) as error:
            self._database.close()
            raise LocalLambdaError(
                f"the events in state_dir {self._path} cannot be read ({type(error).__name__}): use another"
            ) from error

    def close(self, now: float) -> None:
        """Let go of the directory."""
        with (
            contextlib.closing(self._database),
            contextlib.suppress(sqlite3.Error),  # the last write's time stands then
            self._transaction(now),
        ):
            pass


def _state(event: QueuedEvent) -> tuple[Any, ...]:
    """The columns that change."""
    response = event.response
    return (
        event.due_at,
        event.attempts,
        event.put_backs,
        event.condition,
        event.ended_at,
        None if response is None else response.executed_version,
        None if response is None else response.payload,
        None if response is None else response.failed,
    )


def _event(
    _request_id: str,
    function_name: str,
    qualifier: str | None,
    invocation: str,
    payload: bytes,
    *rest: Any,
) -> QueuedEvent:
    accepted_at, due_at, attempts, put_backs, condition, ended_at, version, response, failed = rest
    return QueuedEvent(
        function_name,
        qualifier,
        Invocation(payload=payload, **json.loads(invocation)),
        accepted_at,
        due_at,
        attempts,
        put_backs,
        None if version is None else Response(version, response, failed=bool(failed)),
        condition,
        ended_at,
    )
