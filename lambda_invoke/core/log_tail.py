"""The log tail of an invocation (``X-Amz-Log-Result``): its text, and the figures of its REPORT.

Lambda writes ``START``, ``END`` and ``REPORT`` lines, or one JSON object each where the function's log
format is JSON. Around them stand what the function, its runtime and its extensions wrote, which may look
like anything: only whole lines of the platform's grammar are read.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from lambda_invoke.results import LogTail, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MILLISECONDS = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(?:[eE]([+-]?[0-9]{1,2}))?")
_MEGABYTES = re.compile(r"([0-9]{1,15})(?:\.0+)?")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")
_BLANKS = re.compile(r"\s+")
_REPORT = "REPORT RequestId: "
_XRAY = "XRAY TraceId: "
_TRACE_ROOT = re.compile(r"(?:\A|;)\s*Root=([\w-]{1,128})", re.IGNORECASE)
# END is glued to what the function wrote last without a line's end, and START to init output.
_START_OR_END = re.compile(
    r"(?:START RequestId: ([\w-]{1,64}) Version: \S+|END RequestId: ([\w-]{1,64}))\s*\Z"
)
_PLATFORM_OBJECT = '{"time":'


class _Number(str):
    """A number as JSON writes it: milliseconds become seconds without an error of rounding."""

    __slots__ = ()


def decode_log_tail(log_result: str, request_id: str | None = None) -> LogTail:
    """The log tail that stands in ``X-Amz-Log-Result``. Never raises.

    ``log_result`` is base64 of the last 4 KB of the log, cut without regard to lines or characters.
    What is not base64 is taken for the text itself.

    With ``request_id``, the result's ``report`` is the last REPORT of that request, and None if the
    tail has no such one: the tail of a busy environment may show the invocation before, and figures of
    another invocation are worse than none. Its ``request_id`` is the given one if the tail speaks of
    it, else None. Without ``request_id``, the last REPORT counts, and the id is its own, or else that
    of the last START or END.

    Durations are in seconds, exactly the decimal figures that Lambda gives in milliseconds. Some
    functions answer with base64 of ``{"logGroup": ..., "logStreamName": ...}`` instead: then the text
    is empty and ``log_group`` and ``log_stream`` are set.
    """
    text = _decode(log_result)
    if (place := _log_place(text)) is not None:
        return LogTail(text="", log_group=place[0], log_stream=place[1])
    lines = text.split("\n")
    reports = [report for report in _reports(lines) if request_id is None or report.request_id == request_id]
    if reports:
        return LogTail(text=text, request_id=reports[-1].request_id, report=reports[-1])
    ids = [found for line in lines if (found := _mentioned_id(line)) is not None]
    if request_id is None:
        return LogTail(text=text, request_id=ids[-1] if ids else None)
    return LogTail(text=text, request_id=request_id if request_id in ids else None)


def _decode(log_result: str) -> str:
    encoded = _BLANKS.sub("", log_result).rstrip("=")
    if not _BASE64.fullmatch(encoded):
        return log_result
    if len(encoded) % 4 == 1:  # cut off within a byte: the last letter says nothing
        encoded = encoded[:-1]
    tail = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return tail[_partial_character(tail) :].decode("utf-8", "replace")


def _partial_character(tail: bytes) -> int:
    """How many bytes at the start continue a UTF-8 character that was cut off: 0 to 3."""
    return next((index for index, byte in enumerate(tail[:3]) if byte & 0xC0 != 0x80), min(len(tail), 3))  # noqa: PLR2004


def _log_place(text: str) -> tuple[str, str] | None:
    document = _json_object(text)
    group, stream = _string(document.get("logGroup")), _string(document.get("logStreamName"))
    return (group, stream) if group and stream else None


def _reports(lines: Sequence[str]) -> Iterator[Report]:
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(_REPORT):
            report = _text_report(line, following)
        elif "platform.report" in line:
            report = _json_report(_platform_record(line, "platform.report"))
        else:
            continue
        if report is not None:
            yield report


def _text_report(line: str, following: str) -> Report | None:
    """A ``REPORT`` line, by label; X-Ray's ids are in it or on the next line."""
    fields = line.removeprefix("REPORT ").split("\t")
    if following.startswith(_XRAY):
        fields += following.split("\t")
    labels = {label.strip(): value.strip() for label, _, value in (field.partition(":") for field in fields)}
    duration = _text_seconds(labels, "Duration")
    if duration is None or not labels.get("RequestId"):
        return None
    return Report(
        request_id=labels["RequestId"],
        duration=duration,
        billed_duration=_text_seconds(labels, "Billed Duration"),
        memory_size=_megabytes(_quantity(labels, "Memory Size", "MB")),
        max_memory_used=_megabytes(_quantity(labels, "Max Memory Used", "MB")),
        init_duration=_text_seconds(labels, "Init Duration"),
        restore_duration=_text_seconds(labels, "Restore Duration"),
        billed_restore_duration=_text_seconds(labels, "Billed Restore Duration"),
        status=labels.get("Status") or None,
        error_type=labels.get("Error Type") or None,
        xray_trace_id=labels.get("XRAY TraceId") or None,
    )


def _json_report(record: Mapping[str, Any]) -> Report | None:
    """A ``platform.report`` record. Managed Instances give ``durationMs`` alone."""
    request_id, metrics = _string(record.get("requestId")), record.get("metrics")
    if request_id is None or not isinstance(metrics, dict):
        return None
    tracing = record.get("tracing")
    trace = _string(tracing.get("value")) if isinstance(tracing, dict) else None
    root = _TRACE_ROOT.search(trace) if trace else None
    return Report(
        request_id=request_id,
        duration=_seconds(metrics.get("durationMs")),
        billed_duration=_seconds(metrics.get("billedDurationMs")),
        memory_size=_megabytes(metrics.get("memorySizeMB")),
        max_memory_used=_megabytes(metrics.get("maxMemoryUsedMB")),
        init_duration=_seconds(metrics.get("initDurationMs")),
        restore_duration=_seconds(metrics.get("restoreDurationMs")),
        billed_restore_duration=_seconds(metrics.get("billedRestoreDurationMs")),
        status=_string(record.get("status")),
        error_type=_string(record.get("errorType")),
        xray_trace_id=root[1] if root else None,
    )


def _mentioned_id(line: str) -> str | None:
    if found := _START_OR_END.search(line):
        return found[1] or found[2]
    return _string(_platform_record(line).get("requestId")) if '"platform.' in line else None


def _platform_record(line: str, kind: str = "platform.") -> Mapping[str, Any]:
    """The record of a platform object that ends a line.

    It is glued to what was written before it without a line's end. An object that merely stands
    inside another one does not end the line.
    """
    for start in {0, line.rfind(_PLATFORM_OBJECT)}:
        document = _json_object(line[start:]) if start >= 0 else {}
        record = document.get("record")
        if isinstance(record, dict) and str(document.get("type")).startswith(kind):
            return record
    return {}


def _json_object(text: str) -> Mapping[str, Any]:
    if not text.lstrip().startswith("{"):
        return {}
    try:
        document = json.loads(text, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _quantity(labels: Mapping[str, str], label: str, unit: str) -> str | None:
    number, _, found = labels.get(label, "").partition(" ")
    return number if found.strip() == unit else None


def _text_seconds(labels: Mapping[str, str], label: str) -> float | None:
    return _seconds(_quantity(labels, label, "ms"))


def _seconds(milliseconds: object) -> float | None:
    """Seconds, as the float nearest to the decimal figure: 1.23 ms is 0.00123."""
    found = _MILLISECONDS.fullmatch(milliseconds) if isinstance(milliseconds, str) else None
    return float(f"{found[1]}e{int(found[2] or 0) - 3}") if found else None


def _megabytes(value: object) -> int | None:
    found = _MEGABYTES.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value and not isinstance(value, _Number) else None
