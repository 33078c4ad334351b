"""Rates over time in constant memory."""

from __future__ import annotations

from typing import ClassVar

import attrs

_Counts = list[int]


@attrs.frozen
class TimelineBucket:
    """A stretch of a fan-out: what came in it.

    ``start`` is seconds from the start of the job, ``seconds`` the length of the stretch. ``done``
    counts outcomes, those that ``failed`` included, ``throttled`` the attempts that were throttled.
    """

    start: float
    seconds: float
    done: int
    failed: int
    throttled: int

    @property
    def rate(self) -> float:
        """Outcomes per second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0


def _zeros() -> _Counts:
    return [0] * Timeline.LIMIT


@attrs.define
class Timeline:
    """Counts by time, in at most ``LIMIT`` buckets.

    They are a second wide; when they do not suffice, neighbours are merged and the width doubles.
    """

    LIMIT: ClassVar[int] = 120

    width: int = 1
    done: _Counts = attrs.field(factory=_zeros, repr=False)
    failed: _Counts = attrs.field(factory=_zeros, repr=False)
    throttled: _Counts = attrs.field(factory=_zeros, repr=False)

    def add(self, at: float, failed: bool) -> None:
        """Count an outcome that came at so many seconds from the start."""
        bucket = self.reach(at)
        self.done[bucket] += 1
        if failed:
            self.failed[bucket] += 1

    def add_throttle(self, at: float) -> None:
        """Count an attempt that was throttled at so many seconds from the start."""
        self.throttled[self.reach(at)] += 1

    def buckets(self, end: float) -> tuple[TimelineBucket, ...]:
        """The buckets of a job that lasted so many seconds, silent ones included; none if none came."""
        if not any(self.done):
            return ()
        whole = self.copy()
        whole.reach(end)
        width = float(whole.width)
        counts = zip(whole.done, whole.failed, whole.throttled, strict=True)
        return tuple(
            TimelineBucket(index * width, max(min(width, end - index * width), 0.0), *counted)
            for index, counted in enumerate(counts)
            if index * width < end or any(counted)
        )

    def reach(self, at: float) -> int:
        """The bucket of a time, after widening them all until they hold it."""
        while at >= self.width * self.LIMIT:
            self.width *= 2
            for counts in (self.done, self.failed, self.throttled):
                merged = [one + other for one, other in zip(counts[::2], counts[1::2], strict=True)]
                counts[:] = merged + [0] * (self.LIMIT // 2)
        return int(max(at, 0.0) / self.width)

    def copy(self) -> Timeline:
        """One that counts on by itself."""
        return Timeline(self.width, self.done.copy(), self.failed.copy(), self.throttled.copy())
