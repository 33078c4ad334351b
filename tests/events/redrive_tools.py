"""What the tests of redrive share: a queue of failures on moto's server, and what its other side saw."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.testing import FakeLambda

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambda_invoke import AsyncLambdaClient, LambdaClient

SECRET = "SECRET-PAYLOAD"


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}:$LATEST"


def failure(
    event: Any,
    *,
    function: str = "orders",
    request_id: str | None = None,
    error_type: str = "KeyError",
    age: float = 0.0,
    condition: str = "RetriesExhausted",
) -> str:
    """The record of an Event that failed, as a failure destination gets it."""
    ended = datetime.fromtimestamp(time.time() - age, UTC)
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": ended.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "requestContext": {
                "requestId": request_id or f"request-{event}",
                "functionArn": function_arn(function),
                "condition": condition,
                "approximateInvokeCount": 3,
            },
            "requestPayload": {"id": event, "card": SECRET},
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": {"errorType": error_type, "errorMessage": SECRET},
        }
    )


def success(event: Any) -> str:
    """The record of an Event that succeeded."""
    record = json.loads(failure(event, condition="Success"))
    del record["responseContext"]["functionError"]
    return json.dumps({**record, "responsePayload": {"ok": True}})


def batch_failure() -> str:
    """What an event source mapping leaves of a batch of a stream."""
    record = json.loads(failure(0))
    del record["requestPayload"], record["responsePayload"]
    info = {"shardId": "shard-1", "streamArn": "arn:aws:kinesis:us-east-1:1:stream/clicks", "batchSize": 7}
    return json.dumps({**record, "KinesisBatchInfo": info})


@attrs.define
class Watched:
    """boto3's SQS client, counted, that never waits for messages; ``before`` may do what else is wanted.

    ``before[operation]`` is called with the arguments; what it returns, unless None, is the answer.
    ``after[operation]`` is called with the answer.
    """

    inner: Any
    calls: Counter[str] = attrs.field(factory=Counter)
    before: dict[str, Callable[[dict[str, Any]], Any]] = attrs.field(factory=dict)
    after: dict[str, Callable[[Any], Any]] = attrs.field(factory=dict)
    lock: Any = attrs.field(factory=threading.Lock)

    @property
    def meta(self) -> Any:
        return self.inner.meta

    def _call(self, operation: str, request: dict[str, Any]) -> Any:
        with self.lock:
            self.calls[operation] += 1
        answer = self.before[operation](request) if operation in self.before else None
        if answer is None:
            answer = getattr(self.inner, operation)(**request)
        if operation in self.after:
            self.after[operation](answer)
        return answer

    def receive_message(self, **request: Any) -> Any:
        return self._call("receive_message", {**request, "WaitTimeSeconds": 0})

    def delete_message_batch(self, **request: Any) -> Any:
        return self._call("delete_message_batch", request)

    def change_message_visibility_batch(self, **request: Any) -> Any:
        return self._call("change_message_visibility_batch", request)

    def get_queue_attributes(self, **request: Any) -> Any:
        return self._call("get_queue_attributes", request)


@attrs.define
class DeadQueue:
    """A queue, and a fake Lambda whose client redrives it."""

    sqs: Any
    url: str
    watched: Watched
    fake: FakeLambda = attrs.field(factory=FakeLambda)

    def client(self, **options: Any) -> LambdaClient:
        return self.fake.client(services=lambda _name: self.watched, **options)

    def async_client(self, **options: Any) -> AsyncLambdaClient:
        return self.fake.async_client(services=lambda _name: self.watched, **options)

    def put(self, *bodies: str, attributes: Any = None) -> None:
        """Send messages to it."""
        for body in bodies:
            more = {} if attributes is None else {"MessageAttributes": attributes}
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def put_failures(self, events: Iterable[Any], **facts: Any) -> None:
        self.put(*(failure(event, **facts) for event in events))

    def put_dead_letter(self, event: Any, *, error: str = "boom") -> None:
        """What a function's own dead-letter queue gets."""
        told = {
            "RequestID": {"DataType": "String", "StringValue": f"request-{event}"},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": {"DataType": "String", "StringValue": error},
        }
        self.put(json.dumps({"id": event}), attributes=told)

    @property
    def counts(self) -> tuple[int, int]:
        """Messages that can be received, and those that are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def executions(self) -> list[Any]:
        """The ids of the payloads that ran, in their order."""
        return sorted(call.payload["id"] for call in self.fake.calls if call.attempts)


def message_ids(answer: Any) -> list[str]:
    return [message["MessageId"] for message in answer.get("Messages", [])]
