"""What an accepted Event leaves in the caller's hand: an Accepted that can be asked for the outcome."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.events.open_trackers import tracker_of
from lambda_invoke.results import Accepted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.base import ClientBase
    from lambda_invoke.core.calls import Options
    from lambda_invoke.errors import FunctionError
    from lambda_invoke.events.aio_tracker import AsyncOutcomeTracker
    from lambda_invoke.events.outcome import EventOutcome
    from lambda_invoke.events.tracker import OutcomeTracker
    from lambda_invoke.events.tracker_poller import Entry
    from lambda_invoke.transports.sender import Sender

T_co = TypeVar("T_co", covariant=True)
H = TypeVar("H", bound="Handle[Any]")


@attrs.define(eq=False)
class Link:
    """What leads from a handle to its outcome: how to read it, and who brings it."""

    response: Any = None
    error_types: Mapping[str, type[FunctionError]] | None = None
    redact: bool = False
    sender: Sender | None = None
    tracker: Any = None
    entry: Entry | None = None
    outcome: EventOutcome[Any] | None = None

    def copy(self, response: Any = None) -> Link:
        """How to read it, of another type if one is given, without who brings it."""
        kind = self.response if response is None else response
        return Link(kind, self.error_types, self.redact)

    def told(self, function: str) -> EventOutcome[Any] | None:
        """The outcome, if its record has come; ``function`` is as the caller named it."""
        if self.outcome is None and self.entry is not None and self.entry.record is not None:
            self.outcome = self._read(self.entry.record, function)
        return self.outcome

    def _read(self, record: Any, function: str) -> EventOutcome[Any]:
        from lambda_invoke.events.outcome import EventOutcome
        from lambda_invoke.events.records import read_record

        outcome = read_record(
            record, response=self.response, error_types=self.error_types, redact=self.redact
        )
        assert isinstance(outcome, EventOutcome)
        if not function:
            return outcome
        # The record has the ARN of what ran; who called it has a name for it, as in any other error.
        if outcome.error is not None:
            outcome.error.function = function
            return outcome
        assert outcome.invocation is not None
        return attrs.evolve(outcome, invocation=attrs.evolve(outcome.invocation, function=function))


@attrs.frozen(repr=False)
class Handle(Accepted, Generic[T_co]):
    """An accepted Event whose outcome can be asked for, once a tracker knows of it.

    That is the tracker which was open on the client when the Event was sent, if there was exactly one,
    the only open one when the handle is first asked, or the one whose ``track`` was given the handle.
    ``accepted_at`` is when it was accepted, at the latest, or None. Pickles as an Accepted with its
    type: give it to the ``track`` of a tracker in another process.
    """

    accepted_at: dt.datetime | None = attrs.field(default=None, eq=False, kw_only=True)
    link: Link = attrs.field(factory=Link, eq=False, kw_only=True)

    def told(self) -> EventOutcome[T_co] | None:
        """The outcome, if it is here."""
        return self.link.told(self.function)

    def done(self) -> bool:
        """Whether the outcome is here. It does not look: only who waits has the queue asked."""
        return self.told() is not None

    def _asked(self) -> Any:
        """The tracker that brings the outcome.

        Raises:
            RequestError: there is none, or more than one.
        """
        link = self.link
        if link.tracker is None:
            tracker = None if link.sender is None else tracker_of(link.sender)
            if tracker is None:
                raise RequestError(
                    "no tracker knows of this Event: open one, client.outcomes(queue_url), and if there are "
                    "several, say which: tracker.track(handle)",
                    function=self.function or None,
                    request_id=self.request_id,
                    executed=self.executed,
                )
            tracker.track(self)
        return link.tracker

    def __repr__(self) -> str:
        outcome = self.told()
        if outcome is None:
            state = "untracked" if self.link.tracker is None else "no record yet"
        else:
            state = "succeeded" if outcome.error is None else type(outcome.error).__name__
        return f"<{type(self).__name__} {self.function or 'function unknown'} {self.request_id}: {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        values = attrs.asdict(self, recurse=False) | {"link": self.link.copy()}
        return _revived, (type(self), values)


class EventHandle(Handle[T_co]):
    """What ``fn.event(x)`` of the blocking client gives: an :class:`Accepted` with a ``result``."""

    __slots__ = ()

    def outcome(self, timeout: float | None = None) -> EventOutcome[T_co]:
        """Wait for what became of the Event, success or failure.

        Args:
            timeout: seconds; default for ever. With Lambda's defaults a failing Event is tried three
                times over about three minutes, and a throttled one for up to six hours.

        Raises:
            EventOutcomeUnknownError: no record came in time; ask again, it may come later.
            QueueError: the queue cannot be read; ask again once it can.
            RequestError: no tracker knows of the Event, or it is closed.
        """
        outcome = self.told()
        if outcome is None:
            tracker: OutcomeTracker[Any] = self._asked()
            outcome = tracker.outcome_of(self, timeout)
        return outcome

    def result(self, timeout: float | None = None) -> T_co:
        """Wait for the function's result.

        Raises:
            FunctionError: it failed; the same classes as of a synchronous call.
            LambdaInvokeError: it never ran (too old, throttled for good), or as :meth:`outcome`.
        """
        return self.outcome(timeout).value


class AsyncEventHandle(Handle[T_co]):
    """The handle of the asyncio client: ``outcome`` and ``result`` are awaited."""

    __slots__ = ()

    async def outcome(self, timeout: float | None = None) -> EventOutcome[T_co]:
        """Wait for what became of the Event; as :meth:`EventHandle.outcome`."""
        outcome = self.told()
        if outcome is None:
            tracker: AsyncOutcomeTracker[Any] = self._asked()
            outcome = await tracker.outcome_of(self, timeout)
        return outcome

    async def result(self, timeout: float | None = None) -> T_co:
        """Wait for the function's result; as :meth:`EventHandle.result`."""
        return (await self.outcome(timeout)).value


def handle_of(kind: type[H], accepted: Accepted, link: Link, accepted_at: dt.datetime | None) -> H:
    """A handle with what an Accepted says."""
    said = {field.name: getattr(accepted, field.name) for field in attrs.fields(Accepted)}
    return kind(**said, accepted_at=accepted_at, link=link)


def sent_handle(kind: type[H], accepted: Accepted, client: ClientBase, options: Options) -> H:
    """The handle of an Event that was sent just now; the client's tracker knows of it, if it has one."""
    caller, sender = client._caller, client._sender  # noqa: SLF001 - part of the client
    error_types = caller.error_types if options.error_types is None else options.error_types
    link = Link(options.response, error_types, caller.redact_remote, sender)
    handle = handle_of(kind, accepted, link, dt.datetime.now(dt.UTC))
    tracker = tracker_of(sender)
    if tracker is not None and handle.request_id is not None:
        tracker.track(handle)
    return handle


def _revived(kind: type[H], values: dict[str, Any]) -> H:
    return kind(**values)
