"""Types that the decoding tests ask for."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    Self,
    TypedDict,
    TypeVar,
)

import attrs
import cattrs
import pydantic
import typing_extensions

SECRET = "s3cr3t-marker"
T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    PAIR = ("a", 1)


class Level(enum.IntEnum):
    LOW = 1


class Kind(str, enum.Enum):  # noqa: UP042 - such enums are common, and differ from StrEnum
    FAST = "fast"


class Ratio(enum.Enum):
    WHOLE = 1.0
    HALF = 0.5


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Open(enum.Enum):
    KNOWN = "known"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Open:
        return cls.OTHER


class Sentinel(enum.Enum):
    NOTHING = object()
    SOMETHING = "something"


class Celsius(float):
    __slots__ = ()


class UserId(str):
    __slots__ = ()


class Port(int):
    def __new__(cls, value: int) -> Self:
        if value > 65535:
            raise ValueError(f"{SECRET} {value}")
        return super().__new__(cls, value)


Amount = NewType("Amount", Decimal)


class Point(NamedTuple):
    x: int
    y: int = 0


class Wire(TypedDict):
    id: int
    note: NotRequired[str]


class Partial(Wire, total=False):
    more: Required[bool]
    less: int


class Sealed(typing_extensions.TypedDict):
    id: typing_extensions.ReadOnly[int]
    note: typing_extensions.ReadOnly[NotRequired[str]]


class Box(TypedDict, Generic[T]):
    content: list[T]
    first: T


class Pair(NamedTuple, Generic[T]):
    left: T
    right: T


@attrs.frozen
class Line:
    product: str
    _cost: Decimal = Decimal("1.10")
    from_: Annotated[str, cattrs.override(rename="from")] = "here"
    made_by: str = attrs.field(default="us", alias="madeBy")
    computed: int = attrs.field(init=False, default=5)


@attrs.frozen
class Renamed:
    class_: Annotated[str, cattrs.override(rename="class")]


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    lines: list[Line]
    note: str | None = None
    tags: set[str] = dataclasses.field(default_factory=set)


@attrs.frozen
class Node:
    value: int
    children: list[Node] = attrs.Factory(list)


@attrs.frozen
class Page(Generic[T]):
    items: list[T]


@attrs.frozen
class Checked:
    size: int = attrs.field(validator=attrs.validators.lt(10))


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


@attrs.frozen
class Converted:
    when: datetime = attrs.field(converter=_in_utc)
    anything: Any = None


@attrs.frozen
class Cat:
    kind: Literal["cat"]
    name: str


@attrs.frozen
class Dog:
    kind: Literal["dog"]
    name: str


@attrs.frozen
class Small:
    a: int


@attrs.frozen
class Large:
    a: int
    b: int


@attrs.frozen
class Add:
    op: Literal["add"]
    args: list[Expression]


@attrs.frozen
class Multiply:
    op: Literal["multiply"]
    args: list[Expression]


@attrs.frozen
class Number:
    op: Literal["number"]
    value: int


Expression = Add | Multiply | Number


class Model(pydantic.BaseModel):
    when: datetime
    odd: int = pydantic.Field(default=1, alias="oddName")
    inner: list[Model] = []


class Guarded(pydantic.BaseModel):
    text: str

    @pydantic.field_validator("text")
    @classmethod
    def refuse(cls, text: str) -> str:
        if text == "lookup":
            raise LookupError(SECRET)
        raise ValueError(SECRET)


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    when: datetime
    id: uuid.UUID
    pair: tuple[int, int]


@attrs.frozen
class HoldsModel:
    models: dict[str, Model]
    strict: Strict | None = None


ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Plain:
    def __init__(self, value: int) -> None:
        self.value = value


@attrs.frozen
class HoldsPlain:
    plain: list[Plain | None]


@attrs.frozen
class Unresolved:
    other: NoSuchClass  # type: ignore[name-defined]  # noqa: F821 - the point
