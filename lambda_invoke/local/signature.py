"""Verifies AWS Signature Version 4, so that nobody without the endpoint's key drives it.

Source: "Create a signed AWS API request", AWS IAM user guide, 2026-11. The canonical path is quoted
once more than it was sent, as for every service but S3.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import attrs

from lambda_invoke.local.faults import ServiceFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambda_invoke.local.http_message import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW_SECONDS = 300.0
"""AWS accepts a signature for five minutes around its date."""

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/]+)/"
    r"(?P<scope>(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request)"
    r",\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature="
)
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_SIGNATURE_LENGTH = 64
_DATE = "%Y%m%dT%H%M%SZ"


@attrs.frozen
class LocalCredentials:
    """The key that a local endpoint was started with: only who holds it can call the endpoint."""

    access_key_id: str
    secret_access_key: str = attrs.field(repr=False)


@attrs.frozen
class Verifier:
    """Checks that requests were signed with the key, for the region and for Lambda.

    With ``allow_any_credentials`` it lets through what was signed with any key, or not at all.
    """

    credentials: LocalCredentials
    region_name: str
    allow_any_credentials: bool = False

    def verify(self, request: HttpRequest, now: float) -> None:
        """Check one request; ``now`` in seconds since the epoch.

        Raises:
            ServiceFault: in the words of AWS: not signed, another key, stale, or a wrong signature.
        """
        if self.allow_any_credentials:
            return
        authorization = request.headers.get("authorization")
        if authorization is None:
            raise ServiceFault(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        claim = _claim(authorization[:-_SIGNATURE_LENGTH])
        signature = authorization[-_SIGNATURE_LENGTH:]
        if claim is None or not _SIGNATURE.fullmatch(signature):
            raise ServiceFault(
                403,
                "IncompleteSignatureException",
                "The Authorization header is not one of Signature Version 4.",
            )
        if not hmac.compare_digest(claim.key.encode(), self.credentials.access_key_id.encode()):
            raise ServiceFault(
                403, "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        if claim.region != self.region_name or claim.service != "lambda":
            raise ServiceFault(
                403,
                "InvalidSignatureException",
                f"Credential should be scoped to region '{self.region_name}' and service 'lambda'.",
            )
        date = request.headers.get("x-amz-date", "")
        _check_date(date, claim.day, now)
        _check_signed_headers(claim.signed, request.headers)
        canonical = canonical_request(request, claim.signed)
        expected = sign(self.credentials.secret_access_key, date, claim.scope, canonical)
        if not hmac.compare_digest(expected, signature):
            raise ServiceFault(
                403,
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. Check your "
                "AWS Secret Access Key and signing method. Consult the service documentation for details.",
            )


@attrs.frozen
class _Claim:
    """What the header says besides the signature: a client's is the same for a day. ``signed`` are names."""

    key: str
    scope: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]


@functools.lru_cache(maxsize=64)
def _claim(text: str) -> _Claim | None:
    parts = _AUTHORIZATION.fullmatch(text)
    if parts is None:
        return None
    signed = tuple(parts["headers"].split(";"))
    return _Claim(parts["key"], parts["scope"], parts["day"], parts["region"], parts["service"], signed)


def _check_date(date: str, day: str, now: float) -> None:
    try:
        signed = _seconds_of(date)
    except ValueError as error:
        raise ServiceFault(
            403, "IncompleteSignatureException", "The X-Amz-Date header is missing or not a date."
        ) from error
    skew = now - signed
    if abs(skew) > MAX_SKEW_SECONDS:
        current = datetime.fromtimestamp(now, UTC).strftime(_DATE)
        what = "expired" if skew > 0 else "not yet current"
        raise ServiceFault(
            403, "InvalidSignatureException", f"Signature {what}: {date} is not within 5 min. of {current}"
        )
    if not date.startswith(day):
        raise ServiceFault(
            403,
            "InvalidSignatureException",
            "Date in Credential scope does not match YYYYMMDD from X-Amz-Date.",
        )


@functools.lru_cache(maxsize=8)
def _seconds_of(date: str) -> float:
    return datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp()


def _check_signed_headers(names: tuple[str, ...], headers: dict[str, str]) -> None:
    required = ["host", *[name for name in headers if name.startswith("x-amz-")]]
    if not set(names).issuperset(required):
        raise ServiceFault(
            403,
            "InvalidSignatureException",
            "There were headers present in the request which were not signed.",
        )


def canonical_request(request: HttpRequest, names: Sequence[str]) -> str:
    """The text that a signature covers; ``names`` are the signed headers."""
    pairs = sorted(
        (_quoted(name), _quoted(value))
        for name, _, value in (part.partition("=") for part in request.query.split("&") if part)
    )
    return "\n".join(
        [
            request.method,
            _quoted_path(request.path),
            "&".join(f"{name}={value}" for name, value in pairs),
            *[f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names],
            "",
            ";".join(names),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


@functools.lru_cache(maxsize=256)
def _quoted_path(path: str) -> str:
    return quote(path, safe="/~")


def _quoted(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def sign(secret: str, date: str, scope: str, canonical: str) -> str:
    """The signature of a canonical request, in hexadecimal."""
    key = _signing_key(secret, scope)
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()  # the bytes of the headers as they came
    return hmac.digest(key, f"{ALGORITHM}\n{date}\n{scope}\n{digest}".encode(), "sha256").hex()


@functools.lru_cache(maxsize=8)
def _signing_key(secret: str, scope: str) -> bytes:
    """That of one day: requests come by the thousand."""
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
