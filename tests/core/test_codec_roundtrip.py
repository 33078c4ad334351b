"""What is encoded comes back as it was, in the type that is asked for."""

from __future__ import annotations

import dataclasses
import enum
import uuid  # noqa: TC003 - the converter resolves annotations
import warnings
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import attrs
import pydantic
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.core.codec import decode_payload, encode_payload
from lambda_invoke.errors import DoubleEncodedPayloadWarning


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Point(NamedTuple):
    x: int
    y: float


class Model(pydantic.BaseModel):
    id: uuid.UUID
    names: list[str]


@attrs.frozen
class Leaf:
    kind: Literal["leaf"]
    data: bytes
    price: Decimal
    color: Color
    _hidden: int


@dataclasses.dataclass(frozen=True)
class Branch:
    kind: Literal["branch"]
    when: datetime
    day: date
    at: time
    leaves: tuple[Leaf, ...]
    points: dict[int, Point]
    marks: frozenset[Color]
    model: Model | None


@attrs.frozen
class Tree:
    id: uuid.UUID
    parts: list[Leaf | Branch]
    first: Leaf | None
    extra: dict[str, list[str | int | float | None]]


# JSON's text is UTF-8, which has no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.builds(
    Leaf,
    kind=st.just("leaf"),
    data=st.binary(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    color=st.sampled_from(Color),
    hidden=st.integers(),
)
BRANCHES = st.builds(
    Branch,
    kind=st.just("branch"),
    when=st.datetimes(),
    day=st.dates(),
    at=st.times(),
    leaves=st.lists(LEAVES, max_size=2).map(tuple),
    points=st.dictionaries(st.integers(), st.builds(Point, x=st.integers(), y=NUMBERS), max_size=2),
    marks=st.frozensets(st.sampled_from(Color)),
    model=st.none() | st.builds(Model, id=st.uuids(), names=st.lists(TEXT, max_size=2)),
)
TREES = st.builds(
    Tree,
    id=st.uuids(),
    parts=st.lists(LEAVES | BRANCHES, max_size=3),
    first=st.none() | LEAVES,
    extra=st.dictionaries(TEXT, st.lists(TEXT | st.integers() | NUMBERS | st.none(), max_size=3), max_size=3),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


def there_and_back(value: object, response: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubleEncodedPayloadWarning)
        body = encode_payload(value)
    assert body is not None
    return decode_payload(body, response)


@given(JSON)
def test_json_values_come_back(value: Any) -> None:
    """Plain values, untyped."""
    assert there_and_back(value, None) == value


@given(TREES)
def test_classes_come_back(tree: Tree) -> None:
    """Attrs classes, dataclasses, models, named tuples, enums, dates, decimals and bytes, nested."""
    assert there_and_back(tree, Tree) == tree


@given(st.lists(TREES, max_size=2))
def test_containers_of_classes_come_back(trees: list[Tree]) -> None:
    """The same inside of a container at the top."""
    assert there_and_back(trees, list[Tree]) == trees


@given(st.datetimes(timezones=st.timezones()))
def test_an_aware_datetime_comes_back_as_the_same_moment(moment: datetime) -> None:
    """ISO 8601 carries the offset and not the zone's name; the moment is the same."""
    back = there_and_back(moment, datetime)
    assert back.utcoffset() == moment.utcoffset()
    assert back.replace(tzinfo=None) == moment.replace(tzinfo=None)


@given(st.decimals(allow_nan=False))
def test_a_decimal_keeps_every_digit(number: Decimal) -> None:
    """Trailing zeros and exponents included."""
    assert there_and_back(number, Decimal).as_tuple() == number.as_tuple()
