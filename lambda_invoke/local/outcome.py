"""How an invocation, or the start of a worker, can end; and what Lambda's reply says of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from lambda_invoke.local.response_stream import ReplyStream

MAX_RESPONSE_BYTES = 6_291_556
"""AWS quota, 2026-11: 6 MB and a little, as ``Function.ResponseSizeTooLarge`` names it."""
MAX_STREAMED_BYTES = 209_715_200
"""AWS quota, 2026-11: a streamed response has at most 200 MB."""

_ERROR_TYPE = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")
"""What the runtime interface emulator takes for an error type, 2026-11; all else is ``Runtime.Unknown``."""

# The names that Lambda's process supervisor (Go's os/exec) has for signals; Python's differ by platform.
_SIGNALS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    10: "user defined signal 1",
    11: "segmentation fault",
    12: "user defined signal 2",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
}


@attrs.frozen
class Invocation:
    """One invocation on its way to a worker. ``client_context`` is JSON; ``attempt`` counts from 1.

    ``reply_stream`` takes a streamed reply as it comes; without one the reply is collected.
    """

    request_id: str
    invoked_arn: str
    payload: bytes = attrs.field(repr=False)
    invocation_type: str
    trace_id: str
    client_context: str | None = attrs.field(default=None, repr=False)
    tenant_id: str | None = None
    attempt: int = 1
    reply_stream: ReplyStream | None = attrs.field(default=None, repr=False, eq=False)


@attrs.frozen
class Answered:
    """The worker answered, with a result or with its error. ``size`` may be over the limit."""

    payload: bytes = attrs.field(repr=False)
    is_error: bool
    size: int


@attrs.frozen
class Streamed:
    """The worker streamed its reply to its end; ``error_type`` and ``error_body`` are its trailers'."""

    size: int
    error_type: str | None = None
    error_body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen
class Malformed:
    """The worker's answer is not one of the Runtime API; ``error_type`` is Lambda's name for that."""

    error_type: str
    message: str


@attrs.frozen
class Exited:
    """The process ended; ``code`` as ``subprocess`` gives it.

    ``delivered`` is False when it ended before it had read the invocation, which so did not run.
    """

    code: int
    delivered: bool = True


@attrs.frozen
class OutOfMemory:
    """The process tree had more resident memory than the function has, and was killed."""


@attrs.frozen
class TimedOut:
    """The time passed, and the process tree was killed."""

    seconds: float


@attrs.frozen
class Ready:
    """The worker is initialised and asked for its first invocation."""


@attrs.frozen
class NotStarted:
    """The system could not execute the bootstrap; ``reason`` in its own words."""

    reason: str


Outcome = Answered | Streamed | Malformed | Exited | NotStarted | OutOfMemory | TimedOut
InitOutcome = Ready | Outcome


@attrs.frozen
class Verdict:
    """What the caller is told. ``status`` and ``error_type`` are the REPORT line's.

    Of a streamed reply the payload is what failed, ``stream_error`` the ``ErrorCode`` of its end.
    """

    payload: bytes = attrs.field(repr=False)
    failed: bool = False
    status: str | None = None
    error_type: str | None = None
    log_lines: tuple[str, ...] = ()
    stream_error: str = "Unhandled"


def judge(outcome: Outcome, request_id: str) -> Verdict:
    """Lambda's words for how an invocation ended."""
    match outcome:
        case Answered():
            return _judge_answer(outcome)
        case Streamed():
            return _judge_stream(outcome)
        case Malformed(error_type=kind, message=message):
            verdict = _platform_error(request_id, kind, message, status="error")
            return attrs.evolve(verdict, stream_error=kind)
        case TimedOut(seconds=seconds):
            message = f"Task timed out after {seconds:.2f} seconds"
            return _platform_error(request_id, "Sandbox.Timedout", message, status="timeout")
        case _:
            return _judge_end(outcome, request_id)


def _judge_end(end: NotStarted | OutOfMemory | Exited, request_id: str) -> Verdict:
    match end:
        case NotStarted(reason=reason):
            return _platform_error(request_id, "Runtime.InvalidEntrypoint", reason, status="error")
        case OutOfMemory():
            verdict = _platform_error(request_id, "Runtime.ExitError", _exit_text(-9), status="error")
            return attrs.evolve(verdict, error_type="Runtime.OutOfMemory")
        case Exited(code=code):
            return _platform_error(request_id, "Runtime.ExitError", _exit_text(code), status="error")


def _judge_answer(answer: Answered) -> Verdict:
    if answer.size > MAX_RESPONSE_BYTES:
        return _too_large(MAX_RESPONSE_BYTES)
    return Verdict(answer.payload, failed=answer.is_error)


def _judge_stream(stream: Streamed) -> Verdict:
    if stream.size > MAX_STREAMED_BYTES:
        return _too_large(MAX_STREAMED_BYTES)
    if stream.error_type is None:
        return Verdict(b"")
    kind = stream.error_type if _ERROR_TYPE.fullmatch(stream.error_type) else "Runtime.Unknown"
    return Verdict(stream.error_body, failed=True, status="error", error_type=kind, stream_error=kind)


def _too_large(limit_bytes: int) -> Verdict:
    message = f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes)."
    kind = "Function.ResponseSizeTooLarge"
    payload = json.dumps({"errorMessage": message, "errorType": kind}, separators=(",", ":"))
    return Verdict(payload.encode(), failed=True, status="error", error_type=kind, stream_error=kind)


def _platform_error(request_id: str, error_type: str, message: str, *, status: str) -> Verdict:
    message = f"RequestId: {request_id} Error: {message}"
    payload = json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":")).encode()
    if status == "timeout":
        return Verdict(payload, failed=True, status=status)
    return Verdict(
        payload, failed=True, status=status, error_type=error_type, log_lines=(message, error_type)
    )


def _exit_text(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    if code > 0:
        return f"Runtime exited with error: exit status {code}"
    return f"Runtime exited with error: signal: {_SIGNALS.get(-code, f'signal {-code}')}"


def remote_error_type(payload: bytes) -> str | None:
    """The ``errorType`` of an error payload, if it has one."""
    try:
        error = json.loads(payload)
    except ValueError:
        return None
    kind = error.get("errorType") if isinstance(error, dict) else None
    return kind if isinstance(kind, str) else None
