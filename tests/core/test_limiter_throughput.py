"""What the limiter makes of a throttling service, in simulated time: the bars it has to meet."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambda_invoke.core.limiter_board import QUIET_SECONDS
from tests.core.limiter_simulation import CONCURRENCY, RATE, Service, Simulation
from tests.support.measuring import unmeasured

ROUND_TRIPS = (0.005, 0.05, 0.5)


def simulate(service: Service, **options: Any) -> Simulation:
    """A job at its end, unmeasured: what is covered here ``test_limiter.py`` covers, and this is a lot."""
    with ThreadPoolExecutor(1, initializer=unmeasured) as thread:
        return thread.submit(Simulation(service, **options).run).result()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
def test_concurrency_limit(round_trip: float, seed: int) -> None:
    """20 at once: all succeed, 429s under 10 %, at least 80 % of what a fixed concurrency of 20 does."""
    job = simulate(Service(concurrent=20), round_trip=round_trip, network=0.1, seed=seed)
    fixed = simulate(
        Service(concurrent=20), round_trip=round_trip, network=0.1, seed=seed, workers=20, fixed=20
    )
    assert len(job.done) == len(fixed.done) == 5000
    assert job.requests == 5000 + job.throttles[CONCURRENCY]
    assert fixed.throttles.total() == 0
    assert job.throttled_share < 0.10
    assert job.throughput >= 0.80 * fixed.throughput


@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
def test_concurrency_limit_with_a_slow_network(round_trip: float) -> None:
    """The same where half of a call's time is the way, on which a place is free already."""
    job = simulate(Service(concurrent=20), round_trip=round_trip, network=0.5)
    assert len(job.done) == 5000
    assert job.throttled_share < 0.10
    assert job.throughput >= 20 / round_trip


@pytest.mark.parametrize("concurrent", [1, 2, 5])
def test_small_concurrency_limit(concurrent: int) -> None:
    """Under a limit of a few calls nearly all of it is used, and most requests are not for nothing."""
    job = simulate(Service(concurrent=concurrent), items=1000, network=0.1)
    assert len(job.done) == 1000
    assert job.throughput >= 0.85 * concurrent / job.round_trip
    assert job.throttled_share < 0.25


@pytest.mark.parametrize("phase", [0.0, 1.5])
@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
def test_raised_concurrency_limit(round_trip: float, phase: float) -> None:
    """20 become 150 midway: ten windows (round trips) later, throughput has followed."""
    raised = (120 + phase) * round_trip

    def more(service: Service) -> None:
        service.concurrent = 150

    job = simulate(
        Service(concurrent=20), items=6000, round_trip=round_trip, network=0.1, changes=((raised, more),)
    )
    assert len(job.done) == 6000
    assert job.rate_between(raised - 20 * round_trip, raised) * round_trip < 21
    followed = job.rate_between(raised + 10 * round_trip, raised + 15 * round_trip)
    assert followed * round_trip >= 0.75 * 150
    assert job.throttled_share < 0.10


def test_lowered_concurrency_limit() -> None:
    """150 become 20: a few round trips of throttles later, there are few of them."""

    def fewer(service: Service) -> None:
        service.concurrent = 20

    job = simulate(Service(concurrent=150), items=6000, network=0.1, changes=((1.0, fewer),))
    assert len(job.done) == 6000
    assert job.throttled_share < 0.10
    assert job.rate_between(2.0, job.now - 0.5) * job.round_trip >= 0.80 * 20


@pytest.mark.parametrize("burst", [20, 200])
@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
def test_rate_limit(round_trip: float, burst: float) -> None:
    """200 a second: within 10 % of it, with 429s under 5 %, whatever the service's reserve for bursts."""
    job = simulate(Service(rate=200, burst=burst), round_trip=round_trip)
    assert len(job.done) == 5000
    assert job.requests == 5000 + job.throttles[RATE]
    assert job.throttled_share < 0.05
    assert job.throughput == pytest.approx(200, rel=0.10)


def test_raised_rate_limit() -> None:
    """A rate limit that is raised tenfold is found, within ten seconds."""

    def more(service: Service) -> None:
        service.rate = 2000

    job = simulate(Service(rate=200, burst=20), items=15000, changes=((5.0, more),))
    assert job.rate_between(14.0, 15.0) >= 0.80 * 2000
    assert job.throttled_share < 0.05


def test_lowered_rate_limit() -> None:
    """So is one that is lowered."""

    def fewer(service: Service) -> None:
        service.rate = 100

    job = simulate(Service(rate=1000, burst=100), items=6000, changes=((4.0, fewer),))
    assert job.rate_between(8.0, 18.0) == pytest.approx(100, rel=0.10)
    assert job.throttled_share < 0.05


def test_both_limits() -> None:
    """A rate limit and a concurrency limit at once: the nearer one is used, and 429s stay few."""
    job = simulate(Service(concurrent=20, rate=200, burst=20), round_trip=0.05)
    assert len(job.done) == 5000
    assert job.throughput == pytest.approx(200, rel=0.10)
    assert job.throttled_share < 0.05


def test_no_limits() -> None:
    """Nothing is throttled: all places are used, but for the ramp."""
    job = simulate(Service())
    assert job.throttles.total() == 0
    assert job.throughput >= 0.85 * 200 / job.round_trip
    assert job.done[199] < 0.2 * QUIET_SECONDS


def test_same_seed_same_run() -> None:
    """The simulation is deterministic: what it shows here it shows anywhere."""
    first, second = (simulate(Service(concurrent=20), items=500) for _ in range(2))
    assert first.done == second.done
    assert math.isfinite(first.throughput)
