"""The log of an execution environment, with the lines that Lambda itself writes."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

TAIL_BYTES = 4096
"""AWS quota, 2026-11: ``X-Amz-Log-Result`` holds the last 4 KB."""
BYTES_PER_MB = 1024 * 1024
_MAX_BYTES = BYTES_PER_MB


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

    def lines(self, texts: Iterable[str]) -> None:
        """Append several of them."""
        for text in texts:
            self.line(text)

    def take(self) -> bytes:
        """All since the last time."""
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


def tail(log: bytes) -> str:
    """The value of ``X-Amz-Log-Result``."""
    return base64.b64encode(log[-TAIL_BYTES:]).decode("ascii")


@attrs.frozen
class Origin:
    """Whose log it is. ``memory_size`` in MB."""

    function_name: str
    version: str
    function_arn: str
    runtime: str
    memory_size: int
    log_stream: str = ""


@attrs.frozen
class Ended:
    """What the platform says when an invocation has ended. Durations in seconds, memory in MB.

    ``status`` is None where the runtime answered, ``lines`` are the words for one that did not.
    """

    request_id: str
    duration: float
    max_memory_used: int
    failed: bool = False
    init_duration: float | None = None
    status: str | None = None
    error_type: str | None = None
    lines: tuple[str, ...] = ()
    produced_bytes: int = 0


class PlatformLines(Protocol):
    """The lines that Lambda itself writes into one environment's log."""

    def init_start(self, phase: str) -> list[str]:
        """Before the init; ``phase`` is "init", or "invoke" where an init is done once more."""

    def init_report(self, duration: float, phase: str, status: str, error_type: str | None) -> list[str]:
        """For an init that failed; ``duration`` in seconds."""

    def start(self, request_id: str) -> list[str]:
        """Before the handler's first."""

    def ended(self, end: Ended) -> list[str]:
        """After the handler's last."""


@attrs.frozen
class TextLines:
    """START, END, REPORT and INIT_REPORT."""

    origin: Origin

    def init_start(self, phase: str) -> list[str]:  # noqa: ARG002 - it stands for Lambda's own versions only
        """INIT_START names a version of AWS's runtime, which there is none of."""
        return []

    def init_report(self, duration: float, phase: str, status: str, error_type: str | None) -> list[str]:
        """The line for an init that failed; ``duration`` in seconds."""
        parts = [
            f"INIT_REPORT Init Duration: {_milliseconds(duration)} ms",
            f"Phase: {phase}",
            f"Status: {status}",
        ]
        if error_type is not None:
            parts.append(f"Error Type: {error_type}")
        return ["\t".join(parts)]

    def start(self, request_id: str) -> list[str]:
        """The line before the handler's first."""
        return [f"START RequestId: {request_id} Version: {self.origin.version}"]

    def ended(self, end: Ended) -> list[str]:
        """The lines after the handler's last."""
        parts = [
            f"REPORT RequestId: {end.request_id}",
            f"Duration: {_milliseconds(end.duration)} ms",
            f"Billed Duration: {billed_milliseconds(end.duration, end.init_duration)} ms",
            f"Memory Size: {self.origin.memory_size} MB",
            f"Max Memory Used: {end.max_memory_used} MB",
        ]
        if end.init_duration is not None:
            parts.append(f"Init Duration: {_milliseconds(end.init_duration)} ms")
        if end.status is not None:
            parts.append(f"Status: {end.status}")
        if end.error_type is not None:
            parts.append(f"Error Type: {end.error_type}")
        return [*end.lines, f"END RequestId: {end.request_id}", "\t".join(parts)]


def billed_milliseconds(duration: float, init_duration: float | None) -> int:
    """What Lambda bills, of durations in seconds. Since August 2025 it bills the init too."""
    return math.ceil(round((duration + (init_duration or 0.0)) * 1000, 2))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"
