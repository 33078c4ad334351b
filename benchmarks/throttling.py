"""What throttling costs a fan-out, from the server's side: 429s and throughput beside a fixed bound.

Three settings of a server that throttles as Lambda does, over loopback: 20 at a time, raised to 150 in
the middle, and 200 a second. docs/design/limiter.md has the bars and the figures.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import boto3

from lambda_invoke import LambdaClient
from tests.support.server import Call, ScriptedServer, delay, ok, throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.server import Step

SECONDS = 0.02
ITEMS = 5000


def work(call: Call) -> Step:
    """What a function does that takes a little time."""
    return delay(SECONDS, ok(call.body))


def run(server: ScriptedServer, items: int, concurrency: int) -> float:
    """Fan out; items a second."""
    session = boto3.Session(
        aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="example", region_name="us-east-1"
    )
    with LambdaClient(session=session, endpoint_url=server.url) as client:
        begun = time.perf_counter()
        report = client.fan_out("f", range(items), concurrency=concurrency)
        took = time.perf_counter() - begun
    assert report.values() == list(range(items))
    assert server.executions == items
    return items / took


def share(server: ScriptedServer, throttled: int | None = None) -> float:
    """How many of the requests were throttled."""
    return (server.throttled if throttled is None else throttled) / server.requests


def bounded() -> bool:
    """A limit of 20 under a bound of 200, beside a fixed concurrency of 20."""
    with ScriptedServer(work, record=False) as server:
        fixed = run(server, ITEMS, 20)
    with ScriptedServer(work, limit=20, record=False) as server:
        adapted = run(server, ITEMS, 200)
        refused = share(server)
    print(
        f"20 at a time: {adapted:,.0f}/s, {adapted / fixed:.0%} of a fixed concurrency (aim 80 %), "
        f"{refused:.1%} throttled (aim under 10 %)"
    )
    return adapted / fixed >= 0.8 and refused < 0.1


def raised() -> bool:
    """The limit goes from 20 to 150 in the middle: the throughput of the last items beside the first."""
    with ScriptedServer(work, limit=20, record=False) as server:
        times: list[float] = []

        def lift() -> None:
            server.wait_until(lambda s: s.executions >= ITEMS // 4)
            server.limit = 150
            times.append(time.perf_counter())
            server.wait_until(lambda s: s.max_in_flight >= 0.9 * min(150, most))
            times.append(time.perf_counter())

        with ScriptedServer(work, record=False) as free:
            rate = run(free, ITEMS // 2, 150)
            most = free.max_in_flight  # what this machine gets in flight at all
        watching = threading.Thread(target=lift)
        watching.start()
        run(server, ITEMS, 200)
        watching.join()
    round_trip = max(SECONDS, most / rate)  # with so many in flight, client and server share two cores
    windows = (times[1] - times[0]) / round_trip
    print(
        f"raised from 20 to 150: nine tenths of it after {windows:.1f} round trips of "
        f"{round_trip * 1e3:.0f} ms (aim 10)"
    )
    return windows <= 10


def paced() -> bool:
    """200 a second, counted as a token bucket of one second's."""
    level, at, refused = 200.0, time.monotonic(), 0

    def script(call: Call) -> Step:
        nonlocal level, at, refused
        now = time.monotonic()
        level, at = min(200.0, level + (now - at) * 200), now
        if level < 1:
            refused += 1
            return throttle("FunctionInvocationRateLimitExceeded")
        level -= 1
        return ok(call.body)

    with ScriptedServer(script, record=False) as server:
        rate = run(server, ITEMS, 200)
        part = share(server, refused)
    print(f"200 a second: {rate:,.0f}/s (aim 180 to 220), {part:.1%} throttled (aim under 5 %)")
    return 180 <= rate <= 220 and part < 0.05


SETTINGS: dict[str, Callable[[], bool]] = {"bounded": bounded, "raised": raised, "paced": paced}


def main() -> None:
    """Measure and print."""
    reached = [SETTINGS[name]() for name in sys.argv[1:] or SETTINGS]
    print("aims reached" if all(reached) else "aims NOT reached")


if __name__ == "__main__":
    main()
