"""The tracker of the blocking client: handles in, outcomes out."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from lambda_invoke.errors import EventOutcomeUnknownError
from lambda_invoke.events.handle import EventHandle
from lambda_invoke.events.tracker_base import Tracker, checked_timeout, handles_of, parted, told
from lambda_invoke.events.tracker_check import OutcomeRoute, check_route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from typing_extensions import TypeForm

    from lambda_invoke.events.outcome import EventOutcome
    from lambda_invoke.events.tracker_poller import Entry
    from lambda_invoke.results import Accepted

T = TypeVar("T")
U = TypeVar("U")


class OutcomeTracker(Tracker[T]):
    """Resolves Events by the records that their functions' destinations put on a queue.

    Made by :meth:`LambdaClient.outcomes`. One thread asks the queue, by long polls and only while somebody
    waits. Records of others stay in the queue, records of ours are deleted once their handle has them.
    Safe to share between threads, and after a fork.
    """

    @overload
    def track(self, event: EventHandle[U]) -> EventHandle[U]: ...
    @overload
    def track(self, event: Accepted, *, response: TypeForm[U]) -> EventHandle[U]: ...
    @overload
    def track(self, event: Accepted) -> EventHandle[T]: ...
    def track(self, event: Accepted, *, response: Any = None) -> EventHandle[Any]:
        """Have this tracker resolve an Event.

        A handle that ``fn.event`` gave is returned itself; an :class:`Accepted`, of ``invoke_event``, has
        its result read as ``response``, default the tracker's.

        Raises:
            RequestError: the service gave it no request id; or its record was handed over before.
        """
        return self._tracked(EventHandle, event, response)

    @overload
    def handle(self, request_id: str, *, function: str | None = None) -> EventHandle[T]: ...
    @overload
    def handle(
        self, request_id: str, *, function: str | None = None, response: TypeForm[U]
    ) -> EventHandle[U]: ...
    def handle(
        self, request_id: str, *, function: str | None = None, response: Any = None
    ) -> EventHandle[Any]:
        """The handle of an Event by its request id, which another process may have sent.

        ``function`` is for messages only; ``response`` as for :meth:`track`.

        Raises:
            RequestError: its record was handed over before, to a handle that is gone.
        """
        return self._found(EventHandle, request_id, function, response)

    def as_completed(
        self, handles: Iterable[EventHandle[U]], timeout: float | None = None
    ) -> Iterator[EventHandle[U]]:
        """The handles as their outcomes come; those that are here already first.

        Raises:
            EventOutcomeUnknownError: some had none ``timeout`` seconds after the first ``next()``.
            QueueError: the queue cannot be read.
            RequestError: the tracker is closed.
        """
        timeout = checked_timeout(timeout)
        left = self._entries(EventHandle, handles)
        flag = threading.Event()
        began = self._poller.now()
        entries = (handles[0].link.entry for handles in left.values())
        with self._poller.waiting(cast("Iterable[Entry]", entries), timeout, flag.set, flag.clear) as waiter:
            while waiter.left:
                while (entry := self._take(waiter, left)) is None:
                    remaining = None if timeout is None else waiter.until - self._poller.now()
                    if remaining is not None and remaining <= 0:
                        raise self._missing(handles_of(left), self._poller.now() - began)
                    flag.wait(remaining)
                yield from left.pop(entry.request_id)

    def wait(
        self, handles: Iterable[EventHandle[U]], timeout: float | None = None
    ) -> tuple[list[EventHandle[U]], list[EventHandle[U]]]:
        """Wait until all outcomes are here, or ``timeout`` seconds: those that are, and those that are not.

        Raises:
            QueueError: the queue cannot be read.
            RequestError: the tracker is closed.
        """
        asked = list(handles)
        with contextlib.suppress(EventOutcomeUnknownError):
            for _handle in self.as_completed(asked, timeout):
                pass
        return parted(asked)

    def outcome_of(self, handle: EventHandle[U], timeout: float | None = None) -> EventOutcome[U]:
        """Wait for one outcome; as :meth:`EventHandle.outcome`."""
        for _handle in self.as_completed([handle], timeout):
            pass
        return told(handle)

    def check(self, function: str, *, qualifier: str | None = None) -> OutcomeRoute:
        """Whether a function sends both outcomes of its Events to this queue, and what is missing if not.

        It reads the function's event invoke configuration (of the qualifier that Events are sent to, for
        each has its own), its dead-letter queue, and the queue's attributes.

        Raises:
            LambdaInvokeError: the function or the queue cannot be read.
        """
        return check_route(self._sender.control(), self._queue(), function, qualifier)

    def close(self) -> None:
        """Ask no more. What is hidden from others is given back; who waits gets a RequestError."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
