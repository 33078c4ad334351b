"""Quantiles of many figures in constant memory."""

from __future__ import annotations

import math

import attrs

_ERROR = 0.01
_BUCKETS = 1 / math.log((1 + _ERROR) / (1 - _ERROR))
_FLOOR = 1e-6
_CEILING = 1e6
_FIRST = math.ceil(math.log(_FLOOR) * _BUCKETS)
_LAST = math.ceil(math.log(_CEILING) * _BUCKETS)


@attrs.frozen
class Quantiles:
    """What ``count`` figures come to. ``mean``, ``min`` and ``max`` are exact, the others within 1 %."""

    count: int
    mean: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


@attrs.define
class Histogram:
    """Counts of figures in buckets of a constant ratio, each 2 % wide.

    Figures below a millionth and above a million count as these in the quantiles, so that there are
    at most about 1,400 buckets.
    """

    total: float = 0.0
    low: float = math.inf
    high: float = 0.0
    buckets: dict[int, int] = attrs.field(factory=dict, repr=False)

    @property
    def count(self) -> int:
        """How many were counted."""
        return sum(self.buckets.values())

    def add(self, figure: float) -> None:
        """Count one more; what is negative (a clock that was set back) counts as 0."""
        # Comparisons, because min() and max() would take half of the time, for every item of a job.
        if figure < _FLOOR:
            figure = max(figure, 0.0)
            bucket = _FIRST
        elif figure < _CEILING:
            bucket = math.ceil(math.log(figure) * _BUCKETS)
        else:
            bucket = _LAST
        self.total += figure
        if figure < self.low:  # noqa: PLR1730
            self.low = figure
        if figure > self.high:  # noqa: PLR1730
            self.high = figure
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def quantile(self, share: float) -> float | None:
        """The figure that the ``share`` (0 to 1) of all do not exceed, within 1 %; None without any."""
        rank, seen = max(1, math.ceil(share * self.count)), 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= rank:
                # The middle of the bucket in the measure of relative error.
                middle = math.exp(bucket / _BUCKETS) * (1 - _ERROR)
                return min(max(middle, self.low), self.high)
        return None

    def quantiles(self) -> Quantiles | None:
        """What it all comes to; None without any figure."""
        p50, p90, p95, p99 = (self.quantile(share) for share in (0.5, 0.9, 0.95, 0.99))
        if p50 is None or p90 is None or p95 is None or p99 is None:
            return None
        count = self.count
        return Quantiles(count, self.total / count, self.low, p50, p90, p95, p99, self.high)

    def copy(self) -> Histogram:
        """One that counts on by itself."""
        return Histogram(self.total, self.low, self.high, self.buckets.copy())
