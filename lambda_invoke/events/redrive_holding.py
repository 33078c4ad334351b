"""The messages that a redrive has received: hidden from others as long as it has them, given back after."""

from __future__ import annotations

import asyncio
import enum
import functools
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lambda_invoke.errors import LambdaInvokeError
from lambda_invoke.events.queue import MAX_BATCH
from lambda_invoke.transports.threads import DaemonThreads, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from lambda_invoke.events.queue import Queue, QueueMessage
    from lambda_invoke.events.redrive_report import RedrivenMessage

T = TypeVar("T")

MOST_HELD = 100_000
"""Messages at once. SQS gives no more while 120,000 of a queue are in flight (AWS quota, 2026-11)."""
POLL_SECONDS = 1
"""Of a receive: any wait makes SQS ask all of its servers, not some."""
_RELEASE_AT_ONCE = 20 * MAX_BATCH

_THREADS = DaemonThreads(16)
_NOTHING: Mapping[str, Any] = {}


class State(enum.Enum):
    """Where a message that is held stands."""

    IN_WORK = enum.auto()
    SKIPPED = enum.auto()
    FAILED = enum.auto()
    MAY_HAVE_RUN = enum.auto()
    DONE = enum.auto()


@attrs.define(eq=False)
class Held:
    """One message that this run has; its body is not kept.

    ``until`` is when it becomes visible to others, on the loop's clock; ``lapsed`` that it did;
    ``is_leaving`` that it is being deleted. ``state`` and ``about`` are what the report says of it.
    """

    message: QueueMessage
    until: float
    state: State = State.IN_WORK
    about: RedrivenMessage | None = None
    lapsed: bool = False
    is_leaving: bool = False

    def forget_body(self) -> None:
        """Keep of the message what SQS wants to be told, and no more."""
        self.message = attrs.evolve(self.message, raw=_NOTHING)


class Holding:
    """Receives messages, keeps them hidden while it is entered, and makes them visible again at its end.

    For one event loop, whose clock it uses; SQS is called in threads.
    """

    def __init__(self, queue: Queue, visibility_timeout: int) -> None:
        self.queue = queue
        self.held: dict[str, Held] = {}
        self.lapses = 0
        self._visibility = visibility_timeout
        self._beating: asyncio.Task[None] | None = None

    async def receive(self, most: int = MAX_BATCH) -> tuple[list[Held], bool]:
        """Messages that are not held yet, and whether any came at all.

        One that is held comes again when it lapsed: its new receipt handle takes the old one's place.

        Raises:
            QueueError: the queue cannot be read.
        """
        came = await threaded(
            functools.partial(
                self.queue.receive, wait=POLL_SECONDS, visibility_timeout=self._visibility, most=most
            )
        )
        return self._take(came), bool(came)

    def _take(self, came: Iterable[QueueMessage]) -> list[Held]:
        until = self._now() + self._visibility
        fresh = []
        for message in {one.message_id: one for one in came}.values():
            held = self.held.get(message.message_id)
            if held is None:
                held = self.held[message.message_id] = Held(message, until)
                fresh.append(held)
            else:
                self._lapse(held)
                held.message, held.until, held.lapsed = attrs.evolve(message, raw=_NOTHING), until, False
        return fresh

    def is_hidden(self, held: Held) -> bool:
        """Whether nobody else can have been given the message."""
        if not held.lapsed and held.until <= self._now():
            self._lapse(held)
        return not held.lapsed

    async def delete(self, some: Sequence[Held]) -> list[Held]:
        """Delete messages; those that could not be are returned, and stay held.

        Raises:
            QueueError: the queue cannot be changed; all of them stay held, though some may be gone.
        """
        for held in some:
            held.is_leaving = True
        messages = [held.message for held in some]
        try:
            failed = await threaded(functools.partial(self.queue.delete, messages))
        finally:
            for held in some:
                held.is_leaving = False
        refused = {one.message.message_id for one in failed}
        for held in some:
            if held.message.message_id not in refused:
                self.held.pop(held.message.message_id, None)
        return [held for held in some if held.message.message_id in refused]

    async def __aenter__(self) -> Self:
        self._beating = asyncio.ensure_future(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._beating is not None
        self._beating.cancel()
        await self._release()

    async def _release(self) -> None:
        """Make what is left visible; of what fails the time runs out by itself."""
        left = [held.message for held in self.held.values() if not held.lapsed]
        for start in range(0, len(left), _RELEASE_AT_ONCE):
            some = left[start : start + _RELEASE_AT_ONCE]
            try:
                await threaded(functools.partial(self.queue.change_visibility, some, 0))
            except LambdaInvokeError:
                return

    async def _beat(self) -> None:
        """Hide what is held for longer, each third of the time for which it is hidden."""
        while True:
            await asyncio.sleep(self._visibility / 3)
            await self._extend()

    async def _extend(self) -> None:
        held = [one for one in self.held.values() if self.is_hidden(one)]
        for start in range(0, len(held), _RELEASE_AT_ONCE):
            # Looked at again: the earlier ones took their time, in which some were deleted.
            some = [one for one in held[start : start + _RELEASE_AT_ONCE] if self._has(one)]
            messages, begun = [one.message for one in some], self._now()
            change = functools.partial(self.queue.change_visibility, messages, self._visibility)
            try:
                failed = await threaded(change)
            except LambdaInvokeError:
                continue  # tried again at the next beat; who is hidden no longer by then has lapsed
            refused = {one.message.receipt_handle for one in failed}
            for one in some:
                if one.message.receipt_handle not in refused:
                    one.until = begun + self._visibility
                elif self._has(one):
                    self._lapse(one)

    def _has(self, held: Held) -> bool:
        return held.message.message_id in self.held and not held.is_leaving

    def _lapse(self, held: Held) -> None:
        self.lapses += not held.lapsed
        held.lapsed = True

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def threaded(function: Callable[[], T]) -> T:
    """Run what blocks, in a thread of the library's."""
    return await in_thread(_THREADS, function)
