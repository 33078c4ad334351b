"""Connections to one SQLite file, kept between operations.

Opening costs ten times what an operation does: the last connection that is closed writes the file's log
back into it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.once.sqlite_file import connect

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_MOST_IDLE = 4
_NO_FILE = (0, 0)

_ABANDONED: list[sqlite3.Connection] = []
"""Of the parent, in a forked child, which must neither use nor close them: https://sqlite.org/faq.html, 6."""


@attrs.frozen
class _Kept:
    connection: sqlite3.Connection
    file: tuple[int, int]
    """Device and number of the file: another one may stand at its path meanwhile."""


class Connections:
    """The connections of one layer: as many as operations at a time, of which a few are kept.

    Closed when the pool is collected, and at exit.
    """

    def __init__(self, path: str, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._idle: list[_Kept] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle, self._pid)

    @contextlib.contextmanager
    def one(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation; one that failed is closed.

        Raises:
            IdempotencyStoreError: the file cannot be opened, or is none of ours.
            sqlite3.Error: SQLite's own.
        """
        kept = self._take()
        try:
            yield kept.connection
        except BaseException:
            kept.connection.close()
            raise
        self._give_back(kept)

    def _take(self) -> _Kept:
        if self._pid != os.getpid():
            self._begin_anew()
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                before = self._file()
                kept = _Kept(connect(self._path, self._busy_timeout), self._file())
                if before == _NO_FILE:
                    return kept
                kept = attrs.evolve(kept, file=before)
            if kept.file == self._file():
                return kept
            kept.connection.close()  # the file was deleted or replaced meanwhile

    def _give_back(self, kept: _Kept) -> None:
        with self._lock:
            keep = len(self._idle) < _MOST_IDLE
            if keep:
                self._idle.append(kept)
        if not keep:
            kept.connection.close()

    def _file(self) -> tuple[int, int]:
        try:
            found = Path(self._path).stat()
        except OSError:
            return _NO_FILE  # a new one is made, or what is wrong with the path is found
        return (found.st_dev, found.st_ino)

    def _begin_anew(self) -> None:
        """In a forked child."""
        _ABANDONED.extend(kept.connection for kept in self._idle)
        self._idle = []
        self._lock = threading.Lock()
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle, self._pid)


def _close_all(idle: list[_Kept], pid: int) -> None:
    if pid != os.getpid():
        _ABANDONED.extend(kept.connection for kept in idle)
        return
    while idle:
        idle.pop().connection.close()
