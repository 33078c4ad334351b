"""RetryPolicy, FullJitter and RetryBudget refuse what makes no sense, and say so."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tenacity import RetryCallState, Retrying, wait_fixed

from lambda_invoke.core.retry import FullJitter, RetryBudget, RetryPolicy


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": True}, "max_attempts"),
        ({"max_attempts": 2.0}, "max_attempts"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": "3"}, "timeout"),
        ({"deadline": -1}, "deadline"),
        ({"deadline": float("nan")}, "deadline"),
        ({"throttle_timeout": -1}, "throttle_timeout"),
        ({"max_retry_after": float("nan")}, "max_retry_after"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_name(arguments: dict[str, Any], named: str) -> None:
    """The message names the argument."""
    with pytest.raises(ValueError, match=named):
        RetryPolicy(**arguments)


@pytest.mark.parametrize(("initial", "maximum"), [(-1, 1), (2, 1), (0.1, float("inf")), (float("nan"), 1)])
def test_a_jitter_that_makes_no_sense_is_refused(initial: float, maximum: float) -> None:
    """Bounds are ordered and finite."""
    with pytest.raises(ValueError, match="FullJitter"):
        FullJitter(initial, maximum)


def test_full_jitter_composes_as_a_tenacity_wait() -> None:
    """It can be added to other waits, and stays within its bound."""
    state = RetryCallState(Retrying(), None, (), {})
    wait = FullJitter(initial=0.5, maximum=0.5) + wait_fixed(2)
    assert all(2.0 <= wait(state) <= 2.5 for _ in range(50))


def test_reprs_say_what_counts() -> None:
    """A policy, a jitter and a budget can be read in a notebook."""
    assert repr(FullJitter()) == "FullJitter(initial=0.1, maximum=20.0)"
    assert "max_attempts=3" in repr(RetryPolicy())
    assert "FullJitter" in repr(RetryPolicy())
    assert repr(RetryBudget()) == "RetryBudget(500 of 500 tokens)"


def test_a_budget_shared_by_threads_loses_no_token() -> None:
    """Withdrawals from many threads take exactly what is there."""
    budget = RetryBudget(capacity=1000, cost=1, refund=1)
    taken: list[bool] = []

    def take() -> None:
        taken.extend(budget.withdraw() for _ in range(200))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(taken), budget.tokens) == (1000, 0)
