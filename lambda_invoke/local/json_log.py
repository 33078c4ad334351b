"""Lambda's own lines in a log of the JSON format: one platform event each.

Which of them are written depends on the system log level.
Source: "Log-level filtering", "System log level event mapping", and "Lambda Telemetry API Event schema
reference", AWS Lambda developer guide, 2026-11.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local.log import BYTES_PER_MB, billed_milliseconds

if TYPE_CHECKING:
    from lambda_invoke.local.log import Ended, Origin

_DEBUG, _INFO, _WARN = range(3)
_LEVELS = {"DEBUG": _DEBUG, "INFO": _INFO, "WARN": _WARN}


@attrs.frozen
class JsonLines:
    """The platform's lines for one execution environment. ``level`` is DEBUG, INFO or WARN."""

    origin: Origin
    level: str

    def init_start(self, phase: str) -> list[str]:
        """The line before the init; ``phase`` is "init", or "invoke" where an init is done once more."""
        origin = self.origin
        record = {
            "initializationType": "on-demand",
            "phase": phase,
            "runtimeVersion": origin.runtime,
            "functionName": origin.function_name,
            "functionVersion": origin.version,
            "instanceId": origin.log_stream,
            "instanceMaxMemory": origin.memory_size * BYTES_PER_MB,
        }
        return self._line(_INFO, "platform.initStart", record)

    def init_report(self, duration: float, phase: str, status: str, error_type: str | None) -> list[str]:
        """The lines of an init that failed; ``duration`` in seconds."""
        failure = {"status": status, **({"errorType": error_type} if error_type else {})}
        record = {"initializationType": "on-demand", "phase": phase, **failure}
        return [
            *self._line(_WARN, "platform.initRuntimeDone", record),
            *self._line(
                _WARN, "platform.initReport", {**record, "metrics": {"durationMs": _milliseconds(duration)}}
            ),
        ]

    def start(self, request_id: str) -> list[str]:
        """The line before the handler's first."""
        record = {
            "requestId": request_id,
            "functionArn": self.origin.function_arn,
            "version": self.origin.version,
        }
        return self._line(_INFO, "platform.start", record)

    def ended(self, end: Ended) -> list[str]:
        """The lines after the handler's last."""
        status = end.status or ("error" if end.failed else "success")
        error = {"errorType": end.error_type} if end.error_type else {}
        duration = _milliseconds(end.duration)
        done = {"requestId": end.request_id, "status": status, **error}
        metrics: dict[str, Any] = {
            "durationMs": duration,
            "billedDurationMs": billed_milliseconds(end.duration, end.init_duration),
            "memorySizeMB": self.origin.memory_size,
            "maxMemoryUsedMB": end.max_memory_used,
        }
        if end.init_duration is not None:
            metrics["initDurationMs"] = _milliseconds(end.init_duration)
        produced = {"durationMs": duration, "producedBytes": end.produced_bytes}
        report = {"requestId": end.request_id, "metrics": metrics, "status": status, **error}
        succeeded = status == "success"
        return [
            *self._line(
                _DEBUG if succeeded else _WARN, "platform.runtimeDone", {**done, "metrics": produced}
            ),
            *self._line(_INFO if succeeded else _WARN, "platform.report", report),
        ]

    def _line(self, level: int, kind: str, record: dict[str, Any]) -> list[str]:
        if level < _LEVELS[self.level]:
            return []
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        event = {"time": now.replace("+00:00", "Z"), "type": kind, "record": record}
        return [json.dumps(event, separators=(",", ":"))]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
