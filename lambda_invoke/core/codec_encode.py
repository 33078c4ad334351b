"""From Python values to JSON bytes.

Plain JSON values go through one call of the C encoder, and anything else through the same call by
way of :func:`~lambda_invoke.core.codec_lower.lower`. Only when that fails is the value walked in
Python, which finds the place, and converts the keys that only needed converting.
"""

from __future__ import annotations

import json
import re

from lambda_invoke.core.codec_locate import Problem, to_plain
from lambda_invoke.core.codec_lower import NO_PAYLOAD, encode_text
from lambda_invoke.core.codec_paths import render_path
from lambda_invoke.core.warn import warn_caller
from lambda_invoke.errors import DoubleEncodedPayloadWarning, PayloadEncodingError

_OPENS_CONTAINER = re.compile(r"[ \t\r\n]*[\[{]")


def encode_payload(payload: object, *, function: str | None = None) -> bytes | None:
    """The body to send for a payload, or None for :data:`NO_PAYLOAD`.

    ``bytes``, ``bytearray`` and ``memoryview`` go as they are. Everything else becomes JSON in
    UTF-8, encoded once: what :mod:`json` takes; attrs classes (keyed by their fields' aliases),
    dataclasses and pydantic models (by alias); named tuples, as arrays; enums, by value;
    ``datetime``, ``date`` and ``time`` in ISO 8601, naive ones as they are; ``UUID``, paths and
    ``Decimal`` as text, so that no digit is lost; bytes inside of something else in base64; sets,
    in a stable order; and any ``Mapping`` or ``Sequence``. Keys that are not text become what
    Python's :mod:`json` makes of them (``1`` is ``"1"``), or the text of their JSON form.

    Args:
        payload: what to send.
        function: the target as the caller named it, for errors.

    Raises:
        PayloadEncodingError: a value has no JSON form; ``path`` leads to it.

    Warns:
        DoubleEncodedPayloadWarning: a ``str`` that is itself a JSON object or array. It is sent as
            a JSON string.
    """
    if payload is NO_PAYLOAD:
        return None
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    if isinstance(payload, str) and _is_json_container(payload):
        warn_caller(
            "the payload is a str that holds a JSON object or array, and will be sent as a JSON string; "
            "pass the object itself, or bytes to send JSON that is encoded already",
            DoubleEncodedPayloadWarning,
        )
    return encode_json(payload, what="the payload", function=function)


def encode_json(value: object, *, what: str, function: str | None = None) -> bytes:
    """The JSON of a value in UTF-8; ``what`` names it in errors.

    Raises:
        PayloadEncodingError: a part of it has no JSON form; ``path`` leads to it.
    """
    try:
        return encode_text(value).encode()
    except Exception as error:  # noqa: BLE001 - lowering runs code of the payload's classes
        failure = type(error).__name__
    # Outside of the handler: the errors of json and of codecs hold the values, and would be this
    # error's __context__.
    return _encode_slowly(value, failure, what, function)


def _encode_slowly(value: object, failure: str, what: str, function: str | None) -> bytes:
    try:
        plain = to_plain(value)
        if not isinstance(plain, Problem):
            return encode_text(plain).encode()
        problem = plain
    except Exception as error:  # noqa: BLE001 - as above
        problem = Problem(f"it failed with {type(error).__name__}, after {failure}")
    path = render_path(problem.steps)
    raise PayloadEncodingError(
        f"{what} cannot be encoded: {path}: {problem.text}", path=path, function=function
    )


def _is_json_container(text: str) -> bool:
    if _OPENS_CONTAINER.match(text) is None:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
