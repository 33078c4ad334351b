"""A redrive under way: what is received is sent, and deleted once its outcome is known good.

One coroutine for both clients. The order of things is what makes it safe against a kill, at any point:
the journal has a message before it is sent, it has the outcome before the message is deleted, and
a message that is neither sent nor deleted becomes visible again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import DeadlineExceededError, LambdaInvokeError, RedriveError
from lambda_invoke.events.queue import MAX_BATCH
from lambda_invoke.events.redrive_holding import MOST_HELD, Holding, State, threaded
from lambda_invoke.events.redrive_intake import Intake
from lambda_invoke.events.redrive_report import RedriveEnd, RedrivenMessage, RedriveReport
from lambda_invoke.events.redrive_settling import Settling
from lambda_invoke.events.redrive_survey import no_function, queue_state, survey
from lambda_invoke.fanout.journal import JournalWriter
from lambda_invoke.fanout.journal_records import with_past
from lambda_invoke.fanout.progress import Progress
from lambda_invoke.fanout.report import CompletionReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lambda_invoke.events.redrive_order import Ready, RedriveOrder
    from lambda_invoke.events.redrive_survey import QueueState
    from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
    from lambda_invoke.results import Outcome

_OWN_SECONDS = 3.0
"""From the start: SQS tells its time in whole seconds, so what comes in the first is not known as new."""
_FROM_OUTSIDE = frozenset({RedriveEnd.INTERRUPTED, RedriveEnd.STOPPED, RedriveEnd.DEADLINE})


class RedriveRun:
    """One run. ``tell`` is called with its progress, on the loop."""

    def __init__(self, order: RedriveOrder, tell: Callable[[Progress], object]) -> None:
        self._order = order
        self._tell = tell
        self._interrupted = False
        self._ended: RedriveEnd | None = None
        self._failure: Exception | None = None
        self._flying: dict[int, Ready] = {}
        self._offered = 0
        self._mapping: AsyncMapIterator[Any] | None = None
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

    async def run(self) -> RedriveReport:
        """To the end of the queue, or until it is ended.

        Raises:
            RequestError: nothing was sent: messages name no function, or the journal is refused.
            QueueError: the queue cannot be read at all.
            RedriveError: the queue or the journal failed on the way; its ``report`` has what is known.
        """
        order, loop = self._order, asyncio.get_running_loop()
        self._begun = loop.time()
        state = await self._looked_at()
        writer = JournalWriter(await threaded(order.journal.open))
        try:
            async with Holding(order.queue, order.visibility_timeout) as self._holding:
                self._settling = Settling(self._holding, writer, self._fail)
                self._intake = Intake(order, state.now, self._holding, writer, self._settling)
                async with self._settling:
                    try:
                        await self._send()
                    finally:
                        await self._put_away()
        finally:
            await threaded(writer.close)
        self._say(finished=True)
        report = self._report(loop.time() - self._begun, state.in_flight)
        if self._failure is not None:
            raise RedriveError(
                f"the redrive of {order.queue.name} broke off: {_words(self._failure)}",
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
            await threaded(order.journal.check)  # before a look that would hide messages from the other run
            plan = await survey(
                order.queue,
                order.choice,
                order.journal,
                function=None,
                limit=None,
                visibility_timeout=order.visibility_timeout,
                halted=self.is_set,
            )
            if plan.unnamed and not self.is_set():
                raise no_function(plan)
        return state

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
        except Exception as error:
            if mapping.input_error is not error:
                raise
            self._fail(error)  # raised when what is in flight has its outcome
        finally:
            for outcome in mapping.unaccounted():  # before they count as never sent
                self._took(outcome)
        if mapping.ended is CompletionReason.STOPPED:
            self._end(RedriveEnd.INTERRUPTED if self._interrupted else RedriveEnd.STOPPED)

    async def _items(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """What the job is to send, received as it asks for it."""
        ready = self._intake.ready
        while True:
            while not ready:
                if not self._may_receive():
                    return
                limit = self._order.limit
                await self._intake.fill(MAX_BATCH if limit is None else limit - self._offered)
            one = ready.popleft()
            if not self._holding.is_hidden(one.held):
                self._settling.leave(one, "became visible to others before it could be sent")
                continue
            self._flying[self._offered] = one
            self._offered += 1
            yield one.function, one.payload

    def _may_receive(self) -> bool:
        limit = self._order.limit
        if self._intake.is_drained:
            self._end(RedriveEnd.DRAINED)
        elif limit is not None and self._offered >= limit:
            self._end(RedriveEnd.LIMIT)
        elif len(self._holding.held) >= MOST_HELD:
            self._end(RedriveEnd.IN_FLIGHT_LIMIT)
        return self._ended is None

    def _took(self, outcome: Outcome[Any]) -> None:
        """An outcome came; on the loop."""
        ready = self._flying.pop(outcome.index, None)
        if ready is None:
            return  # given up and stored already: its send ended too late
        if isinstance(outcome.error, DeadlineExceededError):
            self._end(RedriveEnd.DEADLINE)  # the job's: its calls have none of their own
        self._note_event(outcome)
        self._settling.store(ready, with_past(outcome, ready.known))
        self._say()

    def _note_event(self, outcome: Outcome[Any]) -> None:
        """An Event that fails at once may be back in the queue before the queue's clock has moved on."""
        accepted, now = outcome.invocation, asyncio.get_running_loop().time()
        early = self._order.as_events and now - self._begun < _OWN_SECONDS
        if early and accepted is not None and accepted.request_id is not None:
            self._intake.own_events.add(accepted.request_id)

    async def _put_away(self) -> None:
        """What was received and not sent is not sent any more."""
        error = await self._intake.finish()
        if error is not None:
            self._fail(error)
        while self._flying:  # handed to the job when it had ended
            self._settling.leave(self._flying.popitem()[1], "the redrive ended first")

    # How it ends.

    def _end(self, why: RedriveEnd) -> None:
        if self._ended is None or why in _FROM_OUTSIDE:
            self._ended = why

    def _fail(self, error: Exception) -> None:
        """Receive nothing more; what is in flight is waited for."""
        self._ended = RedriveEnd.FAILED
        self._failure = self._failure or error

    def _say(self, *, finished: bool = False) -> None:
        done, failed = self._settling.succeeded + self._settling.failed, self._settling.failed
        elapsed = asyncio.get_running_loop().time() - self._begun
        try:
            self._tell(Progress(done, failed, len(self._flying), self._total, elapsed, finished))
        except Exception as error:  # noqa: BLE001 - the caller's own: no outcome is to be lost for it
            self._fail(error)

    def _report(self, duration: float, in_flight: int) -> RedriveReport:
        by_state: dict[State, list[RedrivenMessage]] = {state: [] for state in State}
        for held in self._holding.held.values():
            if held.about is not None:
                by_state[held.state].append(held.about)
        unsent = (attrs.evolve(one, reason="the redrive ended first") for one in by_state[State.IN_WORK])
        return RedriveReport(
            self._order.queue.url,
            self._order.as_events,
            str(self._order.journal.file),
            self._ended or RedriveEnd.DRAINED,
            duration,
            self._settling.succeeded,
            self._settling.deleted,
            tuple(by_state[State.FAILED]),
            tuple(by_state[State.MAY_HAVE_RUN]),
            (*by_state[State.SKIPPED], *unsent),
            tuple(by_state[State.DONE]),
            self._holding.lapses,
            in_flight,
        )


def _words(error: Exception) -> str:
    return error.message if isinstance(error, LambdaInvokeError) else f"{type(error).__name__} was raised"
