"""Asyncio clients for tests: the two kinds, and what there is of tasks and threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from lambda_invoke import AsyncLambdaClient
from tests.support.aws import QUICK, session
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.server import ScriptedServer


def built(server: ScriptedServer, **options: Any) -> AsyncLambdaClient:
    """A client that builds its own: its calls go direct."""
    return AsyncLambdaClient(session=session(), endpoint_url=server.url, **{"retry": QUICK, **options})


def handed(server: ScriptedServer, **options: Any) -> AsyncLambdaClient:
    """A client over a boto3 client."""
    boto_client: Any = boto3.client(
        "lambda", endpoint_url=server.url, config=Config(max_pool_connections=options.pop("pool", 64))
    )
    return AsyncLambdaClient(boto_client, **{"retry": QUICK, **options})


async def until(holds: Callable[[], object]) -> None:
    """Wait for what happens elsewhere; what never comes fails the test."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - another thread's doing sets no event of this loop
            await asyncio.sleep(0.002)


def other_tasks() -> set[asyncio.Task[Any]]:
    """The tasks of the loop but the one that asks."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
