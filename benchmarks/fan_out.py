"""CPU and throughput of a fan-out, on asyncio's loop and uvloop's, beside boto3 in threads in the same run.

Both take the same items over the same server in another process, with JSON in and out: boto3 with one
shared client, a pool as large as the threads, retries off, the body read and parsed. Aim: at most a
tenth of boto3's CPU per invoke (docs/design/transport.md has the figures).
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from lambda_invoke import LambdaClient
from lambda_invoke.fanout.loop import BACKGROUND, new_event_loop
from tests.support.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

AIM = 10.0
PAYLOAD = {"id": 17, "name": "reports", "pages": [1, 2, 3], "note": "forty characters of text, or about that"}


def measure(run: Callable[[int], int], items: int) -> tuple[float, float]:
    """CPU seconds per item, and items per second."""
    cpu, begun = time.process_time(), time.perf_counter()
    assert run(items) == items
    return (time.process_time() - cpu) / items, items / (time.perf_counter() - begun)


LOOPS = {"asyncio": asyncio.new_event_loop}
if importlib.util.find_spec("uvloop"):
    LOOPS["uvloop"] = new_event_loop


def compare(*, tls: bool, in_flight: int, items: int, rounds: int) -> list[float]:
    """Measure one setting, print it, and give the ratios of CPU per invoke, one for each loop."""
    session = boto3.Session(
        aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="example", region_name="us-east-1"
    )
    with ServerProcess(record=False, tls=tls) as server:
        if tls:
            os.environ["AWS_CA_BUNDLE"] = server.ca_bundle
        bare = session.client(
            "lambda",
            endpoint_url=server.url,
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=in_flight),
        )
        client = LambdaClient(session=session, endpoint_url=server.url)

        def one(_: int) -> object:
            answer = bare.invoke(FunctionName="echo", Payload=json.dumps(PAYLOAD).encode())
            return json.loads(answer["Payload"].read())

        def threads(count: int) -> int:
            with ThreadPoolExecutor(in_flight) as pool:
                return sum(made == PAYLOAD for made in pool.map(one, range(count)))

        def ours(count: int) -> int:
            outcomes = client.map("echo", (PAYLOAD for _ in range(count)), concurrency=in_flight)
            return sum(outcome.value == PAYLOAD for outcome in outcomes)

        assert str(client.transport).endswith("direct"), client.transport
        peer: list[tuple[float, float]] = []
        own: dict[str, list[tuple[float, float]]] = {name: [] for name in LOOPS}
        for number in range(rounds + 1):
            peer.append(measure(threads, items // 5 if number else in_flight * 2))
            for name, make in LOOPS.items():
                BACKGROUND.stop()
                BACKGROUND.make = make
                measure(ours, in_flight * 2)  # its connections are made
                own[name].append(measure(ours, items if number else in_flight * 2))
        client.close()
    print(f"{'TLS' if tls else 'plain':5} {in_flight:4} in flight: boto3 in threads {said(peer[1:])}")
    ratios = []
    for name, measured in own.items():
        ratio = statistics.median(a[0] / b[0] for a, b in zip(peer[1:], measured[1:], strict=True))
        print(f"{'':21} map on {name:8}{said(measured[1:])}: {ratio:.1f} times less CPU")
        ratios.append(ratio)
    return ratios


def said(measured: list[tuple[float, float]]) -> str:
    """The medians of a series."""
    cpu, rate = (statistics.median(values) for values in zip(*measured, strict=True))
    return f"{cpu * 1e6:5.0f} us CPU, {rate:6,.0f}/s"


def main() -> None:
    """Measure and print."""
    items, rounds = (int(argument) for argument in (*sys.argv[1:3], "5000", "5")[:2])
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    worst = min(
        ratio
        for tls in (False, True)
        for in_flight in (32, 256)
        for ratio in compare(tls=tls, in_flight=in_flight, items=items, rounds=rounds)
    )
    print(
        f"aim: at least {AIM:.0f} times; {'reached' if worst >= AIM else 'NOT reached'} (worst {worst:.1f})"
    )


if __name__ == "__main__":
    main()
