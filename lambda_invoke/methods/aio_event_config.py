"""The asyncio client's methods for what Lambda does with a function's Events."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lambda_invoke.core.target import parse_target
from lambda_invoke.events.config import UNCHANGED, Unchanged, alteration, replacement
from lambda_invoke.methods.listing import listed
from lambda_invoke.transports.threads import CONTROL_PLANE, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lambda_invoke.events.config import EventConfig
    from lambda_invoke.results import FunctionConfiguration
    from lambda_invoke.transports.protocols import BotoLambdaClient
    from lambda_invoke.transports.sender import Sender

T = TypeVar("T")


class AsyncEventConfigMethods:
    """Of the asyncio client; boto3 carries the calls, in a daemon thread."""

    _sender: Sender

    async def _control(self, call: Callable[[BotoLambdaClient], T]) -> T:
        return await in_thread(CONTROL_PLANE, lambda: call(self._sender.control()))

    async def get_event_config(self, function: str, *, qualifier: str | None = None) -> EventConfig | None:
        """What is set for a function's Events; as :meth:`LambdaClient.get_event_config`."""
        from lambda_invoke.events import config_calls

        target = parse_target(function, qualifier)
        return await self._control(lambda client: config_calls.get_event_config(client, target))

    async def put_event_config(
        self,
        function: str,
        *,
        maximum_retry_attempts: int | None = None,
        maximum_event_age: float | None = None,
        on_success: str | None = None,
        on_failure: str | None = None,
        qualifier: str | None = None,
    ) -> EventConfig:
        """Set all of it, and reset what is not named; as :meth:`LambdaClient.put_event_config`."""
        from lambda_invoke.events import config_calls

        target = parse_target(function, qualifier)
        change = replacement(
            target.display,
            maximum_retry_attempts=maximum_retry_attempts,
            maximum_event_age=maximum_event_age,
            on_success=on_success,
            on_failure=on_failure,
        )
        return await self._control(lambda client: config_calls.put_event_config(client, target, change))

    async def update_event_config(
        self,
        function: str,
        *,
        maximum_retry_attempts: int | Unchanged = UNCHANGED,
        maximum_event_age: float | Unchanged = UNCHANGED,
        on_success: str | Unchanged | None = UNCHANGED,
        on_failure: str | Unchanged | None = UNCHANGED,
        qualifier: str | None = None,
    ) -> EventConfig:
        """Change what is named and keep the rest; as :meth:`LambdaClient.update_event_config`."""
        from lambda_invoke.events import config_calls

        target = parse_target(function, qualifier)
        change = alteration(
            target.display,
            maximum_retry_attempts=maximum_retry_attempts,
            maximum_event_age=maximum_event_age,
            on_success=on_success,
            on_failure=on_failure,
        )
        return await self._control(lambda client: config_calls.update_event_config(client, target, change))

    async def delete_event_config(self, function: str, *, qualifier: str | None = None) -> bool:
        """Remove all of it; as :meth:`LambdaClient.delete_event_config`."""
        from lambda_invoke.events import config_calls

        target = parse_target(function, qualifier)
        return await self._control(lambda client: config_calls.delete_event_config(client, target))

    def list_event_configs(self, function: str) -> AsyncIterator[EventConfig]:
        """What is set for a function's qualifiers, fetched page by page as it is consumed."""
        from lambda_invoke.events import config_calls

        target = parse_target(function)
        return listed(self._sender, lambda client: config_calls.event_config_pages(client, target))

    async def get_dead_letter_queue(self, function: str, *, qualifier: str | None = None) -> str | None:
        """The ARN of the dead-letter queue; as :meth:`LambdaClient.get_dead_letter_queue`."""
        from lambda_invoke.events import config_calls

        target = parse_target(function, qualifier)
        return await self._control(lambda client: config_calls.get_dead_letter_queue(client, target))

    async def set_dead_letter_queue(self, function: str, arn: str) -> FunctionConfiguration:
        """Set the dead-letter queue; as :meth:`LambdaClient.set_dead_letter_queue`."""
        from lambda_invoke.events import config_calls

        target = parse_target(function)
        return await self._control(lambda client: config_calls.set_dead_letter_queue(client, target, arn))

    async def remove_dead_letter_queue(self, function: str) -> FunctionConfiguration:
        """Remove the dead-letter queue; as :meth:`LambdaClient.remove_dead_letter_queue`."""
        from lambda_invoke.events import config_calls

        target = parse_target(function)
        return await self._control(lambda client: config_calls.set_dead_letter_queue(client, target, None))
