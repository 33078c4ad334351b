"""Event source mappings as the service described them.

Run by ``nox -s recordings``, as ``test_recordings``.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

from lambda_invoke.sources.mapping import EventSourceMapping, mapping_of
from tests.recordings.test_recordings import recorded


def limit(seconds: float | None) -> float | None:
    """-1 is "no limit"."""
    return math.inf if seconds == -1 else seconds


@recorded("esm.json")
def test_event_source_mapping(case: dict[str, Any]) -> None:
    """Every field is the one that was read off by hand."""
    answer = json.loads(case["raw"])
    shapes = answer.get("EventSourceMappings", [answer])
    found = [mapping_of({**shape, "LastModified": moment(shape)}) for shape in shapes]
    assert [facts(one) for one in found] == [expected_of(one) for one in case["expected"]["mappings"]]
    assert len(found) == case["expected"]["count"]
    assert answer.get("NextMarker") == case["expected"]["next_marker"]


def moment(shape: dict[str, Any]) -> dt.datetime | None:
    """As botocore parses it."""
    when = shape.get("LastModified")
    return None if when is None else dt.datetime.fromtimestamp(when, dt.UTC)


def expected_of(expected: dict[str, Any]) -> dict[str, Any]:
    return {
        **expected,
        "maximum_retry_attempts": limit(expected["maximum_retry_attempts"]),
        "maximum_record_age_seconds": limit(expected["maximum_record_age_seconds"]),
    }


def facts(found: EventSourceMapping) -> dict[str, Any]:
    same = ("uuid", "event_source_arn", "function_arn", "state", "state_transition_reason", "batch_size")
    also = ("last_processing_result", "starting_position", "maximum_retry_attempts", "on_failure")
    return {
        **{name: getattr(found, name) for name in (*same, *also)},
        "last_modified_epoch": None if found.last_modified is None else found.last_modified.timestamp(),
        "maximum_record_age_seconds": found.maximum_record_age,
        "reports_batch_item_failures": found.reports_batch_item_failures,
        "filters": list(found.filters),
        "maximum_concurrency": found.maximum_concurrency,
    }
