"""Size limits of payloads and of the client context, exactly at the limit and one byte over."""

from __future__ import annotations

import base64
import json

import attrs
import pytest

from lambda_invoke.core.codec import (
    DEFAULT_LIMITS,
    Limits,
    check_size,
    encode_client_context,
    encode_payload,
)
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.errors import Executed, PayloadEncodingError, PayloadTooLargeError

SMALL = Limits(request_bytes=100, event_bytes=40, client_context_bytes=80)


def test_the_defaults_are_the_quotas_of_aws() -> None:
    """6 MB synchronous, 1 MB asynchronous, 3,583 bytes of client context."""
    limits = DEFAULT_LIMITS
    assert (limits.request_bytes, limits.event_bytes, limits.client_context_bytes) == (
        6_291_456,
        1_048_576,
        3_583,
    )


@pytest.mark.parametrize(
    ("invocation_type", "limit"),
    [
        (InvocationType.REQUEST_RESPONSE, 6_291_456),
        (InvocationType.DRY_RUN, 6_291_456),
        (InvocationType.EVENT, 1_048_576),
    ],
)
def test_bytes_count_and_not_characters(invocation_type: InvocationType, limit: int) -> None:
    """A payload of three-byte characters passes at the limit, and not one byte over it."""
    quotes = 2
    text = "€" * ((limit - quotes) // 3) + "x" * ((limit - quotes) % 3)
    body = encode_payload(text)
    assert body is not None
    assert len(body) == limit
    check_size(body, invocation_type, DEFAULT_LIMITS)
    too_large = encode_payload(text + "x")
    assert len(text) + 1 < limit
    with pytest.raises(PayloadTooLargeError) as caught:
        check_size(too_large, invocation_type, DEFAULT_LIMITS, function="reports:prod")
    error = caught.value
    assert (error.size_bytes, error.limit_bytes) == (limit + 1, limit)
    assert f"{limit + 1:,} bytes" in str(error)
    assert f"{limit:,} bytes" in str(error)
    assert error.function == "reports:prod"
    assert error.executed is Executed.NO


def test_no_payload_always_fits() -> None:
    """Nothing to send has no size."""
    check_size(None, InvocationType.REQUEST_RESPONSE, Limits(request_bytes=0))


def test_the_message_says_what_to_do() -> None:
    """S3 always; for an event that a synchronous call could carry, that too."""
    with pytest.raises(PayloadTooLargeError, match=r"put the data in S3.*or invoke synchronously"):
        check_size(b"x" * 41, InvocationType.EVENT, SMALL)
    with pytest.raises(PayloadTooLargeError, match="put the data in S3") as caught:
        check_size(b"x" * 101, InvocationType.EVENT, SMALL)
    assert "synchronously" not in str(caught.value)


def test_a_client_context_is_json_in_base64() -> None:
    """The header's value decodes to the JSON that was given, text beyond ASCII included."""
    value = {"custom": {"name": "Zoë"}, "env": {}}
    encoded = encode_client_context(value)
    assert json.loads(base64.b64decode(encoded, validate=True)) == value
    assert encoded.isascii()


@attrs.frozen
class Context:
    custom: dict[str, str]


def test_a_client_context_may_be_an_object() -> None:
    """What payloads may be, a client context may be."""
    assert json.loads(base64.b64decode(encode_client_context(Context({"a": "b"})))) == {"custom": {"a": "b"}}


def test_the_limit_of_a_client_context_is_on_its_base64() -> None:
    """At the limit it passes; with one more group of base64 it does not, and the message says which."""
    envelope = len(b'{"custom":""}')
    fits = {"custom": "x" * (60 - envelope)}
    assert len(encode_client_context(fits, limits=SMALL)) == SMALL.client_context_bytes
    with pytest.raises(PayloadTooLargeError, match="the client context has 84 bytes in base64") as caught:
        encode_client_context({"custom": "x" * (61 - envelope)}, limits=SMALL, function="reports")
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (84, 80)
    assert caught.value.function == "reports"


@pytest.mark.parametrize("value", ["eyJjdXN0b20iOnt9fQ==", ["custom"], 7, None])
def test_a_client_context_that_is_no_object_is_refused(value: object) -> None:
    """Runtimes read an object; text that is base64 already would be encoded twice."""
    with pytest.raises(PayloadEncodingError, match="must be a JSON object"):
        encode_client_context(value)


def test_a_client_context_without_json_form_is_refused_with_its_place() -> None:
    """The error speaks of the client context, and says where."""
    with pytest.raises(PayloadEncodingError, match="the client context cannot be encoded") as caught:
        encode_client_context({"custom": {"x": object()}})
    assert caught.value.path == "$.custom.x"
