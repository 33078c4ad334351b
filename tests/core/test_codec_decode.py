"""Decoding: what each type takes."""

from __future__ import annotations

import collections
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import (
    Annotated,
    Any,
    Literal,
)

import pytest

from lambda_invoke.core.codec import decode_payload
from tests.core.codec_types import (
    ID,
    Access,
    Amount,
    Box,
    Celsius,
    Color,
    Converted,
    HoldsModel,
    Kind,
    Level,
    Line,
    Node,
    Open,
    Order,
    Page,
    Pair,
    Partial,
    Point,
    Port,
    Ratio,
    Renamed,
    Sealed,
    Sentinel,
    Strict,
    UserId,
    Wire,
)


@pytest.mark.parametrize(
    ("raw", "response", "value"),
    [
        (b'"a"', str, "a"),
        (b"3", int, 3),
        (b"3", float, 3.0),
        (b"3.5", float, 3.5),
        (b"NaN", float, None),
        (b"true", bool, True),
        (b"null", type(None), None),
        (b"", type(None), None),
        (b"", str | None, None),
        (b'"u1"', UserId, UserId("u1")),
        (b"80", Port, Port(80)),
        (b'"1.0"', Amount, Decimal("1.0")),
        (b'"red"', Color, Color.RED),
        (b'["a", 1]', Color, Color.PAIR),
        (b"1", Level, Level.LOW),
        (b'"fast"', Kind, Kind.FAST),
        (b"1", Ratio, Ratio.WHOLE),
        (b"0.5", Ratio, Ratio.HALF),
        (b"3", Access, Access.READ | Access.WRITE),
        (b'"new"', Open, Open.OTHER),
        (b'"something"', Sentinel, Sentinel.SOMETHING),
        (b"21", Celsius, Celsius(21)),
        (b'"a"', Literal["a", 1], "a"),
        (b"1", Literal["a", 1], 1),
        (b'"red"', Literal[Color.RED], Color.RED),
        (b'"2026-01-02T03:04:05"', datetime, datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - naive
        (b'"2026-01-02T03:04:05Z"', datetime, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b'"2026-01-02"', date, date(2026, 1, 2)),
        (b'"03:04:05.000006"', time, time(3, 4, 5, 6)),
        (b'"12345678-1234-5678-1234-567812345678"', uuid.UUID, ID),
        (b'"0.1000"', Decimal, Decimal("0.1000")),
        (b"7", Decimal, Decimal(7)),
        (b"0.1", Decimal, Decimal("0.1")),
        (b'["AP8=", null]', list[bytes | None], [b"\x00\xff", None]),
        (b'"a/b"', Path, Path("a/b")),
        (b'"a/b"', PurePosixPath, PurePosixPath("a/b")),
        (b"[1, 2]", list[int], [1, 2]),
        (b"[1, 2]", list, [1, 2]),
        (b"[1, 2]", Sequence[int], [1, 2]),
        (b"[1, 2]", Iterable[int], [1, 2]),
        (b"[1, 2, 1]", set[int], {1, 2}),
        (b"[1, 2]", frozenset[int], frozenset({1, 2})),
        (b"[1, 2]", AbstractSet[int], frozenset({1, 2})),
        (b"[1, 2]", collections.deque[int], collections.deque([1, 2])),
        (b'[1, "a"]', tuple[int, str], (1, "a")),
        (b"[1, 2]", tuple[int, ...], (1, 2)),
        (b'[1, "a"]', tuple, (1, "a")),
        (b"[]", tuple[()], ()),
        (b'{"a": 1}', dict[str, int], {"a": 1}),
        (b'{"a": 1}', dict, {"a": 1}),
        (b'{"a": 1}', Mapping[str, Any], {"a": 1}),
        (b'{"5": "x"}', dict[int, str], {5: "x"}),
        (b'{"true": 1}', dict[bool, int], {True: 1}),
        (b'{"red": 1}', dict[Color, int], {Color.RED: 1}),
        (b'{"1": 1}', dict[Level, int], {Level.LOW: 1}),
        (b'{"2026-01-02": 1}', dict[date, int], {date(2026, 1, 2): 1}),
        (b'{"a": 2}', collections.Counter[str], collections.Counter(a=2)),
        (b'{"a": [1]}', collections.defaultdict[str, list[int]], {"a": [1]}),
        (b'{"a": 1}', collections.OrderedDict[str, int], collections.OrderedDict(a=1)),
        (b"[1, 2]", Point, Point(1, 2)),
        (b"[1]", Point, Point(1)),
        (b'{"x": 1, "more": 2}', Point, Point(1)),
        (b'{"id": 1, "more": 2}', Wire, {"id": 1}),
        (b'{"id": 1, "note": "n"}', Wire, {"id": 1, "note": "n"}),
        (b'{"id": 1, "more": true, "other": 2}', Partial, {"id": 1, "more": True}),
        (b'{"content": ["red"], "first": "red"}', Box[Color], {"content": [Color.RED], "first": Color.RED}),
        (b'["red", "red"]', Pair[Color], Pair(Color.RED, Color.RED)),
        (b'{"id": 1}', Sealed, {"id": 1}),
        (b'{"class": "a"}', Renamed, Renamed("a")),
        (b'{"product": "pen"}', Line, Line("pen")),
        (
            b'{"product": "pen", "cost": 2.5, "from": "x", "madeBy": "y", "computed": 9, "more": 0}',
            Line,
            Line("pen", Decimal("2.5"), "x", "y"),
        ),
        (b'{"value": 1, "children": [{"value": 2}]}', Node, Node(1, [Node(2)])),
        (b'[{"value": 1, "children": []}]', list[Node], [Node(1)]),
        (b'{"items": ["red"]}', Page[Color], Page([Color.RED])),
        (b'{"when": "2026-01-02"}', Converted, Converted(datetime(2026, 1, 2, tzinfo=UTC))),
        (b'{"a": {"b": [1]}}', dict[str, Any], {"a": {"b": [1]}}),
        (b"[1]", Annotated[list[int], "doc"], [1]),
        (b"[1]", object, [1]),
        (b"[1]", Any, [1]),
    ],
)
def test_each_type_comes_from_its_json(raw: bytes, response: Any, value: Any) -> None:
    """A reply becomes a value of the type that was asked for, and of no other."""
    decoded = decode_payload(raw, response)
    if raw == b"NaN":
        assert math.isnan(decoded)
        return
    assert decoded == value
    assert type(decoded) is type(value) or isinstance(decoded, collections.defaultdict)


def test_a_dataclass_holds_structured_members() -> None:
    """Members are of their declared types, defaults filled in."""
    raw = b'{"id": "12345678-1234-5678-1234-567812345678", "lines": [{"product": "pen"}]}'
    assert decode_payload(raw, Order) == Order(ID, [Line("pen")], None, set())


def test_without_a_type_the_reply_is_what_json_says() -> None:
    """Plain JSON values; None for no reply at all."""
    assert decode_payload(b'{"a": [1, 2.5, null, "\xc3\xa9"]}') == {"a": [1, 2.5, None, "é"]}
    assert decode_payload(b"") is None


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Some runtimes on Windows libraries write one; JSON's readers may ignore it."""
    assert decode_payload(b"\xef\xbb\xbf[1]") == [1]
    assert decode_payload(b"\xef\xbb\xbf[1]", list[int]) == [1]


@pytest.mark.parametrize("raw", [b"\xff\x00", b"", b"not json"])
def test_bytes_are_the_reply_itself(raw: bytes) -> None:
    """Asked for as bytes, nothing is read into the reply."""
    assert decode_payload(raw, bytes) is raw


def test_models_are_read_as_json_at_any_depth() -> None:
    """A strict model takes ISO dates from JSON, at the top and inside of an attrs class alike."""
    strict = b'{"when": "2026-01-02T00:00:00Z", "id": "12345678-1234-5678-1234-567812345678", "pair": [1, 2]}'
    model = Strict(when=datetime(2026, 1, 2, tzinfo=UTC), id=ID, pair=(1, 2))
    assert decode_payload(strict, Strict) == model
    raw = b'{"models": {"k": {"when": "2026-01-02T00:00:00Z", "oddName": 4}}, "strict": ' + strict + b"}"
    held = decode_payload(raw, HoldsModel)
    assert held.strict == model
    assert held.models["k"].odd == 4
