"""Structuring of unions: which member does a JSON value mean?

Of an object: the member that fits and has the most of its keys. Of anything else: the first that
fits, narrow ones first, so that text is tried as a UUID or a date before it is taken as ``str``.
The order in which the union was written does not count, since Python takes ``A | B`` and ``B | A``
for equal, and caches would mix them up. Two members that fit equally well go by name.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import attrs

from lambda_invoke.core.codec_keys import initialised, is_field_class, is_typed_dict, json_keys, typed_fields
from lambda_invoke.core.codec_mismatch import Mismatch
from lambda_invoke.core.codec_pydantic import is_model_class

if TYPE_CHECKING:
    from collections.abc import Iterable

    import cattrs

    from lambda_invoke.core.codec_scalars import Hook

_FROM_NARROW_TO_BROAD: Final = (
    (typing.Literal, enum.Enum, bool, int, float, UUID, date, datetime, time, Decimal),
    (),  # everything that is in neither list
    (bytes, bytearray, PurePath, str, object, Any),
)
_BREADTH: Final[dict[Any, tuple[int, int]]] = {
    kind: (group, index)
    for group, kinds in enumerate(_FROM_NARROW_TO_BROAD)
    for index, kind in enumerate(kinds)
}
_IN_BETWEEN: Final = (1, 0)


def origin_of(kind: Any) -> Any:
    """``list`` of ``list[int]``, and a plain type itself."""
    return typing.get_origin(kind) or kind


def is_union(kind: Any) -> bool:
    """Whether a type is ``A | B``, ``Union[A, B]`` or ``Optional[A]``."""
    return origin_of(kind) in (typing.Union, types.UnionType)


@attrs.frozen
class _Member:
    """One type of a union. ``keys``, ``required`` and ``literals`` are of a class's JSON object."""

    kind: Any
    hook: Hook
    takes_objects: bool
    keys: frozenset[str]
    required: frozenset[str]
    literals: tuple[tuple[str, Any, Hook], ...]

    def may_be(self, value: dict[str, Any]) -> bool:
        """Whether an object has what it must, a look before the whole of it is structured.

        Without it, a tree of classes told apart by a ``Literal`` would be structured twice over at
        every level.
        """
        return self.required <= value.keys() and all(
            key not in value or _fits(hook, value[key], kind) for key, kind, hook in self.literals
        )


def union_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    """The hook for a union, from the hooks of its members."""
    kinds = typing.get_args(kind)
    members = [
        _member(one, converter)
        for one in sorted(kinds, key=lambda one: (_breadth(one), str(one)))
        if one is not types.NoneType
    ]
    optional = types.NoneType in kinds
    of_objects = [member for member in members if member.takes_objects]

    def structure_union(value: Any, _: Any) -> Any:
        if value is None and optional:
            return None
        candidates: Iterable[_Member] = members
        if value.__class__ is dict:
            candidates = _by_shared_keys(of_objects, value)
        # With one that it can be, its own complaints say more than "none of them".
        only = members if len(members) == 1 else of_objects if value.__class__ is dict else ()
        if len(only) == 1:
            return only[0].hook(value, only[0].kind)
        for member in candidates:
            try:
                return member.hook(value, member.kind)
            except Exception:  # noqa: BLE001, S112 - it does not fit; the next one may
                continue
        raise Mismatch.between(kind, value)

    return structure_union


def _by_shared_keys(members: list[_Member], value: dict[str, Any]) -> list[_Member]:
    possible = [member for member in members if member.may_be(value)]
    return sorted(possible, key=lambda member: -len(member.keys & value.keys()))


def _fits(hook: Hook, value: Any, kind: Any) -> bool:
    try:
        hook(value, kind)
    except Mismatch:
        return False
    return True


def _member(kind: Any, converter: cattrs.Converter) -> _Member:
    hook = converter.get_structure_hook(kind)
    plain = _plain(kind)
    keys, required = _keys(plain)
    hints = typing.get_type_hints(plain) if required else {}
    literals = {key: hint for key, hint in hints.items() if key in keys and origin_of(hint) is typing.Literal}
    return _Member(
        kind=kind,
        hook=hook,
        takes_objects=plain in (Any, object)
        or _is_object_class(plain)
        or (isinstance(plain, type) and issubclass(plain, Mapping)),
        keys=keys,
        required=required,
        literals=tuple((key, hint, converter.get_structure_hook(hint)) for key, hint in literals.items()),
    )


def _plain(kind: Any) -> Any:
    """What stands behind ``NewType`` and ``Annotated``, without type arguments."""
    while True:
        if hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif origin_of(kind) is typing.Annotated:
            kind = typing.get_args(kind)[0]
        else:
            return origin_of(kind)


def _breadth(kind: Any) -> tuple[int, int]:
    plain = _plain(kind)
    if not isinstance(plain, type):
        return _BREADTH.get(plain, _IN_BETWEEN)
    if issubclass(plain, enum.Enum):
        return _BREADTH[enum.Enum]
    bases = plain.__mro__[:-1] or (plain,)
    return next((_BREADTH[base] for base in bases if base in _BREADTH), _IN_BETWEEN)


def _is_object_class(plain: Any) -> bool:
    if not isinstance(plain, type):
        return False
    return is_field_class(plain) or is_model_class(plain) or is_typed_dict(plain) or hasattr(plain, "_fields")


def _keys(plain: Any) -> tuple[frozenset[str], frozenset[str]]:
    """The keys of the objects that a class is made from, and those that it cannot do without."""
    if not _is_object_class(plain):
        return frozenset(), frozenset()
    if is_field_class(plain):
        renamed = json_keys(plain)
        keys = {renamed[name]: required for name, required in initialised(plain).items()}
    elif is_model_class(plain):
        # What a model requires, under which of its aliases, is for pydantic to say.
        keys = {field.alias or name: False for name, field in plain.model_fields.items()}
    else:
        keys = {name: field.required for name, field in typed_fields(plain).items()}
    return frozenset(keys), frozenset(key for key, required in keys.items() if required)
