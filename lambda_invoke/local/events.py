"""Asynchronous invocations: answered 202, run in the background, retried as Lambda does.

Source: "Asynchronous invocation error handling", AWS Lambda developer guide, 2026-11: a function
error is retried twice, after one and then two minutes; a throttled event is put back, with a delay
that grows from one second to five minutes, for up to six hours.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local.faults import Throttled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambda_invoke.local.executor import Executor
    from lambda_invoke.local.outcome import Invocation
    from lambda_invoke.local.registry import Deployment

logger = logging.getLogger("lambda_invoke.local")

_FIRST_THROTTLE_DELAY = 1.0
_LONGEST_THROTTLE_DELAY = 300.0


class EventQueue:
    """The Events that were accepted and are not done with. Used on one event loop."""

    def __init__(self, executor: Executor, retry_delays: Sequence[float], max_age: float) -> None:
        self._executor = executor
        self._retry_delays = tuple(retry_delays)
        self._max_age = max_age
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, deployment: Deployment, invocation: Invocation) -> None:
        """Accept one."""
        self._executor.tallies[deployment.function_name].accepted_event()
        task = asyncio.create_task(self._process(deployment, invocation), name="lambda-invoke-local-event")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, deployment: Deployment, invocation: Invocation) -> None:
        deadline = time.monotonic() + self._max_age
        for attempt, delay in enumerate([*self._retry_delays, None], start=1):
            if not await self._attempt(deployment, attrs.evolve(invocation, attempt=attempt), deadline):
                return
            if delay is None or time.monotonic() + delay > deadline:
                logger.warning("%s: gave up an event after %d attempts", deployment.function_name, attempt)
                return
            await asyncio.sleep(delay)

    async def _attempt(self, deployment: Deployment, invocation: Invocation, deadline: float) -> bool:
        """Run it once, however often it is throttled; whether it failed and may be tried again."""
        delay = _FIRST_THROTTLE_DELAY
        while True:
            try:
                execution = await self._executor.execute(deployment, invocation)
            except Throttled:
                never = deployment.function.reserved_concurrency == 0  # Lambda then drops events at once
                if never or time.monotonic() + delay > deadline:
                    logger.warning("%s: dropped a throttled event", deployment.function_name)
                    return False
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_THROTTLE_DELAY)
            else:
                return execution.verdict.failed

    async def wait(self) -> None:
        """Wait until every Event accepted so far, and each that comes meanwhile, is done with."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give up what is left."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
