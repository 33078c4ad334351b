"""Throttling: 429 is waited out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lambda_invoke.cli.demo.tour import AT_ONCE

if TYPE_CHECKING:
    from lambda_invoke import Invocation
    from lambda_invoke.cli.demo.tour import Tour

_CALLS = 12


def throttling(tour: Tour) -> None:
    """Twelve callers of a function that may run twice at once."""
    stage = tour.stage
    stage.heading(f"Throttling: {_CALLS} calls at once, reserved concurrency {AT_ONCE}")

    def call(shelf: int) -> Invocation[Any]:
        return tour.client.invoke("warehouse", {"shelf": shelf})

    stage.code('client.invoke("warehouse", {"shelf": n})  # from 12 threads at once')
    with ThreadPoolExecutor(_CALLS) as threads:
        done = list(threads.map(call, range(_CALLS)))
    attempts = [attempt for each in done for attempt in each.attempts]
    reasons = {attempt.reason for attempt in attempts if not attempt.ok}
    stats = tour.local.stats("warehouse")
    stage.result(
        f"{len(done)} succeeded, in {len(attempts)} attempts ({', '.join(map(str, reasons))})",
        f"the endpoint counted: {stats.started} runs, {stats.max_in_flight} at most at once, "
        f"{stats.throttled} answers of 429",
    )
    stage.expect("all succeed after retries", [each.value["picked"] for each in done] == list(range(_CALLS)))
    stage.expect("calls were throttled", stats.throttled > 0)
    stage.expect("each 429 stands in the history of a call", stats.throttled == len(attempts) - _CALLS)
    stage.expect("each call ran once", stats.started == _CALLS)
    stage.expect("never more than two at once", stats.max_in_flight == AT_ONCE)
