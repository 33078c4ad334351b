"""From an outcome to a message's end: stored in the journal, then deleted, or kept for the report."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import NotSentError
from lambda_invoke.events.queue import MAX_BATCH
from lambda_invoke.events.redrive_holding import State
from lambda_invoke.events.redrive_journal import finished_record
from lambda_invoke.results import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from lambda_invoke.errors import JournalError
    from lambda_invoke.events.redrive_holding import Held, Holding
    from lambda_invoke.events.redrive_order import Ready
    from lambda_invoke.fanout.journal import JournalWriter

_DELETERS = 4


class Settling:
    """Stores outcomes and deletes messages, on the loop, while it is entered.

    A message is deleted once the commit of its success is done. ``fail`` is told of a journal or queue
    that failed. Leaving it waits until everything is settled.
    """

    def __init__(self, holding: Holding, writer: JournalWriter, fail: Callable[[Exception], None]) -> None:
        self.succeeded = 0
        self.failed = 0
        self.deleted = 0
        self._holding = holding
        self._writer = writer
        self._fail = fail
        self._unsettled = 0
        self._news = asyncio.Event()
        self._done: asyncio.Queue[Held] = asyncio.Queue()
        self._deleters: list[asyncio.Task[None]] = []

    def store(self, ready: Ready, outcome: Outcome[Any]) -> None:
        """Take an outcome up: it is stored, and then the message deleted or kept."""
        held, error = ready.held, outcome.error
        assert held.about is not None
        record = finished_record(outcome, ready.known)
        if error is None:
            held.state = State.DONE
            self.succeeded += 1
        else:
            unsent = isinstance(error, NotSentError)
            held.state = State.SKIPPED if unsent else State.FAILED
            if record.in_doubt:
                held.state = State.MAY_HAVE_RUN
            self.failed += not unsent
            reason = f"not sent: {error.message}" if unsent else ""
            held.about = attrs.evolve(held.about, error=error, reason=reason)
        self._unsettled += 1
        loop = asyncio.get_running_loop()

        def stored(failure: JournalError | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: as if it had been killed
                loop.call_soon_threadsafe(self._is_stored, held, failure)

        self._writer.finish(ready.row, record, stored)

    def leave(self, ready: Ready, why: str) -> None:
        """A message is not sent after all, and the journal is told so."""
        error = NotSentError(why, function=ready.function)
        self.store(ready, Outcome(0, ready.function, None, error=error))

    def delete(self, held: Held) -> None:
        """Delete a message that is done with, soon."""
        held.state = State.DONE
        self._unsettled += 1
        self._done.put_nowait(held)

    async def until(self, most: int) -> None:
        """Wait until no more than so many messages are yet to be settled."""
        while self._unsettled > most:
            self._news.clear()
            await self._news.wait()

    async def __aenter__(self) -> Self:
        self._deleters = [asyncio.ensure_future(self._delete_those_done()) for _ in range(_DELETERS)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.until(0)
        finally:
            for deleter in self._deleters:
                deleter.cancel()

    def _is_stored(self, held: Held, failure: JournalError | None) -> None:
        if failure is not None:
            self._fail(failure)
        if held.state is State.DONE:
            self._done.put_nowait(held)
        else:
            self._settled(1)

    async def _delete_those_done(self) -> None:
        while True:
            some = [await self._done.get()]
            while len(some) < MAX_BATCH and not self._done.empty():
                some.append(self._done.get_nowait())
            try:
                kept = await self._holding.delete(some)
                self.deleted += len(some) - len(kept)
            except Exception as error:  # noqa: BLE001 - also what a client handed over raises: else all waits
                self._fail(error)
            self._settled(len(some))

    def _settled(self, count: int) -> None:
        self._unsettled -= count
        self._news.set()
