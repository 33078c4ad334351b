"""What was said of the Events of one function, version or alias, as Lambda's API keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs

from lambda_invoke.local.function import (
    MAX_EVENT_AGE_SECONDS,
    MAX_EVENT_RETRIES,
    Destination,
    EventInvokeConfig,
    Outbox,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_invoke.local.names import Names


@attrs.frozen
class EventSettings:
    """An EventInvokeConfig in which what was not said is None; ``last_modified``: seconds since the epoch."""

    maximum_retry_attempts: int | None = None
    maximum_event_age: float | None = None
    on_success: Destination | None = None
    on_failure: Destination | None = None
    last_modified: float = 0.0

    @classmethod
    def of(cls, config: EventInvokeConfig, now: float) -> Self:
        """The settings that say all of a config."""
        return cls(
            config.maximum_retry_attempts, config.maximum_event_age, config.on_success, config.on_failure, now
        )

    def config(self) -> EventInvokeConfig:
        """The config, with Lambda's defaults for what was not said."""
        retries, age = self.maximum_retry_attempts, self.maximum_event_age
        return EventInvokeConfig(
            maximum_retry_attempts=MAX_EVENT_RETRIES if retries is None else retries,
            maximum_event_age=MAX_EVENT_AGE_SECONDS if age is None else age,
            on_success=self.on_success,
            on_failure=self.on_failure,
        )


class DestinationArns:
    """Destinations as ARNs, and back: an Outbox is shown as an SQS queue of the local account.

    The queues are named ``outbox-1`` and so on, in the order in which the functions name the outboxes.
    """

    def __init__(self, names: Names, destinations: Iterable[Destination | None]) -> None:
        self._names = names
        self._outboxes: dict[str, Outbox] = {}
        self._arns: dict[Outbox, str] = {}
        for destination in destinations:
            if isinstance(destination, Outbox) and destination not in self._arns:
                number = len(self._arns) + 1
                arn = f"arn:aws:sqs:{names.region_name}:{names.account_id}:outbox-{number}"
                self._arns[destination], self._outboxes[arn] = arn, destination

    def shown(self, destination: Destination) -> str:
        """The ARN of a destination."""
        if isinstance(destination, Outbox):
            return self._arns[destination]
        if destination.startswith("arn:"):
            return destination
        return self._names.arn(*self._names.split(destination))

    def named(self, arn: str) -> Destination:
        """What an ARN names: an Outbox if it is the ARN of one, else the ARN itself."""
        return self._outboxes.get(arn, arn)
