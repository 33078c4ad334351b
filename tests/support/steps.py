"""Steps: what the scripted server does with one request, as frozen values.

A step is made by a constructor (``ok()``, ``throttle()``, ``truncate(...)``) and may be wrapped by
another (``delay(0.1, ok())``, ``gate(event, throttle())``). A script is a list of steps, used in
order (the last repeats), or a callable that makes a step of each :class:`Call`.
"""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import threading

_STATUS_BY_TYPE = {"RequestResponse": 200, "Event": 202, "DryRun": 204}
_PHRASES = {
    200: "OK",
    202: "Accepted",
    204: "No Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


class Ending(enum.Enum):
    """What becomes of the connection after a step."""

    KEEP = "keep"
    CLOSE = "close"  # everything written is flushed first; TLS says goodbye
    ABORT = "abort"  # closed at once, without a TLS goodbye
    RESET = "reset"  # RST
    HANG = "hang"  # nothing more is written and nothing closed, until the client or the server goes


class Framing(enum.Enum):
    """How the length of the reply's body is told."""

    LENGTH = "length"
    CHUNKED = "chunked"
    RAW = "raw"  # the body is the whole reply, its head included


@attrs.frozen
class Call:
    """One request as the server read it.

    ``function`` and ``qualifier`` are decoded, ``headers`` have lower-case names, ``target`` is the
    request target as sent. ``number`` counts the invocations of this server from 1, ``connection``
    its accepted connections from 1. ``time`` is ``time.monotonic()`` when the last byte was read.
    ``request_id`` is the id that the reply carries. A control-plane call has an empty ``function``.
    """

    function: str
    qualifier: str | None
    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    number: int
    connection: int
    time: float

    @property
    def request_id(self) -> str:
        return f"00000000-0000-4000-8000-{self.number:012d}"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def invocation_type(self) -> str:
        return self.headers.get("x-amz-invocation-type", "RequestResponse")


@attrs.frozen
class Step:
    """What is done with one request. Made by the constructors below.

    ``status`` None stands for that of the invocation type: 200, 202 or 204. ``wait`` (seconds) and
    ``gates`` are passed before anything is written; ``sent_bytes`` is how much of the written reply's
    body goes out (None: all); ``interval`` is seconds between single bytes of the body, and of the
    head too with ``trickled_head``; ``linger`` is seconds between the last byte and the ``ending``.
    """

    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    executes: bool = True
    replies: bool = True
    wait: float = 0.0
    gates: tuple[threading.Event, ...] = ()
    framing: Framing = Framing.LENGTH
    sent_bytes: int | None = None
    interval: float = 0.0
    trickled_head: bool = False
    linger: float = 0.0
    ending: Ending = Ending.KEEP

    @property
    def instant(self) -> bool:
        """Whether it can be done without waiting for anything."""
        return not (self.wait or self.gates or self.interval or self.linger)

    def render(self, call: Call) -> tuple[bytes, bytes]:
        """The head and the body that go out, cut where the step cuts them."""
        if not self.replies:
            return b"", b""
        if self.framing is Framing.RAW:
            return b"", self.body[: self.sent_bytes]
        status = self.status or _STATUS_BY_TYPE.get(call.invocation_type, 200)
        body = b"" if status in {202, 204} else self.body
        lines = [
            f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}",
            "Content-Type: application/json",
            f"x-amzn-RequestId: {call.request_id}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.framing is Framing.CHUNKED:
            lines.append("Transfer-Encoding: chunked")
            body = _chunked(body)
        elif status != 204:  # RFC 9112: a 204 has no Content-Length
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head, body[: self.sent_bytes]


Script = Sequence[Step] | Callable[[Call], Step]


def _chunked(body: bytes, size: int = 1024) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def ok(
    body: bytes = b"{}",
    *,
    function_error: str | None = None,
    log_result: str | bytes | None = None,
    executed_version: str | None = "$LATEST",
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    chunked: bool = False,
) -> Step:
    """The function runs and replies. ``log_result`` as text is sent in base64, as bytes as it is."""
    named = {}
    if executed_version is not None:
        named["X-Amz-Executed-Version"] = executed_version
    if function_error is not None:
        named["X-Amz-Function-Error"] = function_error
    if log_result is not None:
        encoded = base64.b64encode(log_result.encode()) if isinstance(log_result, str) else log_result
        named["X-Amz-Log-Result"] = encoded.decode("latin-1")
    framing = Framing.CHUNKED if chunked else Framing.LENGTH
    return Step(status=status, headers={**named, **(headers or {})}, body=body, framing=framing)


def echo(call: Call) -> Step:
    """A script: every function answers with its payload (``null`` when there was none)."""
    return ok(call.body or b"null")


def error(
    status: int,
    code: str,
    message: str = "",
    *,
    reason: str | None = None,
    headers: Mapping[str, str] | None = None,
    executes: bool = False,
) -> Step:
    """The service refuses, in the shape of Lambda's rest-json errors."""
    document = {"Type": "User" if status < 500 else "Service", "Message": message}
    if reason is not None:
        document["Reason"] = reason
    named = {"x-amzn-ErrorType": code, **(headers or {})}
    return Step(status=status, headers=named, body=json.dumps(document).encode(), executes=executes)


def throttle(
    reason: str | None = "ConcurrentInvocationLimitExceeded", *, retry_after: float | str | None = None
) -> Step:
    """429. ``retry_after`` goes out as the ``Retry-After`` header, as it is."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after}"}
    return error(429, "TooManyRequestsException", "Rate Exceeded.", reason=reason, headers=headers)


def delay(seconds: float, then: Step) -> Step:
    """Wait, then do the other step. What executes is counted at once, and is in flight meanwhile."""
    return attrs.evolve(then, wait=then.wait + seconds)


def gate(event: threading.Event, then: Step) -> Step:
    """Wait until the event is set, then do the other step; counted as with ``delay``."""
    return attrs.evolve(then, gates=(*then.gates, event))


def drop_before_executing() -> Step:
    """Read the request, execute nothing, close without a byte."""
    return Step(executes=False, replies=False, ending=Ending.ABORT)


def drop_after_executing() -> Step:
    """Read the request, execute it, close without a byte."""
    return Step(replies=False, ending=Ending.ABORT)


def reset(*, executes: bool = True) -> Step:
    """Read the request, then RST."""
    return Step(executes=executes, replies=False, ending=Ending.RESET)


def hang(*, executes: bool = True) -> Step:
    """Read the request and never answer."""
    return Step(executes=executes, replies=False, ending=Ending.HANG)


def truncate(body: bytes, after_bytes: int) -> Step:
    """Promise the whole body by Content-Length, send its first bytes, then close."""
    return attrs.evolve(ok(body), sent_bytes=after_bytes, ending=Ending.CLOSE)


def truncate_chunked(body: bytes, after_bytes: int) -> Step:
    """Send the first bytes of the chunked encoding (chunks of 1,024), then close."""
    return attrs.evolve(ok(body, chunked=True), sent_bytes=after_bytes, ending=Ending.CLOSE)


def stall(body: bytes, after_bytes: int) -> Step:
    """Promise the whole body, send its first bytes, then nothing more."""
    return attrs.evolve(ok(body), sent_bytes=after_bytes, ending=Ending.HANG)


def trickle(body: bytes, byte_interval: float) -> Step:
    """The head at once, then the body one byte every ``byte_interval`` seconds."""
    return attrs.evolve(ok(body), interval=byte_interval)


def trickle_headers(body: bytes, byte_interval: float) -> Step:
    """The head, too, one byte every ``byte_interval`` seconds."""
    return attrs.evolve(ok(body), interval=byte_interval, trickled_head=True)


def close_idle(then: Step | None = None, *, after: float = 0.0) -> Step:
    """Reply with nothing said of closing, then close the connection ``after`` seconds later."""
    return attrs.evolve(then or ok(), linger=after, ending=Ending.CLOSE)


def reset_idle(then: Step | None = None, *, after: float = 0.0) -> Step:
    """Reply with nothing said of closing, then reset the connection ``after`` seconds later.

    With ``after`` 0 the RST may overtake the reply, which the client then never sees.
    """
    return attrs.evolve(then or ok(), linger=after, ending=Ending.RESET)


def closing(then: Step | None = None) -> Step:
    """Reply with ``Connection: close``, and close."""
    step = then or ok()
    return attrs.evolve(step, headers={**step.headers, "Connection": "close"}, ending=Ending.CLOSE)


def raw(data: bytes, *, executes: bool = True, ending: Ending = Ending.CLOSE) -> Step:
    """Send these bytes for a whole reply, head included."""
    return Step(body=data, framing=Framing.RAW, executes=executes, ending=ending)


def by_function(scripts: Mapping[str, Script], default: Script = echo) -> Callable[[Call], Step]:
    """A script for each function name; lists advance with the calls of that function alone."""
    chosen = {name: callable_of(script) for name, script in scripts.items()}
    fallback = callable_of(default)
    return lambda call: chosen.get(call.function, fallback)(call)


def callable_of(script: Script) -> Callable[[Call], Step]:
    """The script as a callable; a list's last step repeats."""
    if callable(script):
        return script
    steps = list(script)
    assert steps, "a script has at least one step"
    remaining = iter(steps[:-1])
    return lambda _call: next(remaining, steps[-1])
