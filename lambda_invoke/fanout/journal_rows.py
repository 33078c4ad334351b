"""The statements on a journal's tables: each does many rows in one step.

A step of SQLite gives the interpreter's lock away and takes it back from a busy event loop, so a row
by itself would cost as much as a batch.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lambda_invoke.errors import Executed, RequestError
from lambda_invoke.fanout.journal_state import Known, Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from lambda_invoke.fanout.journal_state import Counts

T = TypeVar("T")

_MOST_ROWS = 64  # a dozen values each: below 999, the most that a statement takes before SQLite 3.32
_LARGE_BYTES = 1 << 14  # statements copy their values: the large ones go one by one

_EXECUTED = (Executed.NO, Executed.YES, Executed.UNKNOWN)
_NUMBERS = {executed: number for number, executed in enumerate(_EXECUTED)}
_FIELDS = (
    "ok, executed, in_doubt, body, request_id, version, attempts, started, duration, status_code, detail"
)

Key = tuple[bytes, int]
"""A key and which occurrence of it."""


def places(
    connection: sqlite3.Connection, items: Sequence[tuple[int, bytes]], *, own_keys: bool
) -> list[int | RequestError]:
    """Count the keys of ``(index, key)`` items: which occurrence in this run each of them is, from 0.

    With ``own_keys`` there is no second one: an error stands in its place.
    """
    seen: dict[bytes, list[int]] = {}
    for chunk in _chunks(list(dict.fromkeys(key for _, key in items))):
        seen.update(
            (key, [times, first])
            for key, times, first in connection.execute(
                f"SELECT key, times, first FROM seen WHERE key IN {_places_for(1, len(chunk))}",  # noqa: S608
                chunk,
            )
        )
    found: list[int | RequestError] = []
    changed: dict[bytes, list[int]] = {}
    for index, key in items:
        entry = seen.setdefault(key, [0, index])
        times, first = entry
        if times and own_keys:
            found.append(RequestError(f"item {index:,} of the input has the same key as item {first:,}"))
            continue
        found.append(times)
        entry[0] = times + 1
        changed[key] = entry
    _insert(connection, "REPLACE INTO seen (key, times, first)", [(key, *changed[key]) for key in changed])
    return found


def look_up(
    connection: sqlite3.Connection, wanted: Sequence[Key], *, earlier: int
) -> dict[Key, tuple[int, Known]]:
    """The rows of earlier runs, up to row ``earlier``, and what they left of items; of those there are."""
    found: dict[Key, tuple[int, Known]] = {}
    for chunk in _chunks(wanted if earlier else ()):
        rows = connection.execute(
            f"WITH wanted (key, occurrence) AS (VALUES {_marks(chunk)}) "  # noqa: S608
            f"SELECT begun.key, begun.occurrence, begun.id, {_FIELDS} FROM wanted "
            "CROSS JOIN begun INDEXED BY earlier ON begun.key = wanted.key "
            f"AND begun.occurrence = wanted.occurrence AND begun.id <= {earlier:d} "
            "LEFT JOIN done ON done.id = begun.id",
            [*itertools.chain.from_iterable(chunk)],
        )
        for key, occurrence, row, *fields in rows:
            found[key, occurrence] = row, Known(_record(fields))
    return found


def insert_begun(connection: sqlite3.Connection, rows: Sequence[tuple[int, bytes, int]]) -> None:
    """Add rows of ``(row, key, occurrence)``."""
    _insert(connection, "INSERT INTO begun (id, key, occurrence)", rows)


def insert_done(
    connection: sqlite3.Connection, finished: Iterable[tuple[int, Record]], *, store_results: bool
) -> None:
    """Add what became of rows."""
    small: list[tuple[Any, ...]] = []
    into = f"INSERT INTO done (id, {_FIELDS})"
    for row, record in finished:
        values = _values(row, record, store_results=store_results)
        if max(len(record.body or b""), len(record.detail or "")) < _LARGE_BYTES:
            small.append(values)
        else:
            _insert(connection, into, [values])
    _insert(connection, into, small)


def delete_done(connection: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Forget what became of rows: they are in flight again."""
    connection.executemany("DELETE FROM done WHERE id = ?", ((row,) for row in rows))


def update_totals(connection: sqlite3.Connection, counts: Counts) -> None:
    """Write how many items stand where."""
    connection.execute(
        "UPDATE totals SET finished = ?, failed = ?, unknown = ?, begun = ?", attrs.astuple(counts)
    )


def _insert(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    for chunk in _chunks(rows):
        connection.execute(f"{into} VALUES {_marks(chunk)}", [*itertools.chain.from_iterable(chunk)])


def _marks(rows: Sequence[tuple[Any, ...]]) -> str:
    return _places_for(len(rows), len(rows[0]))


@functools.lru_cache(maxsize=4 * _MOST_ROWS)
def _places_for(rows: int, values: int) -> str:
    return ", ".join(["(" + ", ".join("?" * values) + ")"] * rows)


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), _MOST_ROWS):
        yield rows[start : start + _MOST_ROWS]


def _values(row: int, record: Record, *, store_results: bool) -> tuple[Any, ...]:
    return (
        row,
        record.ok,
        _NUMBERS[record.executed],
        record.in_doubt,
        record.body if store_results else None,
        record.request_id,
        record.version,
        record.attempts,
        record.started,
        record.duration,
        record.status_code,
        record.detail,
    )


def _record(fields: Sequence[Any]) -> Record | None:
    ok, executed, in_doubt, *rest = fields
    return None if ok is None else Record(bool(ok), _EXECUTED[executed], bool(in_doubt), *rest)
