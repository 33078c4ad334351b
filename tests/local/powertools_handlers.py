"""Handlers as users of AWS Powertools write them; they know nothing of where they run."""

from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)

processor = BatchProcessor(event_type=EventType.SQS)


@idempotent(
    persistence_store=DynamoDBPersistenceLayer(table_name="orders"),
    config=IdempotencyConfig(event_key_jmespath="order"),
)
def pay(event: dict[str, Any], context: Any) -> dict[str, Any]:
    with Path(event["ledger"]).open("a") as ledger:
        ledger.write(f"{event['order']}\n")
    if event.get("broke"):
        raise ValueError("insufficient funds")
    return {"paid": event["order"], "request_id": context.aws_request_id}


def take(record: SQSRecord) -> None:
    if record.json_body["bad"]:
        raise ValueError("this record is bad")


def consume(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)
