"""Who may run now: the account's concurrency, what functions reserve of it, and how fast they scale.

Source: "Understanding Lambda function scaling" and "Lambda scaling behavior", AWS Lambda developer guide,
2026-11: what a function reserves the others do not have; each function gets 1,000 new execution environments
every 10 seconds, refilled continuously, and what it does not use does not add up.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local.faults import Throttled

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.registry import Registry

SCALING_SECONDS = 10.0
DEFAULT_SCALING_RATE = 1_000
"""AWS quota, 2026-11: new environments of one function in 10 seconds."""


@attrs.define
class _Allowance:
    """How many environments a function may start at a time; ``at`` is when that was so."""

    left: float
    at: float


class Admission:
    """Counts what runs, and lets no more of it begin than there may be. Used on one event loop.

    ``limit`` is the account's concurrency, ``scaling_rate`` how many new environments a function gets in 10
    seconds; ``now`` is a clock in seconds.
    """

    def __init__(
        self, registry: Registry, limit: int, scaling_rate: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._limit = limit
        self._scaling_rate = scaling_rate
        self._now = now
        self._in_flight: Counter[str] = Counter()
        self._allowances: dict[str, _Allowance] = {}

    def enter(self, name: str) -> None:
        """Count one invocation of the function, until it leaves.

        Raises:
            Throttled: the function's reserved concurrency, or the account's, is used up.
        """
        reserved = self._registry.function(name).reserved_concurrency
        if reserved is not None and self._in_flight[name] >= reserved:
            raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        # Over the limit though a reservation is free: it was made while others ran.
        if self._in_flight.total() >= self._limit or (reserved is None and not self._unreserved_free()):
            raise Throttled("ConcurrentInvocationLimitExceeded")
        self._in_flight[name] += 1

    def leave(self, name: str) -> None:
        """It has ended."""
        self._in_flight[name] -= 1
        if not self._in_flight[name]:
            del self._in_flight[name]

    def _unreserved_free(self) -> bool:
        used = sum(
            count
            for name, count in self._in_flight.items()
            if self._registry.function(name).reserved_concurrency is None
        )
        return used < self._limit - self._registry.reserved

    def start(self, name: str) -> None:
        """Count one new environment of the function.

        Raises:
            Throttled: it scales too fast; ``retry_after`` is when there is another.
        """
        now = self._now()
        per_second = self._scaling_rate / SCALING_SECONDS
        allowance = self._allowances.setdefault(name, _Allowance(self._scaling_rate, now))
        allowance.left = min(self._scaling_rate, allowance.left + (now - allowance.at) * per_second)
        allowance.at = now
        if allowance.left < 1:
            reserved = self._registry.function(name).reserved_concurrency is not None
            reason = f"{'Reserved' if reserved else ''}FunctionInvocationRateLimitExceeded"
            raise Throttled(reason, math.ceil((1 - allowance.left) / per_second))
        allowance.left -= 1
