"""A boto3 client whose requests a fake answers, where botocore would open a connection."""

from __future__ import annotations

import functools
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import botocore.exceptions as be
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from lambda_invoke.core.transport import Answer, FailureKind, InvocationType, Refusal, Reply, Request
from lambda_invoke.testing.errors import FakeLambdaError
from lambda_invoke.testing.running import REGION
from lambda_invoke.testing.transports import send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.testing.service import Service

_READ_TIMEOUT = 60.0
"""botocore's own default, in seconds."""


def boto3_client(service: Service, options: Mapping[str, Any]) -> Any:
    """A Lambda client of a session of its own, with keys that are good for nothing."""
    options = {"config": Config(retries={"total_max_attempts": 1, "mode": "standard"}), **options}
    with _LOCK:  # sessions make one client at a time
        client = _session().client("lambda", **options)
    timeout = getattr(client.meta.config, "read_timeout", _READ_TIMEOUT)
    # Where urllib3 would be: everything of botocore's and the caller's before it applies.
    session: Any = _FakeSession(service, timeout)
    client._endpoint.http_session = session  # noqa: SLF001 - botocore has no public way
    return client


_LOCK = threading.Lock()


@functools.cache
def _session() -> boto3.Session:
    """One for all fakes: it loads the service model once."""
    return boto3.Session(
        aws_access_key_id="FAKE",
        aws_secret_access_key="fake",  # noqa: S106 - good for nothing
        region_name=REGION,
    )


class _FakeSession:
    """What botocore sends with."""

    def __init__(self, service: Service, timeout: float | None) -> None:
        self._service = service
        self._timeout = timeout

    def send(self, request: Any) -> AWSResponse:
        return _answered(self._service, request, self._timeout)

    def close(self) -> None:
        """Nothing was opened."""


def _answered(service: Service, sent: Any, timeout: float | None) -> AWSResponse:
    url = urlsplit(sent.url)
    parts = url.path.strip("/").split("/")
    if sent.method != "POST" or parts[-1] != "invocations" or parts[0] != "2015-03-31":
        raise FakeLambdaError(
            f"FakeLambda answers Invoke alone, not {sent.method} {unquote(url.path)}; LocalLambda has more"
        )
    headers = {name.lower(): _text(value) for name, value in sent.headers.items()}
    function = unquote(parts[2])
    qualifier = parse_qs(url.query).get("Qualifier", [None])[0]
    body = sent.body.encode() if isinstance(sent.body, str) else bytes(sent.body or b"")
    request = Request(
        function,
        function,
        qualifier,
        body or None,
        InvocationType(headers.get("x-amz-invocation-type", "RequestResponse")),
        headers.get("x-amz-log-type") == "Tail",
        headers.get("x-amz-client-context"),
        headers.get("x-amz-tenant-id"),
        headers.get("x-amz-durable-execution-name"),
    )
    answer = send(service.exchange(request, timeout, None, headers.get("amz-sdk-invocation-id")))
    return _response(sent.url, answer)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _response(url: str, answer: Answer) -> AWSResponse:
    """The reply as it would come over the wire.

    Raises:
        HTTPClientError: there was none; as botocore's HTTP session raises it.
    """
    if isinstance(answer, Refusal):
        headers = {"x-amzn-ErrorType": answer.code}
        if answer.retry_after is not None:
            headers["Retry-After"] = f"{answer.retry_after:g}"
        document = {"Type": "User", "Message": answer.message, "Reason": answer.reason}
        body = json.dumps({name: text for name, text in document.items() if text is not None}).encode()
    elif isinstance(answer, Reply):
        named = {
            "X-Amz-Executed-Version": answer.executed_version,
            "X-Amz-Function-Error": answer.function_error,
            "X-Amz-Log-Result": answer.log_result,
        }
        headers = {name: value for name, value in named.items() if value is not None}
        body = answer.body
    elif answer.kind is FailureKind.TRUNCATED:
        return AWSResponse(url, 200, {"Content-Length": "100"}, _Raw(b'{"'))
    elif answer.kind is FailureKind.CONNECT:
        raise be.EndpointConnectionError(endpoint_url=url)
    elif answer.kind is FailureKind.TIMEOUT:
        raise be.ReadTimeoutError(endpoint_url=url)
    else:
        raise be.ConnectionClosedError(endpoint_url=url)
    if answer.request_id is not None:
        headers["x-amzn-RequestId"] = answer.request_id
    return AWSResponse(url, answer.status_code, headers | {"Content-Length": str(len(body))}, _Raw(body))


class _Raw:
    """A body that has come, read as botocore reads urllib3's."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    def read(self, amt: int | None = None) -> bytes:
        amt = len(self._left) if amt is None else amt
        taken, self._left = self._left[:amt], self._left[amt:]
        return taken

    def stream(self, **_: Any) -> Any:
        while self._left:
            yield self.read(65_536)

    def close(self) -> None:
        self._left = b""
