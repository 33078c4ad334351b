"""What ended Events are told to: each destination tried a few times, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from lambda_invoke.local.destination_services import Services, UndeliverableError
from lambda_invoke.local.destinations import FunctionRoute, ServiceRoute, check_destination
from lambda_invoke.local.function import LocalLambdaError
from lambda_invoke.transports.threads import DaemonThreads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lambda_invoke.local.event_records import Message
    from lambda_invoke.local.event_state import EventClock
    from lambda_invoke.local.function import Destination
    from lambda_invoke.local.registry import Registry

logger = logging.getLogger("lambda_invoke.local")

_TRIES = 3
_FIRST_PAUSE = 1.0
"""Lambda tries for longer, and says neither how often nor when."""
_MAX_THREADS = 8


class Deliveries:
    """Delivers messages. Used on one event loop; services are called in daemon threads."""

    def __init__(self, registry: Registry, clock: EventClock, services: Callable[[str], Any] | None) -> None:
        self._registry = registry
        self._clock = clock
        self._services = None if services is None else Services(services)
        self._threads = DaemonThreads(_MAX_THREADS)

    async def deliver(
        self,
        kind: str,
        destination: Destination,
        message: Message,
        timestamp: str,
        to_function: Callable[[FunctionRoute, Message], None],
    ) -> bool:
        """Whether it arrived; a failure is logged. ``kind`` is as for ``check_destination``."""
        attempt, pause = 1, _FIRST_PAUSE
        while True:
            try:
                found = check_destination(
                    destination, self._registry, kind=kind, has_services=self._services is not None
                )
                match found:
                    case FunctionRoute():
                        to_function(found, message)
                    case ServiceRoute():
                        await self._send(found, message, timestamp)
                    case _:
                        found.deliver(message.to_value())
            except (LocalLambdaError, UndeliverableError) as error:
                _log(message, kind, destination, str(error))
                return False
            except Exception as error:  # noqa: BLE001 - whatever boto3, or the caller's client, raises
                if attempt == _TRIES:
                    _log(message, kind, destination, _name(error))
                    return False
                await self._clock.sleep(pause)
                attempt, pause = attempt + 1, pause * 2
            else:
                return True

    async def _send(self, found: ServiceRoute, message: Message, timestamp: str) -> None:
        assert self._services is not None
        services = self._services
        loop = asyncio.get_running_loop()
        sent: asyncio.Future[None] = loop.create_future()

        def tell(error: Exception | None) -> None:
            if sent.done():
                return
            if error is None:
                sent.set_result(None)
            else:
                sent.set_exception(error)

        def send() -> None:
            failure = None
            try:
                services.send(found, message, timestamp)
            except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop may have been closed meanwhile
                loop.call_soon_threadsafe(tell, failure)

        self._threads.submit(send)
        await sent

    def close(self) -> None:
        """Close the services' clients."""
        if self._services is not None:
            self._services.close()


def _log(message: Message, kind: str, destination: Destination, why: str) -> None:
    logger.warning(
        "%s: what became of event %s was not delivered to its %s, %s: %s",
        message.function_name,
        message.request_id,
        kind,
        destination,
        why,
    )


def _name(error: Exception) -> str:
    """The error's code or class: its message might hold what was sent."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return f"{type(error).__name__} ({code})" if code else type(error).__name__
