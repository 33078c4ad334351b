"""The blocking client's methods for what Lambda does with a function's Events."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from lambda_invoke.core.target import parse_target
from lambda_invoke.events.config import UNCHANGED, Unchanged, alteration, replacement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.events.config import EventConfig
    from lambda_invoke.results import FunctionConfiguration
    from lambda_invoke.transports.sender import Sender


class EventConfigMethods:
    """Event invoke configuration and dead-letter queue; what they send is checked first."""

    _sender: Sender

    def get_event_config(self, function: str, *, qualifier: str | None = None) -> EventConfig | None:
        """What is set for the Events of a function, version or alias; None if nothing is.

        Lambda's defaults hold for what is not set: 2 retries, 6 hours, no destination. Each qualifier
        has its own: an Event sent to an alias does not fall back on what is set for ``$LATEST``.

        Args:
            function: a name or ARN.
            qualifier: a version or alias; without one it is ``$LATEST``'s.

        Raises:
            FunctionNotFoundError: there is no such function, version or alias. Lambda answers this as
                it answers that nothing is set, so GetFunctionConfiguration is asked; where that is
                not allowed, None may mean either.
        """
        from lambda_invoke.events import config_calls

        return config_calls.get_event_config(self._sender.control(), parse_target(function, qualifier))

    def put_event_config(
        self,
        function: str,
        *,
        maximum_retry_attempts: int | None = None,
        maximum_event_age: float | None = None,
        on_success: str | None = None,
        on_failure: str | None = None,
        qualifier: str | None = None,
    ) -> EventConfig:
        """Set all of it: what is not named is reset to Lambda's default. ``update_event_config`` keeps it.

        Args:
            function: a name or ARN.
            maximum_retry_attempts: 0 to 2 more after a try that failed; None: Lambda's default, 2.
            maximum_event_age: seconds, 60 to 21,600, for which an Event is tried; None: 21,600.
            on_success: the ARN that records of success go to: a standard SQS queue, a standard SNS
                topic, an EventBridge bus or a Lambda function; None: nowhere.
            on_failure: the same for failures, and S3 buckets.
            qualifier: a version or alias; without one it is ``$LATEST``'s.

        Raises:
            RequestError: Lambda would not accept a value, or nothing is set.
            OutcomeUnknownError: no answer came; it may be set.
        """
        from lambda_invoke.events import config_calls

        target = parse_target(function, qualifier)
        change = replacement(
            target.display,
            maximum_retry_attempts=maximum_retry_attempts,
            maximum_event_age=maximum_event_age,
            on_success=on_success,
            on_failure=on_failure,
        )
        return config_calls.put_event_config(self._sender.control(), target, change)

    def update_event_config(
        self,
        function: str,
        *,
        maximum_retry_attempts: int | Unchanged = UNCHANGED,
        maximum_event_age: float | Unchanged = UNCHANGED,
        on_success: str | Unchanged | None = UNCHANGED,
        on_failure: str | Unchanged | None = UNCHANGED,
        qualifier: str | None = None,
    ) -> EventConfig:
        """Change what is named and keep the rest; something has to be set already.

        Lambda takes the two destinations as one member. If one is named, the other is read first and
        sent along, so that somebody else's change of it at that very moment would be undone.

        Args:
            function: a name or ARN.
            maximum_retry_attempts: 0 to 2. An update cannot take a limit back.
            maximum_event_age: seconds, 60 to 21,600.
            on_success: an ARN, as of ``put_event_config``; None removes the destination.
            on_failure: the same.
            qualifier: a version or alias; without one it is ``$LATEST``'s.

        Raises:
            FunctionNotFoundError: there is no such function, or nothing is set that could be changed.
            RequestError: Lambda would not accept a value, or nothing is named.
            OutcomeUnknownError: no answer came; it may be changed.
        """
        from lambda_invoke.events import config_calls

        target = parse_target(function, qualifier)
        change = alteration(
            target.display,
            maximum_retry_attempts=maximum_retry_attempts,
            maximum_event_age=maximum_event_age,
            on_success=on_success,
            on_failure=on_failure,
        )
        return config_calls.update_event_config(self._sender.control(), target, change)

    def delete_event_config(self, function: str, *, qualifier: str | None = None) -> bool:
        """Remove all of it: Lambda's defaults hold again. Returns whether anything was set.

        Raises:
            FunctionNotFoundError: as of ``get_event_config``.
            OutcomeUnknownError: no answer came; it may be removed.
        """
        from lambda_invoke.events import config_calls

        return config_calls.delete_event_config(self._sender.control(), parse_target(function, qualifier))

    def list_event_configs(self, function: str) -> Iterator[EventConfig]:
        """What is set for a function's qualifiers, fetched page by page as it is consumed."""
        from lambda_invoke.events import config_calls

        pages = config_calls.event_config_pages(self._sender.control(), parse_target(function))
        return chain.from_iterable(pages)

    def get_dead_letter_queue(self, function: str, *, qualifier: str | None = None) -> str | None:
        """The ARN of the SQS queue or SNS topic that failed Events go to as they were sent; None: nowhere."""
        from lambda_invoke.events import config_calls

        return config_calls.get_dead_letter_queue(self._sender.control(), parse_target(function, qualifier))

    def set_dead_letter_queue(self, function: str, arn: str) -> FunctionConfiguration:
        """Send failed Events to a standard SQS queue or SNS topic, besides any destination.

        It is a setting of ``$LATEST``: published versions keep what they were published with. The
        function is updated; ``wait_until_active`` waits until that is done.

        Raises:
            RequestError: the ARN is of nothing that Lambda takes, or ``function`` names a version.
            OutcomeUnknownError: no answer came; it may be set.
        """
        from lambda_invoke.events import config_calls

        return config_calls.set_dead_letter_queue(self._sender.control(), parse_target(function), arn)

    def remove_dead_letter_queue(self, function: str) -> FunctionConfiguration:
        """Send failed Events to no dead-letter queue any more; as ``set_dead_letter_queue``."""
        from lambda_invoke.events import config_calls

        return config_calls.set_dead_letter_queue(self._sender.control(), parse_target(function), None)
