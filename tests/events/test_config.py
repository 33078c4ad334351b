"""What is checked of an event configuration before it is sent, and what is read of the service's answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_invoke import UNCHANGED, EventConfig, RequestError
from lambda_invoke.events.config import EventConfigChange, alteration, replacement
from lambda_invoke.events.destinations import check_destination
from tests.events.shapes import ARN, QUEUE

TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/orders"
BUCKET = "arn:aws:s3:::failed-orders"
CHINA = "arn:aws-cn:sqs:cn-north-1:123456789012:q"


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUS, ARN, f"{ARN}:prod", CHINA])
def test_destinations_that_lambda_takes(arn: str) -> None:
    """For both outcomes; buckets take failures."""
    for name in ("on_success", "on_failure"):
        check_destination(arn, name=name, function="orders")
    check_destination(BUCKET, name="on_failure", function="orders")


@pytest.mark.parametrize(
    ("name", "arn", "problem"),
    [
        ("on_success", BUCKET, "takes records of failures only"),
        ("on_failure", f"{QUEUE}.fifo", "it has to be standard"),
        ("on_failure", f"{TOPIC}.fifo", "it has to be standard"),
        ("on_failure", "https://sqs.eu-west-1.amazonaws.com/123456789012/q", "the ARN is wanted"),
        ("on_failure", "orders", "no ARN; it can be that of a standard SQS queue"),
        ("on_failure", "arn:aws:kinesis:eu-west-1:123456789012:stream/x", "an ARN of kinesis"),
        ("on_failure", "arn:aws:sqs:eu-west-1:1234:q", "'1234' is no AWS account id"),
        ("on_failure", "arn:aws:sqs:mars:123456789012:q", "'mars' is no AWS region"),
        ("on_failure", "arn:aws:sqs:eu-west-1:123456789012:a b", "ends in a queue's name"),
        ("on_failure", "arn:aws:events:eu-west-1:123456789012:rule/x", "ends in event-bus/"),
        ("on_failure", "arn:aws:lambda:eu-west-1:123456789012:layer:x", "an ARN of a layer"),
        ("on_failure", "arn:aws:s3:eu-west-1:123456789012:b", "neither region nor account"),
        ("on_failure", "arn:aws:s3:::b/key", "ends in a bucket's name"),
        ("on_failure", 7, "an ARN is a str, not int"),
        ("on_success", "", "no ARN"),
        ("dead_letter", BUS, "an ARN of events; it can be that of a standard SQS queue or a standard SNS"),
        ("dead_letter", ARN, "an ARN of lambda"),
        ("dead_letter", f"{QUEUE}.fifo", "it has to be standard"),
    ],
)
def test_destinations_that_lambda_would_refuse(name: str, arn: Any, problem: str) -> None:
    """Before anything is sent; the message names the function, the setting, the value and the problem."""
    with pytest.raises(RequestError) as raised:
        check_destination(arn, name=name, function="orders:prod")
    assert problem in str(raised.value)
    assert f"orders:prod: {name}={arn!r}" in str(raised.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"maximum_retry_attempts": 3}, "maximum_retry_attempts is a whole number of 0 to 2, not 3"),
        ({"maximum_retry_attempts": -1}, "not -1"),
        ({"maximum_retry_attempts": 1.5}, "not 1.5"),
        ({"maximum_retry_attempts": True}, "not True"),
        ({"maximum_retry_attempts": "1"}, "not '1'"),
        ({"maximum_event_age": 59}, "maximum_event_age is a whole number of 60 to 21,600 seconds, not 59"),
        ({"maximum_event_age": 21_601}, "not 21601"),
        ({"maximum_event_age": 60.5}, "not 60.5"),
        ({"maximum_event_age": float("nan")}, "not nan"),
        ({"maximum_event_age": float("inf")}, "not inf"),
        ({"on_success": 7}, "on_success=7"),
    ],
)
def test_limits_are_checked(given: dict[str, Any], problem: str) -> None:
    """AWS's own, by put and by update; the message names the value."""
    nothing = dict.fromkeys(("maximum_retry_attempts", "maximum_event_age", "on_success", "on_failure"))
    for make, rest in ((replacement, None), (alteration, UNCHANGED)):
        with pytest.raises(RequestError) as raised:
            make("orders", **{**dict.fromkeys(nothing, rest), **given})
        assert problem in str(raised.value)


def test_the_limits_themselves_are_fine() -> None:
    """The least and the most of each, whole floats too."""
    change = EventConfigChange("orders", 0, 60.0, None, QUEUE)
    assert change.parameters() == {
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
    }
    assert isinstance(change.parameters()["MaximumEventAgeInSeconds"], int)
    assert EventConfigChange("orders", 2, 21_600).parameters() == {
        "MaximumRetryAttempts": 2,
        "MaximumEventAgeInSeconds": 21_600,
    }


def test_nothing_to_set_is_refused() -> None:
    """Lambda would say no; the message names the way."""
    with pytest.raises(RequestError, match="delete_event_config removes all"):
        replacement(
            "orders", maximum_retry_attempts=None, maximum_event_age=None, on_success=None, on_failure=None
        )
    unchanged = {"on_success": UNCHANGED, "on_failure": UNCHANGED}
    with pytest.raises(RequestError, match="names nothing to change"):
        alteration("orders", maximum_retry_attempts=UNCHANGED, maximum_event_age=UNCHANGED, **unchanged)
    with pytest.raises(RequestError, match="maximum_event_age=None: an update cannot take a limit back"):
        alteration(
            "orders",
            maximum_retry_attempts=1,
            maximum_event_age=None,  # type: ignore[arg-type]
            **unchanged,
        )


def test_a_configuration_is_read() -> None:
    """Empty and missing members are None; boto3's datetimes and the wire's seconds are both times."""
    modified = datetime(2026, 11, 2, tzinfo=UTC)
    answer = {
        "FunctionArn": f"{ARN}:prod",
        "LastModified": modified,
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
    }
    found = EventConfig.of(answer)
    assert found == EventConfig(f"{ARN}:prod", 0, 60.0, None, QUEUE, modified)
    assert found.qualifier == "prod"
    bare = EventConfig.of({"FunctionArn": ARN, "LastModified": modified.timestamp()})
    assert bare == EventConfig(ARN, last_modified=modified)
    assert bare.qualifier == "$LATEST"
    empty = {"FunctionArn": ARN, "DestinationConfig": {"OnSuccess": {"Destination": ""}}, "LastModified": "?"}
    assert EventConfig.of(empty) == EventConfig(ARN)
    assert repr(UNCHANGED) == "UNCHANGED"
