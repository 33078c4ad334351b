"""What a reply says of a batch: AWS's conditions of success and failure, one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.sources.verdict import ALL_WELL, Verdict, read_reply

IDS = ["a", "b", "c"]


def reply(*identifiers: Any) -> bytes:
    return json.dumps({"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'""',
        b"[]",
        b"{}",
        b'{"batchItemFailures": []}',
        b'{"batchItemFailures": null}',
        b'{"state": {"1": 2}, "batchItemFailures": []}',
        b'{"statusCode": 200, "body": "done"}',
        b' \n{"batchItemFailures" : [ ] }\n',
    ],
)
def test_all_succeeded(body: bytes) -> None:
    """Nothing, null, whatever is empty, and an object that names no failures."""
    assert read_reply(body, IDS) == ALL_WELL
    assert ALL_WELL.checkpoint is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "not JSON"),
        (b'{"batchItemFailures": [', "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'"done"', "the reply is text"),
        (b"true", "a boolean"),
        (b"0", "a number"),
        (b'["a"]', "a list, not an object"),
        (b'{"batchItemFailures": "a"}', "batchItemFailures is text"),
        (b'{"batchItemFailures": {"itemIdentifier": "a"}}', "batchItemFailures is an object"),
        (b'{"batchItemFailures": ["a"]}', "[0] is text"),
        (b'{"batchItemFailures": [null]}', "[0] is null"),
        (b'{"batchItemFailures": [{}]}', "[0] has no itemIdentifier"),
        (b'{"batchItemFailures": [{"messageId": "a"}]}', "[0] has no itemIdentifier"),
        (reply(None), "[0] has null as itemIdentifier"),
        (reply(1), "[0] has a number as itemIdentifier"),
        (reply(""), "[0] has an empty itemIdentifier"),
        (reply("z"), "[0] names no record of the batch"),
        (reply("a", "z"), "[1] names no record of the batch"),
        (reply("a", ""), "[1] has an empty itemIdentifier"),
    ],
)
def test_the_whole_batch_failed(body: bytes, reason: str) -> None:
    """Whatever is malformed, empty or unknown, at any place; the reason says what, and no value."""
    verdict = read_reply(body, IDS)
    assert verdict.failed == (0, 1, 2)
    assert verdict.checkpoint == 0
    assert verdict.whole is not None
    assert reason in verdict.whole


@pytest.mark.parametrize(
    ("named", "failed"),
    [(["b"], (1,)), (["c", "a"], (0, 2)), (["b", "b"], (1,)), (["a", "b", "c"], (0, 1, 2))],
)
def test_those_that_are_named_failed(named: list[str], failed: tuple[int, ...]) -> None:
    """In any order, and once if named twice; the lowest is the checkpoint. All of them are no whole batch."""
    assert read_reply(reply(*named), IDS) == Verdict(failed)
    assert Verdict(failed).checkpoint == failed[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("itemIdentifier"), inner),
)


@given(
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.builds(lambda value: json.dumps({"batchItemFailures": value}).encode(), JSON)
)
def test_no_reply_makes_it_raise(body: bytes) -> None:
    """Any bytes give a verdict: all well, some, or all of the batch with a reason."""
    verdict = read_reply(body, IDS)
    assert set(verdict.failed) <= {0, 1, 2}
    assert verdict.whole is None or verdict.failed == (0, 1, 2)


@given(
    st.lists(st.text(min_size=1), min_size=1, unique=True).flatmap(
        lambda ids: st.tuples(st.just(ids), st.lists(st.sampled_from(ids)))
    )
)
def test_each_record_is_judged_by_its_own_name(drawn: tuple[list[str], list[str]]) -> None:
    """A record failed if and only if the reply names it."""
    identifiers, named = drawn
    verdict = read_reply(reply(*named), identifiers)
    assert verdict.whole is None
    assert {identifiers[place] for place in verdict.failed} == set(named)
    assert list(verdict.failed) == sorted(verdict.failed)
