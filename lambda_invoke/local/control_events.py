"""What becomes of Events, as Lambda's API shows and changes it: the EventInvokeConfig operations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local.event_settings import EventSettings
from lambda_invoke.local.faults import invalid_parameter, not_found
from lambda_invoke.local.function import (
    LATEST,
    MAX_EVENT_AGE_SECONDS,
    MAX_EVENT_RETRIES,
    MIN_EVENT_AGE_SECONDS,
)
from lambda_invoke.local.pages import MAX_PAGE_ITEMS, page

if TYPE_CHECKING:
    from lambda_invoke.local.control_call import Call
    from lambda_invoke.local.function import Destination
    from lambda_invoke.local.registry import Registry

_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(?P<service>[a-z0-9-]+):[^:]*:[^:]*:.+")
_SERVICES = ("lambda", "sqs", "sns", "events")
_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class EventConfigs:
    """The operations; each is about one qualifier of a function, and without one about ``$LATEST``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def get(self, call: Call) -> dict[str, Any]:
        """GetFunctionEventInvokeConfig."""
        name, qualifier = self._named(call)
        return self._shown(name, qualifier, self._existing(name, qualifier))

    def list(self, call: Call) -> dict[str, Any]:
        """ListFunctionEventInvokeConfigs."""
        name, _ = self._registry.names.split(call.parts["name"])
        self._check_exists(name, LATEST)
        return page(
            "FunctionEventInvokeConfigs",
            list(self._registry.event_settings(name).items()),
            call.query,
            lambda item: self._shown(name, *item),
            MAX_PAGE_ITEMS,
        )

    def put(self, call: Call) -> dict[str, Any]:
        """PutFunctionEventInvokeConfig: what is not given is not set any more."""
        return self._replace(call, None)

    def update(self, call: Call) -> dict[str, Any]:
        """UpdateFunctionEventInvokeConfig: what is not given stays."""
        name, qualifier = self._named(call)
        self._check_exists(name, qualifier)
        return self._replace(call, self._existing(name, qualifier))

    def delete(self, call: Call) -> None:
        """DeleteFunctionEventInvokeConfig: Lambda's defaults hold again."""
        name, qualifier = self._named(call)
        self._existing(name, qualifier)
        self._registry.put_event_settings(name, qualifier, None)

    def _replace(self, call: Call, before: EventSettings | None) -> dict[str, Any]:
        call.only(*_MEMBERS)
        if not any(call.body.get(member) is not None for member in _MEMBERS):
            raise invalid_parameter("You must specify at least one of error handling or destination setting.")
        name, qualifier = self._named(call)
        self._check_exists(name, qualifier)
        given: dict[str, Any] = {
            "maximum_retry_attempts": call.integer("MaximumRetryAttempts", 0, MAX_EVENT_RETRIES),
            "maximum_event_age": call.integer(
                "MaximumEventAgeInSeconds", int(MIN_EVENT_AGE_SECONDS), int(MAX_EVENT_AGE_SECONDS)
            ),
        }
        given = {field: value for field, value in given.items() if value is not None}
        settings = attrs.evolve(before or EventSettings(), **given)
        destinations = call.members("DestinationConfig")
        if destinations is not None:
            settings = self._with_destinations(settings, destinations, name)
        self._registry.put_event_settings(name, qualifier, settings)
        return self._shown(name, qualifier, self._existing(name, qualifier))

    def _with_destinations(self, settings: EventSettings, given: Call, name: str) -> EventSettings:
        success, failure = _arn(given, "OnSuccess"), _arn(given, "OnFailure")
        if not (_may_be(success, *_SERVICES) and _may_be(failure, *_SERVICES, "s3")):
            on_success = "null" if success is None else f"OnSuccess(destination={success})"
            on_failure = "null" if failure is None else f"OnFailure(destination={failure})"
            raise invalid_parameter(
                f"The provided destination config DestinationConfig(onSuccess={on_success}, "
                f"onFailure={on_failure}) is invalid."
            )
        return attrs.evolve(
            settings, on_success=self._destination(success, name), on_failure=self._destination(failure, name)
        )

    def _destination(self, arn: str | None, name: str) -> Destination | None:
        if arn is None:
            return None
        if ":lambda:" in arn:
            prefix = self._registry.arn("")
            to, _, qualifier = arn.removeprefix(prefix).partition(":")
            if not arn.startswith(prefix) or not self._exists(to, qualifier or LATEST):
                raise invalid_parameter(f"The destination ARN {arn} is invalid.")
            if to == name:
                raise invalid_parameter("You can't specify the function as a destination for itself.")
        return self._registry.destinations.named(arn)

    def _named(self, call: Call) -> tuple[str, str]:
        name, qualifier = self._registry.names.split(call.parts["name"], call.query.get("Qualifier"))
        return name, qualifier or LATEST

    def _exists(self, name: str, qualifier: str) -> bool:
        if name not in self._registry:
            return False
        versions = [deployment.version for deployment in self._registry.versions(name)]
        return qualifier in versions or qualifier in self._registry.aliases(name)

    def _check_exists(self, name: str, qualifier: str) -> None:
        if not self._exists(name, qualifier):
            raise not_found("The function doesn't exist.")

    def _existing(self, name: str, qualifier: str) -> EventSettings:
        known = self._registry.event_settings(name) if name in self._registry else {}
        if qualifier not in known:
            arn = self._registry.arn(name, qualifier)
            raise not_found(f"The function {arn} doesn't have an EventInvokeConfig")
        return known[qualifier]

    def _shown(self, name: str, qualifier: str, settings: EventSettings) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "LastModified": settings.last_modified,
            "FunctionArn": self._registry.arn(name, qualifier),
            "DestinationConfig": {
                "OnSuccess": self._shown_destination(settings.on_success),
                "OnFailure": self._shown_destination(settings.on_failure),
            },
        }
        if settings.maximum_retry_attempts is not None:
            shown["MaximumRetryAttempts"] = settings.maximum_retry_attempts
        if settings.maximum_event_age is not None:
            shown["MaximumEventAgeInSeconds"] = int(settings.maximum_event_age)
        return shown

    def _shown_destination(self, destination: Destination | None) -> dict[str, str]:
        return {} if destination is None else {"Destination": self._registry.destinations.shown(destination)}


def _arn(given: Call, member: str) -> str | None:
    destination = given.members(member)
    return None if destination is None else destination.text("Destination") or None


def _may_be(arn: str | None, *services: str) -> bool:
    if arn is None:
        return True
    parts = _ARN.fullmatch(arn)
    return parts is not None and parts["service"] in services
