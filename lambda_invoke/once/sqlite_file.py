"""The SQLite file of idempotency records: made, opened, refused."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_invoke.errors import IdempotencyStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION_ID = 0x4C_69_4F_6E  # "LiOn", at offset 68 of the file
FORMAT = 1

_PRIVATE = 0o600
_SMALLEST_DATABASE_BYTES = 512  # SQLite takes what is smaller for an empty file, and writes over it
_PAUSE_SECONDS = 0.02
# The columns are named as Powertools names DynamoDB's attributes.
_TABLES = (
    (
        "CREATE TABLE idempotency (id TEXT PRIMARY KEY, status TEXT NOT NULL, expiration INTEGER NOT NULL, "
        "in_progress_expiration INTEGER, data TEXT, validation TEXT)"
    ),
    "CREATE INDEX idempotency_expiration ON idempotency (expiration)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)


def connect(path: str, busy_timeout: float) -> sqlite3.Connection:
    """A connection to the file, which is made if it is not there.

    Raises:
        IdempotencyStoreError: it cannot be opened, or is not a file of idempotency records; it is left
            as it was.
        sqlite3.Error: SQLite's own, of a locked or damaged file.
    """
    _create(path)
    until = time.monotonic() + busy_timeout
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    try:
        while True:
            try:
                _identify(connection, path)
            except sqlite3.OperationalError as error:
                # SQLite waits for locks itself, but not for that of a change of the journal's mode, nor of
                # a recovery.
                if (
                    getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY
                    or time.monotonic() >= until
                ):
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                break
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = 1")  # macOS: fsync alone stops at the drive's cache
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: str) -> None:
    """Make the file, empty and private, if it is not there.

    Under another name first: to open and close the file itself beside SQLite would drop the locks that
    other threads' connections have on it (POSIX, and https://sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        size = Path(path).stat().st_size
    except FileNotFoundError:
        size = 0
        _link_empty_file(path)
    except OSError as error:
        raise _unusable(path, error) from error
    if 0 < size < _SMALLEST_DATABASE_BYTES:
        raise IdempotencyStoreError(f"SQLite file {path!r} is not a SQLite file, or was cut off")


def _link_empty_file(path: str) -> None:
    new = f"{path}.{os.getpid()}.{secrets.token_hex(8)}"
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE))
        try:
            os.link(new, path)
        except FileExistsError:
            pass  # another process was faster
        finally:
            Path(new).unlink()
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: str, error: OSError) -> IdempotencyStoreError:
    return IdempotencyStoreError(f"SQLite file {path!r} cannot be opened: {error.strerror or error}")


def _identify(connection: sqlite3.Connection, path: str) -> None:
    with _transaction(connection, "BEGIN"):  # one moment of the file, which others may be making
        ours = _is_ours(connection, path)
    if ours:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with _transaction(connection, "BEGIN IMMEDIATE"):
        if not _is_ours(connection, path):  # nobody else has made them meanwhile
            for statement in _TABLES:
                connection.execute(statement)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _is_ours(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the tables are there; False: the file is empty.

    Raises:
        IdempotencyStoreError: it is a database of something else.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == APPLICATION_ID and version == FORMAT:
        return True
    if application == APPLICATION_ID:
        raise IdempotencyStoreError(
            f"SQLite file {path!r} has format {version}, and this version of lambda_invoke reads {FORMAT}"
        )
    if tables or application:
        raise IdempotencyStoreError(f"SQLite file {path!r} is a database of another program")
    return False
