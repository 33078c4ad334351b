"""What the command ``local`` prints: what it serves, a line for each invocation, and a summary."""

from __future__ import annotations

import json
import math
import shlex
import time
from typing import TYPE_CHECKING

from lambda_invoke.local.function import LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambda_invoke.local import Function, InvocationRecord, LocalLambda

_COLOURS = {"succeeded": "32", "failed": "31", "throttled": "33"}
_DIM = "2"
_SHOWN_ID = 8
_LAMBDAS_LINES = ("START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_REPORT ", "INIT_START ")
_PLATFORM_KEYS = {"time", "type", "record"}
"""Of Lambda's lines in JSON: "Telemetry API Event schema reference", AWS Lambda developer guide, 2026-11."""


def environment_lines(local: LocalLambda) -> list[str]:
    """Shell lines that point every AWS SDK at the endpoint.

    The key is the endpoint's own, random for each run: it opens nothing else. A session token of the
    user's would be sent along, and is taken away.
    """
    variables = {
        "AWS_ENDPOINT_URL_LAMBDA": local.endpoint_url,
        "AWS_ACCESS_KEY_ID": local.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": local.credentials.secret_access_key,
        "AWS_REGION": local.region_name,
        "AWS_DEFAULT_REGION": local.region_name,
    }
    return [
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        "unset AWS_SESSION_TOKEN",
    ]


def overview(local: LocalLambda, functions: Mapping[str, Function], lines: Sequence[str] | None) -> str:
    """What is served and where; ``lines`` are the shell's, or None to leave them out."""
    count = "1 function" if len(functions) == 1 else f"{len(functions)} functions"
    rows = [("function", "handler", "timeout", "memory", "")]
    rows += [
        (
            name,
            printable(str(function.handler)),
            f"{function.timeout:g} s",
            f"{function.memory_size} MB",
            _published(function),
        )
        for name, function in functions.items()
    ]
    text = f"Serving {count} at {local.endpoint_url}, region {local.region_name}. Ctrl-C stops it.\n\n"
    text += _table(rows)
    if lines is not None:
        text += "\nTo point an SDK at it (the key is this endpoint's own, made for this run):\n"
        text += "".join(f"  {line}\n" for line in lines)
    return text + "\n"


def _published(function: Function) -> str:
    said = []
    if function.reserved_concurrency is not None:
        said.append(f"reserved {function.reserved_concurrency}")
    if function.versions:
        said.append(f"versions {', '.join(function.versions)}")
    for name, alias in function.aliases.items():
        shares = "".join(f", {share:.0%} to {version}" for version, share in alias.weights.items())
        said.append(f"{name} -> {alias.version}{shares}")
    return "; ".join(said)


def _table(rows: Sequence[tuple[str, ...]], right: Sequence[int] = (2, 3)) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip() + "\n")
    return "".join(lines)


class InvocationLines:
    """Writes a line for each execution; with ``logs`` what the handler printed stands below it."""

    def __init__(self, functions: Mapping[str, Function], *, logs: bool, colour: bool) -> None:
        self._functions = functions
        self._width = max(map(len, functions))
        self._logs = logs
        self._colour = colour

    def of(self, record: InvocationRecord) -> str:
        """The line, or lines."""
        kind = record.invocation_type
        if record.attempt > 1:
            kind = f"{kind} #{record.attempt}"
        parts = [
            time.strftime("%H:%M:%S"),
            record.function.ljust(self._width),
            record.version.ljust(len(LATEST)),
            kind.ljust(len("RequestResponse")),
            self._painted(_outcome(record), _COLOURS[record.outcome]),
        ]
        if record.outcome != "throttled":
            parts.append(self._painted(self._figures(record), _DIM))
        parts.append(self._painted(record.request_id[:_SHOWN_ID], _DIM))
        text = "  ".join(parts) + "\n"
        return text + "".join(f"  | {line}\n" for line in printed(record.log)) if self._logs else text

    def _figures(self, record: InvocationRecord) -> str:
        """Duration, billed duration (Lambda bills the init too), memory, and the init of a cold start."""
        billed = math.ceil(round((record.duration + (record.init_duration or 0.0)) * 1000, 2))
        size = self._functions[record.function].memory_size
        figures = [
            f"{record.duration * 1000:.2f} ms",
            f"billed {billed} ms",
            f"{record.max_memory_used}/{size} MB",
        ]
        if record.init_duration is not None:
            figures.append(f"cold start {record.init_duration * 1000:.0f} ms")
        return "  ".join(figures)

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


def _outcome(record: InvocationRecord) -> str:
    """Say ok, or what went wrong: the remote error type of a failure."""
    if record.outcome == "succeeded":
        return "ok"
    kind = record.error_type if record.outcome == "failed" else None
    return record.outcome if kind is None else f"{record.outcome}: {printable(kind)}"


def printable(text: str) -> str:
    """A text from elsewhere without line feeds and escape sequences."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def printed(log: str) -> list[str]:
    """The lines of a log but for those that Lambda itself wrote, in either format."""
    return [line for line in log.splitlines() if line and not _is_lambdas(line)]


def _is_lambdas(line: str) -> bool:
    if line.startswith(_LAMBDAS_LINES):
        return True
    if not line.startswith('{"time":'):
        return False
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):  # it broke off, or a handler made it
        return False
    kind = event.get("type")
    return event.keys() == _PLATFORM_KEYS and isinstance(kind, str) and kind.startswith("platform.")


def summary(local: LocalLambda, functions: Mapping[str, Function]) -> str:
    """What was counted; functions that were not called are left out."""
    rows: list[tuple[str, ...]] = [("function", "started", "succeeded", "failed", "throttled", "cold starts")]
    for name in functions:
        stats = local.stats(name)
        if stats.started or stats.throttled:
            counts = (stats.started, stats.succeeded, stats.failed, stats.throttled, stats.cold_starts)
            rows.append((name, *map(str, counts)))
    if len(rows) == 1:
        return "Stopped; nothing was invoked.\n"
    return "\nStopped.\n\n" + _table(rows, right=range(1, len(rows[0])))
