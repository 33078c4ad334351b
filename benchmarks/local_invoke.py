"""A warm invoke of the local Lambda, through boto3, beside a server with a fixed reply and MiniStack.

The median of wall-clock times, by turns in one run. The endpoint runs as users run it, on a thread of this
process; the fixed reply comes from the scripted server in a process of its own. Arguments: calls of a round
(200), rounds (15).
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import time
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks._measure import numbers
from lambda_invoke.local import LocalLambda
from tests.local.compare.worlds import APP, KEYS, QUICK, REGION, ministack
from tests.support.process import ServerProcess
from tests.support.steps import Call, Step, ok

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1.5
"""Times the fixed reply's, at most."""
LEAST = 20
"""Times less than MiniStack's, at least."""
PAYLOAD = json.dumps({"id": 17, "note": "forty characters of text, or about that"}).encode()


REPLY = ok(
    PAYLOAD,
    headers={
        "Date": "Sun, 22 Nov 2026 02:00:00 GMT",
        "Connection": "keep-alive",
        "X-Amzn-Trace-Id": "Root=1-6a000000-0123456789abcdef01234567;Sampled=0",
    },
)


def reply(_call: Call) -> Step:
    """The same to every call."""
    return REPLY


def invoke(client: Any) -> Callable[[], object]:
    """One warm invoke, its body read."""

    def call() -> object:
        answer = client.invoke(FunctionName="echo", Payload=PAYLOAD)
        body = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer
        return body

    return call


def median(call: Callable[[], object], calls: int) -> float:
    """Of the seconds that a call takes."""
    times = []
    for _ in range(calls):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    calls, rounds = numbers(200, 15)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    with contextlib.ExitStack() as stack:
        fixed = stack.enter_context(ServerProcess(reply, record=False))
        local = stack.enter_context(LocalLambda({"echo": f"{APP}:echo"}))
        other = stack.enter_context(ministack())
        plain = boto3.client("lambda", region_name=REGION, endpoint_url=fixed.url, config=QUICK, **KEYS)
        peers = {
            "a fixed reply": invoke(plain),
            "the local Lambda": invoke(local.boto3_client(config=QUICK)),
            "MiniStack": invoke(other.client),
        }
        taken: dict[str, list[float]] = {name: [] for name in peers}
        for one in range(rounds + 1):  # the first warms
            for name, call in peers.items():
                seconds = median(call, max(5, calls // 20) if name == "MiniStack" else calls)
                taken[name] += [seconds] if one else []
    for name, series in taken.items():
        print(f"{name:18} {statistics.median(series) * 1e3:6.2f} ms, the median of a warm invoke")
    beside = ratio(taken, "the local Lambda", "a fixed reply")
    faster = ratio(taken, "MiniStack", "the local Lambda")
    print(f"aim: at most {MOST} x a fixed reply; {verdict(beside <= MOST)} ({beside:.2f})")
    print(f"aim: {LEAST} x faster than MiniStack; {verdict(faster >= LEAST)} ({faster:.0f})")


def verdict(reached: bool) -> str:
    """In a word or two."""
    return "reached" if reached else "NOT reached"


def ratio(taken: dict[str, list[float]], one: str, other: str) -> float:
    """The median over the rounds of how many times as long the one took."""
    return statistics.median(a / b for a, b in zip(taken[one], taken[other], strict=True))


if __name__ == "__main__":
    main()
