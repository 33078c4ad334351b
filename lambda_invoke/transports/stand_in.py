"""What clients that are made meanwhile send with: how a test puts a fake in the place of AWS."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.core.transport import AsyncTransport, Transport
    from lambda_invoke.transports.drive import Clock


class StandIn(Protocol):
    """Something that answers for AWS, with a time of its own."""

    @property
    def clock(self) -> Clock:
        """Where its clients' time and chance come from."""

    def transport(self) -> Transport:
        """What blocking calls go to."""

    def async_transport(self) -> AsyncTransport:
        """What asyncio, ``map`` and ``fan_out`` go to."""


_STANDING: list[StandIn] = []  # of the whole process: code under test makes clients in any thread


_PASSED: ContextVar[bool] = ContextVar("lambda_invoke_stand_in_passed", default=False)


def standing_in() -> StandIn | None:
    """What clients that are made now send with; None: what their arguments say."""
    return _STANDING[-1] if _STANDING and not _PASSED.get() else None


@contextlib.contextmanager
def as_told() -> Iterator[None]:
    """Have the clients that this thread or task makes in this block send as their arguments say."""
    token = _PASSED.set(True)
    try:
        yield
    finally:
        _PASSED.reset(token)


@contextlib.contextmanager
def stand_in(one: StandIn) -> Iterator[None]:
    """Have the clients that are made in this block, in every thread, send with ``one``."""
    _STANDING.append(one)
    try:
        yield
    finally:
        place = max(index for index, other in enumerate(_STANDING) if other is one)
        del _STANDING[place]
