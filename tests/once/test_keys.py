"""Keys and settings that are refused, keys in payloads, and how long a key is locked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import lambda_invoke as li
from lambda_invoke.core.calls import Terms
from lambda_invoke.once.envelope import RESULT, Envelope, read_envelope
from lambda_invoke.once.keys import put_key
from lambda_invoke.once.prepare import times
from lambda_invoke.testing import FakeLambda

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"key": ""}, "key is a printable str"),
    ({"key": 17}, "not int"),
    ({"key": "a\nb"}, "not a str of 3 characters"),
    ({"key": "k" * 1025}, "1025"),
    ({"ttl": 0}, "ttl is a positive number of seconds"),
    ({"ttl": None}, "ttl is a positive number"),
    ({"ttl": 1e12}, "ttl is ten years at most"),
    ({"lock_seconds": -1}, "lock_seconds is a positive number"),
    ({"concurrent": "return"}, "concurrent is 'wait' or 'raise', not 'return'"),
    ({"on_error": "store"}, "on_error is 'release' or 'keep'"),
    ({"key_as": "tenant"}, "key_as is None or 'durable_execution_name'"),
    ({"key_prefix": ""}, "key_prefix is empty"),
    ({"store": 7}, "not int"),
    ({"store": ":memory:"}, "the path of a file"),
    ({"store": "file:keys?mode=memory"}, "the path of a file"),
    ({"store": ""}, "the path of a file"),
    ({"key_in": "a..b"}, "key_in is a path of names"),
    ({"key_in": "a[0]"}, "key_in is a path of names"),
    ({"key_as": "durable_execution_name", "key": "a:b"}, "letters, digits, - and _"),
    ({"key_as": "durable_execution_name"}, "needs a qualifier"),
    ({"key_as": "durable_execution_name", "durable_execution_name": "x"}, "cannot be given as well"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG, ids=lambda value: str(value)[:40])
def test_what_cannot_be_is_refused(wrong: dict[str, Any], says: str, tmp_path: Path) -> None:
    """Before a store is opened or anything is sent; by name, and without the key."""
    fake = FakeLambda({"f": lambda event: event})
    options = {"key": "secret-key", "store": tmp_path / "keys", **wrong}
    with fake.client() as client, pytest.raises(li.RequestError, match=says.replace("[", r"\[")) as caught:
        client.once("f", {}, **options)
    assert "secret-key" not in str(caught.value)
    assert fake.requests == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("payload", "path", "there"),
    [
        ({"n": 1}, "key", {"n": 1, "key": "K"}),
        ({"order": {"n": 1}}, "order.key", {"order": {"n": 1, "key": "K"}}),
        (li.NO_PAYLOAD, "a.b.c", {"a": {"b": {"c": "K"}}}),
        (b'{"a": {}}', "a.b", {"a": {"b": "K"}}),
        ({"key": "K"}, "key", {"key": "K"}),
    ],
)
def test_a_key_in_the_payload(payload: object, path: str, there: object) -> None:
    """It stands where the path says; what is missing on the way is made."""
    assert json.loads(put_key(payload, path, "K", function="f")) == there


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ([1], "the payload is no JSON object"),
        (b"\xff", "the payload is no JSON object"),
        (b"[" * 100_000, "the payload is no JSON object"),
        ({"a": 1}, "a is no JSON object"),
        ({"a": {"b": "another"}}, "another value there"),
        ({"a": {"b": None}}, "another value there"),
    ],
)
def test_a_payload_that_takes_no_key(payload: object, says: str) -> None:
    """The error names the path, not what stands there."""
    with pytest.raises(li.RequestError, match=says) as caught:
        put_key(payload, "a.b", "K", function="f")
    assert "'a.b'" in str(caught.value)


def test_the_key_as_durable_execution_name(tmp_path: Path) -> None:
    """Lambda is sent the key as the execution's name."""
    fake = FakeLambda({"f": lambda event: event})
    with fake.client() as client:
        client.once("f:7", {}, key="order-17", key_as="durable_execution_name", store=tmp_path / "keys")
    (call,) = fake.calls
    assert call.request.durable_execution_name == "order-17"


NEVER = li.RetryPolicy.never()


@pytest.mark.parametrize(
    ("terms", "timeout", "lock", "expected"),
    [
        (Terms(li.RetryPolicy()), 915.0, None, (975.0, 1890.0)),
        (Terms(NEVER), 915.0, None, (915.0, 1830.0)),
        (Terms(li.RetryPolicy(throttle_timeout=None)), 915.0, None, (975.0, 1890.0)),
        (Terms(li.RetryPolicy(), deadline=30.0), 915.0, None, (30.0, 945.0)),
        (Terms(li.RetryPolicy(), timeout=5.0), 5.0, None, (65.0, 980.0)),
        (Terms(li.RetryPolicy()), 915.0, 60.0, (60.0, 60.0)),
        (Terms(li.RetryPolicy(), deadline=30.0), 915.0, 60.0, (30.0, 60.0)),
        (Terms(li.RetryPolicy(), deadline=90.0), 915.0, 60.0, (60.0, 60.0)),
    ],
)
def test_how_long_a_key_is_locked(
    terms: Terms, timeout: float, lock: float | None, expected: tuple[float, float]
) -> None:
    """By default 915 s longer than anything is sent; a lock of the caller's bounds the call."""
    assert times(terms, timeout, lock) == expected


@hypothesis.given(
    st.none() | st.floats(0.001, 1e6),
    st.none() | st.floats(0, 1e4),
    st.floats(0.001, 1e6),
    st.none() | st.floats(0.001, 1e6),
)
def test_no_call_outlasts_its_lock(
    deadline: float | None, throttle: float | None, timeout: float, lock: float | None
) -> None:
    """Nothing is sent after the lock; by default not within a function's longest run before its end."""
    terms = Terms(li.RetryPolicy(throttle_timeout=throttle), timeout, deadline)
    call_seconds, lock_seconds = times(terms, timeout, lock)
    assert 0 < call_seconds <= lock_seconds
    if lock is None:
        assert lock_seconds - call_seconds >= 900
    if deadline is not None:
        assert call_seconds <= deadline


@hypothesis.given(st.binary(), st.text(), st.none() | st.text())
def test_what_is_stored_is_read_again(payload: bytes, owner: str, request_id: str | None) -> None:
    """Any payload: UTF-8 or not."""
    envelope = Envelope(RESULT, "token", owner, 1.5, "hash", payload, request_id)
    try:
        owner.encode()
        (request_id or "").encode()
    except UnicodeEncodeError:
        return
    assert read_envelope(envelope.text()) == envelope


@hypothesis.given(st.text() | st.dictionaries(st.text(), st.integers() | st.text()).map(json.dumps))
def test_what_others_stored_is_none_of_ours(text: str) -> None:
    """Whatever it is, reading it does not fail."""
    assert read_envelope(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"lambda_invoke.once": 1}',
        '{"lambda_invoke.once": 1, "kind": "result", "token": "t", "owner": "o", "since": 1, "payload": 7}',
        '{"lambda_invoke.once": 1, "kind": "result", "token": "t", "owner": "o", "since": 1, "new": 7}',
        '{"lambda_invoke.once": 1, "kind": "r", "token": "", "owner": "", "since": 1, "payload_base64": "%"}',
        '{"lambda_invoke.once": 2, "kind": "result", "token": "t", "owner": "o", "since": 1}',
    ],
)
def test_an_envelope_that_is_broken(text: str) -> None:
    """Is none."""
    assert read_envelope(text) is None


WITHOUT = """
import sys
sys.modules["aws_lambda_powertools"] = None
import lambda_invoke as li
from lambda_invoke.testing import FakeLambda
fake = FakeLambda({"f": lambda event: event})
for use in (
    lambda: fake.client().once("f", {}, key="k", store="keys"),
    lambda: fake.client().release_key("f", key="k"),
    lambda: li.SqlitePersistenceLayer,
):
    try:
        use()
    except (li.RequestError, ImportError) as error:
        print("lambda-invoke-sdk[idempotency]" in str(error))
print(fake.requests, isinstance(li.DynamoDBTable("t"), object))
"""


def test_without_the_extra(tmp_path: Path) -> None:
    """The error names it; everything else works."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}){WITHOUT}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["True", "True", "True", "0 True"], done.stderr
    assert list(tmp_path.iterdir()) == []
