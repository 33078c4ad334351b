"""Lambda's Runtime API for one worker, on a port of its own.

A port for each worker, since a path prefix in ``AWS_LAMBDA_RUNTIME_API`` breaks awslambdaric's
/init/error. Every request carries the worker's token as basic authentication, or, where the runtime
client is not ours and can send none, comes from a process of this user (``by_user``).
Source: "Using the Lambda runtime API", AWS Lambda developer guide, 2026-11.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
from typing import TYPE_CHECKING, Protocol

import attrs

from lambda_invoke.local import peers
from lambda_invoke.local.chunked import BrokenBodyError
from lambda_invoke.local.http import LOOPBACK, HttpServer
from lambda_invoke.local.http_message import HttpRequest, HttpResponse, LaterResponse, comes_from_a_browser
from lambda_invoke.local.outcome import MAX_RESPONSE_BYTES, Answered, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.chunked import ChunkedBody
    from lambda_invoke.local.http_message import Answer
    from lambda_invoke.local.outcome import Invocation

_USER = "worker"
_NEXT = "/2018-06-01/runtime/invocation/next"
_REPLY = re.compile(r"/2018-06-01/runtime/invocation/([^/]*)/(response|error)")
_INIT_ERROR = "/2018-06-01/runtime/init/error"
_RESPONSE_MODE = "lambda-runtime-function-response-mode"
_ACCEPTED = HttpResponse(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')


class Asker(Protocol):
    """Who waits for the next invocation."""

    @property
    def gone(self) -> bool:
        """Whether whoever asked has left."""

    def hand_over(self, invocation: Invocation, deadline: int) -> None:
        """Give it an invocation; ``deadline`` in milliseconds since the epoch."""


@attrs.frozen
class _Request:
    """A GET of the next invocation."""

    _later: LaterResponse

    @property
    def gone(self) -> bool:
        return self._later.gone

    def hand_over(self, invocation: Invocation, deadline: int) -> None:
        self._later.give(_next(invocation, deadline))


class RuntimeEvents(Protocol):
    """Whom the Runtime API tells what the worker says."""

    def next_invocation(self, asker: Asker) -> None:
        """Hand it the next invocation, once there is one."""

    def answered(self, request_id: str, answer: Answered | Malformed) -> bool:
        """Take the handler's result or error; False when that invocation is not waiting for one."""

    async def streamed(self, request_id: str, body: ChunkedBody, *, declared: bool) -> bool:
        """Take the handler's result as it is made; False as for ``answered``, or when it broke off.

        ``declared``: the worker said that it streams.
        """

    def init_failed(self, error: Answered) -> None:
        """Take the error of an init that failed."""


class RuntimeApi:
    """Serves one worker."""

    def __init__(self, events: RuntimeEvents, *, by_user: bool = False) -> None:
        self._events = events
        self._by_user = by_user
        self._token = secrets.token_urlsafe(24)
        basic = base64.b64encode(f"{_USER}:{self._token}".encode()).decode()
        self._authorization = f"Basic {basic}".encode()
        self._server = HttpServer(
            self._handle,
            body_limit=MAX_RESPONSE_BYTES,
            accept_chunked=True,
            admits=peers.same_user if by_user else None,
        )

    async def start(self) -> str:
        """Listen; the value of ``AWS_LAMBDA_RUNTIME_API``, with the token in it if there is one."""
        await self._server.start()
        if self._by_user:
            return self._address
        return f"{_USER}:{self._token}@{self._address}"

    @property
    def _address(self) -> str:
        return f"{LOOPBACK}:{self._server.port}"

    def _is_the_worker(self, request: HttpRequest) -> bool:
        if self._by_user:  # whose connection it is was seen when it came; a page's name for us shows in Host
            return request.headers.get("host") == self._address
        given = request.headers.get("authorization", "").encode("latin-1")
        return hmac.compare_digest(given, self._authorization)

    async def hung_up(self, timeout: float) -> None:
        """Wait until all that a worker said before it ended was heard, for at most ``timeout`` seconds."""
        await self._server.hung_up(timeout)

    async def close(self) -> None:
        """Stop listening and drop the worker's connections."""
        await self._server.close()

    def _handle(self, request: HttpRequest) -> Answer:
        if comes_from_a_browser(request) or not self._is_the_worker(request):
            return _error(403, "Forbidden", "Only this endpoint's own worker may speak to its Runtime API.")
        if request.method == "GET" and request.path == _NEXT:
            later = LaterResponse()
            self._events.next_invocation(_Request(later))
            return later
        if request.method == "POST":
            reply = _REPLY.fullmatch(request.path)
            if reply is not None:
                return self._answer(request, reply[1], reply[2])
            if request.path == _INIT_ERROR:
                return _with_body(request, self._init_failed)
        return _error(404, "NotFound", f"{request.method} {request.path} is not part of the Runtime API.")

    def _init_failed(self, body: bytes, size: int) -> HttpResponse:
        self._events.init_failed(Answered(body, is_error=True, size=size))
        return _ACCEPTED

    def _answer(self, request: HttpRequest, request_id: str, kind: str) -> Answer:
        """Take a /response or an /error.

        A chunked reply is a stream to a caller that wants one, whatever the worker says of it: aws-lambda-go
        streams without the header. Source: "Building a custom runtime", response streaming, AWS Lambda
        developer guide, 2026-11; core/directinvoke of AWS's runtime interface emulator.
        """
        mode = request.headers.get(_RESPONSE_MODE, "") if kind == "response" else ""
        if kind == "response" and mode in ("", "streaming") and request.stream is not None:
            return self._streamed(request_id, request.stream, declared=mode == "streaming")
        if mode not in ("", "streaming"):
            error = Malformed("Runtime.InvalidResponseModeHeader", f"Invalid response mode: {mode!r:.40}")
            self._events.answered(request_id, error)
            return _error(400, "InvalidResponseModeHeader", error.message)

        def take(body: bytes, size: int) -> HttpResponse:
            answer = Answered(body, is_error=kind == "error", size=size)
            return _ACCEPTED if self._events.answered(request_id, answer) else _unknown_request()

        return _with_body(request, take)

    async def _streamed(self, request_id: str, stream: ChunkedBody, *, declared: bool) -> HttpResponse:
        try:
            accepted = await self._events.streamed(request_id, stream, declared=declared)
        except BrokenBodyError as error:
            return _broken(error)
        return _ACCEPTED if accepted else _unknown_request()


def _with_body(request: HttpRequest, take: Callable[[bytes, int], HttpResponse]) -> Answer:
    """Give the body to ``take``: at once, where it came whole."""
    if request.stream is None:
        return take(request.body, request.body_size)
    return _collect(request.stream, take)


async def _collect(stream: ChunkedBody, take: Callable[[bytes, int], HttpResponse]) -> HttpResponse:
    try:
        body, size = await stream.read_all(MAX_RESPONSE_BYTES)
    except BrokenBodyError as error:
        return _broken(error)
    return take(body, size)


def _next(invocation: Invocation, deadline: int) -> HttpResponse:
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(deadline),
        "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn,
        "Lambda-Runtime-Trace-Id": invocation.trace_id,
    }
    if invocation.client_context is not None:
        headers["Lambda-Runtime-Client-Context"] = invocation.client_context
    if invocation.tenant_id is not None:
        headers["Lambda-Runtime-Aws-Tenant-Id"] = invocation.tenant_id
    return HttpResponse(200, headers, invocation.payload)


def _error(status: int, kind: str, message: str) -> HttpResponse:
    body = json.dumps({"errorMessage": message, "errorType": kind}).encode()
    return HttpResponse(status, {"Content-Type": "application/json"}, body)


def _broken(error: BrokenBodyError) -> HttpResponse:
    return _error(400, "InvalidRequest", str(error))


def _unknown_request() -> HttpResponse:
    return _error(400, "InvalidRequestID", "Invalid request ID")
