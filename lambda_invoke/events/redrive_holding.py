"""The messages that a redrive has received: hidden from others as long as it has them, given back after."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import functools
import time
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lambda_invoke.events.queue import MAX_BATCH, MAX_VISIBILITY_SECONDS
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
_AT_ONCE = 20 * MAX_BATCH
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""The loop's clock stands still on Linux while the machine sleeps."""

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

    ``received`` is when it was asked for, ``until`` when it becomes visible to others, both on the clock
    of :func:`_now`; ``lapsed`` is that it did, ``is_leaving`` that it is being deleted. ``state`` and
    ``about`` are what the report says of it.
    """

    message: QueueMessage
    received: float
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

    For one event loop; SQS is called in threads.
    """

    def __init__(self, queue: Queue, visibility_timeout: int) -> None:
        self.queue = queue
        self.held: dict[str, Held] = {}
        self.lapses = 0
        self._visibility = visibility_timeout
        self._beating: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def receive(self, most: int = MAX_BATCH) -> tuple[list[Held], bool]:
        """Messages that are not held yet, and whether any came at all.

        One that is held comes again when it lapsed: its new receipt handle takes the old one's place.

        Raises:
            QueueError: the queue cannot be read.
        """
        asked = _now()  # SQS hides them from some moment after; how long the reply took is not known
        came = await threaded(
            functools.partial(
                self.queue.receive, wait=POLL_SECONDS, visibility_timeout=self._visibility, most=most
            )
        )
        return self._take(came, asked), bool(came)

    def _take(self, came: Iterable[QueueMessage], asked: float) -> list[Held]:
        until = asked + self._visibility
        fresh = []
        for message in {one.message_id: one for one in came}.values():
            held = self.held.get(message.message_id)
            if held is None:
                held = self.held[message.message_id] = Held(message, asked, until)
                fresh.append(held)
            else:
                self._lapse(held)
                held.message = attrs.evolve(message, raw=_NOTHING)
                held.received, held.until, held.lapsed = asked, until, False
        return fresh

    def is_hidden(self, held: Held) -> bool:
        """Whether nobody else can have been given the message."""
        if not held.lapsed and held.until <= _now():
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
        self._ending.set()
        await asyncio.wait([self._beating])  # an extension under way would hide again what is released
        await self._release()

    async def _release(self) -> None:
        """Make what is left visible; of what fails the time runs out by itself."""
        left = [held.message for held in self.held.values() if not held.lapsed]
        for start in range(0, len(left), _AT_ONCE):
            some = left[start : start + _AT_ONCE]
            try:
                await threaded(functools.partial(self.queue.change_visibility, some, 0))
            except Exception:  # noqa: BLE001 - whatever the client raises: the run has its outcome
                return

    async def _beat(self) -> None:
        """Hide what is held for longer, each third of the time for which it is hidden."""
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._visibility / 3)
                return
            await self.extend()

    async def extend(self) -> None:
        """Hide what is held for longer, once; what SQS refuses has lapsed."""
        held = [one for one in self.held.values() if self.is_hidden(one)]
        held.sort(key=lambda one: one.state is not State.IN_WORK)  # a long list takes its time
        for start in range(0, len(held), _AT_ONCE):
            if self._ending.is_set():
                return
            # Looked at again: the earlier ones took their time, in which some were deleted.
            some = [one for one in held[start : start + _AT_ONCE] if self._has(one)]
            await self._extend_some(some)

    def _longer(self, held: Held, now: float) -> int:
        """For how many seconds from now SQS would hide it; 0: no longer than it does already."""
        most = int(held.received + MAX_VISIBILITY_SECONDS - now)  # beyond, SQS refuses
        seconds = min(self._visibility, most)
        return seconds if now + seconds > held.until else 0

    async def _extend_some(self, some: Sequence[Held]) -> None:
        begun = _now()
        longer = [(one, one.message, seconds) for one in some if (seconds := self._longer(one, begun))]
        wanted = [(message, seconds) for _, message, seconds in longer]
        try:
            failed = await threaded(functools.partial(self.queue.change_visibilities, wanted))
        except Exception:  # noqa: BLE001 - tried again at the next beat; who is visible by then has lapsed
            return
        refused = {one.message.receipt_handle for one in failed}
        for one, message, seconds in longer:
            if message.receipt_handle not in refused:
                one.until = begun + seconds
            elif self._has(one) and one.message.receipt_handle == message.receipt_handle:
                self._lapse(one)

    def _has(self, held: Held) -> bool:
        return held.message.message_id in self.held and not held.is_leaving

    def _lapse(self, held: Held) -> None:
        self.lapses += not held.lapsed
        held.lapsed = True


def _now() -> float:
    """Seconds on a clock that goes on while the machine sleeps, as SQS's does."""
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()


async def threaded(function: Callable[[], T]) -> T:
    """Run what blocks, in a thread of the library's."""
    return await in_thread(_THREADS, function)
