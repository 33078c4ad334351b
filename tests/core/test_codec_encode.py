"""Encoding: what each type becomes, and what is refused, where, without telling values."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import linecache
import math
import os
import subprocess
import sys
import traceback
import types
import uuid
import warnings
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, NamedTuple, TypedDict

import attrs
import cattrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lambda_invoke as li
from lambda_invoke.core.codec import NO_PAYLOAD, encode_payload
from lambda_invoke.errors import DoubleEncodedPayloadWarning, Executed, PayloadEncodingError

SECRET = "s3cr3t-marker"


class Color(enum.Enum):
    RED = "red"
    NESTED = ("a", 1)


class Level(enum.IntEnum):
    LOW = 1


class Kind(str, enum.Enum):  # noqa: UP042 - such enums are common, and differ from StrEnum
    FAST = "fast"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: int


class Wire(TypedDict):
    id: int


@attrs.frozen
class Line:
    product: str
    _cost: Decimal = Decimal("1.10")
    from_: Annotated[str, cattrs.override(rename="from")] = "here"
    made_by: str = attrs.field(default="us", alias="madeBy")


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    lines: list[Line]
    total: int = dataclasses.field(init=False, default=3)


@attrs.frozen
class Unresolved:
    other: NoSuchClass  # type: ignore[name-defined]  # noqa: F821 - as a type-checking import leaves it


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    when: datetime = datetime(2026, 1, 2, tzinfo=UTC)
    odd: Any = pydantic.Field(default=1, alias="oddName")


ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (None, b"null"),
        (True, b"true"),
        (3, b"3"),
        (1.5, b"1.5"),
        (1e16, b"1e+16"),
        (10**30, b"1" + b"0" * 30),
        ("Zoë €", '"Zoë €"'.encode()),
        ({"a": [1, None, {"b": False}]}, b'{"a":[1,null,{"b":false}]}'),
        ((1, (2,)), b"[1,[2]]"),
        ({}, b"{}"),
        (Color.RED, b'"red"'),
        (Color.NESTED, b'["a",1]'),
        (Level.LOW, b"1"),
        (Kind.FAST, b'"fast"'),
        (Access.READ | Access.WRITE, b"3"),
        (Point(1, 2), b"[1,2]"),
        (Wire(id=1), b'{"id":1}'),
        (datetime(2026, 1, 2, 3, 4, 5), b'"2026-01-02T03:04:05"'),  # noqa: DTZ001 - naive as it is
        (datetime(2026, 1, 2, tzinfo=UTC), b'"2026-01-02T00:00:00+00:00"'),
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3))), b'"2026-01-02T00:00:00-03:00"'),
        (date(2026, 1, 2), b'"2026-01-02"'),
        (time(3, 4, 5, 6), b'"03:04:05.000006"'),
        (ID, b'"12345678-1234-5678-1234-567812345678"'),
        (Decimal("0.1000"), b'"0.1000"'),
        (Decimal("NaN"), b'"NaN"'),
        ([b"\x00\xff", bytearray(b"a"), memoryview(b"b")], b'["AP8=","YQ==","Yg=="]'),
        ({3, 1, 2}, b"[1,2,3]"),
        (frozenset({Color.RED}), b'["red"]'),
        (PurePosixPath("a/b"), b'"a/b"'),
        (types.MappingProxyType({"a": 1}), b'{"a":1}'),
        (collections.deque([1, 2]), b"[1,2]"),
        (range(3), b"[0,1,2]"),
        (collections.OrderedDict(b=1, a=2), b'{"b":1,"a":2}'),
        ({2: "a", True: "b", None: "c", 1.5: "d"}, b'{"2":"a","true":"b","null":"c","1.5":"d"}'),
        (
            {Color.RED: 1, ID: 2, date(2026, 1, 2): 3},
            b'{"red":1,"12345678-1234-5678-1234-567812345678":2,"2026-01-02":3}',
        ),
        ({Color.RED: 1, 2: 2, None: 3, 1.5: 4, False: 5}, b'{"red":1,"2":2,"null":3,"1.5":4,"false":5}'),
        (Unresolved(1), b'{"other":1}'),
        (Line("pen"), b'{"product":"pen","cost":"1.10","from":"here","madeBy":"us"}'),
        (Model(), b'{"when":"2026-01-02T00:00:00Z","oddName":1}'),
    ],
)
def test_each_type_has_its_json(payload: object, body: bytes) -> None:
    """A value becomes compact JSON in UTF-8, encoded once."""
    assert encode_payload(payload) == body


def test_everything_nests_in_everything() -> None:
    """Attrs in a dict in a dataclass in a model in a tuple: each is reached."""
    order = Order(ID, [Line("pen")])
    payload = {"deep": (Model(oddName={"k": [1]}), {"order": order, "set": {Color.RED}})}
    body = encode_payload(payload)
    assert body is not None
    deep = json.loads(body)["deep"]
    assert deep[0]["oddName"] == {"k": [1]}
    assert deep[1]["order"]["lines"][0]["cost"] == "1.10"
    assert deep[1]["order"]["total"] == 3
    assert deep[1]["set"] == ["red"]


def test_no_payload_is_no_body() -> None:
    """The sentinel sends nothing, which None does not."""
    assert encode_payload(NO_PAYLOAD) is None
    assert repr(NO_PAYLOAD) == "NO_PAYLOAD"


def test_the_sentinel_inside_of_a_payload_is_refused() -> None:
    """It has no JSON form; sending its name would be an accident."""
    with pytest.raises(PayloadEncodingError, match="NoPayload has no JSON form"):
        encode_payload([NO_PAYLOAD])


@pytest.mark.parametrize("raw", [b"\xff not json", bytearray(b"abc"), memoryview(b"abc"), b""])
def test_bytes_go_as_they_are(raw: bytes | bytearray | memoryview) -> None:
    """Whoever passes bytes has encoded already."""
    body = encode_payload(raw)
    assert body == bytes(raw)
    assert type(body) is bytes


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", " \n{}", "[]"])
def test_a_str_that_is_json_already_warns_and_is_sent_as_a_string(text: str) -> None:
    """Somebody called json.dumps; what is sent is one JSON string, and the caller is blamed."""
    with pytest.warns(DoubleEncodedPayloadWarning, match="pass the object itself") as caught:
        body = encode_payload(text)
    assert body is not None
    assert json.loads(body) == text
    assert caught[0].filename == __file__
    assert text not in str(caught[0].message)


def test_the_warning_blames_the_nearest_line_that_is_not_ours() -> None:
    """However deep in the package it arises: through a client, and through a handle."""

    class Answering:
        def send(self, *_: object) -> li.Reply:
            return li.Reply(200)

        def close(self) -> None:
            pass

    client = li.LambdaClient.over(Answering())
    handle = client.function("f")
    with pytest.warns(DoubleEncodedPayloadWarning) as by_client:
        client.invoke("f", "{}")
    with pytest.warns(DoubleEncodedPayloadWarning) as by_handle:
        handle.event("{}")
    lines = [linecache.getline(made[0].filename, made[0].lineno).strip() for made in (by_client, by_handle)]
    assert lines == ['client.invoke("f", "{}")', 'handle.event("{}")']


@pytest.mark.parametrize("text", ["hello", "", "[not json", "{", '"a"', "7", "null", "[" * 100_000])
def test_a_str_that_is_no_container_does_not_warn(text: str) -> None:
    """Ordinary text goes quietly, text that only looks like JSON included."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        body = encode_payload(text)
    assert body is not None
    assert json.loads(body) == text


class Plain:
    def __repr__(self) -> str:
        return SECRET


@attrs.frozen
class Holder:
    held: Any
    camel_case: Any = attrs.field(default=None, alias="camelCase")


@dataclasses.dataclass
class DataHolder:
    held: Any


class BrokenMapping(collections.abc.Mapping[str, str]):
    def __getitem__(self, key: str) -> str:
        raise LookupError(SECRET)

    def __iter__(self) -> Any:
        return iter([SECRET])

    def __len__(self) -> int:
        return 1


class Endless(collections.abc.Mapping[str, str]):
    def __getitem__(self, key: str) -> str:
        return key

    def __iter__(self) -> Any:
        yield from self

    def __len__(self) -> int:
        return 1


class BrokenDict(dict[str, int]):
    def items(self) -> Any:
        raise LookupError(SECRET)


class Typed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    first: int = 1
    plain: Plain = pydantic.Field(default_factory=Plain, alias="thePlain")
    other: Line = Line("pen")


class Fussy(pydantic.BaseModel):
    field: str = SECRET

    @pydantic.field_serializer("field")
    def refuse(self, value: str) -> str:
        raise ValueError(value)


class FussyWhole(pydantic.BaseModel):
    field: str = SECRET

    @pydantic.model_serializer(mode="wrap")
    def refuse(self, handler: Any, info: pydantic.SerializationInfo) -> Any:
        if info.include is None:
            raise ValueError(self.field)
        return handler(self)


def _unset() -> Holder:
    return Holder.__new__(Holder)


CYCLE: list[Any] = [1]
CYCLE.append({"again": CYCLE})

REFUSED: list[tuple[object, str, str]] = [
    (Plain(), "$", "Plain has no JSON form"),
    ({"a": [1, {"b": Plain()}]}, "$.a[1].b", "Plain has no JSON form"),
    ({"orders": [1, 2, 3, {"total": math.nan}]}, "$.orders[3].total", "not finite"),
    ({"x": math.inf}, "$.x", "not finite"),
    ([-math.inf], "$[0]", "not finite"),
    ({"odd key": {1, 2, math.inf}}, '$["odd key"][2]', "not finite"),
    ({"größe": object()}, "$.größe", "object has no JSON form"),
    ({"a\nb": object()}, '$["a\\nb"]', "object has no JSON form"),
    ({"": object()}, '$[""]', "object has no JSON form"),
    ({7: [object()]}, '$["7"][0]', "object has no JSON form"),
    ({"a": "\ud800" + SECRET}, "$.a", "lone surrogate"),
    ({"\udfff": 1}, "$", "lone surrogate"),
    ({(1, SECRET): 2}, "$", "a key of type tuple"),
    ([{frozenset({SECRET}): 2}], "$[0]", "a key of type frozenset"),
    ({Plain(): 2}, "$", "Plain"),
    ({"k": {math.nan: 1}}, "$.k", "not finite"),
    ({"k": {Color.RED: 1, "red": 2}}, "$.k.red", "two keys have the same text"),
    (CYCLE, "$[1].again", "a list that contains itself"),
    ({"big": 10**5000}, "$.big", "more digits than Python writes out"),
    (Holder([1, Holder(object())]), "$.held[1].held", "object has no JSON form"),
    (Holder(1, object()), "$.camelCase", "object has no JSON form"),
    (DataHolder({"a": Plain()}), "$.held.a", "Plain has no JSON form"),
    ([_unset()], "$[0]", "reading the tests.core.test_codec_encode.Holder failed with AttributeError"),
    ({"a": BrokenMapping()}, "$.a", "BrokenMapping failed with LookupError"),
    ({"a": Endless()}, "$.a", "nested too deeply"),
    ([BrokenDict(a=1)], "$", "it failed with LookupError"),
    ({"k" * 100: object()}, '$["' + "k" * 80 + '…"]', "object has no JSON form"),
    ({"m": Typed()}, "$.m.thePlain", "Plain has no JSON form"),
    ([Fussy()], "$[0].field", "pydantic cannot serialise it"),
    ([FussyWhole()], "$[0]", "pydantic cannot serialise the tests.core.test_codec_encode.FussyWhole"),
    (Plain, "$", "a type has no JSON form"),
    (Line, "$", "a type has no JSON form"),
    ((x for x in [SECRET]), "$", "a generator has no JSON form"),
    ({"c": 1 + 2j}, "$.c", "complex has no JSON form"),
    ({"d": timedelta(1)}, "$.d", "datetime.timedelta has no JSON form"),
]


@pytest.mark.parametrize(("payload", "path", "says"), REFUSED)
def test_what_has_no_json_form_is_refused_with_its_place(payload: object, path: str, says: str) -> None:
    """The error leads to the value and names its type or trouble, and never the value."""
    with pytest.raises(PayloadEncodingError) as caught:
        encode_payload(payload, function="reports:prod")
    error = caught.value
    assert error.path.rstrip("…") == path
    assert says in error.message
    assert f"{error.path}: " in error.message
    assert (error.function, error.executed) == ("reports:prod", Executed.NO)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}, Holder])
def test_too_deep_a_payload_is_refused(wrap: Any) -> None:
    """Nesting past what the interpreter allows is an error of ours, its path cut short."""
    payload: Any = 1
    for _ in range(200_000):
        payload = wrap(payload)
    with pytest.raises(PayloadEncodingError, match="nested too deeply") as caught:
        encode_payload(payload)
    assert len(caught.value.path) < 1000
    assert caught.value.path.endswith("…")
    while not isinstance(payload, int):  # taken apart by hand: freeing it in one go recurses too
        payload = payload.held if isinstance(payload, Holder) else next(iter(_members(payload)))


def _members(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container


def test_a_value_used_twice_is_no_cycle() -> None:
    """Only what contains itself is refused, on the slow walk too."""
    shared = {"a": 1}
    assert encode_payload({ID: shared, "again": [shared, shared]}) == (
        b'{"12345678-1234-5678-1234-567812345678":{"a":1},"again":[{"a":1},{"a":1}]}'
    )


def test_a_set_is_the_same_bytes_in_every_process() -> None:
    """A durable execution of one name is refused another payload, so sets have a stable order."""
    code = (
        "from lambda_invoke.core.codec import encode_payload\n"
        "print(encode_payload([{'a', 'b', 'c', 'd', 'e'}, {1, 'a', None, 2.5, (1, 'b')}]))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


def test_pydantic_is_never_imported() -> None:
    """Neither importing nor using the codec imports pydantic."""
    code = (
        "import sys; from lambda_invoke.core.codec import decode_payload, encode_payload; import attrs\n"
        "A = attrs.make_class('A', {'x': attrs.field(type=int)})\n"
        "assert decode_payload(encode_payload([A(1)]), list[A]) == [A(1)]\n"
        "assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_values_survive(value: Any) -> None:
    """What is JSON already is sent as the same JSON value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubleEncodedPayloadWarning)
        body = encode_payload(value)
    assert body is not None
    assert json.loads(body.decode()) == value


@given(
    st.recursive(
        st.sampled_from([SECRET, math.nan, object(), "\ud800" + SECRET, 1, None, {SECRET}]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            | st.builds(Holder, inner)
            | st.builds(DataHolder, inner)
        ),
        max_leaves=5,
    )
)
def test_no_value_is_ever_in_an_error(value: Any) -> None:
    """Whatever is wrong, wherever it is: neither the message nor the traceback tells a value."""
    try:
        encode_payload(value)
    except PayloadEncodingError as error:
        told = "".join(traceback.format_exception(error)) + repr(error) + str(error)
        assert SECRET not in told
