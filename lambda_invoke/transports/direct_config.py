"""What botocore would send with: endpoint, region, user agent, TLS and credentials of a built client.

It is read off a real request of the client's own, caught before it leaves, so that every provider,
variable, profile and variant (FIPS, dual stack, ``endpoint_url``) means the same in both transports.
"""

from __future__ import annotations

import io
import re
import ssl
from contextvars import ContextVar
from typing import Any

import attrs
from botocore.awsrequest import AWSResponse
from botocore.httpsession import create_urllib3_context, get_cert_path

_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")


_CAUGHT: ContextVar[list[Any] | None] = ContextVar("lambda_invoke_caught", default=None)


class UnsupportedError(Exception):
    """The direct transport does not do what this client is configured for; botocore does."""


@attrs.frozen
class DirectConfig:
    """One client's configuration. ``ssl_context`` is None for plain HTTP."""

    url: str
    region: str
    service: str
    user_agent: str
    ssl_context: ssl.SSLContext | None = attrs.field(repr=False)
    credentials: Any = attrs.field(repr=False)


def read_config(client: Any) -> DirectConfig:
    """Read a client's configuration; blocking, since credentials may have to be fetched.

    Raises:
        UnsupportedError: a proxy, or another signature than SigV4.
        BotoCoreError: what botocore itself raises before it sends, without credentials for one.
    """
    caught = _catch_request(client)
    session = client._endpoint.http_session
    proxy = session._proxy_config.proxy_url_for(caught.url)
    if proxy:
        raise UnsupportedError("an HTTP proxy is configured")
    scope = _SCOPE.match(_text(caught.headers.get("Authorization", "")))
    if scope is None:
        raise UnsupportedError("the client signs in another way than with SigV4")
    url = caught.url.partition("/2015-03-31/")[0]
    return DirectConfig(
        url=url,
        region=scope[1],
        service=scope[2],
        user_agent=_text(caught.headers["User-Agent"]),
        ssl_context=_ssl_context(session) if url.lower().startswith("https") else None,
        credentials=client._request_signer._credentials,
    )


def _catch_request(client: Any) -> Any:
    """A request of the client's own, signed and all, that was not sent."""
    caught: list[Any] = []
    token = _CAUGHT.set(caught)
    try:
        client.invoke(FunctionName="read-config", InvocationType="DryRun")
    finally:
        _CAUGHT.reset(token)
    if not caught:
        raise UnsupportedError("the client's requests cannot be seen before they are sent")
    return caught[0]


def make_readable(client: Any) -> None:
    """Prepare a client that was just made, before any thread sends with it, for :func:`read_config`."""
    client.meta.events.register_first("before-send.lambda.Invoke", _catch, "lambda_invoke-catch")


def _catch(request: Any, **_: Any) -> AWSResponse | None:
    """Acts where a configuration is read; other threads may send with the same client meanwhile."""
    caught = _CAUGHT.get()
    if caught is None:
        return None
    caught.append(request)
    return AWSResponse(request.url, 204, {}, io.BytesIO())


def _ssl_context(session: Any) -> ssl.SSLContext:
    """The context that botocore's session would connect with."""
    context: ssl.SSLContext = create_urllib3_context()
    if session._verify:
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = True
        context.load_verify_locations(get_cert_path(session._verify))
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if session._cert_file:
        context.load_cert_chain(session._cert_file, session._key_file)
    return context


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
