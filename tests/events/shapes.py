"""Records as Lambda writes them, and each carrier that brings one. Made here; only the shapes are AWS's."""

from __future__ import annotations

import json
from typing import Any

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders-dead"
REQUEST_ID = "6a2f5b1e-0a4e-4a55-9c0b-3d1a34be5f3a"
ENDED = "2026-11-02T10:20:30.400Z"

# Numbers and keys that do not survive being read and written anew.
BIG = '{"id": 12345678901234567890123, "share": 0.1000, "share": 2, "text": "\\u00e9"}'


def record_text(
    *,
    condition: str = "Success",
    attempts: int = 1,
    request: str | None = '{"order": 7}',
    context: str | None = '{"statusCode": 200, "executedVersion": "3"}',
    response: str | None = '{"total": 12}',
    arn: str = f"{ARN}:prod",
) -> str:
    """The record of an Event; payloads are JSON texts, and what is None is not in it."""
    told = {
        "requestId": REQUEST_ID,
        "functionArn": arn,
        "condition": condition,
        "approximateInvokeCount": attempts,
    }
    members = ['"version": "1.0"', f'"timestamp": "{ENDED}"', f'"requestContext": {json.dumps(told)}']
    members += [f'"requestPayload": {request}'] if request is not None else []
    members += [f'"responseContext": {context}'] if context is not None else []
    members += [f'"responsePayload": {response}'] if response is not None else []
    return "{" + ", ".join(members) + "}"


FAILED_CONTEXT = '{"statusCode": 200, "executedVersion": "3", "functionError": "Unhandled"}'


def failure_text(error: str, condition: str = "RetriesExhausted", **members: Any) -> str:
    """The record of an Event whose function failed with an error document."""
    return record_text(condition=condition, attempts=3, context=FAILED_CONTEXT, response=error, **members)


def sqs_message(body: str, **members: Any) -> dict[str, Any]:
    """A message as boto3 returns it."""
    return {"MessageId": "m-1", "ReceiptHandle": "handle", "MD5OfBody": "0" * 32, "Body": body, **members}


def sqs_record(body: str, **members: Any) -> dict[str, Any]:
    """The same in a Lambda function's event."""
    return {
        "messageId": "m-1",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"SentTimestamp": "1793614830000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        **members,
    }


def notification(message: str, **members: Any) -> dict[str, Any]:
    """What SNS sends to a queue, and under ``Sns`` to a function."""
    return {
        "Type": "Notification",
        "MessageId": "n-1",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:orders",
        "Message": message,
        "Timestamp": "2026-11-02T10:20:31.000Z",
        **members,
    }


def sns_record(message: str, **members: Any) -> dict[str, Any]:
    """A notification in a Lambda function's event."""
    return {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": notification(message, **members)}


def bus_event_text(detail: str, source: str = "lambda") -> str:
    """An event of EventBridge, as a target gets it."""
    return (
        f'{{"version": "0", "id": "e-1", "detail-type": "Lambda Function Invocation Result - Success", '
        f'"source": "{source}", "account": "123456789012", "time": "2026-11-02T10:20:31Z", '
        f'"region": "eu-west-1", "resources": ["{ARN}:prod"], "detail": {detail}}}'
    )


def lambda_event(*records: dict[str, Any]) -> dict[str, Any]:
    """The event of a function that SQS or SNS called."""
    return {"Records": list(records)}


def carried(text: str) -> list[tuple[str, str, Any]]:
    """A record in everything that can bring it: a name, the carrier it is to be known by, and the data."""
    inner = json.dumps
    return [
        ("text", "text", text),
        ("bytes", "text", text.encode()),
        ("bytes with a BOM", "text", b"\xef\xbb\xbf" + text.encode()),
        ("a Lambda destination's event", "lambda", json.loads(text)),
        ("SQS through boto3", "sqs", sqs_message(text)),
        ("SQS as JSON", "sqs", inner(sqs_message(text))),
        ("SQS in a function's event", "sqs", lambda_event(sqs_record(text))),
        ("a record of SQS alone", "sqs", sqs_record(text)),
        ("SNS", "sns", notification(text)),
        ("SNS as text", "sns", inner(notification(text))),
        ("SNS in a function's event", "sns", lambda_event(sns_record(text))),
        ("SNS in SQS", "sns", sqs_message(inner(notification(text)))),
        ("SNS in SQS in a function's event", "sns", lambda_event(sqs_record(inner(notification(text))))),
        ("SNS in SQS, raw", "sqs", sqs_message(text, MessageAttributes={})),
        ("EventBridge", "eventbridge", json.loads(bus_event_text(text))),
        ("EventBridge as text", "eventbridge", bus_event_text(text, source="aws.lambda")),
        ("EventBridge in SQS", "eventbridge", sqs_message(bus_event_text(text))),
        (
            "EventBridge in SNS in SQS",
            "eventbridge",
            sqs_message(inner(notification(bus_event_text(text)))),
        ),
    ]


def dead_letters(body: str, status: str | None, message: str | None) -> list[tuple[str, Any]]:
    """A dead-letter message in everything that can bring it."""
    values = {"RequestID": ("String", REQUEST_ID)}
    if status is not None:
        values["ErrorCode"] = ("Number", status)
    if message is not None:
        values["ErrorMessage"] = ("String", message)
    boto3 = {name: {"DataType": kind, "StringValue": text} for name, (kind, text) in values.items()}
    event = {name: {"dataType": kind, "stringValue": text} for name, (kind, text) in values.items()}
    sns = {name: {"Type": kind, "Value": text} for name, (kind, text) in values.items()}
    in_sns = notification(body, MessageAttributes=sns)
    return [
        ("SQS through boto3", sqs_message(body, MessageAttributes=boto3)),
        ("SQS in a function's event", lambda_event(sqs_record(body, messageAttributes=event))),
        ("SNS in a function's event", lambda_event(sns_record(body, MessageAttributes=sns))),
        ("SNS", in_sns),
        ("SNS in SQS", sqs_message(json.dumps(in_sns))),
    ]


STREAM_INFO = {
    "shardId": "shardId-000000000006",
    "startSequenceNumber": "49601189658422359378836298521827638475320189012309704722",
    "endSequenceNumber": "49601189658422359378836298522902373528957594348623495186",
    "approximateArrivalOfFirstRecord": "2026-11-02T10:00:00.500Z",
    "approximateArrivalOfLastRecord": "2026-11-02T10:00:07Z",
    "batchSize": 500,
    "streamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
}


def batch_text(
    info: str = "KinesisBatchInfo",
    about: Any = None,
    *,
    context: Any = "absent",
    condition: str = "RetryAttemptsExhausted",
    attempts: int = 4,
    payload: str | None = None,
) -> str:
    """The record of a batch that an event source mapping gave up."""
    told = {
        "requestId": REQUEST_ID,
        "functionArn": ARN,
        "condition": condition,
        "approximateInvokeCount": attempts,
    }
    members = {
        "requestContext": told,
        "version": "1.0",
        "timestamp": ENDED,
        info: STREAM_INFO if about is None else about,
    }
    if context != "absent":
        members["responseContext"] = context
    text = json.dumps(members)
    return text if payload is None else f'{text[:-1]}, "payload": {payload}}}'
