"""A persistence layer of AWS Powertools in one SQLite file, for the processes of one machine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lambda_invoke.errors import IdempotencyStoreError, RequestError
from lambda_invoke.once.places import MISSING
from lambda_invoke.once.sqlite_pool import Connections

try:
    from aws_lambda_powertools.utilities.idempotency.exceptions import (
        IdempotencyItemAlreadyExistsError,
        IdempotencyItemNotFoundError,
    )
    from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import (
        STATUS_CONSTANTS,
        DataRecord,
    )
except ImportError as error:
    raise ImportError(MISSING) from error

from lambda_invoke.once.store import Lock, Store

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_IN_PROGRESS = STATUS_CONSTANTS["INPROGRESS"]
_PURGED_AT_A_TIME = 100
_READ = "SELECT status, expiration, in_progress_expiration, data, validation FROM idempotency WHERE id = ?"
_PUT = (
    "INSERT OR REPLACE INTO idempotency (id, status, expiration, in_progress_expiration, data, validation) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_UPDATE = "UPDATE idempotency SET data = ?, expiration = ?, status = ?, validation = ? WHERE id = ?"
_DELETE = "DELETE FROM idempotency WHERE id = ?"
_HELD = " AND status = ? AND instr(data, ?) > 0"
_PURGE = (
    "DELETE FROM idempotency WHERE id IN "
    "(SELECT id FROM idempotency WHERE expiration < ? ORDER BY expiration LIMIT ?)"
)


def checked_path(path: str | os.PathLike[str]) -> str:
    """The file's absolute path.

    Raises:
        RequestError: it is not a file's: a database in memory is one connection's own.
    """
    text = os.fspath(path)
    if not text or text.startswith((":memory:", "file:")):
        raise RequestError(f"store is the path of a file, which other processes can open, not {text!r}")
    return str(Path(text).absolute())  # SQLite gives some relative names a meaning of their own


def make_directory(path: Path) -> None:
    """Make the directory of the default file, private to its owner.

    Raises:
        IdempotencyStoreError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise IdempotencyStoreError(
            f"the directory {str(path)!r} for the keys of once cannot be made: {error.strerror or error}; "
            "give store= a path"
        ) from error


class SqlitePersistenceLayer(BasePersistenceLayer):
    """Idempotency records in one SQLite file: for ``once``, and for handlers with ``@idempotent``.

    Safe to share between threads and processes of one machine (not over a network file system), and
    after a fork. What was written survives ``kill -9`` and a
    power cut. Expired records are deleted as others are put. The file is made when first used, private
    to its owner (0600), as it holds results.

    Args:
        path: the file; its directory must be there.
        busy_timeout: seconds to wait at most for other processes' writes.

    Raises:
        RequestError: the path is not a file's.
        IdempotencyStoreError: by every operation: the file is locked, damaged, another program's, or
            cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 30.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = checked_path(path)
        self._connections = Connections(self.path, busy_timeout)

    def __repr__(self) -> str:
        return f"SqlitePersistenceLayer({self.path!r})"

    def _get_record(self, idempotency_key: str) -> DataRecord:
        row = self._run(lambda connection: _read(connection, idempotency_key))
        if row is None:
            raise IdempotencyItemNotFoundError
        return row

    def _put_record(self, data_record: DataRecord) -> None:
        def put(connection: sqlite3.Connection) -> DataRecord | None:
            # As Powertools' condition on DynamoDB: none there, an expired one, or an expired lock.
            now = time.time()
            there = _read(connection, data_record.idempotency_key)
            if there is not None and not _gone(there, now):
                return there
            connection.execute(
                _PUT,
                (
                    data_record.idempotency_key,
                    data_record.status,
                    data_record.expiry_timestamp,
                    data_record.in_progress_expiry_timestamp,
                    data_record.response_data or None,
                    data_record.payload_hash if self.payload_validation_enabled else None,
                ),
            )
            connection.execute(_PURGE, (int(now), _PURGED_AT_A_TIME))
            return None

        there = self._run(put, write=True)
        if there is not None:
            self._validate_payload(data_payload=data_record, stored_data_record=there)
            raise IdempotencyItemAlreadyExistsError(old_data_record=there)

    def _update_record(self, data_record: DataRecord) -> None:
        self._update(data_record)

    def _delete_record(self, data_record: DataRecord) -> None:
        self._delete(data_record)

    def _update(self, record: DataRecord, condition: str = "", held: tuple[object, ...] = ()) -> bool:
        """Update a record where the condition holds; whether one was."""
        validation = record.payload_hash if self.payload_validation_enabled else None
        values = (
            *(record.response_data, record.expiry_timestamp, record.status, validation),
            record.idempotency_key,
        )
        return self._run(
            lambda connection: connection.execute(_UPDATE + condition, (*values, *held)).rowcount == 1,
            write=True,
        )

    def _delete(self, record: DataRecord, condition: str = "", held: tuple[object, ...] = ()) -> bool:
        """Delete a record where the condition holds; whether one was."""
        return self._run(
            lambda connection: (
                connection.execute(_DELETE + condition, (record.idempotency_key, *held)).rowcount == 1
            ),
            write=True,
        )

    def _run(self, work: Callable[[sqlite3.Connection], T], *, write: bool = False) -> T:
        """Do something in a transaction; a write waits for the others' before it looks."""
        try:
            with self._connections.one() as connection:
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    done = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):  # it is closed, which rolls back as well
                        connection.execute("ROLLBACK")
                    raise
                return done
        except sqlite3.Error as error:
            raise IdempotencyStoreError(
                f"SQLite file {self.path!r} failed: {type(error).__name__}: {error}"
            ) from error


class SqliteStore(Store):
    """Over a :class:`SqlitePersistenceLayer`: whose a record is, and writing it, in one transaction."""

    layer: SqlitePersistenceLayer
    doubtful = False

    def __str__(self) -> str:
        return f"SQLite file {self.layer.path!r}"

    def _update_held(self, lock: Lock, record: DataRecord) -> bool:
        return self.layer._update(record, _HELD, (_IN_PROGRESS, lock.envelope.mark))

    def _delete_held(self, lock: Lock, record: DataRecord) -> bool:
        return self.layer._delete(record, _HELD, (_IN_PROGRESS, lock.envelope.mark))


def _read(connection: sqlite3.Connection, key: str) -> DataRecord | None:
    row = connection.execute(_READ, (key,)).fetchone()
    if row is None:
        return None
    status, expiration, in_progress_expiration, data, validation = row
    return DataRecord(
        key,
        status,
        expiry_timestamp=expiration,
        in_progress_expiry_timestamp=in_progress_expiration,
        response_data=data or "",
        payload_hash=validation or "",
    )


def _gone(record: DataRecord, now: float) -> bool:
    until = record.in_progress_expiry_timestamp
    return (record.expiry_timestamp or 0) < int(now) or (
        record._status == _IN_PROGRESS and until is not None and until < int(now * 1000)
    )
