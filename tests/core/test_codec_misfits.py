"""Decoding: what is refused, where, and without telling values."""

from __future__ import annotations

import json
import traceback
import uuid
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
)

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_invoke.core.codec import check_response_type, decode_payload
from lambda_invoke.errors import Executed, PayloadDecodingError, RequestError
from tests.core.codec_types import (
    ID,
    SECRET,
    Access,
    Amount,
    Box,
    Cat,
    Checked,
    Color,
    Converted,
    Dog,
    Expression,
    Guarded,
    HoldsModel,
    HoldsPlain,
    Large,
    Level,
    Line,
    Model,
    Node,
    Open,
    Order,
    Page,
    Partial,
    Plain,
    Point,
    Port,
    Renamed,
    Sealed,
    Small,
    T,
    Unresolved,
    UserId,
    Wire,
)

MISFITS: list[tuple[bytes, Any, str, str]] = [
    (b"1", str, "$", "expected str, found int"),
    (b'"1"', int, "$", "expected int, found str"),
    (b"true", int, "$", "expected int, found bool"),
    (b"1.0", int, "$", "expected int, found float"),
    (b'"1"', float, "$", "expected float, found str"),
    (b"true", float, "$", "expected float, found bool"),
    (b"1" + b"0" * 400, float, "$", "expected float, found int too large for a float"),
    (b"1", bool, "$", "expected bool, found int"),
    (b"0", type(None), "$", "expected None, found int"),
    (b"null", str, "$", "expected str, found None"),
    (b"", Order, "$", "expected Order, found None"),
    (b"true", Decimal, "$", "expected Decimal, found bool"),
    (b'"s3cr3t-marker"', Decimal, "$", "expected Decimal, found str that is not its form"),
    (b"70000", Port, "$", "expected Port, found int that is not its form"),
    (b"1", UserId, "$", "expected str, found int"),
    (b'"s3cr3t-marker"', Color, "$", "expected Color, found str that is none of its values"),
    (b"true", Level, "$", "expected Level, found bool that is none of its values"),
    (b"true", Access, "$", "expected Access, found bool"),
    (b"true", Literal[1], "$", "expected Literal[1], found bool that is none of them"),
    (b'"s3cr3t-marker"', datetime, "$", "expected datetime, found str that is not its form"),
    (b"1767312000", datetime, "$", "expected datetime, found int"),
    (b'"2026-01-02T03:04:05"', date, "$", "expected date, found str that is not its form"),
    (b'"s3cr3t-marker"', uuid.UUID, "$", "expected UUID, found str that is not its form"),
    (b'["s3cr3t-marker"]', list[bytes], "$[0]", "expected bytes, found str that is not base64"),
    (b"[7]", list[bytes], "$[0]", "expected bytes, found int"),
    (b'["\xc3\xa9"]', list[bytes], "$[0]", "that is not base64"),
    (b'"abc"', list[str], "$", "expected list[str], found str"),
    (b'{"a": 1}', list[str], "$", "expected list[str], found dict"),
    (b"[[]]", set[list[int]], "$", "of what cannot be in a set"),
    (b'[1, "s3cr3t-marker"]', tuple[int, ...], "$[1]", "expected int, found str"),
    (b"[1]", tuple[int, str], "$", "expected tuple[int, str] of length 2, found 1"),
    (b'["a", 1]', tuple[int, str], "$[0]", "expected int, found str"),
    (b"[1, 2, 3]", Point, "$", "expected Point of length 1 to 2, found 3"),
    (b'[1, "y"]', Point, "$[1]", "expected int, found str"),
    (b'{"y": 1}', Point, "$.x", "missing, expected int"),
    (b'{"x": "s3cr3t-marker"}', Point, "$.x", "expected int, found str"),
    (b"3", Point, "$", "expected Point, found int"),
    (b"[1]", dict[str, int], "$", "expected dict[str, int], found list"),
    (b'{"odd key": "x"}', dict[str, int], '$["odd key"]', "expected int, found str"),
    (b'{"a": 1}', dict[int, int], "$.a", "the key is not the text of int"),
    (b'{"id": "s3cr3t-marker"}', Wire, "$.id", "expected int, found str"),
    (b"{}", Wire, "$.id", "missing, expected int"),
    (b'{"id": 1, "less": 2}', Partial, "$.more", "missing, expected bool"),
    (b'{"content": [], "first": 1}', Box[str], "$.first", "expected str, found int"),
    (b"[]", Wire, "$", "expected Wire, found list"),
    (b"{}", Line, "$.product", "missing, expected str"),
    (b"{}", Renamed, "$.class", "missing, expected str"),
    (b'{"product": "p", "from": 1}', Line, "$.from", "expected str, found int"),
    (b'{"product": "p", "madeBy": 1}', Line, "$.madeBy", "expected str, found int"),
    (b'{"product": "p", "cost": "s3cr3t-marker"}', Line, "$.cost", "expected Decimal, found str"),
    (b'"product"', Line, "$", "expected Line, found str"),
    (
        b'{"id": "12345678-1234-5678-1234-567812345678", "lines": [{"product": "p"}, {"product": 1}]}',
        Order,
        "$.lines[1].product",
        "expected str, found int",
    ),
    (b'{"items": [1]}', Page[str], "$.items[0]", "expected str, found int"),
    (b'{"value": 1, "children": [{"value": "s3cr3t-marker"}]}', Node, "$.children[0].value", "found str"),
    (b'{"size": 11}', Checked, "$", "refused with ValueError"),
    (b'[{"size": 11}]', list[Checked], "$[0]", "refused with ValueError"),
    (b'{"a": "x"}', Small | None, "$.a", "expected int, found str"),
    (b'{"a": "x"}', Small | str, "$.a", "expected int, found str"),
    (b"1.5", int | str, "$", "expected int | str, found float"),
    (b'{"kind": "cow", "name": "s3cr3t-marker"}', Cat | Dog, "$", "expected Cat | Dog, found dict"),
    (b'{"when": "s3cr3t-marker"}', Model, "$.when", "pydantic says datetime"),
    (b"{}", Model, "$.when", "missing"),
    (b'{"text": "s3cr3t-marker"}', Guarded, "$.text", "pydantic says value_error, found str"),
    (b'{"text": "lookup"}', Guarded, "$", "refused with LookupError"),
    (b'{"a": "s3cr3t-marker"}', dict[str, Annotated[Amount, "doc"]], "$.a", "expected Decimal, found str"),
    (b'{"id": 1, "note": 2}', Sealed, "$.note", "expected str, found int"),
    (b"[1]", Model, "$", "pydantic says model_type, found list"),
    (b'{"when": "2026-01-02T00:00:00Z", "inner": [{}]}', Model, "$.inner[0].when", "missing"),
    (
        b'{"models": {"k": {"when": "s3cr3t-marker"}}}',
        HoldsModel,
        "$.models.k.when",
        "pydantic says datetime",
    ),
    (
        b'{"models": {"k": {"when": "2026-01-02", "oddName": "s3cr3t-marker"}}}',
        HoldsModel,
        "$.models.k.oddName",
        "int_",
    ),
]


@pytest.mark.parametrize(("raw", "response", "path", "says"), MISFITS)
def test_a_misfit_is_refused_with_its_place(raw: bytes, response: Any, path: str, says: str) -> None:
    """The error leads to the value, names the types expected and found, and never tells the value."""
    with pytest.raises(PayloadDecodingError) as caught:
        decode_payload(raw, response, function="reports:prod", request_id="id-1")
    error = caught.value
    assert error.path == path
    assert f"{path}: " in error.message
    assert says in error.message
    assert error.payload is raw
    assert (error.function, error.request_id, error.executed) == ("reports:prod", "id-1", Executed.YES)
    assert SECRET not in "".join(traceback.format_exception(error)) + repr(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"a": 1', "not JSON: Expecting ',' delimiter, at byte 7"),
        (b"oops", "not JSON: Expecting value, at byte 0"),
        ('{"é€": oops}'.encode(), "not JSON: Expecting value, at byte 10"),
        (b"{} {}", "not JSON: Extra data, at byte 3"),
        (b'"a\xff"', "not UTF-8, at byte 2"),
        (b"\x00\x00\x00\x00", "not JSON"),
        ('"a"'.encode("utf-16"), "not UTF-8, at byte 0"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b"9" * 5000, "more digits than Python reads"),
    ],
)
@pytest.mark.parametrize("response", [None, int, Model])
def test_a_reply_that_is_no_json_is_refused_with_the_byte(raw: bytes, says: str, response: Any) -> None:
    """Bytes are counted, not characters, whichever type was asked for."""
    with pytest.raises(PayloadDecodingError) as caught:
        decode_payload(raw, response)
    assert says in caught.value.message
    assert caught.value.path == "$"
    assert caught.value.__context__ is None


def test_up_to_five_mismatches_are_listed() -> None:
    """All that is wrong is told at once, but for a long tail."""
    with pytest.raises(PayloadDecodingError) as five:
        decode_payload(b'["a", 1, "b", "c", "d", "e"]', list[int])
    assert all(f"$[{index}]: expected int, found str" in five.value.message for index in (0, 2, 3, 4, 5))
    assert "and more" not in five.value.message
    with pytest.raises(PayloadDecodingError) as six:
        decode_payload(b'["a", 1, "b", "c", "d", "e", "f", "g"]', list[int])
    assert six.value.message.count("expected int") == 5
    assert six.value.message.endswith("; and more")
    assert six.value.path == "$[0]"


def test_mismatches_of_several_fields_are_listed_together() -> None:
    """Fields, items and missing ones stand in one message."""
    with pytest.raises(PayloadDecodingError) as caught:
        decode_payload(b'{"lines": [{}, {"product": 1}], "note": 5}', Order)
    message = caught.value.message
    for place in ("$.id: missing", "$.lines[0].product: missing", "$.lines[1].product: ", "$.note: "):
        assert place in message


def test_a_long_recursive_misfit_is_described_once() -> None:
    """Every level is structured once, however deep the mistake: no doubling per level."""
    raw: dict[str, Any] = {"value": "x"}
    for _ in range(60):
        raw = {"value": 1, "children": [raw]}
    with pytest.raises(PayloadDecodingError) as caught:
        decode_payload(json.dumps(raw).encode(), Node)
    assert caught.value.message.count("expected int, found str") == 1


def test_a_reply_nested_deeper_than_can_be_structured_is_refused() -> None:
    """JSON's reader goes deeper than structuring can: still an error of ours."""
    raw = b'{"value":1,"children":[' * 450 + b"]}" * 450
    with pytest.raises(PayloadDecodingError, match="nested too deeply"):
        decode_payload(raw, Node)


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (Plain, "there is no rule for Plain"),
        (list[Plain], "there is no rule for Plain"),
        (dict[str, Plain], "there is no rule for Plain"),
        (HoldsPlain, "there is no rule for Plain"),
        (Plain | None, "there is no rule for Plain"),
        (tuple[Plain, int], "there is no rule for Plain"),
        (complex, "there is no rule for complex"),
        (Page, "T"),
        (T, "there is no rule for"),
        (Unresolved, "NoSuchClass"),
        (7, "there is no rule for 7"),
        ({"not": "hashable"}, "unhashable"),
        (lambda value: value, "there is no rule for"),
    ],
)
def test_a_type_that_nothing_decodes_to_is_refused_before_sending(response: Any, says: str) -> None:
    """Found out without a reply, as an error that says that nothing was sent."""
    with pytest.raises(RequestError, match="cannot be decoded to") as caught:
        check_response_type(response)
    assert says in str(caught.value)
    assert caught.value.executed is Executed.NO


@pytest.mark.parametrize(
    "response", [None, Any, object, bytes, str, type(None), Order, Node, Model, list[Model], Expression, Wire]
)
def test_a_type_that_has_a_rule_passes(response: Any) -> None:
    """Checking says nothing about types that can be decoded to."""
    check_response_type(response)


SCALARS = (
    str,
    int,
    float,
    bool,
    Decimal,
    datetime,
    date,
    time,
    uuid.UUID,
    Path,
    Color,
    Level,
    Access,
    Open,
    Port,
)
CLASSES = (Point, Wire, Line, Order, Node, Page[int], Checked, Converted, Model, HoldsModel)
CONTAINERS = (list[int], set[str], dict[int, bytes], dict[Color, Node], tuple[int, str], list[Model])
UNIONS = (Expression, Small | Large | None, Literal[1, "a"], None, Any, bytes)
RESPONSES = st.sampled_from([*SCALARS, *CLASSES, *CONTAINERS, *UNIONS])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([SECRET, "red", "2026-01-02", "AP8=", "add", "1", str(ID)])
)
KEYS = st.sampled_from(
    ["id", "lines", "product", "value", "children", "a", "op", "args", "when", "models", "x", "1"]
)
REPLIES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@given(REPLIES, RESPONSES)
def test_a_reply_decodes_or_is_refused_without_telling_values(reply: Any, response: Any) -> None:
    """For any JSON and any type: a value, or an error in which no value stands."""
    told = refusal(json.dumps(reply).encode(), response)
    assert told is None or SECRET not in told


def refusal(raw: bytes, response: Any) -> str | None:
    """All that can be read of the PayloadDecodingError; None if there was none."""
    try:
        decode_payload(raw, response)
    except PayloadDecodingError as error:
        return "".join(traceback.format_exception(error)) + repr(error) + str(error)
    return None


@given(st.binary(max_size=60), RESPONSES)
@example(b'"\\ud800"', str)
@example(b"\xed\xa0\x80", None)
@example(b'{"when": "\\ud800"}', Model)
def test_no_bytes_make_decoding_fail_in_another_way(raw: bytes, response: Any) -> None:
    """Whatever comes, it is a value or a PayloadDecodingError: nothing else is caught here."""
    told = refusal(raw, response)
    assert told is None or "executed: yes" in told
