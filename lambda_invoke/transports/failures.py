"""What botocore's and urllib3's exceptions say of one attempt: what kind of failure, and did it run?

With an :class:`Exchange` (the library's own HTTP session) it is known whether a byte was written.
Without one only botocore's word counts, and what it leaves open is UNKNOWN.
"""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import botocore.exceptions as be
from urllib3.exceptions import HTTPError as UrllibError
from urllib3.exceptions import TimeoutError as UrllibTimeout
from urllib3.response import HTTPResponse
from urllib3.util.ssl_match_hostname import CertificateError

from lambda_invoke.core.transport import Failure, FailureKind
from lambda_invoke.errors import Executed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSResponse

    from lambda_invoke.transports.urllib3_session import Exchange

_HTTP_1_1 = 11  # as http.client has it
NO_CREDENTIALS = (
    be.NoCredentialsError,
    be.PartialCredentialsError,
    be.CredentialRetrievalError,
    be.NoAuthTokenError,
    be.TokenRetrievalError,
    be.SSOError,
    be.RefreshWithMFAUnsupportedError,
    be.InfiniteLoopConfigError,
    be.UnknownCredentialError,
)
NETWORK = (be.HTTPClientError, be.ConnectionError)
_BROKEN_REPLY = (be.ResponseStreamingError, be.IncompleteReadError)
NOT_CONNECTED = (be.ConnectTimeoutError, be.EndpointConnectionError, be.ProxyConnectionError)


def failure_of(error: BaseException, exchange: Exchange | None) -> Failure:
    """The Failure that an exception of the HTTP request itself says."""
    return _as_botocore_says(error) if exchange is None else _as_the_exchange_knows(error, exchange)


def not_sent(error: Exception) -> Failure:
    """The Failure of what was raised before the request was on its way: NO, whatever it is."""
    if isinstance(error, be.ParamValidationError):
        # Its text quotes the values of parameters, payload included: not even as a cause.
        return Failure(FailureKind.REQUEST, Executed.NO, "botocore refused the parameters of the call")
    if isinstance(error, be.ClientError):
        # Of the service that lends the credentials (STS, SSO).
        code = error.response.get("Error", {}).get("Code")
        message = f"{error.operation_name} refused the credentials: {code}"
        return Failure(FailureKind.CREDENTIALS, Executed.NO, message)
    if isinstance(error, NO_CREDENTIALS):
        return Failure(FailureKind.CREDENTIALS, Executed.NO, words(error), error)
    # A ValueError: an endpoint that is no URL.
    own = isinstance(error, be.BotoCoreError | ValueError) and not isinstance(error, NETWORK)
    return Failure(FailureKind.REQUEST if own else FailureKind.CONNECT, Executed.NO, words(error), error)


def _as_the_exchange_knows(error: BaseException, exchange: Exchange) -> Failure:
    if not exchange.wrote:
        return Failure(FailureKind.CONNECT, Executed.NO, words(error), error)
    if exchange.aborted:
        return Failure(FailureKind.LOST, Executed.UNKNOWN, "the call was given up by its caller", error)
    if any(isinstance(cause, TimeoutError | UrllibTimeout) for cause in _causes(error)):
        bound = "its deadline" if exchange.timeout is None else f"{exchange.timeout:.3g} s or its deadline"
        return Failure(FailureKind.TIMEOUT, Executed.UNKNOWN, f"no whole reply within {bound}", error)
    kind = FailureKind.TRUNCATED if exchange.replied else FailureKind.LOST
    return Failure(kind, Executed.UNKNOWN, words(error), error)


def _as_botocore_says(error: BaseException) -> Failure:
    bad_certificate = isinstance(error, be.SSLError) and any(
        isinstance(cause, ssl.SSLCertVerificationError | CertificateError) for cause in _causes(error)
    )
    if isinstance(error, NOT_CONNECTED) or bad_certificate:
        return Failure(FailureKind.CONNECT, Executed.NO, words(error), error)
    kind = FailureKind.LOST
    if isinstance(error, be.ReadTimeoutError | UrllibTimeout):
        kind = FailureKind.TIMEOUT
    elif isinstance(error, (*_BROKEN_REPLY, UrllibError)):
        kind = FailureKind.TRUNCATED
    return Failure(kind, Executed.UNKNOWN, words(error), error)


def check_length(answer: AWSResponse) -> None:
    """Check the body of an error for its length: botocore does so for streamed payloads only.

    Raises:
        IncompleteReadError: it broke off.
    """
    promised = answer.headers.get("Content-Length", "")
    received = len(answer.content)
    if promised.isdigit() and received < int(promised):
        raise be.IncompleteReadError(actual_bytes=received, expected_bytes=int(promised))


def headers_were_cut(payload: Any) -> bool:
    """Whether a reply over HTTP/1.1 has no word of where its body ends.

    ``http.client`` takes headers that break off for whole ones. Lambda always says how long its
    reply is; stubs and mocks, whose payload is no urllib3 response, need not.
    """
    raw = getattr(payload, "_raw_stream", None)
    if not isinstance(raw, HTTPResponse) or raw.version < _HTTP_1_1 or raw.status == HTTPStatus.NO_CONTENT:
        return False
    says = raw.headers
    return "Content-Length" not in says and "Transfer-Encoding" not in says


def words(error: BaseException) -> str:
    """One line about a failure below; these errors hold addresses and names only."""
    return f"{type(error).__name__}: {error}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps, and what it came of; each once."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        one = queue.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        wrapped = getattr(one, "kwargs", None)  # botocore keeps what it wraps among its arguments
        queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        queue += wrapped.values() if isinstance(wrapped, dict) else []
