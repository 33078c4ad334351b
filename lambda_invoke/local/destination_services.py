"""Records sent to real queues, topics, buses and buckets, by boto3 clients that the caller makes."""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import TYPE_CHECKING, Any

from lambda_invoke.local.event_records import message_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.destinations import ServiceRoute
    from lambda_invoke.local.event_records import Message

MAX_SNS_BYTES = 262_144
"""AWS quota, 2026-11: a message of SNS. Lambda then sends the record without its payloads (OnFailure)."""


class UndeliverableError(Exception):
    """It could not be delivered, and trying again would not help; the message has no payload."""


class Services:
    """Sends to services, from any thread. ``make_client`` is given "sqs", "sns", "events" or "s3"."""

    def __init__(self, make_client: Callable[[str], Any]) -> None:
        self._make_client = make_client
        self._lock = threading.Lock()  # boto3's default session cannot be used by two threads
        self._clients: dict[str, Any] = {}
        self._queue_urls: dict[str, str] = {}
        self._closed = False

    def send(self, route: ServiceRoute, message: Message, timestamp: str) -> None:
        """Send it once; ``timestamp`` is the record's. Whatever the client raises comes through.

        Raises:
            UndeliverableError: the service said no to this message, or they are closed.
        """
        client = self._client(route.service)
        match route.service:
            case "sqs":
                client.send_message(
                    QueueUrl=self._queue_url(client, route),
                    MessageBody=message.body,
                    MessageAttributes=message_attributes(message.attributes),
                )
            case "sns":
                client.publish(
                    TopicArn=route.arn,
                    Message=_fitting(message),
                    MessageAttributes=message_attributes(message.attributes),
                )
            case "events":
                _put_event(client, route, message)
            case _:
                key = _object_key(message.function_name, timestamp)
                client.put_object(
                    Bucket=route.name, Key=key, Body=message.body.encode(), ContentType="application/json"
                )

    def _client(self, service: str) -> Any:
        with self._lock:
            if self._closed:
                raise UndeliverableError("the endpoint has stopped")
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _queue_url(self, client: Any, route: ServiceRoute) -> str:
        url = self._queue_urls.get(route.arn)
        if url is None:
            answer = client.get_queue_url(QueueName=route.name, QueueOwnerAWSAccountId=route.account_id)
            url = self._queue_urls[route.arn] = str(answer["QueueUrl"])
        return url

    def close(self) -> None:
        """Close the clients; what waited for a thread is not sent any more."""
        with self._lock:
            self._closed = True
            for client in self._clients.values():
                with contextlib.suppress(Exception):  # they are the caller's make
                    client.close()
            self._clients.clear()


def _fitting(message: Message) -> str:
    if message.brief is not None and len(message.body.encode()) > MAX_SNS_BYTES:
        return message.brief
    return message.body


def _put_event(client: Any, route: ServiceRoute, message: Message) -> None:
    """One entry; EventBridge answers 200 and says in the entry whether it took it.

    Source: the destination's format in the AWS Lambda developer guide and the AWS CDK's documentation,
    2026-11. The guide calls the source "aws.lambda", real events have "lambda", and PutEvents lets nobody
    but AWS send what begins with "aws.".
    """
    outcome = "Success" if message.succeeded else "Failure"
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {outcome}",
        "Detail": message.body,
        "Resources": [message.function_arn, route.arn],
        "EventBusName": route.arn,
    }
    answer = client.put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):
        refused: dict[str, Any] = next(iter(answer.get("Entries", [])), {})
        raise UndeliverableError(str(refused.get("ErrorCode", "the bus did not take the entry")))


def _object_key(function_name: str, timestamp: str) -> str:
    """``aws/lambda/async/<function-name>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random UUID>``, in UTC."""
    seconds = timestamp[:19]
    day = seconds[:10].replace("-", "/")
    return f"aws/lambda/async/{function_name}/{day}/{seconds.replace(':', '.')}-{uuid.uuid4()}"
