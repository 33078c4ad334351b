"""Nothing that read_record is given makes it raise, and what it says can be shown, copied and pickled."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke import BatchFailure, EventOutcome, UnreadableRecord, read_record, read_records
from tests.events.shapes import batch_text, carried, dead_letters, failure_text, record_text


@attrs.frozen
class Total:
    total: int


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)
ODD = ANY_JSON | st.sampled_from(
    [float("nan"), float("inf"), 10**5000, "\ud800", "9" * 40, -1, {}, [], b"bytes", {1, 2}, object()]
)
VALID: list[Any] = [
    json.loads(json.dumps(data, default=lambda text: text.decode()))
    for text in (record_text(), failure_text('{"errorType": "E"}'), batch_text(context=None, payload='"x"'))
    for _, _, data in carried(text)
] + [data for _, data in dead_letters("{}", "200", "no")]
TEXTS = [data if isinstance(data, str) else json.dumps(data) for data in VALID]


def check(data: Any) -> None:
    """It comes back as one of the three, which can be shown, copied and pickled."""
    for response in (None, bytes, Total):
        found = read_record(data, response=response)
        assert isinstance(found, (EventOutcome, BatchFailure, UnreadableRecord))
        assert repr(found)
        if isinstance(found, EventOutcome):
            assert (found.invocation is None) is not (found.error is None)
            assert found.executed is not None
        if not isinstance(found, EventOutcome) or found.error is not None:  # values are the caller's affair
            assert repr(copy.copy(found)) == repr(pickle.loads(pickle.dumps(found))) == repr(found)
        assert str(getattr(found, "error", None))
    assert isinstance(read_records(data), list)


@given(st.text() | st.binary() | ODD | st.dictionaries(st.text(max_size=12), ODD, max_size=4))
def test_anything(data: Any) -> None:
    """Text, bytes, mappings, numbers, objects."""
    check(data)


@given(st.sampled_from(TEXTS), st.data())
def test_valid_records_cut_and_patched(text: str, data: st.DataObject) -> None:
    """A piece of the text is taken out, doubled or replaced."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    patch = data.draw(st.text(max_size=6) | st.sampled_from([text[start:end] * 2, "[" * 5000, "9" * 5000]))
    mutated = text[:start] + patch + text[end:]
    check(mutated)
    check(mutated.encode("utf-8", "surrogatepass"))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


@given(st.sampled_from([value for value in VALID if isinstance(value, dict)]), st.data())
def test_valid_records_with_a_member_of_another_kind(value: dict[str, Any], data: st.DataObject) -> None:
    """Any member, however deep, is something else, or not there."""
    mutated = copy.deepcopy(value)
    path = data.draw(st.sampled_from(sorted(_places(mutated), key=repr)))
    place: Any = mutated
    for step in path[:-1]:
        place = place[step]
    if data.draw(st.booleans()):
        del place[path[-1]]
    else:
        place[path[-1]] = data.draw(ODD)
    check(mutated)
    try:
        text = json.dumps(mutated)
    except (TypeError, ValueError):
        return
    check(text)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"requestContext":', '{"detail-type":"","detail":'])
@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_deep_nesting(opening: str, depth: int) -> None:
    """Deeper than any parser goes; in a payload too, and in a mapping."""
    check(opening * depth)
    closed = "[" * depth + "]" * depth
    check(record_text(response=closed, request=closed))
    check(failure_text(closed))


def test_a_mapping_nested_deeper_than_json_writes() -> None:
    """Whoever made it: its payloads have no JSON."""
    nested: list[Any] = []
    for _ in range(20_000):
        nested = [nested]
    check({**json.loads(record_text()), "responsePayload": nested})


def test_huge_integers_in_payloads_stay_text() -> None:
    """More digits than Python reads: the bytes are there, and typed decoding says what is wrong."""
    digits = "7" * 10_000
    found = read_record(record_text(request=digits, response=digits), response=bytes)
    assert isinstance(found, EventOutcome)
    assert found.request_payload == found.value == digits.encode()
    check(record_text(response=digits))


class Hostile(Mapping[str, Any]):
    """A mapping whose every method fails."""

    def __getitem__(self, key: str) -> Any:
        raise OSError("no")

    def __iter__(self) -> Iterator[str]:
        raise OSError("no")

    def __len__(self) -> int:
        raise OSError("no")

    def __repr__(self) -> str:
        raise OSError("no")


def test_a_mapping_that_cannot_be_read() -> None:
    """It comes back as unreadable, wherever it stands."""
    for data in (
        Hostile(),
        {"requestContext": Hostile()},
        {"Body": "x", "MessageAttributes": Hostile(), "Attributes": {"a": Hostile()}},
        {"Records": [Hostile()]},
        {"Records": [Hostile(), Hostile()]},
    ):
        assert isinstance(read_record(data), UnreadableRecord)
        assert all(isinstance(each, UnreadableRecord) for each in read_records(data))


class OddItems(dict[str, Any]):
    """A mapping whose items cannot be read."""

    def items(self) -> Any:
        raise ValueError("no")


def test_views_and_mappings_of_other_makers() -> None:
    """A view with gaps is read as the bytes that it shows; a released one, and odd mappings, do not raise."""
    strided: Any = memoryview(b'{_"_a_"_:_1_}_')[::2]
    assert read_record(strided) == UnreadableRecord("it has no requestContext of Lambda's", '{"a":1}')
    released: Any = memoryview(b"{}")
    released.release()
    assert read_record(released) == UnreadableRecord("it is a memoryview that was released", "<memoryview>")
    message = {"Body": "x", "MessageAttributes": OddItems({"a": {"StringValue": "b"}})}
    assert isinstance(read_record(message), UnreadableRecord)
