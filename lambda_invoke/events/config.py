"""A function's event invoke configuration: what Lambda does with its Events, checked before it is sent. Pure.

Source: "Configuring error handling settings for Lambda asynchronous invocations" and
PutFunctionEventInvokeConfig, AWS Lambda developer guide and API reference, 2026-11.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.events.destinations import check_destination
from lambda_invoke.events.outcome import arn_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_ATTEMPTS = 2
"""AWS quota, 2026-11: MaximumRetryAttempts is 0 to 2. It is the default too."""
MIN_EVENT_AGE = 60.0
MAX_EVENT_AGE = 21_600.0
"""AWS quota, 2026-11: MaximumEventAgeInSeconds is 60 to 21,600 (6 hours, which is the default too)."""

_LATEST = "$LATEST"


class Unchanged(enum.Enum):
    """The type of :data:`UNCHANGED`."""

    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return self.name


UNCHANGED: Final = Unchanged.UNCHANGED
"""What an update leaves as it is; ``None`` removes."""


@attrs.frozen
class EventConfig:
    """What was set for the Events of a function, version or alias; None for what was not.

    ``function`` is the ARN as Lambda names it, with its qualifier. ``maximum_retry_attempts`` counts
    what follows a first try that failed (Lambda's default: 2), ``maximum_event_age`` is in seconds
    (6 hours), ``on_success`` and ``on_failure`` are the ARNs that records go to (none).

    This is what Lambda says; ``lambda_invoke.local.EventInvokeConfig``, which has the same fields,
    declares it for a function of the local endpoint.
    """

    function: str
    maximum_retry_attempts: int | None = None
    maximum_event_age: float | None = None
    on_success: str | None = None
    on_failure: str | None = None
    last_modified: datetime | None = None

    @property
    def qualifier(self) -> str:
        """Whose it is: a version, an alias or ``$LATEST``."""
        return arn_parts(self.function)[1] or _LATEST

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> EventConfig:
        """From the service's shape, in which an empty destination is none."""
        destinations = answer.get("DestinationConfig") or {}
        age = answer.get("MaximumEventAgeInSeconds")
        return cls(
            answer["FunctionArn"],
            answer.get("MaximumRetryAttempts"),
            None if age is None else float(age),
            _destination(destinations, "OnSuccess"),
            _destination(destinations, "OnFailure"),
            _moment(answer.get("LastModified")),
        )


@attrs.frozen
class EventConfigChange:
    """What to set, checked when it is made: a value, None for what is not to be set, or UNCHANGED.

    Raises:
        RequestError: Lambda would not accept it; says what is wrong with which value.
    """

    display: str
    maximum_retry_attempts: int | Unchanged | None = UNCHANGED
    maximum_event_age: float | Unchanged | None = UNCHANGED
    on_success: str | Unchanged | None = UNCHANGED
    on_failure: str | Unchanged | None = UNCHANGED

    def __attrs_post_init__(self) -> None:
        self._check_number("maximum_retry_attempts", 0, MAX_RETRY_ATTEMPTS, "")
        self._check_number("maximum_event_age", MIN_EVENT_AGE, MAX_EVENT_AGE, " seconds")
        for name in ("on_success", "on_failure"):
            if getattr(self, name) not in (None, UNCHANGED):
                check_destination(getattr(self, name), name=name, function=self.display)

    def _check_number(self, name: str, least: float, most: float, unit: str) -> None:
        value = getattr(self, name)
        if value is None or value is UNCHANGED:
            return
        whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0
        if not whole or not least <= value <= most:
            raise RequestError(
                f"{name} is a whole number of {least:,.0f} to {most:,.0f}{unit}, not {value!r}",
                function=self.display,
            )

    @property
    def lacks_a_destination(self) -> bool:
        """Whether one destination is named and not the other: Lambda takes them as one member."""
        return (self.on_success is UNCHANGED) is not (self.on_failure is UNCHANGED)

    def parameters(self, current: EventConfig | None = None) -> dict[str, Any]:
        """What is sent besides the function's name; a destination that is not named is ``current``'s.

        Lambda has taken that one before: it is not checked.
        """
        on_success, on_failure = self.on_success, self.on_failure
        if current is not None:
            on_success = current.on_success if on_success is UNCHANGED else on_success
            on_failure = current.on_failure if on_failure is UNCHANGED else on_failure
        found: dict[str, Any] = {}
        for member, value in (
            ("MaximumRetryAttempts", self.maximum_retry_attempts),
            ("MaximumEventAgeInSeconds", self.maximum_event_age),
        ):
            if isinstance(value, (int, float)):
                found[member] = int(value)
        if UNCHANGED not in (on_success, on_failure):
            found["DestinationConfig"] = {
                member: {"Destination": arn} if isinstance(arn, str) else {}
                for member, arn in (("OnSuccess", on_success), ("OnFailure", on_failure))
            }
        return found


def replacement(
    display: str,
    *,
    maximum_retry_attempts: int | None,
    maximum_event_age: float | None,
    on_success: str | None,
    on_failure: str | None,
) -> EventConfigChange:
    """The change that sets everything: what is None is Lambda's default again.

    Raises:
        RequestError: Lambda would not accept it, or nothing is set.
    """
    change = EventConfigChange(display, maximum_retry_attempts, maximum_event_age, on_success, on_failure)
    if change == EventConfigChange(display, None, None, None, None):
        raise RequestError(
            "put_event_config sets at least one of maximum_retry_attempts, maximum_event_age, on_success and "
            "on_failure; delete_event_config removes all",
            function=display,
        )
    return change


def alteration(
    display: str,
    *,
    maximum_retry_attempts: int | Unchanged,
    maximum_event_age: float | Unchanged,
    on_success: str | Unchanged | None,
    on_failure: str | Unchanged | None,
) -> EventConfigChange:
    """The change of what is named.

    Raises:
        RequestError: Lambda would not accept it, or nothing is named.
    """
    change = EventConfigChange(display, maximum_retry_attempts, maximum_event_age, on_success, on_failure)
    for name in ("maximum_retry_attempts", "maximum_event_age"):
        if getattr(change, name) is None:
            raise RequestError(
                f"{name}=None: an update cannot take a limit back; put_event_config without it does",
                function=display,
            )
    if change == EventConfigChange(display):
        raise RequestError("update_event_config names nothing to change", function=display)
    return change


def _destination(destinations: Mapping[str, Any], member: str) -> str | None:
    return (destinations.get(member) or {}).get("Destination") or None


def _moment(value: object) -> datetime | None:
    """boto3 makes a datetime of the seconds that come."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    return None
