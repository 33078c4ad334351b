"""The log of an execution environment, with the lines that Lambda itself writes."""

from __future__ import annotations

import base64
import math

TAIL_BYTES = 4096
"""AWS quota, 2026-11: ``X-Amz-Log-Result`` holds the last 4 KB."""
_MAX_BYTES = 1024 * 1024


class EnvironmentLog:
    """What a worker prints, in order, until an invocation's share is taken. Keeps the last 1 MB."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> None:
        """Append what the worker printed."""
        self._bytes += data
        if len(self._bytes) > 2 * _MAX_BYTES:
            del self._bytes[:-_MAX_BYTES]

    def line(self, text: str) -> None:
        """Append a line of Lambda's own, which always starts at the beginning of one."""
        if self._bytes and not self._bytes.endswith(b"\n"):
            self._bytes += b"\n"
        self._bytes += text.encode() + b"\n"

    def take(self) -> bytes:
        """All since the last time."""
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


def tail(log: bytes) -> str:
    """The value of ``X-Amz-Log-Result``."""
    return base64.b64encode(log[-TAIL_BYTES:]).decode("ascii")


def start_line(request_id: str, version: str) -> str:
    """The line before the handler's first."""
    return f"START RequestId: {request_id} Version: {version}"


def end_line(request_id: str) -> str:
    """The line after the handler's last."""
    return f"END RequestId: {request_id}"


def init_report_line(duration: float, phase: str, status: str, error_type: str | None) -> str:
    """The line for an init that failed; ``duration`` in seconds, ``phase`` is "init" or "invoke"."""
    parts = [
        f"INIT_REPORT Init Duration: {_milliseconds(duration)} ms",
        f"Phase: {phase}",
        f"Status: {status}",
    ]
    if error_type is not None:
        parts.append(f"Error Type: {error_type}")
    return "\t".join(parts)


def report_line(
    request_id: str,
    duration: float,
    memory_size: int,
    max_memory_used: int,
    *,
    init_duration: float | None = None,
    status: str | None = None,
    error_type: str | None = None,
) -> str:
    """The REPORT line. Durations in seconds, memory in MB. Since August 2025 Lambda bills the init too."""
    billed = math.ceil(round((duration + (init_duration or 0.0)) * 1000, 2))
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {_milliseconds(duration)} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {memory_size} MB",
        f"Max Memory Used: {max_memory_used} MB",
    ]
    if init_duration is not None:
        parts.append(f"Init Duration: {_milliseconds(init_duration)} ms")
    if status is not None:
        parts.append(f"Status: {status}")
    if error_type is not None:
        parts.append(f"Error Type: {error_type}")
    return "\t".join(parts)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"
