"""The two drivers of a plan: they differ by ``await``."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

import attrs

from lambda_invoke.core.plan import Plan, Send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambda_invoke.core.limiter_board import Ticket
    from lambda_invoke.core.transport import Answer, AsyncTransport, Request, Transport
    from lambda_invoke.transports.admission import Admission

R = TypeVar("R")


@attrs.frozen
class Clock:
    """Where time and chance come from; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random
    async_sleep: Callable[[float], Awaitable[object]] | None = None
    """How the engine of ``map`` waits; None: ``asyncio.sleep``."""


def drive(
    plan: Plan[R],
    transport: Transport,
    request: Request,
    sleep: Callable[[float], object],
    admission: Admission,
) -> R:
    """Carry out a plan, blocking. Its attempts count in the limiter and do not wait for it."""
    answer: Answer | None = None
    ticket: Ticket | None = None
    try:
        while True:
            step = plan.send(answer)
            if isinstance(step, Send):
                ticket = admission.join(request)
                answer = transport.send(request, step.timeout, step.remaining)
                admission.ended(ticket, answer)
                ticket = None
            else:
                sleep(step.seconds)
                answer = None
    except StopIteration as done:
        result: R = done.value
        return result
    finally:
        if ticket is not None:
            admission.leave(ticket)
        plan.close()


async def drive_async(
    plan: Plan[R],
    transport: AsyncTransport,
    request: Request,
    sleep: Callable[[float], Awaitable[object]],
    admission: Admission,
    *,
    enter: Callable[[], Awaitable[Ticket]] | None = None,
) -> R:
    """Carry out a plan, awaiting.

    With ``enter`` each attempt waits for its turn in the limiter before it begins, as items of jobs
    do; without it, it only counts there.
    """
    answer: Answer | None = None
    ticket: Ticket | None = None
    try:
        while True:
            if answer is None:
                ticket = admission.join(request) if enter is None else await enter()
            step = plan.send(answer)
            if isinstance(step, Send):
                assert ticket is not None
                answer = await transport.send(request, step.timeout, step.remaining)
                admission.ended(ticket, answer)
                ticket = None
            else:
                await sleep(step.seconds)
                answer = None
    except StopIteration as done:
        result: R = done.value
        return result
    finally:
        if ticket is not None:
            admission.leave(ticket)
        plan.close()
