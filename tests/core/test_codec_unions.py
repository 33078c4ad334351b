"""Decoding of unions: which member a reply means."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Literal,
    Optional,
)

import pytest

from lambda_invoke.core.codec import decode_payload, encode_payload
from tests.core.codec_types import (
    ID,
    Add,
    Amount,
    Cat,
    Dog,
    Expression,
    Kind,
    Large,
    Model,
    Multiply,
    Number,
    Point,
    Small,
    Wire,
)


@pytest.mark.parametrize(
    ("value", "response", "decoded"),
    [
        ("2026-01-02", datetime | date, date(2026, 1, 2)),
        ("2026-01-02T00:00:00", date | datetime, datetime(2026, 1, 2)),  # noqa: DTZ001 - naive
        (str(ID), str | uuid.UUID, ID),
        ("text", uuid.UUID | str, "text"),
        ("fast", str | Kind, Kind.FAST),
        ("slow", str | Kind, "slow"),
        (3, float | int, 3),
        (3.5, int | float, 3.5),
        (3, float | None, 3.0),
        (1.5, float | Decimal, 1.5),
        ("1.5", float | Decimal, Decimal("1.5")),
        (True, int | bool, True),
        (None, int | None, None),
        (["a"], str | list[str] | None, ["a"]),
        ([1], list[str] | list[int], [1]),
        ({"a": 1}, Small | Large, Small(1)),
        ({"a": 1, "b": 2}, Small | Large, Large(1, 2)),
        ({"kind": "dog", "name": "Rex"}, Cat | Dog, Dog("dog", "Rex")),
        ({"kind": "cat", "name": "Tom"}, Optional[Dog | Cat], Cat("cat", "Tom")),  # noqa: UP045 - both spellings
        ({"a": 1}, dict[str, int] | Small, Small(1)),
        ({"z": 1}, dict[str, int] | Small, {"z": 1}),
        ({"id": 1}, Small | Wire, {"id": 1}),
        ({"x": 1, "y": 2}, Small | Point, Point(1, 2)),
        ({"when": "2026-01-02T00:00:00Z"}, Small | Model, Model(when=datetime(2026, 1, 2, tzinfo=UTC))),
        ({"anything": 1}, Small | Any, {"anything": 1}),
        ("x", Annotated[int, "n"] | Amount | Literal["x"], "x"),
    ],
)
def test_a_union_is_the_member_that_fits_best(value: object, response: Any, decoded: object) -> None:
    """Narrow before broad, and of objects the one that shares the most keys, in any order of writing."""
    raw = encode_payload(value)
    assert raw is not None
    found = decode_payload(raw, response)
    assert found == decoded
    assert type(found) is type(decoded)


def test_a_tree_of_unions_is_read_in_time_linear_in_its_depth() -> None:
    """Classes told apart by a literal are not each tried in full at every level."""
    tree: dict[str, Any] = {"op": "number", "value": 1}
    for depth in range(60):
        tree = {"op": ("add", "multiply")[depth % 2], "args": [tree]}
    raw = encode_payload(tree)
    assert raw is not None
    expression = decode_payload(raw, Expression)
    for _ in range(60):
        assert isinstance(expression, Add | Multiply)
        (expression,) = expression.args
    assert expression == Number("number", 1)
