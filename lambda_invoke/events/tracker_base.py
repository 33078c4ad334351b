"""What the trackers of the blocking and of the asyncio client have in common."""

from __future__ import annotations

import datetime as dt
import math
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lambda_invoke.core.codec import check_response_type
from lambda_invoke.errors import EventOutcomeUnknownError, Executed, LambdaInvokeError, RequestError
from lambda_invoke.events.handle import H, Handle, Link, handle_of
from lambda_invoke.events.open_trackers import add_tracker, remove_tracker
from lambda_invoke.events.outcome import EventOutcome
from lambda_invoke.events.queue import MAX_VISIBILITY_SECONDS, Queue, checked_queue_url, is_fifo, queue_name
from lambda_invoke.events.records import read_record
from lambda_invoke.events.tracker_poller import Poller
from lambda_invoke.results import Accepted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lambda_invoke.base import ClientBase
    from lambda_invoke.events.queue import QueueMessage
    from lambda_invoke.events.tracker_poller import Entry, Waiter

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
        check_response_type(response)
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
        _check_kind(accepted, Accepted, "what invoke_event or fn.event gave")
        request_id = accepted.request_id
        if request_id is None:
            raise RequestError(
                "the service gave this Event no request id, by which its record could be known",
                function=accepted.function,
            )
        check_response_type(response)
        if isinstance(accepted, kind) and response is None:
            handle = accepted
        elif isinstance(accepted, Handle):
            handle = handle_of(kind, accepted, accepted.link.copy(response), accepted.accepted_at)
        else:
            link = Link(self._response if response is None else response, *self._reading)
            handle = handle_of(kind, accepted, link, dt.datetime.now(dt.UTC))
        self._link(handle, request_id)
        return handle

    def _found(self, kind: type[H], request_id: str, function: str | None, response: Any) -> H:
        named: object = request_id  # which need not be what the annotation says
        if not isinstance(named, str) or not named:
            raise RequestError(f"a request id is text, not {type(named).__name__} or empty")
        check_response_type(response)
        link = Link(response if response is not None else self._response, *self._reading)
        handle = kind(function=function or "", request_id=request_id, link=link)
        self._link(handle, request_id)
        return handle

    def _link(self, handle: Handle[Any], request_id: str) -> None:
        if not handle.done():
            handle.link.entry = self._poller.entry(request_id)
        handle.link.tracker = self

    def _entries(self, kind: type[H], handles: Iterable[H]) -> dict[str, list[H]]:
        """The handles by request id, each tracked."""
        found: dict[str, list[H]] = {}
        for handle in handles:
            _check_kind(handle, kind, "a handle of this client's, as track gives")
            if handle.link.tracker is not self:
                self._tracked(kind, handle, None)
            assert handle.request_id is not None
            found.setdefault(handle.request_id, []).append(handle)
        return found

    def _take(self, waiter: Waiter, left: dict[str, list[H]]) -> Entry | None:
        try:
            entry = self._poller.take(waiter)
        except LambdaInvokeError as error:
            # Of whom it is raised for: the Event was accepted, and whether it ran is not known here.
            error.executed = Executed.UNKNOWN
            if len(left) == 1:
                ((handle, *_others),) = left.values()
                error.function, error.request_id = handle.function or None, handle.request_id
            raise
        for handle in () if entry is None else left[entry.request_id]:
            if not handle.done():  # given to another tracker since
                handle.link.entry = entry
        return entry

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


def checked_timeout(timeout: float | None) -> float | None:
    """A timeout in seconds; None for ever, which is longer than threads can be told to wait too.

    Raises:
        RequestError: it is no number of seconds.
    """
    seconds: object = timeout  # which need not be what the annotation says
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or math.isnan(seconds):
        raise RequestError(f"timeout is a number of seconds, or None, not {timeout!r}")
    return None if seconds > threading.TIMEOUT_MAX else seconds


def _check_kind(given: object, kind: type, wanted: str) -> None:
    if not isinstance(given, kind):
        raise RequestError(f"{wanted}, is wanted, not {type(given).__name__}")


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
