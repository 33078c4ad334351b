"""The properties of one resource of a template: resolved, checked, and what is left out is warned of."""

from __future__ import annotations

from typing import Any

import attrs

from lambda_invoke.local.definition import DefinitionError
from lambda_invoke.local.function import EventInvokeConfig
from lambda_invoke.local.intrinsics import NO_VALUE, Resolver, Unresolvable, as_text, function_of


@attrs.frozen
class Properties:
    """The properties; ``place`` is the file and the logical id.

    What is known only after a deployment is left out, and ``warnings`` gets a line that says so.
    Every method raises a ``DefinitionError`` for a value of another kind, and what the resolver raises.
    """

    place: str
    properties: dict[str, Any] = attrs.field(repr=False)
    resolver: Resolver = attrs.field(repr=False)
    warnings: list[str]

    def resolved(self, value: Any, what: str) -> Any:
        """The value, or None (with a warning) if it is known only after a deployment."""
        try:
            resolved = self.resolver.resolve(value)
        except Unresolvable as reason:
            self.warnings.append(f"{self.place}: {what} is left out: {reason}")
            return None
        return None if resolved is NO_VALUE else resolved

    def table(self, name: str) -> dict[str, Any]:
        """A property that is a table, each of whose values is resolved by itself."""
        value = self.properties.get(name)
        if value is None:
            return {}
        table = self.each(value, name)
        if table is None:
            return {}
        if not isinstance(table, dict):
            raise DefinitionError(f"{self.place}: {name}: must be a table")
        return table

    def each(self, value: Any, what: str) -> Any:
        """A value, or a table each of whose values is resolved by itself; None is what is left out."""
        if not isinstance(value, dict) or function_of(value):
            return self.resolved(value, what)
        return {key: self.each(inner, f"{what}: {key}") for key, inner in value.items()}

    def text(self, name: str) -> str | None:
        """A property that is a string."""
        value = self.resolved(self.properties.get(name), name)
        return None if value is None else self.as_text(value, name)

    def whole(self, name: str) -> int | None:
        """A property that is a whole number."""
        return self.as_whole(self.resolved(self.properties.get(name), name), name)

    def as_text(self, value: Any, what: str) -> str:
        """A resolved value that is to be a string."""
        if isinstance(value, (dict, list)):
            raise DefinitionError(f"{self.place}: {what}: must be a string")
        return as_text(value)

    def as_whole(self, value: Any, what: str) -> int | None:
        """A resolved value that is to be a whole number; a string may hold one."""
        if value is None:
            return None
        text = self.as_text(value, what)
        if not text.removeprefix("-").isdecimal():
            raise DefinitionError(f"{self.place}: {what}: must be a whole number")
        return int(text)

    def events(self, name: str | None = None) -> EventInvokeConfig:
        """What becomes of Events, as a property or (None) the properties themselves say it.

        Raises:
            ValueError: a value that Lambda would not accept.
        """
        config = self.each(self.properties, "properties") if name is None else self.table(name)
        destinations = config.get("DestinationConfig") or {}
        if not isinstance(destinations, dict):
            raise DefinitionError(f"{self.place}: EventInvokeConfig: DestinationConfig: must be a table")
        given: dict[str, Any] = {
            "maximum_retry_attempts": self.as_whole(
                config.get("MaximumRetryAttempts"), "EventInvokeConfig: MaximumRetryAttempts"
            ),
            "maximum_event_age": self.as_whole(
                config.get("MaximumEventAgeInSeconds"), "EventInvokeConfig: MaximumEventAgeInSeconds"
            ),
            "on_success": self._destination(destinations, "OnSuccess"),
            "on_failure": self._destination(destinations, "OnFailure"),
        }
        return EventInvokeConfig(**{name: value for name, value in given.items() if value is not None})

    def _destination(self, destinations: dict[str, Any], key: str) -> str | None:
        destination = destinations.get(key)
        if not isinstance(destination, dict):
            return None
        if "Destination" not in destination:  # SAM makes a queue or topic then
            self.warnings.append(
                f"{self.place}: EventInvokeConfig: {key} is left out: its Destination is known only once it "
                "is deployed"
            )
            return None
        arn = destination["Destination"]
        return None if arn is None else self.as_text(arn, f"EventInvokeConfig: {key}")
