"""What the service made of a function's reply to a batch.

Run by ``nox -s recordings``, as ``test_recordings``.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_invoke import DynamoDBSource, KinesisSource, LambdaClient, SqsSource
from lambda_invoke.sources.verdict import read_reply
from lambda_invoke.testing import FakeLambda
from tests.recordings.test_recordings import recorded

SOURCES: dict[str, Any] = {
    "sqs": SqsSource("arn:aws:sqs:us-east-1:123456789012:orders"),
    "kinesis": KinesisSource("arn:aws:kinesis:us-east-1:123456789012:stream/orders"),
    "dynamodbstreams": DynamoDBSource("arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026"),
}


@recorded("partial_batch.json")
@pytest.mark.parametrize("size", [1, 3])
def test_partial_batch(case: dict[str, Any], size: int) -> None:
    """Complete success, or complete failure, of batches of any size; as a verdict and through a client."""
    expected = case["expected"]
    verdict = read_reply(case["payload"].encode(), [f"id-{number}" for number in range(size)])
    well = expected["outcome"] == "complete_success"
    assert (verdict.whole is None) is well
    assert len(verdict.failed) == (0 if well else size)
    fake = FakeLambda()
    fake.function("consume", lambda event: None)
    fake.on("consume").returns(json.loads(case["payload"]))
    client: LambdaClient = fake.client()
    records = [{"id": str(number)} for number in range(size)]
    report = client.invoke_batch("consume", records, source=SOURCES[case["kind"]])
    assert [record.ok for record in report] == [well] * size
    if expected["failed_identifiers"] is not None:
        assert [record.identifier for record in report.failed] == expected["failed_identifiers"]
