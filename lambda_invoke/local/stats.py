"""What the endpoint counts: written on its own thread, read from any."""

from __future__ import annotations

import threading

import attrs

from lambda_invoke.local.function import FunctionStats


class Tally:
    """The counts of one function."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = FunctionStats()

    def read(self) -> FunctionStats:
        """The counts now."""
        with self._lock:
            return self._stats

    def began(self) -> None:
        """An execution began."""
        with self._lock:
            in_flight = self._stats.in_flight + 1
            most = max(in_flight, self._stats.max_in_flight)
            started = self._stats.started + 1
            self._stats = attrs.evolve(self._stats, started=started, in_flight=in_flight, max_in_flight=most)

    def ended(self, *, failed: bool) -> None:
        """An execution ended."""
        with self._lock:
            stats = attrs.evolve(self._stats, in_flight=self._stats.in_flight - 1)
            if failed:
                self._stats = attrs.evolve(stats, failed=stats.failed + 1)
            else:
                self._stats = attrs.evolve(stats, succeeded=stats.succeeded + 1)

    def throttled(self) -> None:
        """A call was turned away, or an Event put back."""
        with self._lock:
            self._stats = attrs.evolve(self._stats, throttled=self._stats.throttled + 1)

    def cold_start(self) -> None:
        """A worker was started."""
        with self._lock:
            self._stats = attrs.evolve(self._stats, cold_starts=self._stats.cold_starts + 1)

    def count(self, **more: int) -> None:
        """Add to the counts of Events, all at once: ``accepted_events=1`` and the like."""
        with self._lock:
            changed = {name: getattr(self._stats, name) + number for name, number in more.items()}
            self._stats = attrs.evolve(self._stats, **changed)

    def injected(self, *, throttled: bool) -> None:
        """A call met an injected fault."""
        with self._lock:
            stats = attrs.evolve(self._stats, injected_faults=self._stats.injected_faults + 1)
            self._stats = attrs.evolve(stats, throttled=stats.throttled + throttled)
