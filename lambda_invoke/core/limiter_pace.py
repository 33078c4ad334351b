"""How many calls a second the service takes, as found out, and the ramp at the start of sending.

A :class:`Pace` knows no rate until the service throttles by rate. Then it measures, from the first
throttled call to a later one, how many of the calls that were sent in between were not throttled: that
is the service's own rate, and the pace is set just under it. (Replies in a stretch of time would not
tell: a 429 comes long before the reply of a call that was accepted at the same time.) A clean window
raises it by a fiftieth, and by a step that doubles once many in a row were clean: a service has a
reserve for bursts, so that being a little too fast shows late.
"""

from __future__ import annotations

import math

import attrs

LOWEST_RATE = 1.0
"""Calls a second that are always sent."""
FIRST_RATE = 10.0
"""The lowest rate to search from. Lambda takes 10 a second per unit of concurrency (AWS quota, 2026-11)."""
UNDER = 0.97
"""The rate that is set, as a share of the one that was measured."""
STEP = 0.02
SEARCH_STEP = 1.0
"""The step while no rate was measured yet."""
PATIENT_WINDOWS = 12
"""Clean windows before the step begins to double,"""
LARGEST_STEP = 0.25
"""up to this: a reserve for bursts hides that a rate is too high, and what is sent until it is used up is
refused all at once."""
WINDOW = 0.25
"""Seconds of sending that a window has at least; SEARCH_WINDOW while no rate was measured yet."""
SEARCH_WINDOW = 0.1
SAMPLE = 10
"""Accepted calls that a measurement takes, over at least SAMPLE_SECONDS; after a WINDOW, any FEW do."""
SAMPLE_SECONDS = 0.05
FEW = 5
SLACK = 0.005
"""Seconds of sending that may be caught up on: timers and loops are late by that much."""


@attrs.define(eq=False)
class Pace:
    """The rate in calls a second; None: none is known.

    Calls are told apart by their ``number``, which counts one up with each that is sent, and by when
    they were sent, ``started``. ``newest`` is the number of the last one.
    """

    rate: float | None = None
    next_at: float = -math.inf
    _step: float = SEARCH_STEP
    _clean: int = 0
    # the present window: calls after this one, sent from then on, and whether any was held back
    _after: int = -1
    _since: float = 0.0
    _binding: bool = False
    # the measurement (-1: there is none): its first and last call, and how many after the first were
    # throttled
    _first: int = -1
    _first_started: float = 0.0
    _last: int = -1
    _last_started: float = 0.0
    _refused: int = 0
    # what was accepted while no rate was known: in this second and the one before
    _second: float = -math.inf
    _count: int = 0
    _count_before: int = 0

    def held_until(self, now: float) -> float | None:
        """When the next call may be sent; None: now."""
        if self.rate is None or self.next_at <= now:
            return None
        self._binding = True
        return self.next_at

    def sent(self, number: int, now: float) -> None:
        """Call ``number`` was sent, whether or not it was its turn."""
        if self.rate is None:
            return
        if now - self.next_at > WINDOW:  # nobody kept it busy: how many were sent says nothing
            self._open(number - 1, now)
        self.next_at = max(self.next_at, now - SLACK) + 1 / self.rate

    def accepted(self, number: int, newest: int, started: float, now: float) -> None:
        """The service took call ``number``."""
        if self.rate is None:
            if now - self._second >= 1:
                self._turn(now)
            self._count += 1
        elif number > self._after:
            if self._first > self._after:
                self._reach(number, started)
                self._measure(newest, now)
            elif self._binding and started - self._since >= self._window():
                self._grow(newest, now)

    def throttled(self, number: int, newest: int, started: float, now: float) -> None:
        """Call ``number`` came too early."""
        if self.rate is None:
            self.rate = max(FIRST_RATE, self._recent(now))
            self._step = SEARCH_STEP
            self.next_at = now + 1 / self.rate
            self._open(newest, now)
            self._begin(number, started)
        elif number > self._after and self._first <= self._after:
            self._begin(number, started)
        elif self._first >= 0:
            self._refused += 1
            self._reach(number, started)
            self._measure(newest, now)

    def forget(self) -> None:
        """Know of no rate again."""
        self.rate = None
        self._second = -math.inf

    def _open(self, newest: int, now: float) -> None:
        """A window begins with the next call."""
        self._after = newest
        self._since = now
        self._binding = False

    def _begin(self, number: int, started: float) -> None:
        self._first = self._last = number
        self._first_started = self._last_started = started
        self._refused = 0

    def _reach(self, number: int, started: float) -> None:
        """The measurement takes in this call; answers come in another order than calls were sent."""
        if number > self._last:
            self._last, self._last_started = number, started
        elif number < self._first:
            self._first, self._first_started = number, started

    def _measure(self, newest: int, now: float) -> None:
        """Set the rate by what was sent and throttled since the first throttle, if that is enough.

        What was sent before the rate was set goes on to refine it.
        """
        calls, seconds = self._last - self._first, self._last_started - self._first_started
        accepted = calls - self._refused
        if seconds < SAMPLE_SECONDS or (accepted < SAMPLE and (seconds < WINDOW or calls < FEW)):
            return
        self.rate = max(LOWEST_RATE, UNDER * accepted / seconds)
        self._step = STEP
        self._clean = 0
        if self._last > self._after:
            self._open(newest, now)

    def _window(self) -> float:
        return SEARCH_WINDOW if self._step == SEARCH_STEP else WINDOW

    def _grow(self, newest: int, now: float) -> None:
        if self.rate is None:
            return
        self.rate *= 1 + self._step
        self._clean += 1
        if self._clean >= PATIENT_WINDOWS:
            self._step = max(self._step, min(LARGEST_STEP, 2 * self._step))
        self._first = -1
        self._open(newest, now)

    def _turn(self, now: float) -> None:
        """The next second is counted."""
        self._count_before = self._count if now - self._second < 2 else 0  # noqa: PLR2004 - else it is stale
        self._second = now
        self._count = 0

    def _recent(self, now: float) -> float:
        """Calls a second that were accepted lately."""
        elapsed = now - self._second
        if elapsed >= 1:
            return self._count / elapsed
        return (self._count_before + self._count) / (1 + elapsed)


RAMP_SECONDS = 0.3
RAMP_BURST = 16
"""Calls that are sent at once."""
RAMP_RATE = 1000.0
"""More calls in flight a second at the ramp's begin."""
RAMP_DOUBLES = 0.1
"""Seconds in which the ramp's rate doubles."""
_SCALE = RAMP_RATE * RAMP_DOUBLES / math.log(2)


@attrs.define(eq=False)
class Ramp:
    """How calls come to be in flight after quiet: a burst, then 1,000/s, doubling each 0.1 s, for 0.3 s.

    What the service answers in the meantime comes before hundreds of calls too many were sent. By its
    end 1,000 calls may be in flight, whatever their length. Calls that are answered make room: what was
    sent so far is not counted.
    """

    began: float | None = None
    """None: it is over."""

    def begin(self, now: float) -> None:
        """Start anew."""
        self.began = now

    def held_until(self, in_flight: int, now: float) -> float | None:
        """When the next call may be sent while so many are in flight; None: now."""
        if self.began is None:
            return None
        over = in_flight + 1 - RAMP_BURST
        if now - self.began >= RAMP_SECONDS:
            self.began = None
        elif over > 0:
            due = self.began + min(RAMP_SECONDS, RAMP_DOUBLES * math.log2(1 + over / _SCALE))
            return due if due > now else None
        return None
