"""Structuring of containers, classes and unions, and the converter that knows all of it.

cattrs dispatches on types, resolves annotations, and generates the code for attrs classes
and dataclasses. The rest is replaced, because cattrs coerces: its ``list[str]`` takes
``"abc"``, and its ``Literal[1]`` takes ``true``.
"""

from __future__ import annotations

import collections
import collections.abc
import functools
import json
import types
import typing
from typing import TYPE_CHECKING, Any, Final, NoReturn

import attrs
import cattrs
from cattrs.errors import StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn, override

from lambda_invoke.core.codec_keys import is_field_class, is_typed_dict, json_keys, typed_fields
from lambda_invoke.core.codec_mismatch import MOST_MISMATCHES, Mismatch, Mismatches, type_text
from lambda_invoke.core.codec_pydantic import is_model_class, validation_error
from lambda_invoke.core.codec_scalars import SCALAR_HOOKS, literal_hook, structure_none
from lambda_invoke.core.codec_unions import is_union, origin_of, union_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambda_invoke.core.codec_keys import Field
    from lambda_invoke.core.codec_paths import Step
    from lambda_invoke.core.codec_scalars import Hook

_ARRAYS: Final[dict[Any, Callable[[list[Any]], Any]]] = {
    list: list,
    collections.abc.MutableSequence: list,
    collections.abc.Sequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.deque: collections.deque,
    set: set,
    collections.abc.MutableSet: set,
    collections.abc.Set: frozenset,
    frozenset: frozenset,
}
"""What a JSON array becomes, by the type that was asked for."""

_OBJECTS: Final[dict[Any, Callable[[dict[Any, Any]], Any]]] = {
    dict: dict,
    collections.abc.MutableMapping: dict,
    collections.abc.Mapping: dict,
    collections.OrderedDict: collections.OrderedDict,
    collections.Counter: collections.Counter,
    collections.defaultdict: dict,
}
"""What a JSON object becomes, by the type that was asked for."""


def _is_named_tuple(kind: Any) -> bool:
    cls = origin_of(kind)
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def _collect(members: Iterable[tuple[Step, Any]], structure: Callable[[Any, Any], Any]) -> list[Any]:
    """Structure each member once, and raise all that failed (enough of them for one message)."""
    structured: list[Any] = []
    failures: list[tuple[tuple[Step, ...], Exception]] = []
    for step, member in members:
        try:
            structured.append(structure(step, member))
        except Exception as error:  # noqa: BLE001 - told apart when they are described
            failures.append(((step,), error))
            if len(failures) > MOST_MISMATCHES:
                break
    if failures:
        raise Mismatches(failures)
    return structured


def _array_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    (item,) = typing.get_args(kind) or (Any,)
    return _items_hook(kind, item, _ARRAYS[origin_of(kind)], converter)


def _items_hook(kind: Any, item: Any, build: Callable[[list[Any]], Any], converter: cattrs.Converter) -> Hook:
    hook = converter.get_structure_hook(item)

    def structure_item(_: Any, member: Any) -> Any:
        return hook(member, item)

    def structure_array(value: Any, _: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch.between(kind, value)
        items = _collect(enumerate(value), structure_item)
        try:
            return build(items)
        except TypeError:
            raise Mismatch.between(kind, value, "of what cannot be in a set") from None

    return structure_array


def _tuple_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    items = typing.get_args(kind)
    if kind in (tuple, typing.Tuple):  # noqa: UP006 - what may be asked for
        items = (Any, ...)
    if len(items) == 2 and items[1] is ...:  # noqa: PLR2004 - tuple[item, ...]
        return _items_hook(kind, items[0], tuple, converter)
    return _positional_hook(kind, items, len(items), tuple, converter)


def _positional_hook(
    kind: Any, items: tuple[Any, ...], least: int, build: Callable[[Any], Any], converter: cattrs.Converter
) -> Hook:
    hooks = [converter.get_structure_hook(item) for item in items]
    length = str(least) if least == len(items) else f"{least} to {len(items)}"

    def structure_at(step: Any, member: Any) -> Any:
        return hooks[step](member, items[step])

    def structure_tuple(value: Any, _: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch.between(kind, value)
        if not least <= len(value) <= len(items):
            raise Mismatch(f"expected {type_text(kind)} of length {length}, found {len(value)}")
        return build(_collect(enumerate(value), structure_at))

    return structure_tuple


def _named_tuple_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    """From an array, as :mod:`json` writes a named tuple, or from an object."""
    cls, fields = origin_of(kind), typed_fields(kind)
    items = tuple(field.type for field in fields.values())
    least = sum(field.required for field in fields.values())
    from_array = _positional_hook(kind, items, least, lambda members: cls(*members), converter)
    from_object = _members_hook(kind, fields, lambda members: cls(**members), converter)
    return lambda value, _: (from_object if value.__class__ is dict else from_array)(value, kind)


def _typed_dict_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    """A typed dict, of its own keys only. cattrs would take ``NotRequired`` in text for required."""
    return _members_hook(kind, typed_fields(kind), dict, converter)


def _members_hook(
    kind: Any, fields: dict[str, Field], build: Callable[[dict[str, Any]], Any], converter: cattrs.Converter
) -> Hook:
    hooks = {name: converter.get_structure_hook(field.type) for name, field in fields.items()}

    def structure_at(name: Any, members: Any) -> Any:
        if name not in members:
            raise Mismatch(f"missing, expected {type_text(fields[name].type)}")
        return name, hooks[name](members[name], fields[name].type)

    def structure_members(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            raise Mismatch.between(kind, value)
        wanted = [name for name, field in fields.items() if field.required or name in value]
        return build(dict(_collect(((name, value) for name in wanted), structure_at)))

    return structure_members


def _mapping_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    origin, args = origin_of(kind), typing.get_args(kind)
    build = _OBJECTS[origin]
    key, item = (args[0], int) if origin is collections.Counter and args else args or (Any, Any)
    if origin is collections.defaultdict:
        build = functools.partial(collections.defaultdict, item if isinstance(item, type) else None)
    key_hook, hook = _key_hook(key, converter), converter.get_structure_hook(item)

    def structure_member(step: Any, member: Any) -> Any:
        return key_hook(step, key), hook(member, item)

    def structure_mapping(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            raise Mismatch.between(kind, value)
        return build(dict(_collect(value.items(), structure_member)))

    return structure_mapping


def _key_hook(key: Any, converter: cattrs.Converter) -> Hook:
    """JSON's keys are text: what does not fit as text is tried as the scalar that it spells."""
    hook = converter.get_structure_hook(key)
    if key in (str, Any):
        return hook

    def structure_key(text: Any, _: Any) -> Any:
        try:
            return hook(text, key)
        except Exception:  # noqa: BLE001 - the hook's own complaint would speak of a value
            try:
                return hook(json.loads(text), key)
            except Exception:  # noqa: BLE001 - as above
                raise Mismatch(f"the key is not the text of {type_text(key)}") from None

    return structure_key


def _class_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    """An attrs class or a dataclass. Keys that it does not have are ignored."""
    cls = origin_of(kind)
    if attrs.has(cls):
        attrs.resolve_types(cls)
    renamed: dict[str, Any] = {name: override(rename=key) for name, key in json_keys(cls).items()}
    hook = make_dict_structure_fn(kind, converter, **renamed)

    def structure_class(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            raise Mismatch.between(kind, value)
        return hook(value, kind)

    return structure_class


def _model_hook(kind: Any) -> Hook:
    """A pydantic model, from JSON text: as Python values, strict models would refuse ISO dates."""

    def structure_model(value: Any, _: Any) -> Any:
        try:
            return kind.model_validate_json(json.dumps(value))
        except validation_error() as error:
            details = error.errors(include_url=False, include_context=False)
        raise Mismatches((detail["loc"], _model_mismatch(detail)) for detail in details)

    return structure_model


def _model_mismatch(detail: Any) -> Mismatch:
    # The kind of pydantic's error only: its message may hold the value.
    if detail["type"] == "missing":
        return Mismatch("missing")
    return Mismatch(f"pydantic says {detail['type']}, found {type_text(type(detail['input']))}")


def _refuse_type(kind: Any) -> NoReturn:
    raise StructureHandlerNotFoundError(f"there is no rule for {type_text(kind)}", kind)


def make_converter() -> cattrs.Converter:
    """A cattrs converter with strict rules, refusing a type without a rule as soon as it is asked."""
    converter = cattrs.Converter(detailed_validation=True, structure_fallback_factory=_refuse_type)
    for cls, hook in SCALAR_HOOKS.items():
        converter.register_structure_hook(cls, hook)
    register = converter.register_structure_hook_factory
    register(lambda kind: kind is object, lambda _: lambda value, _: value)
    register(lambda kind: is_field_class(origin_of(kind)), _class_hook)
    register(lambda kind: origin_of(kind) in _ARRAYS, _array_hook)
    register(lambda kind: origin_of(kind) in _OBJECTS, _mapping_hook)
    register(lambda kind: origin_of(kind) is tuple, _tuple_hook)
    register(_is_named_tuple, _named_tuple_hook)
    register(lambda kind: is_typed_dict(origin_of(kind)), _typed_dict_hook)
    register(is_model_class, _model_hook)
    register(is_union, union_hook)
    register(lambda kind: origin_of(kind) is typing.Literal, literal_hook)
    register(lambda kind: kind is types.NoneType, lambda _: structure_none)
    return converter
