"""What the endpoint counts: written on its own thread, read from any."""

from __future__ import annotations

import threading
from collections import Counter

from lambda_invoke.local.function import FunctionStats


class Tally:
    """The counts of one function."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def read(self) -> FunctionStats:
        """The counts now."""
        with self._lock:
            return FunctionStats(**self._counts)

    def began(self) -> None:
        """An execution began."""
        with self._lock:
            counts = self._counts
            counts["started"] += 1
            counts["in_flight"] += 1
            counts["max_in_flight"] = max(counts["in_flight"], counts["max_in_flight"])

    def ended(self, *, failed: bool) -> None:
        """An execution ended."""
        with self._lock:
            self._counts["in_flight"] -= 1
            self._counts["failed" if failed else "succeeded"] += 1

    def throttled(self) -> None:
        """A call was turned away, or an Event put back."""
        self.count(throttled=1)

    def cold_start(self) -> None:
        """A worker was started."""
        self.count(cold_starts=1)

    def injected(self, *, throttled: bool) -> None:
        """A call met an injected fault."""
        self.count(injected_faults=1, throttled=int(throttled))

    def count(self, **more: int) -> None:
        """Add to the counts, all at once: ``accepted_events=1`` and the like."""
        with self._lock:
            for name, number in more.items():
                self._counts[name] += number
