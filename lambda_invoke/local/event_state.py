"""One Event between its 202 and its end, and the rules by which it is tried again.

Source: "How Lambda handles errors and retries with asynchronous invocation", AWS Lambda developer
guide, 2026-11: a function error is retried after one and then two minutes, as often as
MaximumRetryAttempts says; what was throttled or failed in the service is put back, with a delay that
grows from one second to five minutes, until MaximumEventAgeInSeconds is over.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from lambda_invoke.local.function import EventInvokeConfig
    from lambda_invoke.local.outcome import Invocation

RETRY_DELAYS = (60.0, 120.0)
"""Seconds before the first and the second retry of a function error (AWS, 2026-11)."""
_LONGEST_PUT_BACK = 300.0
_MOST_DOUBLINGS = 9  # 2 to that is over the longest

SUCCESS = "Success"
RETRIES_EXHAUSTED = "RetriesExhausted"
EVENT_AGE_EXCEEDED = "EventAgeExceeded"
ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"
RECURSIVE_INVOCATION = "RecursiveInvocation"
"""No record with Lambda's own word for this one is known: it is named after the API's error."""


class EventClock:
    """Seconds as Lambda would count them: ``time_scale`` real seconds are one of these.

    It stands still while no endpoint runs: one that takes up the Events of another goes on from the
    time ``base`` at which that one stopped, so that the Events have the ages they had.
    """

    def __init__(self, time_scale: float, base: float = 0.0) -> None:
        self._time_scale = time_scale
        self._base = base
        self._started = time.monotonic()

    def now(self) -> float:
        """The time now."""
        return self._base + (time.monotonic() - self._started) / self._time_scale

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of its seconds."""
        await asyncio.sleep(max(0.0, seconds) * self._time_scale)


@attrs.frozen
class Response:
    """What the last execution of an Event came to."""

    executed_version: str
    payload: bytes = attrs.field(repr=False)
    failed: bool


@attrs.frozen
class QueuedEvent:
    """An accepted Event. Times are an :class:`EventClock`'s.

    ``attempts`` counts the executions that ended, ``put_backs`` the refusals since the last of them.
    ``condition`` is set once it has ended, and ``ended_at`` is then the timestamp of its records.
    """

    function_name: str
    qualifier: str | None
    invocation: Invocation
    accepted_at: float
    due_at: float
    attempts: int = 0
    put_backs: int = 0
    response: Response | None = None
    condition: str | None = None
    ended_at: str = ""

    @property
    def request_id(self) -> str:
        """The id that its caller was answered with; every attempt has the same."""
        return self.invocation.request_id


def executed(event: QueuedEvent, response: Response, config: EventInvokeConfig, now: float) -> QueuedEvent:
    """It ran: it has succeeded, is to be tried again, or has failed for good."""
    event = attrs.evolve(event, attempts=event.attempts + 1, put_backs=0, response=response)
    if not response.failed:
        return ended(event, SUCCESS)
    if event.attempts > min(config.maximum_retry_attempts, len(RETRY_DELAYS)):
        return ended(event, RETRIES_EXHAUSTED)
    return _later(event, RETRY_DELAYS[event.attempts - 1], config, now)


def put_back(event: QueuedEvent, config: EventInvokeConfig, now: float) -> QueuedEvent:
    """It was not let in: it is tried again until it is too old, and that is no retry."""
    delay = min(2.0 ** min(event.put_backs, _MOST_DOUBLINGS), _LONGEST_PUT_BACK)
    return _later(attrs.evolve(event, put_backs=event.put_backs + 1), delay, config, now)


def _later(event: QueuedEvent, delay: float, config: EventInvokeConfig, now: float) -> QueuedEvent:
    """Due after the delay; an Event that would then be too old has ended (as records of AWS show it)."""
    if now + delay - event.accepted_at > config.maximum_event_age:
        return ended(event, EVENT_AGE_EXCEEDED)
    return attrs.evolve(event, due_at=now + delay)


def ended(event: QueuedEvent, condition: str) -> QueuedEvent:
    """It is over, for this reason."""
    seconds = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return attrs.evolve(event, condition=condition, ended_at=f"{stamp}.{int(seconds % 1 * 1000):03d}Z")
