"""What the trackers of the blocking and of the asyncio client have in common."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lambda_invoke.errors import EventOutcomeUnknownError, Executed, LambdaInvokeError, RequestError
from lambda_invoke.events.handle import H, Handle, Link, handle_of
from lambda_invoke.events.open_trackers import add_tracker, remove_tracker
from lambda_invoke.events.outcome import EventOutcome
from lambda_invoke.events.queue import MAX_VISIBILITY_SECONDS, Queue, checked_queue_url, is_fifo, queue_name
from lambda_invoke.events.records import read_record
from lambda_invoke.events.tracker_poller import Poller

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lambda_invoke.base import ClientBase
    from lambda_invoke.events.queue import QueueMessage
    from lambda_invoke.events.tracker_poller import Entry, Waiter
    from lambda_invoke.results import Accepted

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_VISIBILITY_TIMEOUT = 30
"""Seconds after which records that a killed process had received come again for others."""


class Tracker(Generic[T]):
    """What both trackers are made of: whose queue, which handles, one poller."""

    def __init__(
        self,
        client: ClientBase,
        queue_url: str,
        *,
        response: Any = None,
        keep: bool = False,
        visibility_timeout: int = DEFAULT_VISIBILITY_TIMEOUT,
    ) -> None:
        self.queue_url = checked_queue_url(queue_url)
        if is_fifo(queue_url):
            # Source: "Capturing records of Lambda asynchronous invocations", developer guide, 2026-11.
            raise RequestError(
                f"{queue_name(queue_url)} is a FIFO queue, to which Lambda sends no outcomes of Events: "
                "a destination or dead-letter queue of theirs is a standard queue"
            )
        seconds: object = visibility_timeout  # which need not be what the annotation says
        whole = isinstance(seconds, int) and seconds is not True
        if not whole or not 1 <= visibility_timeout <= MAX_VISIBILITY_SECONDS:
            raise RequestError(
                f"visibility_timeout is an int from 1 to {MAX_VISIBILITY_SECONDS} seconds, "
                f"not {visibility_timeout!r}"
            )
        self._sender = client._sender  # noqa: SLF001 - part of the client
        caller = client._caller  # noqa: SLF001
        self._reading = (caller.error_types, caller.redact_remote)
        self._response = response
        self._poller = Poller(self._queue, _request_id_of, visibility_timeout=visibility_timeout, keep=keep)
        add_tracker(self._sender, self)

    def _queue(self) -> Queue:
        return Queue(self._sender.service("sqs"), self.queue_url)

    def _tracked(self, kind: type[H], accepted: Accepted, response: Any) -> H:
        request_id = accepted.request_id
        if request_id is None:
            raise RequestError(
                "the service gave this Event no request id, by which its record could be known",
                function=accepted.function,
            )
        if isinstance(accepted, kind):
            handle = accepted
        else:
            if response is None:
                response = accepted.link.response if isinstance(accepted, Handle) else self._response
            link = Link(response, *self._reading)
            handle = handle_of(kind, accepted, link, dt.datetime.now(dt.UTC))
        self._link(handle, request_id)
        return handle

    def _found(self, kind: type[H], request_id: str, function: str | None, response: Any) -> H:
        link = Link(response if response is not None else self._response, *self._reading)
        handle = kind(function=function or "", request_id=request_id, link=link)
        self._link(handle, request_id)
        return handle

    def _link(self, handle: Handle[Any], request_id: str) -> None:
        if not handle.done():
            handle.link.entry = self._poller.entry(request_id)
        handle.link.tracker = self

    def _entries(self, handles: Iterable[H]) -> dict[str, list[H]]:
        """The handles by request id, each tracked."""
        found: dict[str, list[H]] = {}
        for handle in handles:
            if handle.link.tracker is not self:
                self._tracked(type(handle), handle, None)
            assert handle.request_id is not None
            found.setdefault(handle.request_id, []).append(handle)
        return found

    def _take(self, waiter: Waiter, left: dict[str, list[H]]) -> Entry | None:
        try:
            return self._poller.take(waiter)
        except LambdaInvokeError as error:
            # Of whom it is raised for: the Event was accepted, and whether it ran is not known here.
            error.executed = Executed.UNKNOWN
            if len(left) == 1:
                ((handle, *_others),) = left.values()
                error.function, error.request_id = handle.function or None, handle.request_id
            raise

    def _missing(self, handles: Iterable[Handle[Any]], waited: float) -> EventOutcomeUnknownError:
        missing = list(handles)
        first = missing[0]
        single = len({handle.request_id for handle in missing}) == 1
        what = "the Event" if single else f"{len(missing)} Events"
        text = f"no record of {what} came within {waited:.3g} s on the queue {queue_name(self.queue_url)}"
        if single and first.accepted_at is not None:
            text += f"; accepted {first.accepted_at.isoformat(timespec='seconds')}"
        if not self._poller.resolved and not self._poller.foreign:
            text += "; nothing at all came there: does the function send both outcomes to it? (tracker.check)"
        return EventOutcomeUnknownError(
            text,
            function=first.function or None if single else None,
            request_id=first.request_id if single else None,
            request_ids=dict.fromkeys(str(handle.request_id) for handle in missing),
            accepted_at=first.accepted_at if single else None,
            waited=waited,
            queue_url=self.queue_url,
        )

    def _close(self) -> None:
        remove_tracker(self._sender, self)
        self._poller.close()

    def __repr__(self) -> str:
        poller = self._poller
        state = "closed" if poller.closed else "polling" if poller.polling else "idle"
        return (
            f"<{type(self).__name__} {queue_name(self.queue_url)}: {poller.waited_for} waited for, "
            f"{poller.resolved} resolved, {state}>"
        )


def _request_id_of(message: QueueMessage) -> str | None:
    """Which Event a message tells of; None: none, or nobody can read it."""
    read = read_record(message.raw)
    return read.request_id if isinstance(read, EventOutcome) else None


def handles_of(left: Mapping[str, Sequence[H]]) -> list[H]:
    """All handles of a mapping by request id."""
    return [handle for handles in left.values() for handle in handles]


def parted(handles: Iterable[H]) -> tuple[list[H], list[H]]:
    """The handles that are done, and those that are not."""
    done: list[H] = []
    missing: list[H] = []
    for handle in handles:
        (done if handle.done() else missing).append(handle)
    return done, missing


def told(handle: Handle[U]) -> EventOutcome[U]:
    """The outcome of a handle that is known to be done."""
    outcome = handle.told()
    assert outcome is not None
    return outcome
