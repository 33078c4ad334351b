"""The tracker of the asyncio client: handles in, outcomes out, awaited."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from lambda_invoke.errors import EventOutcomeUnknownError
from lambda_invoke.events.handle import AsyncEventHandle
from lambda_invoke.events.tracker_base import Tracker, checked_timeout, handles_of, parted, told
from lambda_invoke.events.tracker_check import OutcomeRoute, check_route
from lambda_invoke.transports.threads import CONTROL_PLANE, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from types import TracebackType
    from typing import Self

    from typing_extensions import TypeForm

    from lambda_invoke.events.outcome import EventOutcome
    from lambda_invoke.events.tracker_poller import Entry
    from lambda_invoke.results import Accepted

T = TypeVar("T")
U = TypeVar("U")


class AsyncOutcomeTracker(Tracker[T]):
    """The tracker of the asyncio client, made by :meth:`AsyncLambdaClient.outcomes`: its waits are awaited.

    boto3 asks the queue, in a thread of the tracker's own. Works with and without ``async with``.
    """

    @overload
    def track(self, event: AsyncEventHandle[U]) -> AsyncEventHandle[U]: ...
    @overload
    def track(self, event: Accepted, *, response: TypeForm[U]) -> AsyncEventHandle[U]: ...
    @overload
    def track(self, event: Accepted) -> AsyncEventHandle[T]: ...
    def track(self, event: Accepted, *, response: Any = None) -> AsyncEventHandle[Any]:
        """Have this tracker resolve an Event; as :meth:`OutcomeTracker.track`. Not awaited."""
        return self._tracked(AsyncEventHandle, event, response)

    @overload
    def handle(self, request_id: str, *, function: str | None = None) -> AsyncEventHandle[T]: ...
    @overload
    def handle(
        self, request_id: str, *, function: str | None = None, response: TypeForm[U]
    ) -> AsyncEventHandle[U]: ...
    def handle(
        self, request_id: str, *, function: str | None = None, response: Any = None
    ) -> AsyncEventHandle[Any]:
        """The handle of an Event by its request id; as :meth:`OutcomeTracker.handle`. Not awaited."""
        return self._found(AsyncEventHandle, request_id, function, response)

    async def as_completed(
        self, handles: Iterable[AsyncEventHandle[U]], timeout: float | None = None
    ) -> AsyncIterator[AsyncEventHandle[U]]:
        """The handles as their outcomes come; as :meth:`OutcomeTracker.as_completed`."""
        timeout = checked_timeout(timeout)
        left = self._entries(AsyncEventHandle, handles)
        flag = asyncio.Event()
        wake = _waking(flag)
        began = self._poller.now()
        entries = (handles[0].link.entry for handles in left.values())
        with self._poller.waiting(cast("Iterable[Entry]", entries), timeout, wake, flag.clear) as waiter:
            while waiter.left:
                while (entry := self._take(waiter, left)) is None:
                    remaining = None if timeout is None else waiter.until - self._poller.now()
                    if remaining is not None and remaining <= 0:
                        raise self._missing(handles_of(left), self._poller.now() - began)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(flag.wait(), remaining)
                for handle in left.pop(entry.request_id):
                    yield handle

    async def wait(
        self, handles: Iterable[AsyncEventHandle[U]], timeout: float | None = None
    ) -> tuple[list[AsyncEventHandle[U]], list[AsyncEventHandle[U]]]:
        """Wait until all outcomes are here, or ``timeout`` seconds; as :meth:`OutcomeTracker.wait`."""
        asked = list(handles)
        with contextlib.suppress(EventOutcomeUnknownError):
            async for _handle in self.as_completed(asked, timeout):
                pass
        return parted(asked)

    async def outcome_of(self, handle: AsyncEventHandle[U], timeout: float | None = None) -> EventOutcome[U]:
        """Wait for one outcome; as :meth:`EventHandle.outcome`."""
        async for _handle in self.as_completed([handle], timeout):
            pass
        return told(handle)

    async def check(self, function: str, *, qualifier: str | None = None) -> OutcomeRoute:
        """Whether a function sends both outcomes here; as :meth:`OutcomeTracker.check`."""
        return await in_thread(
            CONTROL_PLANE, lambda: check_route(self._sender.control(), self._queue(), function, qualifier)
        )

    async def aclose(self) -> None:
        """Ask no more; as :meth:`OutcomeTracker.close`."""
        await in_thread(CONTROL_PLANE, self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _waking(flag: asyncio.Event) -> Callable[[], None]:
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
            loop.call_soon_threadsafe(flag.set)

    return wake
