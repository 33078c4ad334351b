"""One call of the control plane, and how its parameters are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lambda_invoke.local.faults import ServiceFault, fails_constraint, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


def read_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; {} for no body.

    Raises:
        ServiceFault: it is not a JSON object.
    """
    try:
        document = json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise _unreadable("The body is not JSON.") from error
    if not isinstance(document, dict):
        raise _unreadable("The body is not a JSON object.")
    return document


def _unreadable(message: str) -> ServiceFault:
    return ServiceFault(400, "SerializationException", message)


@attrs.frozen
class Call:
    """The named parts of its path, its query and its body; members of the body that are null are absent.

    The methods read a member of the body, and raise a ServiceFault for one that Lambda would refuse.
    """

    parts: Mapping[str, str]
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def _member(self, name: str, kind: type[T]) -> T | None:
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise _unreadable(f"{name} is of the wrong type.")
        return value

    def text(self, name: str, *, longest: int | None = None) -> str | None:
        """A string of at most ``longest`` characters, or None."""
        value = self._member(name, str)
        if value is not None and longest is not None and len(value) > longest:
            raise fails_constraint(
                value, _camel(name), f"Member must have length less than or equal to {longest}"
            )
        return value

    def integer(self, name: str, least: int, most: int | None = None) -> int | None:
        """An integer within its bounds, or None."""
        value = self._member(name, int)
        if value is not None and value < least:
            raise _out_of_bounds(name, value, f"greater than or equal to {least}")
        if value is not None and most is not None and value > most:
            raise _out_of_bounds(name, value, f"less than or equal to {most}")
        return value

    def members(self, name: str) -> Call | None:
        """A structure, to be read as the body is, or None."""
        value = self._member(name, dict)
        return None if value is None else Call(self.parts, self.query, value)

    def required(self, name: str, value: T | None) -> T:
        """A value that must be there."""
        if value is None:
            message = f"Value at '{_camel(name)}' failed to satisfy constraint: Member must not be null"
            raise ServiceFault(400, "ValidationException", f"1 validation error detected: {message}")
        return value

    def only(self, *names: str) -> None:
        """Refuse what is not served rather than leave it out."""
        others = sorted(name for name, value in self.body.items() if value is not None and name not in names)
        if others:
            raise invalid_parameter(
                f"lambda_invoke.local does not change {', '.join(others)}; it changes {', '.join(names)}."
            )


def _out_of_bounds(name: str, value: int, bound: str) -> ServiceFault:
    return fails_constraint(str(value), _camel(name), f"Member must have value {bound}")


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]
