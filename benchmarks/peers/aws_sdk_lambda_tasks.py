"""aws-sdk-lambda in a pool of tasks: one shared client, as many connections, retries off, JSON parsed.

It runs in an environment of its own, as it needs Python 3.12; the argument says on which loop.
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
aiohttp = importlib.import_module("aiohttp")
sdk = importlib.import_module("aws_sdk_lambda.client")
Config = importlib.import_module("aws_sdk_lambda.config").AsyncLambdaConfig
Input = importlib.import_module("aws_sdk_lambda.models").InvokeInput
Transport = importlib.import_module("smithy_http.aio.aiohttp").AIOHTTPClient

clients: dict[int, Any] = {}


async def client_for(in_flight: int) -> Any:
    if in_flight not in clients:
        # Its own session, but for the bound on connections, which would be 100.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=in_flight),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )
        config = await Config.resolve(max_attempts=1, transport=Transport(_session=session))
        clients[in_flight] = sdk.AsyncLambdaClient(config)
    return clients[in_flight]


async def run(job: Job) -> int:
    client = await client_for(job.in_flight)

    async def invoke(payload: Any) -> object:
        answer = await client.invoke(Input(function_name=FUNCTION, payload=json.dumps(payload).encode()))
        return json.loads(answer.payload)

    return await pooled(invoke, job)


async def close() -> None:
    for client in clients.values():
        await client.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[1])) as runner:
        serve(version("aws_sdk_lambda"), lambda job: runner.run(run(job)))
        runner.run(close())
