"""Lambda's API as the endpoint serves it: who may call, what is asked for, and Invoke."""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import json
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import attrs

from lambda_invoke.local import injection, log
from lambda_invoke.local.faults import ServiceFault, invalid_content, invalid_parameter, too_large
from lambda_invoke.local.http import LOOPBACK
from lambda_invoke.local.http_message import HttpRequest, HttpResponse, comes_from_a_browser
from lambda_invoke.local.outcome import Invocation
from lambda_invoke.local.response_stream import CONTENT_TYPE, ReplyStream
from lambda_invoke.local.streamed_reply import EventStream

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lambda_invoke.local.control_plane import ControlPlane
    from lambda_invoke.local.events import EventQueue
    from lambda_invoke.local.executor import Begun, Execution, Executor
    from lambda_invoke.local.http_message import Answer
    from lambda_invoke.local.injection import Injections
    from lambda_invoke.local.registry import Deployment, Registry, Target
    from lambda_invoke.local.signature import Verifier

logger = logging.getLogger("lambda_invoke.local")

MAX_REQUEST_BYTES = 6_291_456
"""AWS quota, 2026-11: the payload of a RequestResponse."""
MAX_EVENT_BYTES = 1_048_576
"""AWS quota, 2026-11: the payload of an Event (256 KB until October 2025)."""
MAX_CLIENT_CONTEXT_BYTES = 3_583
"""AWS quota, 2026-11: the client context, as base64."""

_TYPES = ("RequestResponse", "Event", "DryRun")
_STREAMING_TYPES = ("RequestResponse", "DryRun")
_TENANT_ID = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")


class Api:
    """Answers requests, once it was told where it listens."""

    def __init__(
        self,
        verifier: Verifier,
        registry: Registry,
        control_plane: ControlPlane,
        executor: Executor,
        events: EventQueue,
        injections: Injections,
    ) -> None:
        self._verifier = verifier
        self._registry = registry
        self._control_plane = control_plane
        self._executor = executor
        self._events = events
        self._injections = injections
        self._streaming: set[asyncio.Task[Execution]] = set()
        self._hosts: frozenset[str] = frozenset()

    def listens_on(self, port: int) -> None:
        """Say where; requests to another address are refused."""
        self._hosts = frozenset((f"{LOOPBACK}:{port}", f"localhost:{port}"))

    async def close(self) -> None:
        """Break off what is still streamed; what else runs ends with its connection."""
        for task in self._streaming:
            task.cancel()
        if self._streaming:
            await asyncio.wait(self._streaming)

    def handle(self, request: HttpRequest) -> Answer:
        """Answer one request; a refusal is an answer too."""
        request_id = _new_request_id()
        try:
            self._admit(request)
            return self._route(request, request_id)
        except ServiceFault as fault:
            return fault.response(request_id)
        except Exception:
            logger.exception("the local endpoint failed")
            return _failed(request_id)

    def _admit(self, request: HttpRequest) -> None:
        """Keep out all but the holder of the key: other users, web pages, names rebound to loopback."""
        if comes_from_a_browser(request):
            logger.warning("refused a web page's %s request", request.method)
            raise ServiceFault(403, "AccessDeniedException", "This endpoint does not answer web pages.")
        if request.headers.get("host") not in self._hosts:
            logger.warning("refused a %s request to a foreign host name", request.method)
            raise ServiceFault(
                403, "AccessDeniedException", "This endpoint does not answer to that host name."
            )
        if request.body_size > MAX_REQUEST_BYTES:
            raise too_large(MAX_REQUEST_BYTES)
        self._verifier.verify(request, time.time())

    def _route(self, request: HttpRequest, request_id: str) -> Answer:
        query = dict(parse_qsl(request.query, keep_blank_values=True)) if request.query else {}
        segments = _segments(request.path)
        match request.method, segments:
            case "POST", ["2015-03-31", "functions", name, "invocations"]:
                target = self._registry.resolve(name, query.get("Qualifier"))
                return self._invoke(request, target, request_id)
            case "POST", ["2021-11-15", "functions", name, "response-streaming-invocations"]:
                target = self._registry.resolve(name, query.get("Qualifier"))
                return self._invoke(request, target, request_id, streaming=True)
            case _:
                answer = self._control_plane.answer(request.method, segments, query, request.body)
        if answer is None:
            raise _not_served(request, ["Invoke", "InvokeWithResponseStream", *self._control_plane.served])
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": request_id}
        body = b"" if answer.document is None else json.dumps(answer.document).encode()
        return HttpResponse(answer.status, headers, body)

    def _invoke(
        self, request: HttpRequest, target: Target, request_id: str, *, streaming: bool = False
    ) -> Answer:
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        types = _STREAMING_TYPES if streaming else _TYPES
        if kind not in types:
            raise invalid_parameter(f"Invocation type '{kind}' is not one of {', '.join(types)}")
        log_type = request.headers.get("x-amz-log-type", "None")
        if log_type not in ("None", "Tail"):
            raise invalid_parameter(f"Log type '{log_type}' is not one of None, Tail")
        invocation = _invocation(request, target, request_id, kind)
        name = target.deployment.function_name
        fault = self._injections.take(name)
        if fault is None:
            return self._begin(target, invocation, streaming=streaming, tail=log_type == "Tail")
        self._executor.tallies[name].injected(throttled=fault.throttles)

        async def answer() -> HttpResponse:
            begun = self._begin(target, invocation, streaming=streaming, tail=log_type == "Tail")
            return begun if isinstance(begun, HttpResponse) else await begun

        return _guarded(injection.apply(fault, answer, request_id), request_id)

    def _begin(
        self, target: Target, invocation: Invocation, *, streaming: bool, tail: bool
    ) -> HttpResponse | Coroutine[object, object, HttpResponse]:
        """Hand it over, at once where it can be: what is left to do here goes on while the worker works."""
        deployment, kind = target.deployment, invocation.invocation_type
        if kind == "DryRun":
            headers = {**_headers(invocation), "X-Amz-Executed-Version": deployment.version}
            return HttpResponse(204, headers)
        if kind == "Event":
            self._events.submit(target, invocation)
            return HttpResponse(202, _headers(invocation))
        if streaming:
            return _guarded(self._stream(deployment, invocation, tail=tail), invocation.request_id)
        begun = self._executor.begin(deployment, invocation)
        return _guarded(self._finish(begun, tail=tail), invocation.request_id)

    async def _finish(self, begun: Begun, *, tail: bool) -> HttpResponse:
        headers = {
            "Content-Type": "application/json",
            **_headers(begun.invocation),
            "X-Amz-Executed-Version": begun.deployment.version,
        }
        execution = await self._executor.finish(begun)
        if execution.verdict.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if tail:
            headers["X-Amz-Log-Result"] = log.tail(execution.log)
        return HttpResponse(200, headers, execution.verdict.payload)

    async def _stream(self, deployment: Deployment, invocation: Invocation, *, tail: bool) -> HttpResponse:
        stream = ReplyStream()
        running = asyncio.create_task(
            self._executor.execute(deployment, attrs.evolve(invocation, reply_stream=stream)),
            name="lambda-invoke-local-stream",
        )
        self._streaming.add(running)  # it runs to its end, whether or not the caller stays
        running.add_done_callback(self._streaming.discard)
        running.add_done_callback(lambda _: stream.end())
        await stream.began.wait()
        if running.done():
            running.result()  # raises what kept it from running
        headers = {
            "Content-Type": CONTENT_TYPE,
            **_headers(invocation),
            "X-Amz-Executed-Version": deployment.version,
        }
        return HttpResponse(200, headers, stream=EventStream(running, stream, tail=tail))


async def _guarded(answer: Coroutine[object, object, HttpResponse], request_id: str) -> HttpResponse:
    try:
        return await answer
    except ServiceFault as fault:
        return fault.response(request_id)
    except Exception:
        logger.exception("the local endpoint failed")
        return _failed(request_id)


def _failed(request_id: str) -> HttpResponse:
    message = "The local endpoint failed; its log has the traceback."
    return ServiceFault(500, "ServiceException", message).response(request_id)


@functools.lru_cache(maxsize=256)
def _segments(path: str) -> list[str]:
    return [unquote(segment) for segment in path.split("/") if segment]


def _invocation(request: HttpRequest, target: Target, request_id: str, kind: str) -> Invocation:
    if kind == "Event" and request.body_size > MAX_EVENT_BYTES:
        raise too_large(MAX_EVENT_BYTES)
    if "x-amz-durable-execution-name" in request.headers:
        raise invalid_parameter("The local endpoint does not serve durable executions.")
    tenant_id = request.headers.get("x-amz-tenant-id")
    if tenant_id is not None and not _TENANT_ID.fullmatch(tenant_id):
        raise invalid_parameter("The tenant id is not 1 to 256 of the characters that Lambda allows.")
    context = request.headers.get("x-amz-client-context")
    return Invocation(
        request_id=request_id,
        invoked_arn=target.invoked_arn,
        payload=_checked_json(request.body) if request.body else b"{}",  # Lambda's event for no payload
        invocation_type=kind,
        trace_id=request.headers.get("x-amzn-trace-id") or _new_trace(),
        # Only a synchronous invocation gets it ("ClientContext" of Invoke).
        client_context=_client_context(context) if context and kind == "RequestResponse" else None,
        tenant_id=tenant_id,
    )


def _checked_json(body: bytes) -> bytes:
    try:
        _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise invalid_content(
            f"Could not parse request body into json: Could not parse payload into json: {_reason(error)}"
        ) from error
    return body


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _reason(error: Exception) -> str:
    """What was wrong and where, without what the payload holds."""
    match error:
        case json.JSONDecodeError():
            return f"{error.msg} at line: {error.lineno}, column: {error.colno}"
        case UnicodeDecodeError():
            return f"Invalid UTF-8 at byte {error.start}"
        case RecursionError():
            return "nested too deeply"
        case _:
            return str(error)


def _client_context(text: str) -> str:
    if len(text) > MAX_CLIENT_CONTEXT_BYTES:
        raise invalid_content(f"Client context must be no more than {MAX_CLIENT_CONTEXT_BYTES} bytes.")
    try:
        context = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise invalid_content("Client context must be a valid Base64-encoded JSON object.") from error
    if not isinstance(context, dict):
        raise invalid_content("Client context must be a valid Base64-encoded JSON object.")
    return json.dumps(context)


def _new_request_id() -> str:
    """A random UUID as text; ``uuid.uuid4`` takes twice the time."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _new_trace() -> str:
    digits = os.urandom(20).hex()
    return f"Root=1-{int(time.time()):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"


def _headers(invocation: Invocation) -> dict[str, str]:
    """Those of every reply to one."""
    return {"x-amzn-RequestId": invocation.request_id, "X-Amzn-Trace-Id": _public_trace(invocation.trace_id)}


def _public_trace(trace_id: str) -> str:
    """The trace header of the reply: the root and whether it is sampled."""
    kept = [part for part in trace_id.split(";") if part.lower().startswith(("root=", "sampled="))]
    return ";".join(kept) or trace_id


def _not_served(request: HttpRequest, served: list[str]) -> ServiceFault:
    message = (
        f"lambda_invoke.local does not serve {request.method} {unquote(request.path)}. It serves "
        f"{', '.join(served[:-1])} and {served[-1]}."
    )
    return ServiceFault(501, "NotImplementedException", message)
