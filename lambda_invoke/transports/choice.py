"""Which transport carries asyncio calls and fan-out: direct, or botocore where direct would bypass something.

A client that is handed over is used for everything; a client that the library builds goes direct,
unless its calls are intercepted or it is configured for what direct does not do.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.transport import Answer, Failure, FailureKind, Request
from lambda_invoke.errors import Executed
from lambda_invoke.transports.direct import DirectTransport
from lambda_invoke.transports.direct_config import UnsupportedError
from lambda_invoke.transports.interceptors import Interceptors
from lambda_invoke.transports.threads import DaemonThreads, ThreadedTransport, in_thread, mark_unsent

if TYPE_CHECKING:
    from lambda_invoke.transports.aws_config import BuiltClients
    from lambda_invoke.transports.botocore import BotocoreTransport


_NO_SLOT = "the deadline passed while waiting for one of the client's connections"


@attrs.frozen
class TransportChoice:
    """What carries a client's calls. ``reason`` says why fan-out and asyncio calls do not go direct."""

    blocking: str
    asyncio: str
    reason: str | None = None

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"blocking calls: {self.blocking}; asyncio and fan-out: {self.asyncio}{why}"


class ChosenTransport:
    """An AsyncTransport that decides before every operation; cheap when nothing changed."""

    def __init__(self, built: BuiltClients, blocking: BotocoreTransport, *, slots: int) -> None:
        self._built = built
        self._blocking = blocking
        self._direct = DirectTransport(built.invoke, slots=slots)
        self._threaded = ThreadedTransport(blocking, most=slots)
        self._threads = DaemonThreads(1)
        self._watched: tuple[Any, Interceptors] | None = None
        self._unsupported: str | None = None

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send once, over whichever may."""
        if self._watched is None and self._unsupported is None:
            begun = time.monotonic()
            try:
                await in_thread(self._threads, self._watch)
            except asyncio.CancelledError as cancelled:
                mark_unsent(cancelled)
                raise
            except Exception:  # noqa: BLE001 - the client cannot be built: botocore's transport says why
                return await self._threaded.send(request, timeout, remaining)
            if remaining is not None:
                remaining -= time.monotonic() - begun
        if self.reason() is None:
            missed = self._interceptors().missed_mock()
            if missed is not None:
                return Failure(FailureKind.REQUEST, Executed.NO, missed)
            try:
                return await self._send_direct(request, timeout, remaining)
            except UnsupportedError as error:
                self._unsupported = str(error)
        return await self._threaded.send(request, timeout, remaining)

    async def _send_direct(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        slots = self._blocking.slots  # shared with the blocking calls: one bound for all
        if not slots.take():
            begun = time.monotonic()
            try:
                held = await slots.acquire_async(remaining)
            except asyncio.CancelledError as cancelled:
                mark_unsent(cancelled)
                raise
            if not held:
                return Failure(FailureKind.QUEUE, Executed.NO, _NO_SLOT)
            if remaining is not None:
                remaining -= time.monotonic() - begun
        try:
            return await self._direct.send(request, timeout, remaining)
        finally:
            slots.release()

    def reason(self) -> str | None:
        """Why botocore carries the next operation; None: it goes direct."""
        return self._unsupported or self._interceptors().reason()

    def settled_reason(self) -> str | None:
        """The same, blocking, once the configuration was read: it may ask for what direct does not do."""
        if self.reason() is None:
            try:
                self._direct.read()
            except UnsupportedError as error:
                self._unsupported = str(error)
        return self.reason()

    def close(self) -> None:
        """Have every loop drop its connections; from any thread."""
        self._direct.close()

    async def aclose(self) -> None:
        """Drop this loop's connections."""
        await self._direct.aclose()

    def _watch(self) -> Interceptors:
        client = self._built.invoke()
        if self._watched is None or self._watched[0] is not client:
            self._watched = (client, Interceptors(client))
        return self._watched[1]

    def _interceptors(self) -> Interceptors:
        return self._watch() if self._watched is None else self._watched[1]
