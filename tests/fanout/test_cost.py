"""Cost estimates from REPORT lines: the sums, the prices, and what they say of what they leave out."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lambda_invoke.errors import Executed, FunctionTimeoutError
from lambda_invoke.fanout.cost import PRICE_DATE, CostEstimate, Prices, dollars
from lambda_invoke.fanout.report import CompletionReason, FanOutReport
from lambda_invoke.results import Attempt, Invocation, LogTail, Outcome, Report

NONE = Report(duration=0.1)
"""What a Managed Instance reports."""


def attempt(executed: Executed = Executed.YES, outcome: str = "ok") -> Attempt:
    return Attempt("f", 1, 0.0, 0.5, outcome, executed, status_code=200)


def ran(index: int, report: Report | None, *, attempts: tuple[Attempt, ...] = (attempt(),)) -> Outcome[Any]:
    log = None if report is None else LogTail("", report=report)
    return Outcome(index, "f", index, Invocation(index, b"1", "f", log=log, attempts=attempts))


def report_of(*outcomes: Outcome[Any]) -> FanOutReport[Any]:
    return FanOutReport(outcomes, CompletionReason.COMPLETED, 1.0)


def billed(seconds: float, memory: int = 1024, **figures: Any) -> Report:
    return Report(billed_duration=seconds, memory_size=memory, **figures)


def estimate(report: FanOutReport[Any], **how: Any) -> CostEstimate:
    found = report.cost(**how)
    assert found is not None
    return found


def test_the_sum() -> None:
    """A million requests of 100 ms with 512 MB are 50,000 GB-seconds: 83 cents, and 20 for the requests."""
    tenth = estimate(report_of(*(ran(index, billed(0.1, 512)) for index in range(10))))
    assert tenth.gb_seconds == pytest.approx(0.5)
    assert (tenth.requests, tenth.unreported) == (10, 0)
    assert tenth.for_duration * 100_000 == pytest.approx(0.833335)
    assert tenth.for_requests * 100_000 == pytest.approx(0.20)
    assert tenth.total == pytest.approx(tenth.for_duration + tenth.for_requests)


def test_each_with_its_own_memory() -> None:
    """Functions of several sizes in one job are billed each by its size."""
    assert estimate(report_of(ran(0, billed(1, 128)), ran(1, billed(2, 10240)))).gb_seconds == pytest.approx(
        20.125
    )


@pytest.mark.parametrize(
    ("architecture", "region", "price"),
    [
        ("x86_64", None, 0.0000166667),
        ("arm64", None, 0.0000133334),
        ("x86_64", "us-east-1", 0.0000166667),
        ("arm64", "eu-west-1", 0.0000133334),
        ("x86_64", "a-region-of-tomorrow-1", 0.0000166667),
        ("x86_64", "af-south-1", 0.0000221),
        ("arm64", "eu-central-2", 0.0000146667),
    ],
)
def test_list_prices(architecture: Any, region: str | None, price: float) -> None:
    """By architecture and region; where a region is not known to differ, those of most."""
    found = estimate(report_of(ran(0, billed(1))), architecture=architecture, region=region)
    assert found.for_duration == pytest.approx(price)
    assert PRICE_DATE in found.prices.label
    assert ("most regions" in found.prices.label) == (region not in ("af-south-1", "eu-central-2"))


def test_arm_is_cheaper_everywhere() -> None:
    """No line of the table has its columns mixed up."""
    for region in (None, "af-south-1", "ap-east-1", "ap-southeast-5", "eu-central-2", "me-south-1"):
        prices = Prices.in_region(region)
        assert prices.arm64 == pytest.approx(prices.x86_64 * 0.8, rel=0.01)
        assert 0.18 <= prices.million_requests <= 0.28


def test_prices_of_your_own() -> None:
    """What a caller pays replaces the table, whatever the region."""
    prices = Prices(x86_64=1.0, arm64=2.0, million_requests=3_000_000.0, label="what we pay")
    found = estimate(report_of(ran(0, billed(1))), prices=prices, architecture="arm64", region="cn-north-1")
    assert (found.for_duration, found.for_requests, found.total) == (2.0, 3.0, 5.0)
    assert "what we pay" in str(found)


@pytest.mark.parametrize(
    ("how", "match"),
    [({"architecture": "arm"}, "x86_64.*arm64"), ({"region": "cn-north-1"}, "not in dollars")],
)
def test_what_has_no_price(how: dict[str, Any], match: str) -> None:
    """Raises, also when there is nothing to estimate."""
    for report in (report_of(), report_of(ran(0, billed(1)))):
        with pytest.raises(ValueError, match=match):
            report.cost(**how)


def test_nothing_reported_nothing_estimated() -> None:
    """None, rather than a sum of nothing: no log tails, or none that say what was billed."""
    assert report_of().cost() is None
    assert report_of(ran(0, None)).cost() is None
    assert report_of(ran(0, NONE)).cost() is None


def test_what_is_not_in_it_is_said() -> None:
    """Executions without a REPORT, known and possible ones, are counted; the known ones are requests."""
    timed_out = FunctionTimeoutError(
        attempts=(attempt(Executed.YES, "FunctionTimeoutError"),),
        log=LogTail("", report=billed(3)),
    )
    lost = attempt(Executed.UNKNOWN, "ConnectionLostError")
    throttled = attempt(Executed.NO, "ThrottledError")
    found = estimate(
        report_of(
            ran(0, billed(1)),
            ran(1, None),
            ran(2, billed(1), attempts=(lost, throttled, attempt())),
            Outcome(3, "f", 3, error=timed_out),
        )
    )
    assert (found.requests, found.gb_seconds, found.unreported) == (4, 5.0, 2)
    assert "2 executions without a REPORT" in str(found)
    assert "without a REPORT" not in str(estimate(report_of(ran(0, billed(1)))))
    assert "without free tier" in str(found)


def test_outcomes_without_a_history() -> None:
    """Outcomes that somebody made by hand count as one execution each, as they say."""
    assert estimate(report_of(ran(0, billed(1), attempts=()))).requests == 1


def test_billed_restores_are_not_billed_twice() -> None:
    """With SnapStart the billed duration has the billed part of the restore in it."""
    restored = billed(0.278, 1024, restore_duration=0.562, billed_restore_duration=0.118)
    report = report_of(ran(0, restored))
    assert report.billed_duration == pytest.approx(0.278)
    assert estimate(report).gb_seconds == pytest.approx(0.278)
    assert report.init_durations is not None
    assert report.init_durations.max == pytest.approx(0.562)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "$0.00"),
        (1234.567, "$1,234.57"),
        (1.0, "$1.00"),
        (0.123456, "$0.123"),
        (0.0000123456, "$0.0000123"),
    ],
)
def test_dollars(amount: float, text: str) -> None:
    """Sums small and large, as people write them."""
    assert dollars(amount) == text


def test_an_estimate_is_a_value() -> None:
    """It can be compared, and its parts replaced."""
    one = estimate(report_of(ran(0, billed(1))))
    assert one == estimate(report_of(ran(0, billed(1))))
    assert one != estimate(report_of(ran(0, billed(2))))
    with pytest.raises(AttributeError):
        cast("Any", one).requests = 7
