"""Records of Events: the same outcome whatever carried them, with the bytes that came."""

from __future__ import annotations

import json
import re
import warnings
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

import lambda_invoke as li
from lambda_invoke import (
    EventDroppedError,
    EventOutcome,
    Executed,
    UnreadableRecord,
    read_record,
    read_records,
)
from tests.events.shapes import (
    ARN,
    BIG,
    ENDED,
    REQUEST_ID,
    bus_event_text,
    carried,
    failure_text,
    lambda_event,
    notification,
    record_text,
    sns_record,
    sqs_message,
    sqs_record,
)

HANDLER_RAISED = '{"errorType": "Refused", "errorMessage": "no", "requestId": "x", "stackTrace": []}'


@attrs.frozen
class Total:
    total: int


def outcome_of(data: Any, **options: Any) -> EventOutcome[Any]:
    """What became of the Event; anything else fails the test."""
    found = read_record(data, **options)
    assert isinstance(found, EventOutcome), found
    return found


CARRIED = pytest.mark.parametrize(
    ("carrier", "data"),
    [
        pytest.param(carrier, data, id=name)
        for name, carrier, data in carried(record_text(request=BIG, response=BIG))
    ],
)


@CARRIED
def test_a_success_is_an_invocation_whatever_carried_it(carrier: str, data: Any) -> None:
    """All that the record says is there, and no warning is given on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = outcome_of(data)
    assert found.carrier == carrier
    assert found.ok
    assert (found.request_id, found.function, found.condition) == (REQUEST_ID, f"{ARN}:prod", "Success")
    assert (found.function_name, found.qualifier) == ("orders", "prod")
    assert (found.attempts, found.executed_version, found.executed) == (1, "3", Executed.YES)
    assert found.ended_at == datetime(2026, 11, 2, 10, 20, 30, 400_000, tzinfo=UTC)
    assert found.value["id"] == 12345678901234567890123
    invocation = found.invocation
    assert invocation is not None
    assert (invocation.request_id, invocation.function) == (REQUEST_ID, f"{ARN}:prod")
    assert (invocation.status_code, invocation.executed_version) == (200, "3")


@CARRIED
def test_payloads_keep_the_text_that_came(carrier: str, data: Any) -> None:
    """Numbers, escapes and doubled keys stand as they were sent; of a parsed mapping they mean the same."""
    found = outcome_of(data)
    assert found.invocation is not None
    for payload in (found.request_payload, found.invocation.payload):
        assert payload is not None
        if isinstance(data, dict) and carrier in ("lambda", "eventbridge") and "Body" not in data:
            assert json.loads(payload) == json.loads(BIG)
        else:
            assert payload == BIG.encode()


@pytest.mark.parametrize(
    ("carrier", "data"),
    [pytest.param(carrier, data, id=name) for name, carrier, data in carried(failure_text(HANDLER_RAISED))],
)
def test_a_failure_is_the_error_of_a_synchronous_call(carrier: str, data: Any) -> None:
    """The same class, with the request's id and the version that ran."""
    found = outcome_of(data)
    assert not found.ok
    error = found.error
    assert type(error) is li.HandlerError
    assert (error.error_type, error.error_message) == ("Refused", "no")
    assert (error.request_id, error.executed_version, error.function) == (REQUEST_ID, "3", f"{ARN}:prod")
    assert json.loads(error.raw_payload) == json.loads(HANDLER_RAISED)
    assert (found.condition, found.attempts, found.executed) == ("RetriesExhausted", 3, Executed.YES)
    assert found.carrier == carrier
    with pytest.raises(li.HandlerError) as raised:
        _ = found.value
    assert raised.value is error


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            f'{{"errorMessage": "2026-11-02T10:20:30.400Z {REQUEST_ID} Task timed out after 3.00 seconds"}}',
            li.FunctionTimeoutError,
        ),
        ('{"errorType": "Runtime.ExitError", "errorMessage": "RequestId: x"}', li.FunctionExitError),
        (
            '{"errorType": "Runtime.ImportModuleError", "errorMessage": "no module", "stackTrace": []}',
            li.FunctionInitError,
        ),
        ('"not an object"', li.HandlerError),
        ("null", li.HandlerError),
    ],
)
def test_errors_are_typed_by_cause(document: str, expected: type[li.FunctionError]) -> None:
    """As of a synchronous call: by what the error document says."""
    assert type(outcome_of(failure_text(document)).error) is expected


class Refused(li.FunctionError):
    """A caller's own."""


def test_error_types_and_redaction_are_those_of_the_call() -> None:
    """Remote types become the caller's classes, and redacted errors keep the remote text to themselves."""
    found = outcome_of(failure_text(HANDLER_RAISED), error_types={"Refused": Refused}, redact=True)
    assert type(found.error) is Refused
    assert "no" not in str(found.error).partition("(")[0]
    with pytest.raises(TypeError, match="error_types"):
        read_record("{}", error_types={"Refused": ValueError})  # type: ignore[dict-item]


def test_the_response_type_is_that_of_the_call() -> None:
    """The result comes in the type that was asked for; one that does not fit is an error that says it ran."""
    typed = read_record(record_text(), response=Total)
    assert isinstance(typed, EventOutcome)
    assert typed.value == Total(12)
    assert outcome_of(record_text(response=BIG), response=bytes).value == BIG.encode()
    wrong = outcome_of(record_text(response='{"total": "SECRET"}'), response=Total).error
    assert type(wrong) is li.PayloadDecodingError
    assert (wrong.executed, wrong.request_id, wrong.path) == (Executed.YES, REQUEST_ID, "$.total")
    assert "SECRET" not in str(wrong)
    with pytest.raises(li.RequestError, match="cannot be decoded"):
        read_record("{}", response=ValueError)


@pytest.mark.parametrize(
    ("condition", "attempts", "context", "executed"),
    [
        ("ZeroReservedConcurrency", 0, None, Executed.NO),
        ("EventAgeExceeded", 0, None, Executed.NO),
        ("EventAgeExceeded", 2, None, Executed.UNKNOWN),
        ("ZeroReservedConcurrency", 1, None, Executed.UNKNOWN),
        ("EventAgeExceeded", 0, '{"statusCode": 500}', Executed.UNKNOWN),
        ("SomethingNew", 0, "null", Executed.NO),
    ],
)
def test_an_event_that_was_dropped_says_whether_it_ran(
    condition: str, attempts: int, context: str | None, executed: Executed
) -> None:
    """NO only where Lambda counted no attempt and nothing answered; the condition is an open string."""
    text = record_text(condition=condition, attempts=attempts, context=context, response=None)
    found = outcome_of(text)
    error = found.error
    assert type(error) is EventDroppedError
    assert (error.condition, error.executed, error.request_id) == (condition, executed, REQUEST_ID)
    assert condition in str(error)
    assert found.request_payload == b'{"order": 7}'


def test_an_event_too_old_that_had_failed_before_has_that_error() -> None:
    """The last answer counts: the function ran."""
    error = outcome_of(failure_text(HANDLER_RAISED, condition="EventAgeExceeded")).error
    assert type(error) is li.HandlerError


@pytest.mark.parametrize("function_error", ["null", '""'])
def test_no_function_error_is_no_failure(function_error: str) -> None:
    """Batches are recorded with a null, which is not an error."""
    context = f'{{"statusCode": 200, "executedVersion": "3", "functionError": {function_error}}}'
    assert outcome_of(record_text(context=context)).ok


def test_a_function_error_of_another_kind_is_a_failure_all_the_same() -> None:
    """It is told by being there, not by what it says."""
    found = outcome_of(failure_text(HANDLER_RAISED).replace('"Unhandled"', "7"))
    assert isinstance(found.error, li.HandlerError)
    assert found.error.function_error == "Unhandled"


def test_a_record_that_lost_its_payloads_says_so() -> None:
    """SNS takes 256 KB, and gets the record without payloads: what is left is not taken for a result."""
    success = outcome_of(record_text(request=None, response=None))
    assert success.request_payload is None
    assert type(success.error) is li.PayloadDecodingError
    assert success.executed is Executed.YES
    failed = outcome_of(
        record_text(condition="RetriesExhausted", context=FAILED, request=None, response=None)
    )
    assert type(failed.error) is li.FunctionError
    assert (failed.error.error_type, failed.executed) == (None, Executed.YES)


FAILED = '{"statusCode": 200, "executedVersion": "3", "functionError": "Unhandled"}'


@pytest.mark.parametrize(
    ("arn", "name", "qualifier"),
    [
        (ARN, "orders", None),
        (f"{ARN}:$LATEST", "orders", "$LATEST"),
        (f"{ARN}:7", "orders", "7"),
        ("orders", None, None),
    ],
)
def test_the_function_is_named_as_recorded(arn: str, name: str | None, qualifier: str | None) -> None:
    """With a qualifier or without, and its parts where it is an ARN."""
    found = outcome_of(record_text(arn=arn))
    assert (found.function, found.function_name, found.qualifier) == (arn, name, qualifier)


def test_age_is_counted_from_the_end() -> None:
    """In seconds, to a datetime or time.time()'s; a record without a time has none."""
    found = outcome_of(record_text())
    later = datetime(2026, 11, 2, 10, 21, 30, 400_000, tzinfo=UTC)
    assert found.age(later) == found.age(later.timestamp()) == 60.0
    assert outcome_of(record_text().replace(ENDED, "yesterday")).age(later) is None


@pytest.mark.parametrize(
    ("data", "reason", "raw"),
    [
        ("", "not JSON", ""),
        ("{", "not JSON", "{"),
        ('{"a": 1} x', "not JSON", '{"a": 1} x'),
        ("[1, 2]", "not a JSON object", "[1, 2]"),
        (b"\xff{}", "not UTF-8, at byte 0", "\\xff{}"),
        ("[" * 200_000, "nested too deeply", "[" * 200_000),
        ('{"requestContext": {"requestId": "r", "stage": "prod"}}', "requestContext", None),
        (record_text().replace('"condition"', '"status"'), "requestContext", None),
        (record_text().replace(f'"{ARN}:prod"', "7"), "does not name functionArn", None),
        (sqs_message("hello"), "not JSON.*DeadLetterQueueSourceArn", "hello"),
        (sqs_message('{"order": 7}'), "requestContext.*DeadLetterQueueSourceArn", '{"order": 7}'),
        (notification("hello"), "not JSON", "hello"),
        ({"order": 7}, "requestContext", '{"order": 7}'),
        (lambda_event(), "holds 0 records", None),
        (lambda_event(sqs_record("a"), sqs_record("b")), "holds 2 records.*read_records", None),
        ({**json.loads(record_text()), "responsePayload": {1, 2}}, "responsePayload has no JSON", None),
        (7, "neither text nor a mapping but int", "7"),
        (None, "neither text nor a mapping but NoneType", "null"),
    ],
)
def test_what_cannot_be_read_comes_back_with_a_reason(data: Any, reason: str, raw: str | None) -> None:
    """And the raw text, of a message its body; neither is in the repr."""
    found = read_record(data)
    assert isinstance(found, UnreadableRecord), found
    assert re.search(reason, found.reason), found.reason
    if raw is not None:
        assert found.raw == raw
    assert "raw" not in repr(found)


def test_carriers_in_carriers_have_an_end() -> None:
    """An event in an event, three deep, is read; nine deep it is unreadable."""
    for depth, readable in ((3, True), (9, False)):
        text = record_text()
        for _ in range(depth):
            text = bus_event_text(text)
        assert isinstance(read_record(text), EventOutcome) is readable


def test_each_record_of_an_event_is_read() -> None:
    """In their order, and each by itself: one that is no record does not spoil the others."""
    ok, failed = record_text(), failure_text(HANDLER_RAISED)
    event = lambda_event(sqs_record(ok), sqs_record("?"), sns_record(failed))
    for data in (event, json.dumps(event)):
        first, second, third = read_records(data)
        assert isinstance(first, EventOutcome)
        assert first.ok
        assert isinstance(second, UnreadableRecord)
        assert isinstance(third, EventOutcome)
        assert type(third.error) is li.HandlerError
    answer = {"Messages": [sqs_message(ok), sqs_message(failed)], "ResponseMetadata": {}}
    assert [getattr(each, "ok", None) for each in read_records(answer)] == [True, False]


def test_one_record_is_a_list_of_one() -> None:
    """Whatever it is; an event without records is an empty list."""
    (found,) = read_records(record_text(), response=Total)
    assert isinstance(found, EventOutcome)
    assert found.value == Total(12)
    (unreadable,) = read_records(b"\xff")
    assert isinstance(unreadable, UnreadableRecord)
    assert read_records(lambda_event()) == []


def test_no_payload_is_in_a_repr() -> None:
    """Neither the event nor the result."""
    secret = '{"password": "SECRET"}'
    assert "SECRET" not in repr(outcome_of(sqs_message(record_text(request=secret, response=secret))))
    assert "SECRET" not in repr(read_record(sqs_message(secret)))
