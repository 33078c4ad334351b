"""What a payload is compared with: equality, a predicate, or a part of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from lambda_invoke.core.codec import NO_PAYLOAD, encode_payload
from lambda_invoke.errors import LambdaInvokeError


class Anything:
    """Equal to whatever there is."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "anything"


ANYTHING = Anything()


@attrs.frozen(repr=False)
class Having:
    """Matches payloads that have these parts; see :func:`having`."""

    part: Any

    def matches(self, payload: object) -> bool:
        """Whether the parts are in the payload."""
        return _has(payload, self.part)

    def __repr__(self) -> str:
        return f"having({show(self.part)})"


def having(part: Mapping[str, Any]) -> Having:
    """Matches a JSON object that has at least these members, in nested objects too.

    What is no mapping is compared for equality; lists have to be equally long, and their items are
    compared one by one.
    """
    return Having(plain(part))


def _has(payload: Any, part: Any) -> bool:
    if isinstance(part, Mapping):
        return isinstance(payload, dict) and all(
            name in payload and _has(payload[name], value) for name, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(payload, list)
            and len(payload) == len(part)
            and all(_has(one, wanted) for one, wanted in zip(payload, part, strict=True))
        )
    return equal(part, payload)


def matches(payload: object, wanted: object) -> bool:
    """Whether a decoded payload is the one that is wanted.

    Raises:
        Exception: what a predicate raises.
    """
    if isinstance(wanted, Anything):
        return True
    if wanted is NO_PAYLOAD or payload is NO_PAYLOAD:
        return wanted is payload
    if isinstance(wanted, Having):
        return wanted.matches(payload)
    if callable(wanted) and not isinstance(wanted, type):
        return bool(wanted(payload))
    return equal(plain(wanted), payload)


def equal(wanted: Any, payload: Any) -> bool:
    """Whether two JSON values are the same: to Python ``True`` is 1 as well, in JSON it is not."""
    if isinstance(wanted, dict) and isinstance(payload, dict):
        return wanted.keys() == payload.keys() and all(
            equal(value, payload[name]) for name, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(payload, list):
        return len(wanted) == len(payload) and all(map(equal, wanted, payload))
    if isinstance(wanted, int | float) and isinstance(wanted, bool) != isinstance(payload, bool):
        return False
    return bool(wanted == payload)


def plain(wanted: object) -> Any:
    """The JSON that would be sent for a value; the value itself where there is none (``mock.ANY``)."""
    if isinstance(wanted, str | bytes) or wanted is NO_PAYLOAD:
        return wanted
    try:
        body = encode_payload(wanted)
        assert body is not None
        return json.loads(body)
    except (LambdaInvokeError, ValueError):
        return wanted


def decoded(body: bytes | None) -> Any:
    """A payload as its function sees it: NO_PAYLOAD for none, the bytes themselves if they are no JSON."""
    if body is None:
        return NO_PAYLOAD
    try:
        return json.loads(body)
    except ValueError:
        return body


def describe(wanted: object, what: str = "payload") -> str:
    """A matcher of payloads, or of ``what``, in words."""
    if isinstance(wanted, Anything):
        return f"any {what}"
    if wanted is NO_PAYLOAD:
        return f"no {what}"
    if callable(wanted) and not isinstance(wanted, Having | type):
        return f"a {what} for which {name_of(wanted)} holds"
    return f"{what} {wanted!r}" if isinstance(wanted, Having) else f"{what} {show(wanted)}"


def name_of(function: Callable[..., Any]) -> str:
    """How a function is called in messages; of a lambda its file and line."""
    name = getattr(function, "__qualname__", None) or type(function).__name__
    code = getattr(function, "__code__", None)
    if "<lambda>" in name and code is not None:
        return f"the lambda of {code.co_filename}:{code.co_firstlineno}"
    return str(name)


_LONGEST = 200


def show(payload: object) -> str:
    """A payload on one line, cut off when it is long."""
    if payload is NO_PAYLOAD:
        return "(none)"
    try:
        text = json.dumps(plain(payload), ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(payload)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"
