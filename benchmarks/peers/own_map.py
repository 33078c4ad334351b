"""This library's blocking ``map``; the argument says on which loop, ``asyncio`` or ``uvloop``."""

from __future__ import annotations

import sys

from benchmarks.peers.protocol import FUNCTION, Job, loop_factory, serve
from lambda_invoke import LambdaClient
from lambda_invoke.fanout.loop import BACKGROUND

client = LambdaClient()


def run(job: Job) -> int:
    outcomes = client.map(FUNCTION, (job.payload for _ in range(job.items)), concurrency=job.in_flight)
    return sum(outcome.value == job.payload for outcome in outcomes)


if __name__ == "__main__":
    BACKGROUND.make = loop_factory(sys.argv[1])
    assert str(client.transport).endswith("direct"), client.transport
    serve(f"lambda_invoke, {sys.argv[1]}", run)
