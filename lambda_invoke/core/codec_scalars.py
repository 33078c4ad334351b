"""Strict structuring of scalars: a str only from text, an int only from an int, and so on.

Hooks take a JSON value and the type asked for, as cattrs calls them. It dispatches these by class,
so each also gets the subclasses of its class (``class UserId(str)``, ``class Color(str, Enum)``).
"""

from __future__ import annotations

import base64
import binascii
import enum
import functools
import json
import typing
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from lambda_invoke.core.codec_lower import encode_text
from lambda_invoke.core.codec_mismatch import Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Hook = Callable[[Any, Any], Any]
    """Structures a JSON value as a type."""


def structure_str(value: Any, kind: Any) -> Any:
    """Text, from text."""
    if kind is not str:
        return _structure_subclass(value, kind, structure_str, str)
    if value.__class__ is str:
        return value
    raise Mismatch.between(kind, value)


def structure_int(value: Any, kind: Any) -> Any:
    """An int, from an int; a bool is none here."""
    if kind is not int:
        return _structure_subclass(value, kind, structure_int, int)
    if value.__class__ is int:
        return value
    raise Mismatch.between(kind, value)


def structure_bool(value: Any, kind: Any) -> Any:
    """A bool, from a bool."""
    if value.__class__ is bool:
        return value
    raise Mismatch.between(kind, value)


def structure_float(value: Any, kind: Any) -> Any:
    """A float, from a JSON number: JavaScript writes 1.0 as 1."""
    if kind is not float:
        return _structure_subclass(value, kind, structure_float, float)
    if value.__class__ is float:
        return value
    if value.__class__ is not int:
        raise Mismatch.between(kind, value)
    try:
        return float(value)
    except OverflowError:
        raise Mismatch.between(kind, value, "too large for a float") from None


def structure_none(value: Any, kind: Any) -> None:
    """None, from null."""
    if value is not None:
        raise Mismatch.between(kind, value)


def _structure_subclass(value: Any, kind: Any, base_hook: Hook, base: type) -> Any:
    if issubclass(kind, enum.Enum):
        return structure_enum(value, kind)
    return _construct(kind, base_hook(value, base), kind)


def _construct(
    make: Callable[[Any], Any], value: Any, kind: Any, detail: str = "that is not its form"
) -> Any:
    try:
        return make(value)
    except Exception:  # noqa: BLE001 - the class may refuse in any way, and name the value
        raise Mismatch.between(kind, value, detail) from None


def _from_text(make: Callable[[Any, Any], Any]) -> Hook:
    def structure(value: Any, kind: Any) -> Any:
        if value.__class__ is not str:
            raise Mismatch.between(kind, value)
        return _construct(lambda text: make(kind, text), value, kind)

    return structure


def structure_decimal(value: Any, kind: Any) -> Any:
    """A Decimal from text or a number; 0.1 is Decimal("0.1") and not its binary expansion."""
    if value.__class__ is float:
        return kind(repr(value))
    if value.__class__ not in (str, int):
        raise Mismatch.between(kind, value)
    try:
        return kind(value)
    except InvalidOperation:
        raise Mismatch.between(kind, value, "that is not its form") from None


def structure_bytes(value: Any, kind: Any) -> Any:
    """Bytes, from base64."""
    if value.__class__ is not str:
        raise Mismatch.between(kind, value)
    try:
        return kind(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        raise Mismatch.between(kind, value, "that is not base64") from None


def structure_enum(value: Any, kind: Any) -> Any:
    """An enum's member, from the JSON form of its value; ``_missing_`` is asked last."""
    found = _member_table(kind)(value)
    if found is _NOT_FOUND:
        found = _construct(
            functools.partial(_missing_member, kind), value, kind, "that is none of its values"
        )
    return found


def _missing_member(kind: type[enum.Enum], value: Any) -> enum.Enum:
    if issubclass(kind, enum.Flag):
        if value.__class__ is not int:
            raise Mismatch.between(kind, value)
        return kind(value)
    # Not kind(value), which would take True for 1.
    member = kind._missing_(value)
    if not isinstance(member, kind):
        raise Mismatch.between(kind, value)
    return member


@functools.lru_cache(maxsize=1024)
def _member_table(kind: type[enum.Enum]) -> Callable[[Any], Any]:
    return _value_table((member, member.value) for member in kind)


def literal_hook(kind: Any) -> Hook:
    """Structures as a ``Literal``: one of its values, in their JSON form."""
    table = _value_table((arg, arg) for arg in typing.get_args(kind))

    def structure_literal(value: Any, _: Any) -> Any:
        found = table(value)
        if found is _NOT_FOUND:
            raise Mismatch.between(kind, value, "that is none of them")
        return found

    return structure_literal


_NOT_FOUND: Final = object()


def _value_table(pairs: Iterable[tuple[Any, Any]]) -> Callable[[Any], Any]:
    """Looks a JSON value up among Python values, by their JSON form and its type.

    ``1``, ``1.0`` and ``true`` are equal in Python and are kept apart here, but that a float which
    is whole may come as an int.
    """
    table: dict[tuple[type, Any], Any] = {}
    whole: dict[tuple[type, Any], Any] = {}
    for result, value in pairs:
        try:
            form = json.loads(encode_text(value))
        except (TypeError, ValueError):
            continue  # it has no JSON form, so no reply can hold it
        table.setdefault(_lookup_key(form), result)
        if isinstance(form, float) and form.is_integer():
            whole.setdefault((int, int(form)), result)
    table = whole | table
    return lambda value: table.get(_lookup_key(value), _NOT_FOUND)


def _lookup_key(form: Any) -> tuple[type, Any]:
    if isinstance(form, dict | list):
        return form.__class__, json.dumps(form, sort_keys=True)
    return form.__class__, form


SCALAR_HOOKS: Final[dict[type, Hook]] = {
    enum.Enum: structure_enum,
    str: structure_str,
    int: structure_int,
    bool: structure_bool,
    float: structure_float,
    datetime: _from_text(lambda kind, text: kind.fromisoformat(text)),
    date: _from_text(lambda kind, text: kind.fromisoformat(text)),
    time: _from_text(lambda kind, text: kind.fromisoformat(text)),
    UUID: _from_text(lambda kind, text: kind(text)),
    PurePath: _from_text(lambda kind, text: kind(text)),
    Path: _from_text(lambda kind, text: kind(text)),  # cattrs has one of its own to replace
    Decimal: structure_decimal,
    bytes: structure_bytes,
    bytearray: structure_bytes,
}
"""By the class that cattrs dispatches on."""
