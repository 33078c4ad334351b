"""aiobotocore in a pool of tasks: one shared client, as many connections, retries off, the body parsed.

It runs in an environment of its own, since it pins a botocore; the argument says on which loop.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from importlib.metadata import version
from typing import Any

from benchmarks.peers.protocol import FUNCTION, Job, loop_factory, pooled, serve

# Not by name: where types are checked it is not installed.
Config = importlib.import_module("aiobotocore.config").AioConfig
get_session = importlib.import_module("aiobotocore.session").get_session

clients: dict[int, Any] = {}


async def client_for(in_flight: int) -> Any:
    if in_flight not in clients:
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=in_flight)
        clients[in_flight] = await get_session().create_client("lambda", config=config).__aenter__()
    return clients[in_flight]


async def run(job: Job) -> int:
    client = await client_for(job.in_flight)

    async def invoke(payload: Any) -> object:
        answer = await client.invoke(FunctionName=FUNCTION, Payload=json.dumps(payload).encode())
        return json.loads(await answer["Payload"].read())

    return await pooled(invoke, job)


async def close() -> None:
    for client in clients.values():
        await client.__aexit__(None, None, None)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[1])) as runner:
        serve(f"{version('aiobotocore')}, botocore {version('botocore')}", lambda job: runner.run(run(job)))
        runner.run(close())
