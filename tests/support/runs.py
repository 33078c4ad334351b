"""The same job over the blocking and the asyncio client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.aio import built
from tests.support.aws import Clients, Kind

if TYPE_CHECKING:
    from lambda_invoke import FanOutReport
    from tests.support.server import ScriptedServer


def in_threads(server: ScriptedServer, *args: Any, **options: Any) -> FanOutReport[Any]:
    """``fan_out`` of a blocking client."""
    with Clients(Kind.BUILT) as clients:
        return clients(server).fan_out(*args, **options)


def on_asyncio(server: ScriptedServer, *args: Any, **options: Any) -> FanOutReport[Any]:
    """``fan_out`` of an asyncio client, on a loop of its own."""

    async def use() -> FanOutReport[Any]:
        async with built(server) as client:
            return await client.fan_out(*args, **options)

    return asyncio.run(use())


BOTH = pytest.mark.parametrize("run", [in_threads, on_asyncio], ids=["blocking", "asyncio"])
