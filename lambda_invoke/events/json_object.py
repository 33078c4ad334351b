"""A JSON object whose members can be had as they stood in its text: no number is read and written anew."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLANK = re.compile(r"[ \t\n\r]*")
_MAX_DIGITS = 1_000
"""Python refuses to read integers of more than 4,300 digits; those of a payload stay in its text."""


class NotAnObjectError(ValueError):
    """The text or mapping is no JSON object; the message says why, and holds nothing of it."""


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _MAX_DIGITS else digits


_read = json.JSONDecoder(parse_int=_integer).raw_decode


@attrs.frozen
class JsonObject:
    """``members`` as Python values; :meth:`text_of` is a member's JSON."""

    members: Mapping[str, Any] = attrs.field(repr=False)
    _text: str | None = attrs.field(default=None, repr=False)
    _spans: Mapping[str, tuple[int, int]] = attrs.field(factory=dict, repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """The object that a text is.

        Raises:
            NotAnObjectError: the text is not JSON, or not an object.
        """
        text = text.removeprefix("\ufeff")
        try:
            return cls._scan(text)
        except RecursionError:
            raise NotAnObjectError("it is nested too deeply") from None
        except ValueError as error:
            if isinstance(error, NotAnObjectError):
                raise
            raise NotAnObjectError("it is not JSON") from None

    @classmethod
    def of(cls, mapping: Mapping[Any, Any]) -> Self:
        """The object that a mapping is, which somebody has parsed already.

        Raises:
            NotAnObjectError: the mapping cannot be read.
        """
        try:
            return cls(dict(mapping))
        except Exception as error:
            raise NotAnObjectError(f"the mapping cannot be read ({type(error).__name__})") from error

    @classmethod
    def _scan(cls, text: str) -> Self:
        at = _blank(text, 0)
        if text[at : at + 1] != "{":
            _read(text, at)  # raises if it is not JSON at all
            raise NotAnObjectError("it is not a JSON object")
        members: dict[str, Any] = {}
        spans: dict[str, tuple[int, int]] = {}
        at = _blank(text, at + 1)
        closed = text[at : at + 1] == "}"
        while not closed:
            if text[at : at + 1] != '"':
                raise ValueError("a name was expected")
            name, at = _read(text, at)
            at = _blank(text, at)
            if text[at : at + 1] != ":":
                raise ValueError("a colon was expected")
            start = _blank(text, at + 1)
            members[name], end = _read(text, start)
            spans[name] = start, end
            at = _blank(text, end)
            if text[at : at + 1] not in (",", "}"):
                raise ValueError("a comma was expected")
            closed = text[at] == "}"
            at = at if closed else _blank(text, at + 1)
        if _blank(text, at + 1) != len(text):
            raise ValueError("something follows the object")
        return cls(members, text, spans)

    def get(self, name: str) -> Any:
        """The member's value, or None."""
        return self.members.get(name)

    def string(self, name: str) -> str | None:
        """The member if it is a string."""
        value = self.members.get(name)
        return value if isinstance(value, str) else None

    def integer(self, name: str) -> int | None:
        """The member if it is a whole number."""
        value = self.members.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def child(self, name: str) -> JsonObject | None:
        """The member if it is an object."""
        value = self.members.get(name)
        if not isinstance(value, dict):  # as every JSON parser makes them
            return None
        if self._text is not None:
            start, end = self._spans[name]
            return JsonObject.read(self._text[start:end])
        return JsonObject.of(value)  # a copy: a subclass may do anything when it is read

    def text_of(self, name: str) -> str | None:
        """The member's JSON: as it stood in the text, or, of a mapping, written anew. None without it.

        Raises:
            NotAnObjectError: the mapping's value has no JSON.
        """
        if name not in self.members:
            return None
        if self._text is not None:
            start, end = self._spans[name]
            return self._text[start:end]
        try:
            return json.dumps(self.members[name], separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise NotAnObjectError(f"its {name} has no JSON ({type(error).__name__})") from error


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end()
