"""The fields of classes: their keys in JSON, their types, and which are required."""

from __future__ import annotations

import dataclasses
import functools
import typing
from typing import Any

import attrs


def is_field_class(candidate: Any) -> bool:
    """Whether a class is an attrs class or a dataclass."""
    return isinstance(candidate, type) and (attrs.has(candidate) or dataclasses.is_dataclass(candidate))


@functools.lru_cache(maxsize=2048)
def json_keys(cls: type) -> dict[str, str]:
    """The JSON key of each field by its name, of an attrs class or a dataclass.

    It is what ``Annotated[..., cattrs.override(rename="from")]`` says (the way to keys that are no
    Python names), else the attrs alias, else the name. ``_private`` has the alias ``private``.
    """
    keys = {field.name: getattr(field, "alias", None) or field.name for field in _fields(cls)}
    return keys | {name: key for name, key in _renamed(cls).items() if name in keys}


def initialised(cls: type) -> dict[str, bool]:
    """The names of the fields that ``__init__`` takes, and whether it requires them."""
    return {field.name: _is_required(field) for field in _fields(cls) if field.init}


def _fields(cls: type) -> tuple[Any, ...]:
    return tuple(attrs.fields(cls)) if attrs.has(cls) else dataclasses.fields(cls)


def _is_required(field: Any) -> bool:
    if isinstance(field, dataclasses.Field):
        return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return field.default is attrs.NOTHING


def _renamed(cls: type) -> dict[str, str]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations that do not resolve rename nothing
        return {}
    if not any(typing.get_origin(hint) is typing.Annotated for hint in hints.values()):
        return {}
    from cattrs import override

    override_type = type(override())
    return {
        name: extra.rename
        for name, hint in hints.items()
        if typing.get_origin(hint) is typing.Annotated
        for extra in hint.__metadata__
        if isinstance(extra, override_type) and extra.rename is not None
    }


@attrs.frozen
class Field:
    """A key of a typed dict or a named tuple."""

    type: Any
    required: bool


def is_typed_dict(candidate: Any) -> bool:
    """Whether a class is a typed dict, of typing or typing_extensions."""
    return hasattr(candidate, "__required_keys__")


def typed_fields(kind: Any) -> dict[str, Field]:
    """The keys of a typed dict or a named tuple, in order; type arguments are filled in.

    Where annotations are text (``from __future__ import annotations``), Python's own
    ``__required_keys__`` does not see ``NotRequired``, so it is looked for in the resolved ones.
    """
    cls = typing.get_origin(kind) or kind
    parameters: tuple[Any, ...] = getattr(cls, "__parameters__", ())
    filled = dict(zip(parameters, typing.get_args(kind), strict=False))
    hints = typing.get_type_hints(cls, include_extras=True)
    if is_typed_dict(cls):
        required = {name: name in cls.__required_keys__ for name in hints}
    else:
        required = {name: name not in cls._field_defaults for name in cls._fields}
    return {
        name: _field(hints.get(name, Any), required=by_class, filled=filled)
        for name, by_class in required.items()
    }


def _field(hint: Any, *, required: bool, filled: dict[Any, Any]) -> Field:
    while True:
        # By name, since ReadOnly may be that of typing_extensions.
        qualifier = getattr(typing.get_origin(hint), "_name", None)
        if qualifier not in ("Required", "NotRequired", "ReadOnly"):
            break
        if qualifier != "ReadOnly":
            required = qualifier == "Required"
        (hint,) = typing.get_args(hint)
    if isinstance(hint, typing.TypeVar):
        return Field(filled.get(hint, hint), required)
    inner: tuple[Any, ...] = getattr(hint, "__parameters__", ()) if filled else ()
    if inner:
        hint = hint[tuple(filled.get(parameter, parameter) for parameter in inner)]
    return Field(hint, required)
