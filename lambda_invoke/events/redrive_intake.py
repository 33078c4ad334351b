"""From the queue to what may be sent: received, read, chosen, and in the journal."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.errors import AbandonedError, RequestError
from lambda_invoke.events.queue import MAX_BATCH
from lambda_invoke.events.redrive_choice import CAME_LATER
from lambda_invoke.events.redrive_holding import State, threaded
from lambda_invoke.events.redrive_order import Ready
from lambda_invoke.events.redrive_report import RedrivenMessage
from lambda_invoke.events.redrive_survey import EMPTY, IDLE_LIMIT, read_all
from lambda_invoke.fanout.journal_records import outcome_of
from lambda_invoke.fanout.journal_state import Decision, caller_key

if TYPE_CHECKING:
    from datetime import datetime

    from lambda_invoke.errors import LambdaInvokeError
    from lambda_invoke.events.redrive_holding import Held, Holding
    from lambda_invoke.events.redrive_messages import ReadMessage
    from lambda_invoke.events.redrive_order import RedriveOrder
    from lambda_invoke.events.redrive_settling import Settling
    from lambda_invoke.fanout.journal import JournalWriter
    from lambda_invoke.fanout.journal_state import Begun, Known

_MOST_UNSETTLED = 1_000
"""Outcomes that wait for the journal or their deletion; beyond, no more messages are received."""


class Intake:
    """Receives messages a few at a time; those that may be sent are left in ``ready``.

    ``began`` is when the run did, on the queue's clock. ``own_events`` are request ids that the run itself
    sent, in its first seconds.
    """

    def __init__(
        self,
        order: RedriveOrder,
        began: datetime,
        holding: Holding,
        writer: JournalWriter,
        settling: Settling,
    ) -> None:
        self.ready: deque[Ready] = deque()
        self.own_events: set[str] = set()
        self._order = order
        self._began = began
        self._holding = holding
        self._writer = writer
        self._settling = settling
        self._idle = 0
        self._filling: asyncio.Task[None] | None = None

    @property
    def is_drained(self) -> bool:
        """Whether nothing more is to be expected of the queue."""
        return self._idle >= IDLE_LIMIT

    async def fill(self, most: int) -> None:
        """Receive up to ``most`` messages. Who is cancelled here has them dealt with by :meth:`finish`.

        Raises:
            QueueError: the queue cannot be read.
            JournalError: the journal cannot be written; none of them is ready.
            RequestError: the caller's own filter raised.
        """
        if self._filling is None:
            self._filling = asyncio.ensure_future(self._fill(most))
        await asyncio.shield(self._filling)
        self._filling = None

    async def finish(self) -> Exception | None:
        """Receive nothing more: what is on its way is waited for, and not sent. Returns what went wrong."""
        error: BaseException | None = None
        if self._filling is not None:
            await asyncio.wait([self._filling])
            error = self._filling.exception()
        while self.ready:
            self._settling.leave(self.ready.popleft(), "the redrive ended first")
        return error if isinstance(error, Exception) else None

    async def _fill(self, most: int) -> None:
        await self._settling.until(_MOST_UNSETTLED)
        fresh, came = await self._holding.receive(min(MAX_BATCH, most))
        self._idle = 0 if fresh else self._idle + (1 if came else EMPTY)
        messages = [held.message for held in fresh]
        for held in fresh:
            held.forget_body()
        chosen: list[tuple[Held, ReadMessage, str]] = []
        look = functools.partial(read_all, messages, self._order.choice, self._began)
        for held, (read, refusal) in zip(fresh, await threaded(look), strict=True):
            function = self._order.function or read.function
            about = RedrivenMessage(read.message_id, read.request_id, function, read.error_type)
            why = refusal or self._unfit(read, function)
            if why is None:
                held.about = about
                chosen.append((held, read, function))
            else:
                held.state, held.about = State.SKIPPED, attrs.evolve(about, reason=why)
        if chosen:
            keys = [(0, caller_key(held.message.message_id)) for held, _, _ in chosen]
            begun = await asyncio.wrap_future(self._writer.begin(keys))
            for (held, read, function), decided in zip(chosen, begun, strict=True):
                self._decide(held, read, function, decided)

    def _unfit(self, read: ReadMessage, function: str) -> str | None:
        sent_at = read.message.sent_at
        late = sent_at is not None and sent_at > self._began
        if late or read.request_id in self.own_events:
            return CAME_LATER  # of an Event that this run sent, it may be: the run would never end
        return None if function else "it does not name its function"

    def _decide(self, held: Held, read: ReadMessage, function: str, begun: Begun | RequestError) -> None:
        if isinstance(begun, RequestError):
            # Begun in this run, and held no longer: so it was deleted, and SQS delivers it once more.
            self._settling.delete(held)
            return
        known = begun.known
        if begun.decision is Decision.SEND:
            payload = None if read.outcome is None else read.outcome.request_payload
            assert payload is not None
            self.ready.append(Ready(held, begun.row, known, function, payload))
            return
        assert known is not None
        if known.ok or self._order.journal.may_have_run == "delete":
            self._settling.delete(held)
            return
        assert held.about is not None
        held.state = State.MAY_HAVE_RUN
        held.about = attrs.evolve(
            held.about, error=_past_error(known, function), reason="sent by an earlier redrive"
        )


def _past_error(known: Known, function: str) -> LambdaInvokeError:
    """What an earlier run knew of a message that may have run."""
    if known.record is None:
        return AbandonedError("in flight when an earlier redrive ended", function=function)
    outcome = outcome_of(known, index=0, function=function, payload=None, decode=bytes)
    assert outcome.error is not None
    return outcome.error
