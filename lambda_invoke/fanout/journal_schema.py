"""The journal's database: its tables, and how the file is made, opened and refused.

``begun`` and ``done`` are only ever appended to, so that a commit touches the last pages of the file
and not as many as it has items: random keys in an index cost three times as much at a million items,
and ever more beyond. What is looked up, the items of earlier runs, is indexed when the file is opened;
the items of this run are counted in a temporary table, on disk when it grows.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.fanout.journal_state import Counts

APPLICATION_ID = 0x4C_69_4A_6F  # "LiJo", at offset 68 of the file
FORMAT = 1
PRIVATE = 0o600

_CACHE_KIB = 16 * 1024
_SMALLEST_DATABASE_BYTES = 512  # SQLite takes what is smaller for an empty file, and writes over it
_STATEMENTS = 512  # each of a handful of them is prepared once for every number of rows up to 64
_LOCK_TRIES = 5
_LOCK_PAUSE_SECONDS = 0.02

_TABLES = (
    "CREATE TABLE job (name TEXT NOT NULL, own_keys INTEGER NOT NULL, indexed INTEGER NOT NULL)",
    "CREATE TABLE totals (finished INTEGER, failed INTEGER, unknown INTEGER, begun INTEGER)",
    "INSERT INTO totals VALUES (0, 0, 0, 0)",
    "CREATE TABLE begun (id INTEGER PRIMARY KEY, key BLOB NOT NULL, occurrence INTEGER NOT NULL)",
    (
        "CREATE TABLE done (id INTEGER PRIMARY KEY, ok INTEGER NOT NULL, executed INTEGER NOT NULL, "
        "in_doubt INTEGER NOT NULL, body BLOB, request_id TEXT, version TEXT, attempts INTEGER NOT NULL, "
        "started REAL NOT NULL, duration REAL NOT NULL, status_code INTEGER, detail TEXT)"
    ),
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)
_SEEN = "CREATE TEMP TABLE seen (key BLOB PRIMARY KEY, times INTEGER, first INTEGER) WITHOUT ROWID"


@attrs.frozen
class Opened:
    """An open journal: its connection, the last row of earlier runs (0: none), and its counts."""

    connection: sqlite3.Connection
    last_row: int
    counts: Counts


def open_database(path: str, *, job: str, own_keys: bool, durable: bool) -> Opened:
    """Open a journal for this connection alone, or make a new one.

    The lock is SQLite's own, held as long as the connection: it ends with the process however that
    ends, on Windows too. A new file is private to its owner (0600; on Windows, what the directory gives).

    Raises:
        RequestError: the file cannot be opened, is in use, or is not a journal of this job. It is left
            as it was.
    """
    _create(path, durable=durable)
    connection = _lock(path)
    try:
        _identify(connection, path, job, own_keys=own_keys)
        # In this order: a journal mode is not changed inside a transaction, nor a foreign file's ever.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        if durable:
            connection.execute("PRAGMA fullfsync = 1")  # macOS: fsync alone stops at the drive's cache
            connection.execute("PRAGMA checkpoint_fullfsync = 1")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA temp.cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA temp.journal_mode = OFF")  # after a failure it is not used again
        connection.execute(_SEEN)
        totals = _only_row(connection, path, "SELECT finished, failed, unknown, begun FROM totals")
        return Opened(connection, _index(connection, path), Counts(*totals))
    except sqlite3.Error as error:
        connection.close()
        raise _refused(path, f"cannot be opened: {error}") from error
    except BaseException:
        connection.close()
        raise


def _create(path: str, *, durable: bool) -> None:
    """Make the file, private, if there is none; an existing one is not opened here.

    Closing any descriptor of it would drop this process's locks on it, those of SQLite included.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE)
    except FileExistsError:
        _take_as_it_is(path)
        return
    except (OSError, ValueError) as error:
        raise _refused(path, f"cannot be created: {error}") from error
    os.close(descriptor)
    if durable and os.name == "posix":
        directory = os.open(Path(path).parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _take_as_it_is(path: str) -> None:
    try:
        size = Path(path).stat().st_size
        if size == 0:
            Path(path).chmod(PRIVATE)
    except OSError as error:
        raise _refused(path, f"cannot be opened: {error}") from error
    if 0 < size < _SMALLEST_DATABASE_BYTES:
        raise _refused(path, "cannot be opened: file is not a database")


def _lock(path: str) -> sqlite3.Connection:
    """A connection that has the file for itself.

    Of several that open it in the same moment each may see another's first step: hence some tries.
    """
    tries = 0
    while True:
        tries += 1
        connection = None
        try:
            connection = sqlite3.connect(
                path,
                timeout=0.0,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
            )
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
        except (sqlite3.Error, ValueError) as error:
            if connection is not None:
                connection.close()
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise _refused(path, f"cannot be opened: {error}") from error
            if tries == _LOCK_TRIES:
                raise _refused(path, "is in use by another run") from error
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return connection


def _identify(connection: sqlite3.Connection, path: str, job: str, *, own_keys: bool) -> None:
    """Inside the transaction that holds the lock: make the tables of a new journal, or know an old one."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO job VALUES (?, ?, 0)", (job, own_keys))
    elif application != APPLICATION_ID:
        raise _refused(path, "is a SQLite database, but not a journal")
    elif version != FORMAT:
        raise _refused(
            path, f"has format {version}; this version of the library reads and writes format {FORMAT}"
        )
    else:
        name, has_keys = _only_row(connection, path, "SELECT name, own_keys FROM job")
        if name != job:
            raise _refused(path, f"belongs to another job: {name!r}, and this one is {job!r}")
        if bool(has_keys) is not own_keys:
            with_keys, without = ("it", "this run") if has_keys else ("this run", "it")
            raise _refused(
                path,
                f"tells its items apart in another way: {with_keys} has keys of the caller's, "
                f"{without} has not",
            )
    connection.execute("COMMIT")


def _index(connection: sqlite3.Connection, path: str) -> int:
    """Index the rows of earlier runs, if there are new ones since; the highest of them."""
    (last,) = _only_row(connection, path, "SELECT coalesce(max(id), 0) FROM begun")
    (indexed,) = _only_row(connection, path, "SELECT indexed FROM job")
    if last != indexed:
        connection.execute("BEGIN")
        connection.execute("DROP INDEX IF EXISTS earlier")
        connection.execute(f"CREATE INDEX earlier ON begun (key, occurrence) WHERE id <= {last:d}")
        connection.execute("UPDATE job SET indexed = ?", (last,))
        connection.execute("COMMIT")
    return int(last)


def _only_row(connection: sqlite3.Connection, path: str, query: str) -> tuple[Any, ...]:
    rows = connection.execute(query).fetchall()
    if len(rows) != 1:
        raise _refused(path, "is damaged: it does not say whose it is, or how far it came")
    row: tuple[Any, ...] = rows[0]
    return row


def _refused(path: str, why: str) -> RequestError:
    return RequestError(f"journal {path!r} {why}")
