"""A redrive under way: what is received is sent, and deleted once its outcome is known good.

One coroutine for both clients. The order of things is what makes it safe against a kill, at any point:
the journal has a message before it is sent, it has the outcome before the message is deleted, and
a message that is neither sent nor deleted becomes visible again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import (
    AbandonedError,
    DeadlineExceededError,
    JournalError,
    LambdaInvokeError,
    NotSentError,
    QueueError,
    RedriveError,
    RequestError,
)
from lambda_invoke.events.queue import MAX_BATCH, queue_name
from lambda_invoke.events.redrive_choice import CAME_LATER
from lambda_invoke.events.redrive_holding import MOST_HELD, Held, Holding, State, threaded
from lambda_invoke.events.redrive_journal import finished_record
from lambda_invoke.events.redrive_report import RedriveEnd, RedrivenMessage, RedriveReport
from lambda_invoke.events.redrive_survey import (
    EMPTY,
    IDLE_LIMIT,
    QueueState,
    no_function,
    queue_state,
    read_all,
    survey,
)
from lambda_invoke.fanout.journal import JournalWriter
from lambda_invoke.fanout.journal_records import outcome_of, with_past
from lambda_invoke.fanout.journal_state import Decision, caller_key
from lambda_invoke.fanout.progress import Progress
from lambda_invoke.fanout.report import CompletionReason
from lambda_invoke.results import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lambda_invoke.core.options import Stop
    from lambda_invoke.events.queue import Queue
    from lambda_invoke.events.redrive_choice import Choice
    from lambda_invoke.events.redrive_journal import RedriveJournal
    from lambda_invoke.events.redrive_messages import ReadMessage
    from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
    from lambda_invoke.fanout.job import Job
    from lambda_invoke.fanout.journal_state import Begun, Known

_DELETERS = 4
_OWN_SECONDS = 3.0
"""From the start: SQS tells its time in whole seconds, so what comes in the first is not known as new."""
_MOST_UNSETTLED = 1_000
"""Outcomes that wait for the journal or their deletion; beyond, no more messages are received."""


@attrs.frozen
class RedriveOrder:
    """What a caller asked for. ``job`` makes the calls, of ``(function, payload)`` pairs."""

    queue: Queue
    journal: RedriveJournal
    choice: Choice
    job: Job
    function: str | None
    as_events: bool
    limit: int | None
    visibility_timeout: int
    stop: Stop | None
    drain: bool


@attrs.frozen
class _Ready:
    """A message that is in the journal and may be sent."""

    held: Held
    row: int
    known: Known | None
    function: str
    payload: bytes = attrs.field(repr=False)


class RedriveRun:
    """One run. ``tell`` is called with its progress, on the loop."""

    def __init__(self, order: RedriveOrder, tell: Callable[[Progress], object]) -> None:
        self._order = order
        self._tell = tell
        self._interrupted = False
        self._ended: RedriveEnd | None = None
        self._failure: LambdaInvokeError | None = None
        self._idle = 0
        self._ready: deque[_Ready] = deque()
        self._preparing: asyncio.Task[None] | None = None
        self._flying: dict[int, _Ready] = {}
        self._offered = 0
        self._unsettled = 0
        self._news = asyncio.Event()
        self._done: asyncio.Queue[Held] = asyncio.Queue()
        self._mapping: AsyncMapIterator[Any] | None = None
        self._own_events: set[str] = set()
        self._succeeded = 0
        self._failed = 0
        self._deleted = 0
        self._total: int | None = None

    # What a job asks of its ``stop``.

    def is_set(self) -> bool:
        """Whether it is to end."""
        stop = self._order.stop
        return self._interrupted or (stop is not None and stop.is_set())

    def interrupt(self) -> None:
        """Send nothing more, give up what is in flight, and come to an end. On the loop."""
        self._interrupted = True
        if self._mapping is not None:
            self._mapping.end(CompletionReason.STOPPED)

    @property
    def interrupted(self) -> bool:
        """Whether ``interrupt`` was called."""
        return self._interrupted

    async def run(self) -> RedriveReport:
        """To the end of the queue, or until it is ended.

        Raises:
            RequestError: nothing was sent: messages name no function, or the journal is refused.
            QueueError: the queue cannot be read at all.
            RedriveError: the queue or the journal failed on the way; its ``report`` has what is known.
        """
        order, loop = self._order, asyncio.get_running_loop()
        self._begun = loop.time()
        self._state = await self._looked_at()
        self._writer = JournalWriter(await threaded(order.journal.open))
        try:
            async with Holding(order.queue, order.visibility_timeout) as self._holding:
                deleters = [asyncio.ensure_future(self._delete_those_done()) for _ in range(_DELETERS)]
                try:
                    await self._send()
                finally:
                    await self._settle()
                    for deleter in deleters:
                        deleter.cancel()
        finally:
            await threaded(self._writer.close)
        report = self._report(loop.time() - self._begun)
        self._tell(self._progress(finished=True))
        if self._failure is not None:
            raise RedriveError(
                f"the redrive of {queue_name(order.queue.url)} broke off: {self._failure.message}",
                report=report,
                executed=report.executed,
            ) from self._failure
        return report

    async def _looked_at(self) -> QueueState:
        """The queue's state; without a function, once it is known that every message names its own."""
        order = self._order
        state = await threaded(functools.partial(queue_state, order.queue))
        self._total = None if order.choice.narrows else min(order.limit or state.visible, state.visible)
        if order.function is None:
            plan = await survey(
                order.queue,
                order.choice,
                order.journal,
                function=None,
                limit=None,
                visibility_timeout=order.visibility_timeout,
                halted=self.is_set,
            )
            if plan.unnamed:
                raise no_function(plan)
        return state

    # From the queue to the engine.

    async def _send(self) -> None:
        job = attrs.evolve(self._order.job, stop=self, drain=self._order.drain)
        items = self._items()
        mapping = self._mapping = job.map_async(items, record=self._took)
        try:
            async with mapping, contextlib.aclosing(items):
                async for _ in mapping:
                    pass
        except DeadlineExceededError:
            if mapping.ended is not CompletionReason.DEADLINE:
                raise
            self._end(RedriveEnd.DEADLINE)
        except LambdaInvokeError as error:
            if mapping.input_error is not error:
                raise
            self._fail(error)
        if mapping.ended is CompletionReason.STOPPED:
            self._end(RedriveEnd.INTERRUPTED if self._interrupted else RedriveEnd.STOPPED)
        for outcome in mapping.unaccounted():
            self._took(outcome)

    async def _items(self) -> AsyncGenerator[tuple[str, bytes], None]:
        while True:
            while not self._ready:
                if not self._may_receive():
                    return
                if self._preparing is None:
                    self._preparing = asyncio.ensure_future(self._prepare())
                # The job may give up waiting; what was received then is still dealt with, in _settle.
                await asyncio.shield(self._preparing)
                self._preparing = None
            ready = self._ready.popleft()
            if not self._holding.is_hidden(ready.held):
                self._leave(ready, "became visible to others before it could be sent")
                continue
            self._flying[self._offered] = ready
            self._offered += 1
            yield ready.function, ready.payload

    def _may_receive(self) -> bool:
        limit = self._order.limit
        if self._idle >= IDLE_LIMIT:
            self._end(RedriveEnd.DRAINED)
        elif limit is not None and self._offered >= limit:
            self._end(RedriveEnd.LIMIT)
        elif len(self._holding.held) >= MOST_HELD:
            self._end(RedriveEnd.IN_FLIGHT_LIMIT)
        return self._ended is None

    async def _prepare(self) -> None:
        """Receive some messages, and have those that are to be sent in the journal."""
        await self._until_unsettled(_MOST_UNSETTLED)
        order = self._order
        most = MAX_BATCH if order.limit is None else min(MAX_BATCH, order.limit - self._offered)
        fresh, came = await self._holding.receive(most)
        self._idle = 0 if fresh else self._idle + (1 if came else EMPTY)
        messages = [held.message for held in fresh]
        for held in fresh:
            held.forget_body()
        found = await threaded(functools.partial(read_all, messages, order.choice, self._state.now))
        chosen = []
        for held, (read, refusal) in zip(fresh, found, strict=True):
            function = order.function or read.function
            held.about = RedrivenMessage(read.message_id, read.request_id, function, read.error_type)
            why = refusal or self._unfit(read, function)
            if why is None:
                chosen.append((held, read, function))
            else:
                _skip(held, why)
        if chosen:
            keys = [(0, caller_key(held.message.message_id)) for held, _, _ in chosen]
            begun = await asyncio.wrap_future(self._writer.begin(keys))
            for (held, read, function), decided in zip(chosen, begun, strict=True):
                self._decided(held, read, function, decided)

    def _unfit(self, read: ReadMessage, function: str) -> str | None:
        sent_at = read.message.sent_at
        if sent_at is not None and sent_at > self._state.now:
            return CAME_LATER  # of an Event that this run sent, it may be: it would never end
        if read.request_id in self._own_events:
            return CAME_LATER
        return None if function else "it does not name its function"

    def _decided(self, held: Held, read: ReadMessage, function: str, begun: Begun | RequestError) -> None:
        if isinstance(begun, RequestError):
            # Begun in this run, and held no longer: so it was deleted, and SQS delivers it once more.
            self._is_done(held)
            return
        known = begun.known
        if begun.decision is Decision.SEND:
            payload = read.outcome.request_payload if read.outcome is not None else None
            assert payload is not None
            self._ready.append(_Ready(held, begun.row, known, function, payload))
        elif known is not None and (known.ok or self._order.journal.may_have_run == "delete"):
            self._is_done(held)
        else:
            assert known is not None
            assert held.about is not None
            held.state = State.MAY_HAVE_RUN
            error = _past_error(known, function)
            held.about = attrs.evolve(held.about, error=error, reason="sent by an earlier redrive")

    # From an outcome to the message's end.

    def _took(self, outcome: Outcome[Any]) -> None:
        """An outcome came: it is stored, and then the message deleted or kept. On the loop."""
        ready = self._flying.pop(outcome.index, None)
        if ready is None:
            return  # given up and stored already: its send ended too late
        self._store(ready, with_past(outcome, ready.known))
        self._tell(self._progress())

    def _leave(self, ready: _Ready, why: str) -> None:
        """It is not sent after all, and the journal is told so."""
        error = NotSentError(why, function=ready.function)
        self._store(ready, Outcome(0, ready.function, None, error=error))

    def _store(self, ready: _Ready, outcome: Outcome[Any]) -> None:
        held, error = ready.held, outcome.error
        assert held.about is not None
        record = finished_record(outcome, ready.known)
        if error is None:
            held.state = State.DONE
            self._succeeded += 1
            self._note_event(outcome)
        elif record.in_doubt:
            held.state = State.MAY_HAVE_RUN
        elif isinstance(error, NotSentError):
            held.state = State.SKIPPED
        else:
            held.state = State.FAILED
        if isinstance(error, DeadlineExceededError):
            self._end(RedriveEnd.DEADLINE)  # the job's: its calls have none of their own
        if error is not None:
            reason = f"not sent: {error.message}" if held.state is State.SKIPPED else ""
            held.about = attrs.evolve(held.about, error=error, reason=reason)
            self._failed += held.state is not State.SKIPPED
        self._unsettled += 1
        loop = asyncio.get_running_loop()

        def stored(failure: JournalError | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: as if it had been killed
                loop.call_soon_threadsafe(self._is_stored, held, failure)

        self._writer.finish(ready.row, record, stored)

    def _note_event(self, outcome: Outcome[Any]) -> None:
        """An Event that fails at once may be back in the queue before the queue's clock has moved on."""
        accepted, now = outcome.invocation, asyncio.get_running_loop().time()
        early = self._order.as_events and now - self._begun < _OWN_SECONDS
        if early and accepted is not None and accepted.request_id is not None:
            self._own_events.add(accepted.request_id)

    def _is_stored(self, held: Held, failure: JournalError | None) -> None:
        if failure is not None:
            self._fail(failure)
        if held.state is State.DONE:
            self._done.put_nowait(held)
        else:
            self._count_settled(1)

    def _is_done(self, held: Held) -> None:
        held.state = State.DONE
        self._unsettled += 1
        self._done.put_nowait(held)

    async def _delete_those_done(self) -> None:
        while True:
            some = [await self._done.get()]
            while len(some) < MAX_BATCH and not self._done.empty():
                some.append(self._done.get_nowait())
            try:
                kept = await self._holding.delete(some)
                self._deleted += len(some) - len(kept)
            except QueueError as error:
                self._fail(error)
            self._count_settled(len(some))

    def _count_settled(self, count: int) -> None:
        self._unsettled -= count
        self._news.set()

    async def _until_unsettled(self, most: int) -> None:
        while self._unsettled > most:
            self._news.clear()
            await self._news.wait()

    async def _settle(self) -> None:
        """What was received and not sent is given back; every outcome is stored and acted upon."""
        if self._preparing is not None:
            try:
                await self._preparing
            except (QueueError, RequestError, JournalError) as error:
                self._fail(error)
        for ready in (*self._flying.values(), *self._ready):
            self._leave(ready, "the redrive ended first")
        self._flying.clear()
        self._ready.clear()
        await self._until_unsettled(0)

    # How it ends.

    def _end(self, why: RedriveEnd) -> None:
        if self._ended is None or why in {RedriveEnd.INTERRUPTED, RedriveEnd.STOPPED, RedriveEnd.DEADLINE}:
            self._ended = why

    def _fail(self, error: LambdaInvokeError) -> None:
        """Receive nothing more; what is in flight is waited for."""
        self._ended = RedriveEnd.FAILED
        self._failure = self._failure or error

    def _progress(self, *, finished: bool = False) -> Progress:
        done = self._succeeded + self._failed
        elapsed = asyncio.get_running_loop().time() - self._begun
        return Progress(done, self._failed, len(self._flying), self._total, elapsed, finished)

    def _report(self, duration: float) -> RedriveReport:
        by_state: dict[State, list[RedrivenMessage]] = {state: [] for state in State}
        for held in self._holding.held.values():
            if held.about is not None:
                by_state[held.state].append(held.about)
        return RedriveReport(
            self._order.queue.url,
            self._order.as_events,
            str(self._order.journal.file),
            self._ended or RedriveEnd.DRAINED,
            duration,
            self._succeeded,
            self._deleted,
            tuple(by_state[State.FAILED]),
            tuple(by_state[State.MAY_HAVE_RUN]),
            tuple(by_state[State.SKIPPED]),
            tuple(by_state[State.DONE]),
            self._holding.lapses,
        )


def _skip(held: Held, why: str) -> None:
    assert held.about is not None
    held.state = State.SKIPPED
    held.about = attrs.evolve(held.about, reason=why)


def _past_error(known: Known, function: str) -> LambdaInvokeError:
    """What an earlier run knew of a message that may have run."""
    if known.record is None:
        return AbandonedError("in flight when an earlier redrive ended", function=function)
    outcome = outcome_of(known, index=0, function=function, payload=None, decode=bytes)
    assert outcome.error is not None
    return outcome.error
