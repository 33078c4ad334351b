"""Listings of the control plane on asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lambda_invoke.transports.threads import CONTROL_PLANE, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from lambda_invoke.transports.protocols import BotoLambdaClient
    from lambda_invoke.transports.sender import Sender

T = TypeVar("T")


async def listed(sender: Sender, pages: Callable[[BotoLambdaClient], Iterator[list[T]]]) -> AsyncIterator[T]:
    """What the pages hold, each fetched in a daemon thread when it is asked for."""
    found = await in_thread(CONTROL_PLANE, lambda: pages(sender.control()))
    while (page := await in_thread(CONTROL_PLANE, lambda: next(found, None))) is not None:
        for one in page:
            yield one
