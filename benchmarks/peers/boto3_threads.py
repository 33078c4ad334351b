"""boto3 in threads: one shared client, a pool as large as the threads, retries off, the body parsed."""

from __future__ import annotations

import functools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import botocore
from botocore.config import Config

from benchmarks.peers.protocol import FUNCTION, Job, serve


@functools.cache
def client_for(in_flight: int) -> Any:
    return boto3.client(
        "lambda", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=in_flight)
    )


def run(job: Job) -> int:
    client = client_for(job.in_flight)

    def invoke(_: int) -> bool:
        answer = client.invoke(FunctionName=FUNCTION, Payload=json.dumps(job.payload).encode())
        return bool(json.loads(answer["Payload"].read()) == job.payload)

    with ThreadPoolExecutor(job.in_flight) as pool:
        return sum(pool.map(invoke, range(job.items)))


if __name__ == "__main__":
    serve(f"botocore {botocore.__version__}", run)
