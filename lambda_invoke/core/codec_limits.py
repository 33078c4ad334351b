"""How large a payload and a client context may be."""

from __future__ import annotations

import base64
from typing import Final

import attrs

from lambda_invoke.core.codec_encode import encode_json
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.errors import PayloadEncodingError, PayloadTooLargeError


@attrs.frozen
class Limits:
    """Lambda's size limits, in bytes. The service has the last word; raise them when AWS does.

    ``request_bytes`` is for a synchronous payload and a dry run, ``event_bytes`` for an
    asynchronous one, ``client_context_bytes`` for the client context after base64.
    """

    # AWS quota, 2026-11: 6 MB synchronous request payload.
    request_bytes: int = 6_291_456
    # AWS quota, 2026-11: 1 MB asynchronous payload (256 KB before October 2025).
    event_bytes: int = 1_048_576
    # AWS quota, 2026-11: "Up to 3,583 bytes of base64-encoded data".
    client_context_bytes: int = 3_583

    def of(self, invocation_type: InvocationType) -> int:
        """The limit in bytes of a payload that is sent in this way."""
        return self.event_bytes if invocation_type is InvocationType.EVENT else self.request_bytes


DEFAULT_LIMITS: Final = Limits()
"""AWS's quotas of 2026-11."""

_KIND = {
    InvocationType.REQUEST_RESPONSE: "a synchronous invocation",
    InvocationType.EVENT: "an asynchronous invocation (Event)",
    InvocationType.DRY_RUN: "a dry run",
}


def check_size(
    body: bytes | None,
    invocation_type: InvocationType,
    limits: Limits = DEFAULT_LIMITS,
    *,
    function: str | None = None,
) -> None:
    """Refuse a payload that Lambda would refuse; ``None`` is no payload and always fits.

    Raises:
        PayloadTooLargeError: ``body`` has more bytes than ``limits`` allow.
    """
    if body is None:
        return
    size, limit = len(body), limits.of(invocation_type)
    if size <= limit:
        return
    advice = "split it, or put the data in S3 and send its key"
    if invocation_type is InvocationType.EVENT and size <= limits.request_bytes:
        advice += ", or invoke synchronously"
    raise PayloadTooLargeError(
        f"the payload has {size:,} bytes; the limit of {_KIND[invocation_type]} is {limit:,} bytes; {advice}",
        size_bytes=size,
        limit_bytes=limit,
        function=function,
    )


def encode_client_context(
    value: object, *, limits: Limits = DEFAULT_LIMITS, function: str | None = None
) -> str:
    """The value of ``X-Amz-Client-Context``: the JSON of ``value`` in base64.

    ``value`` must have the form of a JSON object, which is what the runtimes read: they look for
    ``custom``, ``env`` and ``client``. Lambda passes it on for synchronous invocations only.

    Raises:
        PayloadEncodingError: it has no JSON form, or one that is no object (such as text that is
            base64 already).
        PayloadTooLargeError: its base64 is over ``limits.client_context_bytes``.
    """
    document = encode_json(value, what="the client context", function=function)
    if not document.startswith(b"{"):
        problem = f"the client context must be a JSON object; it is made from a {type(value).__name__}"
        raise PayloadEncodingError(problem, function=function)
    encoded = base64.b64encode(document).decode("ascii")
    if len(encoded) > limits.client_context_bytes:
        raise PayloadTooLargeError(
            f"the client context has {len(encoded):,} bytes in base64; "
            f"the limit is {limits.client_context_bytes:,} bytes; send the data in the payload",
            size_bytes=len(encoded),
            limit_bytes=limits.client_context_bytes,
            function=function,
        )
    return encoded
