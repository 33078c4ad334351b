"""A clock on which nothing takes real time."""

from __future__ import annotations

import asyncio
import threading
import weakref
from contextvars import ContextVar

import attrs

from lambda_invoke.transports.drive import Clock

_Places = tuple[tuple["weakref.ref[_Timeline]", float], ...]

# Where this thread or task stands on each timeline. A task begins where the one stood that started it.
_PLACES: ContextVar[_Places] = ContextVar("lambda_invoke_testing_places", default=())

HALF = 0.5
"""The one random number of a virtual clock: every backoff is half of what it may be at most."""


class _Timeline:
    """Time that threads and tasks walk along independently, each by what it waits for itself.

    Were there one time for all, what one call waits for would use up the deadlines of the others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._self = weakref.ref(self)
        self.furthest = 0.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        for timeline, place in _PLACES.get():
            if timeline is self._self:
                return place
        place = self.furthest  # a thread's first look
        self.move(place)
        return place

    def move(self, place: float) -> None:
        others = (entry for entry in _PLACES.get() if entry[0] is not self._self and entry[0]() is not None)
        _PLACES.set(((self._self, place), *others))
        with self._lock:
            self.furthest = max(self.furthest, place)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.sleeps.append(seconds)
        self.move(self.now() + max(0.0, seconds))

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)  # the others have their turn, as in any sleep


@attrs.frozen(init=False, eq=False, repr=False)
class VirtualClock(Clock):
    """A :class:`~lambda_invoke.Clock` that begins at 0 and takes no real time.

    Every thread and every task has its own line of time: it moves by what that thread or task waits
    for, and a new task begins where the one stood that started it. So calls that run at the same
    time do not use up each other's deadlines, and what is measured does not depend on the machine.
    ``random()`` is always 0.5.
    """

    _timeline: _Timeline = attrs.field(default=None)

    def __init__(self) -> None:
        timeline = _Timeline()
        self.__attrs_init__(timeline.now, timeline.sleep, lambda: HALF, timeline.async_sleep, timeline)

    @property
    def elapsed(self) -> float:
        """How far the furthest thread or task has come, in seconds; functions that outlast callers too."""
        return self._timeline.furthest

    @property
    def sleeps(self) -> list[float]:
        """What the clients waited for between attempts, and items of a job for their turn, in seconds."""
        return list(self._timeline.sleeps)

    def advance(self, seconds: float) -> None:
        """Let time pass for this thread or task: in a handler, that is how long it takes.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds!r}")
        self._timeline.move(self.now() + seconds)

    def set(self, time: float) -> None:
        """Put this thread or task at a time, which may be an earlier one."""
        self._timeline.move(time)

    def __repr__(self) -> str:
        return f"<VirtualClock: {self.elapsed:g} s, {len(self._timeline.sleeps)} sleeps>"
