"""CPU and throughput of a fan-out, beside boto3 in a ThreadPoolExecutor in the same run.

Both take the same items over the same server in another process, with JSON in and out: boto3 with one
shared client, a pool as large as the threads, retries off, the body read and parsed. Aim: at most a
tenth of boto3's CPU per invoke (docs/design/transport.md has the figures).
"""

from __future__ import annotations

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


def compare(*, tls: bool, in_flight: int, items: int, rounds: int) -> float:
    """Measure one setting, print it, and give the ratio of CPU per invoke."""
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
        measure(threads, in_flight * 2)
        measure(ours, in_flight * 2)
        both = [(measure(threads, items // 5), measure(ours, items)) for _ in range(rounds)]
        client.close()
    boto_cpu, boto_rate = (statistics.median(values) for values in zip(*(a for a, _ in both), strict=True))
    our_cpu, our_rate = (statistics.median(values) for values in zip(*(b for _, b in both), strict=True))
    times = statistics.median(a[0] / b[0] for a, b in both)
    print(
        f"{'TLS' if tls else 'plain':5} {in_flight:4} in flight:"
        f" boto3 in threads {boto_cpu * 1e6:5.0f} us CPU, {boto_rate:6,.0f}/s;"
        f" map {our_cpu * 1e6:5.0f} us CPU, {our_rate:6,.0f}/s;"
        f" {times:.1f} times less CPU"
    )
    return times


def main() -> None:
    """Measure and print."""
    items, rounds = (int(argument) for argument in (*sys.argv[1:3], "5000", "5")[:2])
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    worst = min(
        compare(tls=tls, in_flight=in_flight, items=items, rounds=rounds)
        for tls in (False, True)
        for in_flight in (32, 256)
    )
    print(
        f"aim: at least {AIM:.0f} times; {'reached' if worst >= AIM else 'NOT reached'} (worst {worst:.1f})"
    )


if __name__ == "__main__":
    main()
