"""What values look like in JSON, one level at a time.

:func:`lower` turns an object into plain containers of its members, and the encoder goes on with
those, so everything nests in everything.
"""

from __future__ import annotations

import base64
import enum
import functools
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from lambda_invoke.core.codec_keys import is_field_class, json_keys
from lambda_invoke.core.codec_pydantic import is_model_class

if TYPE_CHECKING:
    from collections.abc import Callable


class NoPayload(enum.Enum):
    """The type of :data:`NO_PAYLOAD`."""

    NO_PAYLOAD = "no payload"

    def __repr__(self) -> str:
        return self.name


NO_PAYLOAD: Final = NoPayload.NO_PAYLOAD
"""Send no body at all; ``None`` sends ``null``."""


def lower(value: Any) -> Any:
    """The value one level closer to JSON: what the encoder calls for all that it does not know.

    Raises:
        TypeError: values of this type have no JSON form.
    """
    lowering = _lowering(value.__class__)
    if lowering is None:
        raise TypeError(f"a {type_label(type(value))} has no JSON form")
    return lowering(value)


def type_label(cls: type) -> str:
    """A class as messages name it: with its module unless that goes without saying."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


@functools.lru_cache(maxsize=2048)
def _lowering(cls: type) -> Callable[[Any], Any] | None:
    """How values of a class are lowered; None when they have no JSON form."""
    if is_field_class(cls):
        return _members(json_keys(cls))
    if is_model_class(cls):
        return lambda model: model.model_dump(mode="json", by_alias=True)
    if cls is NoPayload:
        return None
    return next((lowering for base, lowering in _LOWERINGS if issubclass(cls, base)), None)


def _members(keys: dict[str, str]) -> Callable[[Any], Any]:
    members = tuple(keys.items())
    return lambda value: {key: getattr(value, name) for name, key in members}


def _sorted_members(members: AbstractSet[Any]) -> list[Any]:
    """A set's members in an order that does not change from run to run.

    The same payload must be the same bytes: a durable execution of one name is refused another.
    """
    try:
        return sorted(members, key=encode_text)
    except Exception:  # noqa: BLE001 - whatever is wrong with a member comes up when it is encoded
        return list(members)


_LOWERINGS: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (enum.Enum, lambda member: member.value),
    (datetime, datetime.isoformat),
    (date, date.isoformat),
    (time, time.isoformat),
    (UUID, str),
    # Text, since a JSON number would be read as a binary float by most that receive it.
    (Decimal, str),
    (bytes, lambda data: base64.b64encode(data).decode("ascii")),
    (bytearray, lambda data: base64.b64encode(data).decode("ascii")),
    (memoryview, lambda data: base64.b64encode(data).decode("ascii")),
    (PurePath, str),
    (Mapping, dict),
    (AbstractSet, _sorted_members),
    (Sequence, list),
)

encode_text: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=lower
).encode
"""A value's JSON as text: one call of the C encoder, which calls :func:`lower` where it must."""
