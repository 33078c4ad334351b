"""A function with AWS Powertools' batch processors, as users write them, one for each kind of source.

What it did with each record it notes in the file that LEDGER names, where the test reads it: a line
``key ok`` or ``key failed`` for every record that its record handler was called with.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)

PROCESSORS = {
    "standard": BatchProcessor(event_type=EventType.SQS),
    "fifo": SqsFifoPartialProcessor(),
    "fifo by group": SqsFifoPartialProcessor(skip_group_on_error=True),
    "kinesis": BatchProcessor(event_type=EventType.KinesisDataStreams),
    "dynamodb": BatchProcessor(event_type=EventType.DynamoDBStreams),
}


def content_of(record: Any) -> dict[str, Any]:
    """What the test put into the record, through Powertools' own data classes."""
    if "body" in record:
        content: dict[str, Any] = record.json_body
    elif "kinesis" in record:
        content = record.kinesis.data_as_json()
    else:
        content = record.dynamodb.new_image
    return content


def take(record: Any) -> None:
    """Fail by the record's content."""
    content = content_of(record)
    with Path(os.environ["LEDGER"]).open("a") as ledger:
        ledger.write(f"{content['id']} {'failed' if content['bad'] else 'ok'}\n")
    if content["bad"]:
        raise ValueError("this record is bad")


def consume(event: dict[str, Any], context: Any) -> Any:
    """Process one batch; its first record says with which processor."""
    first = event["Records"][0]
    source = first["eventSource"].removeprefix("aws:")
    if source == "sqs":
        source = first["messageAttributes"]["processor"]["stringValue"]
    return process_partial_response(
        event=event, record_handler=take, processor=PROCESSORS[source], context=context
    )
