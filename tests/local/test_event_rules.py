"""When an Event is tried again, and what it has come to: tables of outcomes, no endpoint, no sleep."""

import json
from typing import Any

import attrs
import pytest

from lambda_invoke.local import EventInvokeConfig, lineage
from lambda_invoke.local.event_records import MAX_ERROR_MESSAGE_BYTES, dead_letter, invocation_record
from lambda_invoke.local.event_state import QueuedEvent, Response, ended, executed, put_back
from lambda_invoke.local.outcome import Invocation

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
ANSWER = Response("3", b'{"ok": true}', failed=False)
ERROR = Response("$LATEST", b'{"errorMessage": "no", "errorType": "E"}', failed=True)


def accepted(payload: bytes = b"{}", qualifier: str | None = None, at: float = 100.0) -> QueuedEvent:
    invocation = Invocation("id", ARN, payload, "Event", "Root=1-2-3")
    return QueuedEvent("f", qualifier, invocation, at, at)


def record(event: QueuedEvent) -> Any:
    return invocation_record(event, ARN).to_value()


def test_a_function_error_is_retried_after_one_and_two_minutes() -> None:
    """Three executions in all, then RetriesExhausted; the delays count from the failure."""
    first = executed(accepted(), ERROR, EventInvokeConfig(), 101.0)
    second = executed(first, ERROR, EventInvokeConfig(), 161.0)
    third = executed(second, ERROR, EventInvokeConfig(), 281.0)
    assert [first.due_at, second.due_at] == [161.0, 281.0]
    assert [first.condition, second.condition, third.condition] == [None, None, "RetriesExhausted"]
    assert third.attempts == 3


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_the_configuration_bounds_the_retries(retries: int) -> None:
    """MaximumRetryAttempts, and one execution more."""
    event, executions = accepted(), 0
    while event.condition is None:
        event = executed(event, ERROR, EventInvokeConfig(maximum_retry_attempts=retries), event.due_at)
        executions += 1
    assert executions == event.attempts == retries + 1


@pytest.mark.parametrize(("age", "executions"), [(60.0, 1), (180.0, 2), (181.0, 3)])
def test_an_event_that_would_be_too_old_has_ended(age: float, executions: int) -> None:
    """As in AWS's records: EventAgeExceeded comes as soon as the next retry could not."""
    event, config = accepted(), EventInvokeConfig(maximum_event_age=age)
    while event.condition is None:
        event = executed(event, ERROR, config, event.due_at + 0.1)
    assert event.attempts == executions
    assert event.condition == ("RetriesExhausted" if executions == 3 else "EventAgeExceeded")


def test_what_is_turned_away_is_put_back_until_it_is_too_old() -> None:
    """From one second to five minutes, doubling; no execution is counted, nor a retry used up."""
    event, delays = accepted(), []
    while event.condition is None:
        after = put_back(event, EventInvokeConfig(), event.due_at)
        delays.append(after.due_at - event.due_at)
        event = after
    assert delays[:10] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0]
    assert max(delays) == 300.0
    assert 21_600 - 300 <= event.due_at - 100.0 <= 21_600
    assert (event.condition, event.attempts) == ("EventAgeExceeded", 0)


def test_an_execution_begins_the_put_backs_anew() -> None:
    """A throttle after a retry waits one second again."""
    event = put_back(put_back(accepted(), EventInvokeConfig(), 100.0), EventInvokeConfig(), 101.0)
    event = executed(event, ERROR, EventInvokeConfig(), 110.0)
    assert put_back(event, EventInvokeConfig(), 170.0).due_at == 171.0


def test_the_record_of_a_success() -> None:
    """Every member that AWS's records have, in its place, and no functionError."""
    told = record(executed(accepted(b'{"a": 1}', "live"), ANSWER, EventInvokeConfig(), 101.0))
    timestamp = told.pop("timestamp")
    assert timestamp.endswith("Z")
    assert len(timestamp) == len("2026-11-21T00:00:00.000Z")
    assert told == {
        "version": "1.0",
        "requestContext": {
            "requestId": "id",
            "functionArn": f"{ARN}:live",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "3"},
        "responsePayload": {"ok": True},
    }


def test_the_record_of_an_event_that_never_ran() -> None:
    """ZeroReservedConcurrency: no response, and a count of zero."""
    told = record(ended(accepted(), "ZeroReservedConcurrency"))
    assert told["requestContext"]["functionArn"] == f"{ARN}:$LATEST"
    assert told["requestContext"]["approximateInvokeCount"] == 0
    assert not {"responseContext", "responsePayload"} & told.keys()


def test_the_record_of_an_expired_event_has_the_last_response() -> None:
    """Put back after a failure, too old then: the failure is told with it."""
    failed = executed(accepted(), ERROR, EventInvokeConfig(), 101.0)
    told = record(ended(failed, "EventAgeExceeded"))
    assert told["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert told["responsePayload"]["errorMessage"] == "no"


@pytest.mark.parametrize("payload", [b'{"n": 1e400, "n": 12345678901234567890.10}', b'"\\ud800"', b" null "])
def test_payloads_stand_in_the_record_as_they_were_sent(payload: bytes) -> None:
    """Numbers, repeated keys and escapes are not written anew."""
    assert payload.decode() in invocation_record(ended(accepted(payload), "X"), ARN).body


@pytest.mark.parametrize("payload", [b"\xff no json", b"", b"NaN", b"[" * 10_000])
def test_a_response_that_is_no_json_is_told_as_text(payload: bytes) -> None:
    """The record is JSON all the same."""
    response = Response("$LATEST", payload, failed=False)
    told = record(executed(accepted(), response, EventInvokeConfig(), 1.0))
    assert told["responsePayload"] == payload.decode("utf-8", "replace")


def test_the_message_for_a_dead_letter_queue() -> None:
    """The event as sent; request id, status and message as attributes."""
    failed = executed(accepted(b'{"a":  1}'), ERROR, EventInvokeConfig(maximum_retry_attempts=0), 101.0)
    assert dead_letter(failed, ARN).to_value() == {
        "Body": '{"a":  1}',
        "MessageAttributes": {
            "RequestID": {"DataType": "String", "StringValue": "id"},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": {"DataType": "String", "StringValue": "no"},
        },
    }


def test_the_error_message_of_a_dead_letter_is_cut_at_a_kilobyte() -> None:
    """Whole characters within 1,024 bytes, and none that SQS refuses."""
    text = "\x00" + "é" * 2000
    error = attrs.evolve(ERROR, payload=json.dumps({"errorMessage": text}).encode())
    _, value = dead_letter(attrs.evolve(accepted(), response=error), ARN).attributes["ErrorMessage"]
    assert value == "?" + "é" * ((MAX_ERROR_MESSAGE_BYTES - 1) // 2)


@pytest.mark.parametrize("payload", [b"{}", b"[1]", b"\xff", b'{"errorMessage": 1}', b'{"errorMessage": ""}'])
def test_an_error_without_a_message_has_no_such_attribute(payload: bytes) -> None:
    """SQS takes no empty attribute."""
    error = attrs.evolve(ERROR, payload=payload)
    assert "ErrorMessage" not in dead_letter(attrs.evolve(accepted(), response=error), ARN).attributes


@pytest.mark.parametrize(
    ("condition", "code"), [("ZeroReservedConcurrency", "429"), ("EventAgeExceeded", "429")]
)
def test_a_dead_letter_that_never_ran_was_throttled(condition: str, code: str) -> None:
    """Its code is that of the throttle."""
    assert dead_letter(ended(accepted(), condition), ARN).attributes["ErrorCode"] == ("Number", code)


def test_payloads_are_in_no_repr() -> None:
    """Neither the event's nor the response's nor the error's."""
    event = executed(accepted(b'"SECRET"'), attrs.evolve(ERROR, payload=b"SECRET"), EventInvokeConfig(), 1.0)
    assert "SECRET" not in f"{event!r} {invocation_record(event, ARN)!r} {dead_letter(event, ARN)!r}"


def test_a_chain_is_counted_by_function() -> None:
    """Each function has a count of its own, that the trace header carries on; the rest of it stays."""
    trace, counts = "Root=1-2-3;Parent=4;Sampled=0", []
    for arn in ("a", "b", "a", "a", "b"):
        trace, count = lineage.advance(trace, arn)
        counts.append(count)
    assert counts == [1, 1, 2, 3, 2]
    assert trace.startswith("Root=1-2-3;Parent=4;Sampled=0;Lineage=")
    assert lineage.next_count(trace.replace("|", "%7C"), "a") == 4


@pytest.mark.parametrize(
    "trace", ["", "Lineage=", "Lineage=x", "Lineage=:1|a:b|c:", "garbage;;=", "Lineage=1:a:b"]
)
def test_a_foreign_trace_header_begins_a_chain(trace: str) -> None:
    """Whatever a client sends, it is no error."""
    assert lineage.advance(trace, "a")[1] == 1
