"""Signature Version 4, as botocore makes it, with ``hmac`` and ``hashlib`` alone. Pure: no clock.

The steps are those of AWS's "Signature Version 4 for API requests" for every service but S3: the path
is normalised and quoted again, and the body is signed by its digest, which no header repeats.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALGORITHM = "AWS4-HMAC-SHA256"
_SCOPE_END = "aws4_request"
_EMPTY_PAYLOAD = hashlib.sha256(b"").hexdigest()
_DAY = slice(0, 8)  # of a timestamp such as 20261121T103918Z


def hash_payload(body: bytes | None) -> str:
    """The hexadecimal SHA-256 of a body, as it is signed. About 3 ms for 6 MB: off the loop, then."""
    return hashlib.sha256(body).hexdigest() if body else _EMPTY_PAYLOAD


def canonical_path(path: str) -> str:
    """A path as it is signed: no empty or dot segments, and what is quoted in it quoted once more."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    closing = "/" if segments and path.endswith("/") else ""
    opening = "/" if path.startswith("/") or not path else ""
    return quote(f"{opening}{'/'.join(segments)}{closing}", safe="/~")


def canonical_query(query: str) -> str:
    """A quoted query string as it is signed: sorted by name, then by value, each with its ``=``."""
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


class Signer:
    """Signs for one set of credentials in one region. Its ``repr`` shows nothing of the credentials.

    The signing key is kept for the day it holds for. Threads may share a signer: what it keeps is
    replaced whole.

    Raises:
        ValueError: the credentials hold a character that HTTP cannot carry, such as a line break.
    """

    __slots__ = (
        "_access_key",
        "_key",
        "_lines",
        "_region",
        "_secret",
        "_service",
        "_stamp",
        "_token",
        "_trimmed_token",
    )

    def __init__(
        self, access_key: str, secret_key: str, token: str | None, region: str, service: str = "lambda"
    ) -> None:
        if not (access_key.isprintable() and (token or "").isprintable()):
            raise ValueError("the access key or the session token holds a character that HTTP cannot carry")
        try:
            self._secret = f"AWS4{secret_key}".encode()
        except UnicodeEncodeError:
            raise ValueError("the secret key holds half of a surrogate pair") from None  # it quotes the key
        self._access_key = access_key
        self._token = token
        self._trimmed_token = _trimmed(token or "")
        self._region = region
        self._service = service
        self._key: tuple[str, str, hmac.HMAC] | None = None  # day, scope, keyed with the signing key
        self._lines: tuple[Sequence[tuple[str, str]], str, str, str] = ((), "", "", "")  # see _canonical
        self._stamp: tuple[int, str] = (-1, "")  # second, timestamp

    def __repr__(self) -> str:
        return f"Signer(region={self._region!r}, service={self._service!r})"

    def sign(
        self,
        method: str,
        path: str,
        query: str,
        headers: Sequence[tuple[str, str]],
        payload_hash: str,
        now: float,
    ) -> list[tuple[str, str]]:
        """The headers that sign a request: X-Amz-Date, X-Amz-Security-Token (with a token), Authorization.

        ``path`` and ``query`` are canonical, ``headers`` the lower-case names and the values of what is
        signed besides, ``host`` among them; each name once. ``now`` is seconds since the epoch.
        """
        timestamp = self._timestamp(now)
        added = [("X-Amz-Date", timestamp)]
        if self._token:
            added.append(("X-Amz-Security-Token", self._token))
        lines = self._lines
        if lines[0] != headers:
            lines = self._canonical(headers)
        _, before, after, names = lines
        request = f"{method}\n{path}\n{query}\n{before}{timestamp}{after}\n\n{names}\n{payload_hash}"
        scope, keyed = self._signing_key(timestamp[_DAY])
        digest = hashlib.sha256(request.encode()).hexdigest()
        mac = keyed.copy()
        mac.update(f"{_ALGORITHM}\n{timestamp}\n{scope}\n{digest}".encode())
        signature = mac.hexdigest()
        credential = f"{self._access_key}/{scope}"
        added.append(
            (
                "Authorization",
                f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}",
            )
        )
        return added

    def _timestamp(self, now: float) -> str:
        second, timestamp = self._stamp
        if second != int(now):
            second = int(now)
            timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._stamp = (second, timestamp)
        return timestamp

    def _canonical(
        self, headers: Sequence[tuple[str, str]]
    ) -> tuple[Sequence[tuple[str, str]], str, str, str]:
        """The canonical headers before and after the date's value, and their names.

        Kept for the next request, whose headers are the same most of the time.
        """
        signed = [(name, _trimmed(value)) for name, value in headers]
        signed.append(("x-amz-date", ""))
        if self._token:
            signed.append(("x-amz-security-token", self._trimmed_token))
        signed.sort()
        lines = [f"{name}:{value}" for name, value in signed]
        date = lines.index("x-amz-date:") + 1
        before, after = "\n".join(lines[:date]), "".join([f"\n{line}" for line in lines[date:]])
        self._lines = (tuple(headers), before, after, ";".join([name for name, _ in signed]))
        return self._lines

    def _signing_key(self, day: str) -> tuple[str, hmac.HMAC]:
        if self._key is None or self._key[0] != day:
            key = self._secret
            for part in (day, self._region, self._service, _SCOPE_END):
                key = hmac.digest(key, part.encode(), "sha256")
            scope = f"{day}/{self._region}/{self._service}/{_SCOPE_END}"
            self._key = (day, scope, hmac.new(key, digestmod="sha256"))
        return self._key[1:]


def _trimmed(value: str) -> str:
    return " ".join(value.split())
