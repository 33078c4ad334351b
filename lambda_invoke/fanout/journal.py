"""The journal of a fan-out: a thread that writes it, so that the event loop never waits for a disk."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self

import attrs

from lambda_invoke.errors import JournalError

if TYPE_CHECKING:
    from types import TracebackType

    from lambda_invoke.errors import RequestError
    from lambda_invoke.fanout.journal_file import JournalFile
    from lambda_invoke.fanout.journal_state import Begun, Counts, Record

Taken = list["Begun | RequestError"]
Then = Callable[["JournalError | None"], object]

_MOST_AT_ONCE = 1024
_MOST_BYTES_AT_ONCE = 16 << 20


@attrs.frozen
class _Begin:
    items: Sequence[tuple[int, bytes]]
    future: Future[Taken]


@attrs.frozen
class _Finish:
    row: int
    record: Record
    then: Then


_Order = _Begin | _Finish


class JournalWriter:
    """Writes a journal on a thread of its own, which owns the file from now on and closes it.

    The methods may be called from any thread and return at once. What comes while a commit is under
    way is committed together afterwards, so the cost of a commit falls as the load grows. An error of
    the file is final: all who wait, and all who come later, are given it.

    A writer that is dropped without ``close`` commits what it was given and closes the file, soon. Not
    for use in a forked child, which has no such thread.
    """

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._desk = _Desk()
        self._thread = threading.Thread(
            target=_write, args=(file, self._desk), name="lambda_invoke-journal", daemon=True
        )
        self._thread.start()
        # Not at exit: a daemon thread would be stopped in the midst of it.
        weakref.finalize(self, self._desk.orders.put, None).atexit = False

    @property
    def counts(self) -> Counts:
        """Where the items of all runs stand, as of the last commit."""
        return self._file.counts

    def begin(self, items: Sequence[tuple[int, bytes]]) -> Future[Taken]:
        """Take up ``(index, key)`` items: see :meth:`JournalFile.begin`.

        The future has its list once that is committed, or the ``JournalError``. Its callbacks run on
        the writer's thread.
        """
        future: Future[Taken] = Future()
        future.set_running_or_notify_cancel()  # what is being committed is not to be called off
        self._desk.take(_Begin(items, future))
        return future

    def finish(self, row: int, record: Record, then: Then) -> None:
        """Store what became of an item, by the row that ``begin`` gave it.

        ``then`` is called once, on the writer's thread: with None when it is committed, else with the
        error. After ``close`` it is called at once, with an error.
        """
        self._desk.take(_Finish(row, record, then))

    def close(self, timeout: float | None = None) -> bool:
        """Commit what was given so far, and close the file; waits for at most ``timeout`` seconds.

        Returns:
            Whether it is closed; if not, it will be when the disk is done. May be called again.
        """
        self._desk.orders.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JournalWriter {self._file.path!r}: {self.counts}>"


class _Desk:
    """Where orders are left for the thread; None is the last. The thread holds this, not the writer.

    Without a lock of ours, so that a signal or a finalizer, which may come anywhere, cannot stand still.
    """

    def __init__(self) -> None:
        self.orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self.closed: JournalError | None = None

    def take(self, order: _Order) -> None:
        """Leave an order; if the thread may not have seen it before it ended, answer it here."""
        self.orders.put(order)
        if self.closed is not None:
            self.refuse_all(self.closed)

    def refuse_all(self, error: JournalError) -> None:
        """Answer what is left; several threads may do so at once."""
        with contextlib.suppress(queue.Empty):
            while True:
                order = self.orders.get_nowait()
                if order is not None:
                    _refuse(order, error)

    def next_batch(self) -> tuple[list[_Order], bool]:
        """Wait for orders; all that there are, within bounds, and whether the last one came."""
        batch: list[_Order] = []
        size = 0
        order = self.orders.get()
        while order is not None:
            batch.append(order)
            size += len(order.record.body or b"") if isinstance(order, _Finish) else 0
            if len(batch) >= _MOST_AT_ONCE or size >= _MOST_BYTES_AT_ONCE:
                return batch, False
            try:
                order = self.orders.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


def _write(file: JournalFile, desk: _Desk) -> None:
    """The thread.

    In a forked child this frame is never left. What it refers to is never collected, and so the child's
    copy of the connection never closed: closing it would remove the log that the parent goes on writing.
    """
    last = False
    while not last:
        batch, last = desk.next_batch()
        if batch:
            _commit(file, batch)
        batch.clear()  # not to hold replies while there is nothing to do
    closed = JournalError(f"journal {file.path!r} is closed")
    try:
        file.close()
    except Exception as error:  # noqa: BLE001 - what was committed is in the log, which stays
        closed = JournalError(f"journal {file.path!r} could not be closed: {error}")
    desk.closed = closed
    desk.refuse_all(closed)


def _commit(file: JournalFile, batch: Sequence[_Order]) -> None:
    begins = [order for order in batch if isinstance(order, _Begin)]
    finishes = [order for order in batch if isinstance(order, _Finish)]
    try:
        with file.transaction():
            if finishes:
                file.finish([(order.row, order.record) for order in finishes])
            taken = [file.begin(order.items) for order in begins]
    except JournalError as error:
        for order in batch:
            _refuse(order, error)
        return
    for begin, result in zip(begins, taken, strict=True):
        begin.future.set_result(result)
    for finish in finishes:
        _tell(finish.then, None)


def _refuse(order: _Order, error: JournalError) -> None:
    if isinstance(order, _Begin):
        order.future.set_exception(error)
    else:
        _tell(order.then, error)


def _tell(then: Then, error: JournalError | None) -> None:
    try:
        then(error)
    except Exception:
        # The other callbacks, and the journal, are not to suffer for it.
        logging.getLogger("lambda_invoke").exception("a callback of the journal raised")
