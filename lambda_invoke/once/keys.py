"""What a key belongs to, and where it stands in the payload."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from lambda_invoke.core.codec import NO_PAYLOAD, encode_payload
from lambda_invoke.errors import RequestError

PREFIX = "lambda_invoke.once"
"""Powertools names a handler's records ``<Lambda function>.<Python function>#<hash>``; a Lambda function's
name has no dot and no colon, so that records of ``once`` are told from those of any handler."""

MAX_KEY_LENGTH = 1024
"""Characters in a business key: what is longer is a payload."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # an unquoted identifier of JMESPath


def check_key(key: object, function: str) -> str:
    """A business key, which is a text.

    Raises:
        RequestError: it is none. Its value is not named: it may be personal data.
    """
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        what = f"a str of {len(key)} characters" if isinstance(key, str) else type(key).__name__
        raise RequestError(
            f"key is a printable str of 1 to {MAX_KEY_LENGTH} characters, not {what}", function=function
        )
    return key


def scope(display: str, key_prefix: str | None) -> str:
    """What a key belongs to: the function as the caller names it, or the prefix that was given instead."""
    return f"{PREFIX}:{display if key_prefix is None else key_prefix}"


def identity(key: str, tenant_id: str | None) -> dict[str, str]:
    """What is hashed to the record's key: a key of one tenant is not that of another."""
    return {"key": key} if tenant_id is None else {"key": key, "tenant_id": tenant_id}


def comparable(body: bytes | None) -> dict[str, Any]:
    """A payload as it is hashed, so that equal JSON is equal whatever the order of its names."""
    if body is None:
        return {}
    try:
        return {"payload": json.loads(body)}
    except (ValueError, RecursionError):
        return {"bytes": base64.b64encode(body).decode()}


def put_key(payload: object, path: str, key: str, *, function: str) -> bytes:
    """The payload with the key at a path, as the function's ``event_key_jmespath`` reads it.

    Args:
        payload: what the caller would send.
        path: names with dots between them: ``order.idempotency_key``. Objects that are missing on
            the way are made.
        key: the key.
        function: for messages.

    Raises:
        RequestError: the path is not one, leads through what is no object, or another value is there.
    """
    names = str(path).split(".")
    if any(_NAME.fullmatch(name) is None for name in names):
        raise RequestError(
            f"key_in is a path of names with dots between them (order.key), not {path!r}", function=function
        )
    body = None if payload is NO_PAYLOAD else encode_payload(payload, function=function)
    try:
        document = {} if body is None else json.loads(body)
    except (ValueError, RecursionError):
        document = None
    at: Any = document
    for index, name in enumerate((*names[:-1], "")):
        if not isinstance(at, dict):
            where = ".".join(names[:index]) or "the payload"
            raise RequestError(
                f"key_in={path!r}: {where} is no JSON object, so no key can be put there", function=function
            )
        if name:
            at = at.setdefault(name, {})
    if at.setdefault(names[-1], key) != key:
        raise RequestError(f"key_in={path!r}: the payload has another value there", function=function)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
