"""The local endpoint's invocation records against those that Lambda itself delivered.

Run by ``nox -s recordings``, as ``test_recordings``.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_invoke.local.event_records import invocation_record
from lambda_invoke.local.event_state import SUCCESS, QueuedEvent, Response
from lambda_invoke.local.outcome import Invocation
from tests.recordings.test_recordings import FOLDER


def of_events() -> list[Any]:
    """The records of asynchronous invocations; those of event source mappings are others' business."""
    cases = json.loads((FOLDER / "destination_records.json").read_text())
    records = [(case["id"], json.loads(case["raw"])) for case in cases]
    return [pytest.param(record, id=name) for name, record in records if "requestPayload" in record]


@pytest.mark.parametrize("recorded", of_events())
def test_our_record_is_the_recorded_one(recorded: dict[str, Any]) -> None:
    """Made from the same event and outcome it has the same members, in the same order, with the same values.

    "Handled" is what some runtimes said until 2020 for what is "Unhandled" since.
    """
    told = recorded["requestContext"]
    arn, _, qualifier = told["functionArn"].rpartition(":")
    response = None
    if "responseContext" in recorded:
        context = recorded["responseContext"]
        payload = json.dumps(recorded["responsePayload"]).encode()
        response = Response(context["executedVersion"], payload, failed=told["condition"] != SUCCESS)
        if "functionError" in context:
            context["functionError"] = "Unhandled"
    request = json.dumps(recorded["requestPayload"]).encode()
    event = QueuedEvent(
        arn.rpartition(":")[2],
        None if qualifier == "$LATEST" else qualifier,
        Invocation(told["requestId"], arn, request, "Event", "Root=1"),
        accepted_at=0.0,
        due_at=0.0,
        attempts=told["approximateInvokeCount"],
        response=response,
        condition=told["condition"],
        ended_at=recorded["timestamp"],
    )
    ours = json.loads(invocation_record(event, arn).body)
    assert json.dumps(ours) == json.dumps(recorded)
