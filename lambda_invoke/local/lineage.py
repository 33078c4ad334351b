"""Lambda's loop detection: how often a chain of Events came to a function, kept in its trace header. Pure.

Source: "Use Lambda recursive loop detection to prevent infinite loops", AWS Lambda developer guide,
2026-11: a function that the same triggering event has invoked 16 times is not invoked again, and the
event goes to the dead-letter queue or on-failure destination. The header is the one that AWS SDKs hand
on from inside a function, so that a function that sends Events to itself is stopped as well.
"""

from __future__ import annotations

import hashlib
from urllib.parse import unquote

MAX_INVOCATIONS = 16
_MEMBER = "Lineage="
_MAX_FUNCTIONS = 16


def advance(trace_id: str, function_arn: str) -> tuple[str, int]:
    """The trace header for one more Event to the function, and how many in the chain there are with it."""
    parts = [part for part in trace_id.split(";") if part]
    counts = _counts(parts)
    key = _key(function_arn)
    count = counts.pop(key, 0) + 1
    counts[key] = count
    kept = list(counts.items())[-_MAX_FUNCTIONS:]
    lineage = _MEMBER + "|".join(f"{name}:{times}" for name, times in kept)
    return ";".join([*(part for part in parts if not part.startswith(_MEMBER)), lineage]), count


def next_count(trace_id: str, function_arn: str) -> int:
    """How many there would be with one more Event to the function."""
    return _counts(trace_id.split(";")).get(_key(function_arn), 0) + 1


def _key(function_arn: str) -> str:
    return hashlib.sha256(function_arn.encode()).hexdigest()[:8]


def _counts(parts: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for part in parts:
        if part.startswith(_MEMBER):
            for entry in unquote(part.removeprefix(_MEMBER)).split("|"):
                name, _, times = entry.partition(":")
                if name and times.isascii() and times.isdigit():
                    counts[name] = min(int(times[:9]), MAX_INVOCATIONS * 2)
    return counts
