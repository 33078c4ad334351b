"""An SQS in memory behind boto3's names: counts what is asked of it, fails when told to."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import attrs

from lambda_invoke import LambdaClient

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/outcomes"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"


def record(
    request_id: str, payload: Any = None, *, error: dict[str, Any] | None = None, **context: Any
) -> str:
    """A destination's record as Lambda writes it, of a success or of an error."""
    failed = {} if error is None else {"functionError": "Unhandled"}
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-11-21T12:00:00.000Z",
            "requestContext": {
                "requestId": request_id,
                "functionArn": ARN,
                "condition": "Success" if error is None else "RetriesExhausted",
                "approximateInvokeCount": 1 if error is None else 3,
                **context,
            },
            "requestPayload": {},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", **failed},
            "responsePayload": payload if error is None else error,
        }
    )


@attrs.define
class _Message:
    body: str
    attributes: dict[str, Any]
    visible_at: float = 0.0
    receives: int = 0


@attrs.define(eq=False)
class MemoryQueue:
    """One queue. A long poll ends after ``longest_poll`` seconds, for nobody wants to wait for twenty."""

    longest_poll: float = 0.02
    messages: dict[str, _Message] = attrs.field(factory=dict)
    calls: list[str] = attrs.field(factory=list)
    deleted: list[str] = attrs.field(factory=list)
    pollers: set[str] = attrs.field(factory=set)
    failure: Exception | None = None
    changed: threading.Condition = attrs.field(factory=threading.Condition)

    def send(self, body: str, **attributes: Any) -> str:
        with self.changed:
            name = f"m{len(self.messages) + len(self.deleted)}"
            self.messages[name] = _Message(body, attributes)
            self.changed.notify_all()
        return name

    @property
    def visible(self) -> list[str]:
        """The bodies of what another reader would get now."""
        with self.changed:
            return [one.body for one in self.messages.values() if one.visible_at <= time.monotonic()]

    def receive_message(self, **request: Any) -> Any:
        with self.changed:
            self._called("receive", request)
            self.pollers.add(f"{threading.current_thread().name} {threading.get_ident()}")
            self.changed.wait_for(self._seen, min(self.longest_poll, request["WaitTimeSeconds"]))
            if self.failure is not None:
                raise self.failure
            taken = self._seen()[: request["MaxNumberOfMessages"]]
            for name in taken:
                self.messages[name].visible_at = time.monotonic() + request["VisibilityTimeout"]
                self.messages[name].receives += 1
            return {"Messages": [self._shown(name) for name in taken]} if taken else {}

    def _seen(self) -> list[str]:
        now = time.monotonic()
        return [name for name, one in self.messages.items() if one.visible_at <= now]

    def _shown(self, name: str) -> dict[str, Any]:
        one = self.messages[name]
        return {
            "MessageId": name,
            "ReceiptHandle": name,
            "Body": one.body,
            "Attributes": {"ApproximateReceiveCount": str(one.receives)},
            "MessageAttributes": one.attributes,
        }

    def delete_message_batch(self, **request: Any) -> Any:
        with self.changed:
            self._called("delete", request)
            for entry in request["Entries"]:
                self.messages.pop(entry["ReceiptHandle"])
                self.deleted.append(entry["ReceiptHandle"])
        return {}

    def change_message_visibility_batch(self, **request: Any) -> Any:
        with self.changed:
            self._called("change", request)
            for entry in request["Entries"]:
                if entry["ReceiptHandle"] in self.messages:
                    seconds = entry["VisibilityTimeout"]
                    self.messages[entry["ReceiptHandle"]].visible_at = time.monotonic() + seconds
            self.changed.notify_all()
        return {}

    def _called(self, name: str, request: Any) -> None:
        assert request["QueueUrl"] == URL
        assert len(request.get("Entries", ())) <= 10
        self.calls.append(name)
        if self.failure is not None:
            raise self.failure

    def services(self, name: str) -> Any:
        assert name == "sqs"
        return self

    def client(self, **options: Any) -> LambdaClient:
        """A client whose SQS this is."""
        return LambdaClient(region_name="us-east-1", services=self.services, **options)
