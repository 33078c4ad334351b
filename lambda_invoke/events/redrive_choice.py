"""Which messages of a queue a redrive is about."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.events.redrive_messages import Kind

if TYPE_CHECKING:
    from lambda_invoke.events.outcome import EventOutcome
    from lambda_invoke.events.redrive_messages import ReadMessage

Where = Callable[["EventOutcome[Any]"], bool]

NOT_CHOSEN = "not chosen"
CAME_LATER = "came after the run began"


@attrs.frozen
class Choice:
    """The filters, all of which a message must pass; None passes everything.

    ``error_types`` are names as the dry run shows them, or of the library's error classes;
    ``functions`` names or ARNs, with or without a qualifier; ages are in seconds, since Lambda was done
    with the Event. ``where`` is asked last.
    """

    error_types: frozenset[str] | None = None
    older_than: float | None = None
    newer_than: float | None = None
    functions: frozenset[str] | None = None
    request_ids: frozenset[str] | None = None
    where: Where | None = None

    @property
    def narrows(self) -> bool:
        """Whether there is any filter."""
        return self != Choice()

    def refusal(self, message: ReadMessage, now: datetime) -> str | None:
        """Why a message is left alone; None if it is to be sent again.

        Raises:
            RequestError: ``where`` itself raised; its error is the cause.
        """
        if message.kind is not Kind.FAILED_EVENT:
            return message.reason
        return None if self._takes(message, now) else NOT_CHOSEN

    def _takes(self, message: ReadMessage, now: datetime) -> bool:
        outcome = message.outcome
        assert outcome is not None
        if self.error_types is not None and not self.error_types & _names(message):
            return False
        if self.functions is not None and not self.functions & _function_names(outcome.function or ""):
            return False
        if self.request_ids is not None and outcome.request_id not in self.request_ids:
            return False
        return self._is_of_age(message, now) and self._passes(outcome)

    def _is_of_age(self, message: ReadMessage, now: datetime) -> bool:
        if self.older_than is None and self.newer_than is None:
            return True
        if message.since is None:
            return False
        age = (now - message.since).total_seconds()
        return (
            (self.older_than or -math.inf)
            <= age
            <= (math.inf if self.newer_than is None else self.newer_than)
        )

    def _passes(self, outcome: EventOutcome[Any]) -> bool:
        if self.where is None:
            return True
        try:
            return bool(self.where(outcome))
        except Exception as error:
            raise RequestError(
                f"where raised {type(error).__name__} for the Event {outcome.request_id}"
            ) from error


def choice_of(
    *,
    error_type: str | Iterable[str] | None,
    older_than: float | timedelta | None,
    newer_than: float | timedelta | None,
    from_function: str | Iterable[str] | None,
    request_ids: str | Iterable[str] | None,
    where: Where | None,
) -> Choice:
    """The filters as ``redrive`` takes them.

    Raises:
        RequestError: one of them is none.
    """
    if where is not None and not callable(where):
        raise RequestError(f"where is a function of an EventOutcome, not a {type(where).__name__}")
    return Choice(
        _set("error_type", error_type),
        _seconds("older_than", older_than),
        _seconds("newer_than", newer_than),
        _set("from_function", from_function),
        _set("request_ids", request_ids),
        where,
    )


def _set(name: str, given: str | Iterable[str] | None) -> frozenset[str] | None:
    if given is None:
        return None
    found: frozenset[object] = frozenset([given] if isinstance(given, str) else given)
    names = frozenset(one for one in found if isinstance(one, str) and one)
    if len(names) < len(found):
        raise RequestError(f"{name} is a str, or some of them")
    return names


def _seconds(name: str, given: float | timedelta | None) -> float | None:
    if given is None:
        return None
    seconds: object = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise RequestError(f"{name} is an age in seconds, or a timedelta, not {given!r}")
    return float(seconds)


def _names(message: ReadMessage) -> set[str]:
    assert message.outcome is not None
    error, condition = message.outcome.error, message.outcome.condition
    classes = {kind.__name__ for kind in type(error).__mro__}
    return {message.error_type, *classes, *([condition] if condition else [])}


def _function_names(arn: str) -> set[str]:
    """An ARN by its names: whole, without its qualifier, and the bare name with and without it."""
    parts = arn.split(":")
    if len(parts) < 7:  # noqa: PLR2004 - arn:aws:lambda:region:account:function:name
        return {arn}
    return {arn, ":".join(parts[:7]), parts[6], ":".join(parts[6:])}
