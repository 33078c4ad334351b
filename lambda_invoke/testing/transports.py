"""The fake as a transport: the same service, called and awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from lambda_invoke.core.transport import Answer, Request
    from lambda_invoke.testing.hold import Hold
    from lambda_invoke.testing.service import Service

    Exchange = Generator[Hold | None, None, Answer]


def send(exchange: Exchange) -> Answer:
    """Carry an exchange out, blocking."""
    try:
        while True:
            hold = next(exchange)
            if hold is not None:
                hold.pass_through()
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    finally:
        exchange.close()


class FakeTransport:
    """Blocking, with an asyncio side for ``map`` and ``fan_out``.

    Closing it does nothing: the fake may serve other clients.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send ``request`` once.

        Raises:
            UnscriptedCallError: nothing is scripted for it.
        """
        return send(self._service.exchange(request, timeout, remaining))

    def async_transport(self) -> FakeAsyncTransport:
        """The same service, awaited."""
        return FakeAsyncTransport(self._service)

    def close(self) -> None:
        """Nothing was opened."""


class FakeAsyncTransport:
    """Awaited, on any number of event loops."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send ``request`` once.

        Raises:
            UnscriptedCallError: nothing is scripted for it.
        """
        exchange = self._service.exchange(request, timeout, remaining)
        try:
            while True:
                hold = next(exchange)
                if hold is None:
                    await asyncio.sleep(0)  # in flight: other calls come too, and it can be cancelled
                else:
                    await hold.pass_through_async()
        except StopIteration as done:
            answer: Answer = done.value
            return answer
        finally:
            exchange.close()

    async def aclose(self) -> None:
        """Nothing was opened."""

    def close(self) -> None:
        """Nothing was opened."""
