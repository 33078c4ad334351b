"""This library's ``await client.invoke`` in a pool of tasks; the argument says on which loop."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from benchmarks.peers.protocol import FUNCTION, Job, loop_factory, pooled, serve
from lambda_invoke import AsyncLambdaClient

client = AsyncLambdaClient(max_concurrency=1000)


async def invoke(payload: Any) -> object:
    return (await client.invoke(FUNCTION, payload)).value


if __name__ == "__main__":
    assert str(client.transport).endswith("direct"), client.transport
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[1])) as runner:

        def run(job: Job) -> int:
            return runner.run(pooled(invoke, job))

        serve(f"lambda_invoke, {sys.argv[1]}", run)
