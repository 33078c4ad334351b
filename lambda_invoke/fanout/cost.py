"""What a fan-out cost, estimated from list prices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

Architecture = Literal["x86_64", "arm64"]

PRICE_DATE: Final = "2026-09-19"
"""The publication of the AWS Price List that :meth:`Prices.in_region` goes by."""

_MILLION = 1_000_000


@attrs.frozen
class Prices:
    """Prices of Lambda on demand, in US dollars.

    ``x86_64`` and ``arm64`` are per GB-second, ``million_requests`` per million requests; ``label``
    says whose prices they are and of when. What you pay under a discount goes here as well.
    """

    x86_64: float
    arm64: float
    million_requests: float = 0.20
    label: str = "prices of your own"

    @classmethod
    def in_region(cls, region: str | None = None) -> Prices:
        """The list prices of a region's first tier, at :data:`PRICE_DATE`.

        Most regions have the prices of us-east-1. A region that is not known to differ counts as one
        of these, and so does None; ``label`` says which was taken.

        Raises:
            ValueError: a region in China, where prices are not in dollars.
        """
        if region is not None and region.startswith("cn-"):
            raise ValueError(f"prices in {region} are not in dollars: pass prices=Prices(...)")
        x86_64, arm64, million = _ELSEWHERE.get(region or "", _STANDARD)
        label = f"list prices of most regions, {PRICE_DATE}"
        if region in _ELSEWHERE:
            label = f"list prices of {region}, {PRICE_DATE} or before"
        return cls(x86_64, arm64, million, label=label)

    def gb_second(self, architecture: Architecture) -> float:
        """Dollars per GB-second.

        Raises:
            ValueError: Lambda has no such architecture.
        """
        if architecture not in ("x86_64", "arm64"):
            raise ValueError(f"architecture is 'x86_64' or 'arm64', not {architecture!r}")
        return self.x86_64 if architecture == "x86_64" else self.arm64


# https://aws.amazon.com/lambda/pricing/, first tier: dollars per GB-second on x86_64 and on arm64, and
# per million requests. The page fills its figures in by script, so these are from public transcripts of
# the data behind it. _STANDARD: the AWS Price List, offer AWSLambda, published 2026-08-31 and 2026-09-19
# (the latter names the x86_64 prices of af-south-1, ap-east-1, eu-south-1 and me-south-1 too, as here).
# _ELSEWHERE: the AWS Pricing Calculator's lambda.json of an unknown earlier day, and for me-central-1 two
# tools' price tables.
_STANDARD = (0.0000166667, 0.0000133334, 0.20)
_ELSEWHERE: Mapping[str, tuple[float, float, float]] = {
    "af-south-1": (0.0000221, 0.00001768, 0.27),
    "ap-east-1": (0.00002292, 0.0000183, 0.28),
    "ap-southeast-5": (0.000015, 0.000012, 0.18),
    "eu-central-2": (0.0000183334, 0.0000146667, 0.22),
    "eu-south-1": (0.0000195172, 0.0000156138, 0.23),
    "me-central-1": (0.0000206667, 0.0000165334, 0.25),
    "me-south-1": (0.0000206667, 0.0000165334, 0.25),
}


@attrs.frozen
class CostEstimate:
    """An estimate of what a fan-out cost, in US dollars, at the first tier of prices on demand.

    It leaves out the free tier, the cheaper tiers, discounts, ephemeral storage beyond 512 MB,
    provisioned concurrency, SnapStart and data transfer.

    ``requests`` are the executions that are known, ``gb_seconds`` the billed time of those whose
    REPORT line came. ``unreported`` executions, known and possible ones, have none: their time is
    not in it.
    """

    requests: int
    gb_seconds: float
    unreported: int
    architecture: Architecture
    prices: Prices

    @property
    def for_duration(self) -> float:
        """Dollars for the GB-seconds."""
        return self.gb_seconds * self.prices.gb_second(self.architecture)

    @property
    def for_requests(self) -> float:
        """Dollars for the requests."""
        return self.requests * self.prices.million_requests / _MILLION

    @property
    def total(self) -> float:
        """Dollars for both."""
        return self.for_duration + self.for_requests

    def __str__(self) -> str:
        text = (
            f"about {dollars(self.total)} as {self.architecture}: {self.gb_seconds:,.2f} GB-seconds and "
            f"{self.requests:,} requests, {self.prices.label}, without free tier and extras"
        )
        if self.unreported:
            text += f"; the time of {self.unreported:,} executions without a REPORT is not in it"
        return text


def dollars(amount: float) -> str:
    """As people write it; less than a dollar with three figures."""
    decimals = 2 if amount >= 1 or amount <= 0 else 2 - math.floor(math.log10(amount))
    return f"${amount:,.{decimals}f}"
