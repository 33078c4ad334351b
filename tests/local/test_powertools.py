"""Handlers decorated with AWS Powertools run unchanged, DynamoDB being moto's server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import Executed, HandlerError
from lambda_invoke.local import Function, LocalLambda
from tests.support.moto import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLERS = Path(__file__).parent / "powertools_handlers.py"


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[str]:
    """The URL of a DynamoDB with the table that ``pay`` keeps its keys in."""
    with serving() as moto:
        client = moto.client("dynamodb")
        client.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.close()
        yield moto.url


@pytest.fixture(scope="module")
def local(dynamodb: str) -> Iterator[LocalLambda]:
    """The handlers, which find DynamoDB as they would anywhere: by their environment."""
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "POWERTOOLS_SERVICE_NAME": "orders",
    }
    functions = {
        name: Function(f"{HANDLERS}:{name}", timeout=60, memory_size=512, environment=environment)
        for name in ("pay", "consume")
    }
    with LocalLambda(functions, init_timeout=60) as running:
        yield running


def test_calling_twice_runs_the_work_once(local: LocalLambda, tmp_path: Path) -> None:
    """The second call answers with what the first one returned, its request id included."""
    ledger = tmp_path / "ledger"
    event = {"order": "A-1", "ledger": str(ledger)}
    with local.client() as client:
        first, second = (client.invoke("pay", event) for _ in range(2))
        other = client.invoke("pay", {**event, "order": "A-2"})
    assert first.value == second.value
    assert first.value["request_id"] == first.request_id != second.request_id
    assert other.value["paid"] == "A-2"
    assert ledger.read_text().split() == ["A-1", "A-2"]


def test_work_that_failed_is_done_again(local: LocalLambda, tmp_path: Path) -> None:
    """An exception leaves no record: the call fails as itself, and the next one runs."""
    ledger = tmp_path / "ledger"
    event = {"order": "B-1", "ledger": str(ledger)}
    with local.client() as client:
        with pytest.raises(HandlerError, match="insufficient funds") as caught:
            client.invoke("pay", {**event, "broke": True})
        assert caught.value.executed is Executed.YES
        assert client.invoke("pay", event).value["paid"] == "B-1"
    assert ledger.read_text().split() == ["B-1", "B-1"]


def test_the_batch_processor_reports_what_failed(local: LocalLambda) -> None:
    """One bad record of three comes back by its id."""
    with local.client() as client:
        reply = client.invoke("consume", {"Records": [record(n, bad=n == 1) for n in range(3)]}).value
        assert reply == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
        assert client.invoke("consume", {"Records": [record(7, bad=False)]}).value == {
            "batchItemFailures": []
        }
        with pytest.raises(HandlerError) as caught:
            client.invoke("consume", {"Records": [record(8, bad=True)]})
        assert caught.value.error_type == "BatchProcessingError"


def record(number: int, *, bad: bool) -> dict[str, Any]:
    """As Lambda delivers a message of a standard queue."""
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": json.dumps({"bad": bad}),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1700000000000",
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": "1700000000001",
        },
        "messageAttributes": {},
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
        "awsRegion": "us-east-1",
    }
