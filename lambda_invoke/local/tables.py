"""A table of a TOML definition file: values are taken by key and type, and no key may be left over."""

from __future__ import annotations

from typing import Any

import attrs

from lambda_invoke.local.definition import DefinitionError, suggestion

_TYPES = {
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "a table",
}


def _type_name(value: object) -> str:
    return _TYPES.get(type(value), "a date or time")


@attrs.define
class Table:
    """One table; ``place`` is its name as the file has it, such as ``[functions.count]``.

    Every method that takes a key gives None where it is absent, and raises a ``DefinitionError`` where
    it has another type. Values stand in no message: an environment may hold secrets.
    """

    file: str
    place: str
    values: dict[str, Any] = attrs.field(repr=False)
    _known: list[str] = attrs.field(init=False, factory=list)

    def error(self, key: str | None, problem: str) -> DefinitionError:
        """The error to raise for a key of this table, or for the table."""
        return DefinitionError(f"{self.file}: {self.place}{f' {key}' if key else ''}: {problem}")

    def _take(self, key: str, *types: type) -> Any:
        self._known.append(key)
        value = self.values.get(key)
        if value is None or type(value) in types:  # a bool is no int here
            return value
        wanted = _TYPES[types[0]]
        fix = ": write it in quotes" if wanted == "a string" and type(value) in (int, float, bool) else ""
        raise self.error(key, f"must be {wanted}, not {_type_name(value)}{fix}")

    def text(self, key: str) -> str | None:
        """A string."""
        value: str | None = self._take(key, str)
        return value

    def whole(self, key: str) -> int | None:
        """A whole number."""
        value: int | None = self._take(key, int)
        return value

    def number(self, key: str) -> float | None:
        """A number, whole or not."""
        value: float | None = self._take(key, float, int)
        return value

    def flag(self, key: str) -> bool | None:
        """True or false."""
        value: bool | None = self._take(key, bool)
        return value

    def list_of_text(self, key: str) -> list[str] | None:
        """An array of strings."""
        values: list[Any] | None = self._take(key, list)
        for value in values or ():
            if not isinstance(value, str):
                raise self.error(key, f"must hold strings, not {_type_name(value)}")
        return values

    def table(self, key: str) -> Table | None:
        """A table inside this one."""
        values: dict[str, Any] | None = self._take(key, dict)
        return None if values is None else Table(self.file, self._inner(key), values)

    def _inner(self, key: str) -> str:
        name = key if key.replace("-", "").replace("_", "").isalnum() else f'"{key}"'
        return f"[{self.place.strip('[]')}.{name}]" if self.place.startswith("[") else f"[{name}]"

    def texts(self, key: str) -> dict[str, str] | None:
        """A table of strings only, whose keys are anybody's."""
        table = self.table(key)
        return None if table is None else {name: table.text(name) or "" for name in table.values}

    def finish(self) -> None:
        """Refuse what nobody took."""
        for key in self.values:
            if key not in self._known:
                raise self.error(None, f"there is no key {key!r}; {suggestion(key, self._known)}")
