"""Dead-letter messages: the event, and what little Lambda says of why it is there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import lambda_invoke as li
from lambda_invoke import EventDroppedError, EventOutcome, Executed, read_record
from tests.events.shapes import (
    BIG,
    REQUEST_ID,
    dead_letters,
    lambda_event,
    record_text,
    sqs_message,
    sqs_record,
)


def outcome_of(data: Any, **options: Any) -> EventOutcome[Any]:
    """What became of the Event; anything else fails the test."""
    found = read_record(data, **options)
    assert isinstance(found, EventOutcome), found
    return found


def each_of(body: str, status: str | None, message: str | None) -> list[EventOutcome[Any]]:
    """The outcome that each carrier of one dead letter gives."""
    return [outcome_of(data) for _, data in dead_letters(body, status, message)]


@pytest.mark.parametrize(
    "data",
    [pytest.param(data, id=name) for name, data in dead_letters(BIG, "200", "the stock is gone")],
)
def test_a_function_that_failed_left_a_message(data: Any) -> None:
    """The event is there as it was sent; of the error only its text, so that it is of no finer class."""
    found = outcome_of(data)
    assert (found.carrier, found.request_id, found.request_payload) == (
        "dead-letter",
        REQUEST_ID,
        BIG.encode(),
    )
    error = found.error
    assert type(error) is li.FunctionError
    assert (error.error_type, error.error_message) == (None, "the stock is gone")
    assert (error.executed, error.request_id) == (Executed.YES, REQUEST_ID)
    assert (found.function, found.condition, found.attempts) == (None, None, None)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"2026-11-02T10:20:30.400Z {REQUEST_ID} Task timed out after 3.00 seconds", li.FunctionTimeoutError),
        (
            f"RequestId: {REQUEST_ID} Error: Runtime exited with error: signal: killed",
            li.FunctionOutOfMemoryError,
        ),
        (f"RequestId: {REQUEST_ID} Process exited before completing request", li.FunctionExitError),
        ("2026-11-02T10:20:30.400Z other-id Task timed out after 3.00 seconds", li.FunctionError),
        (None, li.FunctionError),
    ],
)
def test_lambdas_own_sentences_tell_the_cause(message: str | None, expected: type[li.FunctionError]) -> None:
    """Where they speak of this request; what a handler may have written is not taken for one."""
    for found in each_of("{}", "200", message):
        assert type(found.error) is expected


@pytest.mark.parametrize(("status", "code"), [("429", 429), ("500", 500), ("", None), ("garbage", None)])
def test_any_other_status_is_a_dropped_event(status: str, code: int | None) -> None:
    """Throttled to its end or refused: whether an attempt before ran is not known."""
    for found in each_of("{}", status, "Rate Exceeded."):
        error = found.error
        assert type(error) is EventDroppedError
        assert (error.status_code, error.executed, error.condition) == (code, Executed.UNKNOWN, None)
        assert "Rate Exceeded" in str(error)
        assert not found.ok


def test_a_cut_message_is_kept_as_it_is() -> None:
    """Lambda sends its first kilobyte."""
    (first, *_) = each_of("{}", "200", "x" * 1024)
    assert isinstance(first.error, li.FunctionError)
    assert first.error.error_message == "x" * 1024


def test_redaction_holds_for_dead_letters() -> None:
    """The remote text stays out of the error's own."""
    (_, data), *_ = dead_letters("{}", "200", "SECRET")
    assert "SECRET" not in f"{outcome_of(data, redact=True).error} {outcome_of(data, redact=True)!r}"


def test_an_event_that_is_itself_a_record_is_a_dead_letter() -> None:
    """A function that takes records may fail, too: the attributes say whose message it is."""
    for found in each_of(record_text(), "200", "no"):
        assert found.carrier == "dead-letter"
        assert found.request_payload == record_text().encode()
        assert not found.ok


def test_it_ended_when_the_message_was_sent() -> None:
    """As far as the carrier says when that was."""
    sent = {"RequestID": {"StringValue": "r"}, "ErrorCode": {"StringValue": "200"}}
    message = sqs_message("{}", MessageAttributes=sent, Attributes={"SentTimestamp": "1793614830123"})
    assert outcome_of(message).ended_at == datetime.fromtimestamp(1793614830.123, UTC)
    assert outcome_of(sqs_message("{}", MessageAttributes=sent)).ended_at is None
    in_lambda = {name: {"stringValue": value["StringValue"]} for name, value in sent.items()}
    in_event = lambda_event(sqs_record("{}", messageAttributes=in_lambda))
    assert outcome_of(in_event).age(1793614840.0) == 10.0
    for stamp in ("soon", "9" * 40, None):
        odd = sqs_message("{}", MessageAttributes=sent, Attributes={"SentTimestamp": stamp})
        assert outcome_of(odd).ended_at is None


def test_a_body_that_is_no_json_is_the_event_all_the_same() -> None:
    """Event invocations take JSON only, but a lone surrogate or a broken text does no harm."""
    for found in each_of("not { json \ud800", "200", "no"):
        assert found.request_payload == b"not { json \\ud800"


def test_one_attribute_alone_is_no_dead_letter() -> None:
    """Anybody may name an attribute RequestID."""
    message = sqs_message(record_text(), MessageAttributes={"RequestID": {"StringValue": "r"}})
    assert outcome_of(message).carrier == "sqs"


def test_a_status_of_other_digits_is_none() -> None:
    """Text that Python calls digits and no number is not read as one, and does not raise."""
    attributes = {"RequestID": {"StringValue": "id-1"}, "ErrorCode": {"StringValue": "²⁰⁰"}}
    outcome = read_record({"Body": "{}", "MessageAttributes": attributes})
    assert isinstance(outcome, EventOutcome)
    assert isinstance(outcome.error, EventDroppedError)
    assert outcome.error.status_code is None
