"""Calls through a limiter, as its tests make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.core.limiter import Limiter

if TYPE_CHECKING:
    from lambda_invoke.core.limiter_board import Ticket

ACCOUNT = "ConcurrentInvocationLimitExceeded"
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
RATE = "FunctionInvocationRateLimitExceeded"
CALLER = "CallerRateLimitExceeded"
NOW = 1000.0


def nothing() -> None:
    pass


def warm(bound: int, *functions: str, account: str | None = None) -> Limiter:
    """A limiter whose functions are past their ramp at NOW."""
    limiter = Limiter(bound)
    for function in functions or ("f",):
        limiter.accepted(limiter.enter(function, NOW - 0.5, nothing, account=account), NOW - 0.5)
    return limiter


def enter(limiter: Limiter, count: int, now: float = NOW, function: str = "f") -> list[Ticket]:
    return [limiter.enter(function, now, nothing) for _ in range(count)]


def admitted(tickets: list[Ticket]) -> list[bool]:
    return [ticket.admitted for ticket in tickets]
