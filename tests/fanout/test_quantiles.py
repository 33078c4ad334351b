"""Figures and times in constant memory: quantiles that are right, and rates over time."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.fanout.quantiles import Histogram
from lambda_invoke.fanout.timeline import Timeline, TimelineBucket

FIGURES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200)


def histogram(figures: list[float]) -> Histogram:
    counted = Histogram()
    for figure in figures:
        counted.add(figure)
    return counted


@given(FIGURES, st.floats(0, 1))
def test_a_quantile_is_within_two_percent(figures: list[float], share: float) -> None:
    """Of any figures, any quantile is that of the sorted list but for the promised error."""
    rank = max(1, math.ceil(share * len(figures)))
    assert histogram(figures).quantile(share) == pytest.approx(sorted(figures)[rank - 1], rel=0.02)


@given(FIGURES)
def test_the_exact_ones_are_exact(figures: list[float]) -> None:
    """Count, mean, least and most; and the quantiles are in order and between them."""
    found = histogram(figures).quantiles()
    assert found is not None
    assert (found.count, found.min, found.max) == (len(figures), min(figures), max(figures))
    assert found.mean == pytest.approx(math.fsum(figures) / len(figures))
    assert found.min <= found.p50 <= found.p90 <= found.p95 <= found.p99 <= found.max


def test_none_of_none() -> None:
    """No figures have no quantiles."""
    assert Histogram().quantiles() is None
    assert Histogram().quantile(0.5) is None


@pytest.mark.parametrize(
    ("figures", "median"),
    [([0.0, 0.0], 0.0), ([-1.0], 0.0), ([1e-9], 1e-9), ([5e8], 5e8), ([1.0, 5e8, math.inf], 1e6)],
    ids=["zeros", "a clock set back", "tiny", "huge", "beyond all"],
)
def test_figures_beyond_its_range(figures: list[float], median: float) -> None:
    """Nothing that a clock may say breaks it."""
    assert histogram(figures).quantile(0.5) == pytest.approx(median, rel=0.02)


def test_its_memory_does_not_grow() -> None:
    """From a nanosecond to years, there are no more buckets than promised."""
    chance = random.Random(1)
    counted = histogram([math.exp(chance.uniform(math.log(1e-9), math.log(1e9))) for _ in range(50_000)])
    assert len(counted.buckets) <= 1_400


def test_copies_count_apart() -> None:
    """What is added to a copy is not in the original, nor the reverse."""
    original = histogram([1.0])
    copy = original.copy()
    copy.add(2.0)
    assert (original.count, copy.count) == (1, 2)
    line = Timeline()
    line.add(1.0, True)
    again = line.copy()
    again.add(500.0, False)
    assert (sum(line.done), sum(again.done), line.width) == (1, 2, 1)


def test_a_bucket_for_each_second() -> None:
    """The last stretch is as long as the job went on in it; silent seconds are there too."""
    line = Timeline()
    for at, failed in [(0.0, False), (0.9, True), (2.2, False)]:
        line.add(at, failed)
    line.add_throttle(0.5)
    assert line.buckets(2.5) == (
        TimelineBucket(0.0, 1.0, done=2, failed=1, throttled=1),
        TimelineBucket(1.0, 1.0, done=0, failed=0, throttled=0),
        TimelineBucket(2.0, 0.5, done=1, failed=0, throttled=0),
    )
    assert [bucket.rate for bucket in line.buckets(2.5)] == [2.0, 0.0, 2.0]
    assert TimelineBucket(3.0, 0.0, 1, 0, 0).rate == 0.0


def test_nothing_came() -> None:
    """Without an outcome there is no timeline, however long it took."""
    assert Timeline().buckets(10.0) == ()


@given(st.lists(st.tuples(st.floats(0, 1e5), st.booleans()), min_size=1, max_size=200))
def test_a_timeline_of_any_length(came: list[tuple[float, bool]]) -> None:
    """At most 120 stretches of one width, end to end, each with exactly what came in it."""
    line = Timeline()
    for at, failed in came:
        line.add(at, failed)
        line.add_throttle(at)
    end = max(at for at, _ in came) + 0.001
    buckets = line.buckets(end)
    assert len(buckets) <= 120
    width = buckets[0].seconds if len(buckets) > 1 else end
    for index, bucket in enumerate(buckets):
        until = bucket.start + width if index + 1 < len(buckets) else math.inf
        inside = [failed for at, failed in came if bucket.start <= at < until]
        assert bucket.start == index * width
        assert (bucket.done, bucket.failed, bucket.throttled) == (len(inside), sum(inside), len(inside))
    assert sum(bucket.seconds for bucket in buckets) == pytest.approx(end)


def test_it_reaches_to_the_end_of_the_job() -> None:
    """A job that went on long after its last outcome has a timeline to its end, and is not changed by it."""
    line = Timeline()
    line.add(0.5, False)
    buckets = line.buckets(1000.0)
    assert len(buckets) <= 120
    assert buckets[-1].start + buckets[-1].seconds == pytest.approx(1000.0)
    assert (sum(bucket.done for bucket in buckets), line.width) == (1, 1)
