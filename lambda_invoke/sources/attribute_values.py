"""DynamoDB's own JSON: items as ``{"name": {"S": "text"}}``. boto3's serializer takes no floats."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from lambda_invoke.errors import RequestError

_PER_CONTAINER = 3  # bytes, as DynamoDB counts an item's size
_PER_MEMBER = 1


def attribute_values(item: Mapping[str, object], where: str) -> dict[str, Any]:
    """An item in DynamoDB's JSON.

    Raises:
        RequestError: a value that DynamoDB has no type for; the message says where it stands.
    """
    return {str(name): attribute_value(value, f"{where}: {name}") for name, value in item.items()}


def attribute_value(value: object, where: str) -> dict[str, Any]:  # noqa: PLR0911 - one for each type
    """One value in DynamoDB's JSON, binary in base64 as Lambda delivers it.

    Raises:
        RequestError: DynamoDB has no type for it.
    """
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | float | Decimal):
        return {"N": _number(value, where)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"B": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, Mapping):
        return {"M": attribute_values(value, where)}
    if isinstance(value, AbstractSet):
        return _set(value, where)
    if isinstance(value, Sequence):
        return {"L": [attribute_value(one, f"{where}[{place}]") for place, one in enumerate(value)]}
    raise RequestError(f"{where}: DynamoDB has no type for a {type(value).__name__}")


def _set(values: AbstractSet[object], where: str) -> dict[str, Any]:
    members = [attribute_value(one, where) for one in values]
    kinds = {kind for member in members for kind in member}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise RequestError(
            f"{where}: a set in DynamoDB holds text, numbers or bytes, of one kind, and is not empty"
        )
    (kind,) = kinds
    return {f"{kind}S": sorted(member[kind] for member in members)}


def _number(value: float | Decimal, where: str) -> str:
    number = Decimal(str(value))
    if not number.is_finite():
        raise RequestError(f"{where}: DynamoDB has no {value}")
    return format(number.normalize(), "f") if number == number.to_integral() else str(number)


def size_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """About how many bytes an item in DynamoDB's JSON takes, as DynamoDB counts.

    Source: DynamoDB item sizes and formats, Amazon DynamoDB developer guide, 2026-11.
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "M":
        return _PER_CONTAINER + len(held) * _PER_MEMBER + size_bytes(held)
    if kind == "L":
        return _PER_CONTAINER + sum(_PER_MEMBER + _size(one) for one in held)
    if kind in {"NULL", "BOOL"}:
        return 1
    if kind in {"SS", "NS", "BS"}:
        return sum(_size({kind[0]: one}) for one in held)
    if kind == "N":  # two digits a byte, and one more
        return (len(held.replace(".", "").strip("-0")) + 1) // 2 + 1
    return len(held.encode()) if kind == "S" else len(base64.b64decode(held))
