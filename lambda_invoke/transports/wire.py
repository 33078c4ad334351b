"""An Invoke request as it goes over the wire: what botocore sends, byte by byte where it counts. Pure.

Path, query, headers and signature equal botocore's for the same input, with these exceptions. Left out
are ``amz-sdk-invocation-id`` and ``amz-sdk-request``, in which botocore counts its own retries: each of
our sends is a request of its own, and what would tie them together is in ``Attempt``. The order of the
headers is our own, and ``User-Agent`` is what the caller of this module gives.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import attrs

from lambda_invoke.core.transport import InvocationType, Request
from lambda_invoke.transports.sigv4 import canonical_path, canonical_query, hash_payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.transports.sigv4 import Signer

_PATH = "/2015-03-31/functions/{}/invocations"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATHS_KEPT = 1024
# What urllib3 leaves as it is, in a path and in a query (RFC 3986; it quotes the rest).
_PATH_SAFE = "/%!$&'()*+,;=:@-._~"
_QUERY_SAFE = _PATH_SAFE + "?"
_QUOTED = re.compile(r"%[0-9a-fA-F]{2}")
_NOT_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TRACE_SAFE = "-=;:+&[]{}\"',"  # botocore's: what X-Ray's header is made of


class UnsendableRequestError(ValueError):
    """Something in the request cannot stand in HTTP, such as a line break in a header."""


@attrs.frozen
class Endpoint:
    """Where requests go. ``hostname`` and ``port`` are to connect to, ``host`` is the header.

    ``path`` and ``query`` are the endpoint URL's own, as they stand there.
    """

    scheme: str
    hostname: str
    port: int
    host: str
    path: str = ""
    query: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read an endpoint URL. The host is lower-cased, a default port and user information dropped.

        Raises:
            ValueError: it is no URL of HTTP or HTTPS with a host.
        """
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("the endpoint is not a URL such as https://lambda.eu-west-1.amazonaws.com")
        default = _DEFAULT_PORTS[parts.scheme]
        port = parts.port or default
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(
            scheme=parts.scheme,
            hostname=parts.hostname,
            port=port,
            host=host if port == default else f"{host}:{port}",
            path=parts.path,
            query=parts.query,
        )

    @property
    def secure(self) -> bool:
        """Whether it is TLS."""
        return self.scheme == "https"


@attrs.frozen
class SignedRequest:
    """A request ready to send: POST ``target`` with ``headers`` and ``body``. Holds the session token."""

    target: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    @property
    def head(self) -> bytes:
        """The request line and the headers, with the empty line that ends them."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        return f"POST {self.target} HTTP/1.1\r\n{lines}\r\n".encode()


class RequestWriter:
    """Writes and signs the requests for one endpoint. Threads may share it."""

    def __init__(self, endpoint: Endpoint, *, user_agent: str) -> None:
        _check("the user agent", user_agent)
        self._host = endpoint.host
        self._fixed = (
            ("Host", endpoint.host),
            ("Accept-Encoding", "identity"),
            ("User-Agent", user_agent),
        )
        self._targets = functools.lru_cache(_PATHS_KEPT)(functools.partial(_target_of, endpoint))

    def write(
        self,
        request: Request,
        signer: Signer,
        now: float,
        *,
        trace: str | None = None,
        payload_hash: str | None = None,
    ) -> SignedRequest:
        """Write and sign ``request``.

        ``now`` is seconds since the epoch by the service's clock, ``trace`` what
        :func:`recursion_trace` says, ``payload_hash`` the body's digest if it is known already.

        Raises:
            UnsendableRequestError: a name or a value cannot be sent.
        """
        target, path, query = self._targets(request.function, request.qualifier)
        body = request.payload or b""
        options = _options(request)
        for name, value in options:
            _check(name, value)
        signed = (("host", self._host), *[(name.lower(), value) for name, value in options])
        headers = [*self._fixed, *options]
        if trace is not None:
            headers.append(("X-Amzn-Trace-Id", trace))
        if payload_hash is None:
            payload_hash = hash_payload(body)
        headers += signer.sign("POST", path, query, signed, payload_hash, now)
        headers.append(("Content-Length", str(len(body))))
        return SignedRequest(target, tuple(headers), body)


def recursion_trace(environ: Mapping[str, str]) -> str | None:
    """The value of ``X-Amzn-Trace-Id`` inside of a function, None elsewhere.

    Lambda's loop detection feeds on it. It is not signed.
    """
    trace = environ.get("_X_AMZN_TRACE_ID")
    if not trace or "AWS_LAMBDA_FUNCTION_NAME" not in environ:
        return None
    return quote(trace, safe=_TRACE_SAFE, errors="surrogateescape")


def _options(request: Request) -> list[tuple[str, str]]:
    options = []
    if request.invocation_type is not InvocationType.REQUEST_RESPONSE:
        options.append(("X-Amz-Invocation-Type", request.invocation_type.value))
    elif request.log_tail:
        options.append(("X-Amz-Log-Type", "Tail"))
    if request.client_context is not None:
        options.append(("X-Amz-Client-Context", request.client_context))
    if request.tenant_id is not None:
        options.append(("X-Amz-Tenant-Id", request.tenant_id))
    if request.durable_execution_name is not None:
        options.append(("X-Amz-Durable-Execution-Name", request.durable_execution_name))
    return options


def _target_of(endpoint: Endpoint, function: str, qualifier: str | None) -> tuple[str, str, str]:
    """The request target, and the canonical path and query that are signed for it."""
    try:
        path = endpoint.path.removesuffix("/") + _PATH.format(quote(function, safe="-._~"))
        queries = [endpoint.query] if endpoint.query else []
        if qualifier is not None:
            queries.append(f"Qualifier={quote(qualifier, safe='-._~')}")
        query = "&".join(queries)
        target = _requoted(path, _PATH_SAFE) + (f"?{_requoted(query, _QUERY_SAFE)}" if query else "")
        return target, canonical_path(path), canonical_query(query)
    except UnicodeEncodeError as error:
        raise UnsendableRequestError("a name holds half of a surrogate pair") from error


def _requoted(text: str, safe: str) -> str:
    """Quoted where it is not, as urllib3 does with what it is given."""
    text, quoted = _QUOTED.subn(lambda found: found[0].upper(), text)
    if quoted != text.count("%"):
        text = text.replace("%", "%25")
    return quote(text, safe=safe)


def _check(name: str, value: str) -> None:
    if _NOT_IN_VALUE.search(value):
        raise UnsendableRequestError(f"{name} holds a line break or another control character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise UnsendableRequestError(f"{name} holds half of a surrogate pair") from error
