"""The two drivers of a plan: they differ by ``await``."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

import attrs

from lambda_invoke.core.plan import Plan, Send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambda_invoke.core.transport import Answer, AsyncTransport, Request, Transport

R = TypeVar("R")


@attrs.frozen
class Clock:
    """Where time and chance come from; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random
    async_sleep: Callable[[float], Awaitable[object]] | None = None
    """How the engine of ``map`` waits; None: ``asyncio.sleep``."""


def drive(plan: Plan[R], transport: Transport, request: Request, sleep: Callable[[float], object]) -> R:
    """Carry out a plan, blocking."""
    answer: Answer | None = None
    try:
        while True:
            step = plan.send(answer)
            if isinstance(step, Send):
                answer = transport.send(request, step.timeout, step.remaining)
            else:
                sleep(step.seconds)
                answer = None
    except StopIteration as done:
        result: R = done.value
        return result
    finally:
        plan.close()


async def drive_async(
    plan: Plan[R], transport: AsyncTransport, request: Request, sleep: Callable[[float], Awaitable[object]]
) -> R:
    """Carry out a plan, awaiting."""
    answer: Answer | None = None
    try:
        while True:
            step = plan.send(answer)
            if isinstance(step, Send):
                answer = await transport.send(request, step.timeout, step.remaining)
            else:
                await sleep(step.seconds)
                answer = None
    except StopIteration as done:
        result: R = done.value
        return result
    finally:
        plan.close()
