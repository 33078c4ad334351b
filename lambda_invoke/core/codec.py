"""Payloads: Python values to JSON bytes and back, and how large they may be.

Encoding takes what JSON, attrs, dataclasses and pydantic can hold, and decoding gives it back in
the type that was asked for. Failures say where and of what type, and never a value.
"""

from lambda_invoke.core.codec_decode import check_response_type, decode_payload
from lambda_invoke.core.codec_encode import encode_payload
from lambda_invoke.core.codec_limits import DEFAULT_LIMITS, Limits, check_size, encode_client_context
from lambda_invoke.core.codec_lower import NO_PAYLOAD, NoPayload

__all__ = [
    "DEFAULT_LIMITS",
    "NO_PAYLOAD",
    "Limits",
    "NoPayload",
    "check_response_type",
    "check_size",
    "decode_payload",
    "encode_client_context",
    "encode_payload",
]
