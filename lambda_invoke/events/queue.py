"""An SQS queue as what reads outcomes and dead letters needs it: batches, errors in our terms.

Thin, over boto3's client, which repeats what is throttled or fails on the way by itself; what remains
is a :class:`~lambda_invoke.QueueError`, whose ``executed`` is NO: reading a queue runs nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import attrs
import botocore.exceptions as be

from lambda_invoke.errors import QueueError, RequestError
from lambda_invoke.transports.failures import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    _Entry = tuple["QueueMessage", Mapping[str, Any]]

MAX_BATCH = 10
"""Messages of one ReceiveMessage and of one batch at most (AWS quota, 2026-11)."""
MAX_WAIT_SECONDS = 20
"""Of a long poll (AWS quota, 2026-11)."""
MAX_VISIBILITY_SECONDS = 43_200
"""12 hours, from when the message was received (AWS quota, 2026-11)."""
BATCH_ATTEMPTS = 3
"""Sends of a batch's entry that SQS failed to carry out by its own fault."""

_URL = re.compile(r"https?://([^/@\s]+)/(?:[^\s?#]*/)?([A-Za-z0-9_-]{1,80}(?:\.fifo)?)")
_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::\d+)?")
_AWS_HOST = re.compile(
    r"(?:(?:[a-z0-9-]+\.)?sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)"
    r"|(?:(?P<older>[a-z0-9-]+)\.)?queue\.amazonaws\.com(?:\.cn)?)(?::\d+)?"
)
_ABSENT = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NonExistentQueue"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


@attrs.frozen
class QueueMessage:
    """A message as it was received; ``raw`` is boto3's own.

    ``receive_count`` is how often it was received, this time included, about; ``sent_at`` when it came
    to the queue. What the queue did not say is None.
    """

    message_id: str
    receipt_handle: str = attrs.field(repr=False)
    raw: Mapping[str, Any] = attrs.field(repr=False, eq=False)
    receive_count: int | None = None
    sent_at: dt.datetime | None = None


@attrs.frozen
class FailedEntry:
    """A message that SQS did not delete or change: the service's ``code`` says why."""

    message: QueueMessage
    code: str


@attrs.frozen
class Queue:
    """A queue by its URL, over boto3's SQS client (``client._sender.service("sqs")``)."""

    client: Any = attrs.field(repr=False)
    url: str

    @property
    def name(self) -> str:
        """The queue's name."""
        return queue_name(self.url)

    def receive(
        self, *, wait: int = MAX_WAIT_SECONDS, visibility_timeout: int | None = None, most: int = MAX_BATCH
    ) -> list[QueueMessage]:
        """Receive up to ``most`` messages, with all their attributes.

        ``wait`` is how many seconds to wait for the first one (0: not at all, and then SQS asks only some
        of its servers), ``visibility_timeout`` how many they are hidden from others; default: the queue's.

        Raises:
            QueueError: there is no such queue, it may not be read, or it cannot be reached.
        """
        hidden = {} if visibility_timeout is None else {"VisibilityTimeout": visibility_timeout}
        gives_up = getattr(getattr(getattr(self.client, "meta", None), "config", None), "read_timeout", None)
        if isinstance(gives_up, int | float):
            wait = max(0, min(wait, int(gives_up) - 1))  # the client would take a longer poll for a failure
        with queue_errors(self, "sqs:ReceiveMessage"):
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
                **hidden,
            )
        return [message_of(raw) for raw in answer.get("Messages") or ()]

    def delete(self, messages: Iterable[QueueMessage]) -> list[FailedEntry]:
        """Delete messages, ten a call; returns those which SQS did not delete.

        What fails by SQS's own fault is sent again, :data:`BATCH_ATTEMPTS` times in all.

        Raises:
            QueueError: as :meth:`receive`; some may have been deleted.
        """
        entries: list[_Entry] = [(message, {}) for message in messages]
        return self._in_batches("sqs:DeleteMessage", self.client.delete_message_batch, entries)

    def change_visibility(self, messages: Iterable[QueueMessage], seconds: int) -> list[FailedEntry]:
        """Hide received messages for ``seconds`` from now (0: give them back), ten a call.

        Returns those which SQS did not change: one that is visible again already, for one.

        Raises:
            QueueError: as :meth:`receive`; some may have been changed.
        """
        return self.change_visibilities((message, seconds) for message in messages)

    def change_visibilities(self, seconds_of: Iterable[tuple[QueueMessage, int]]) -> list[FailedEntry]:
        """The same, with each message's own seconds: they share the calls."""
        change = self.client.change_message_visibility_batch
        entries = [(message, {"VisibilityTimeout": seconds}) for message, seconds in seconds_of]
        return self._in_batches("sqs:ChangeMessageVisibility", change, entries)

    def attributes(self, *names: str) -> Mapping[str, str]:
        """The queue's attributes ("QueueArn", "RedrivePolicy", "VisibilityTimeout"...).

        Raises:
            QueueError: as :meth:`receive`.
        """
        with queue_errors(self, "sqs:GetQueueAttributes"):
            answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(names))
        found: Mapping[str, str] = answer.get("Attributes") or {}
        return found

    def _in_batches(
        self,
        action: str,
        send: Callable[..., Mapping[str, Any]],
        entries: Sequence[_Entry],
    ) -> list[FailedEntry]:
        left, failed = entries, list[FailedEntry]()
        while left:
            batch, left = left[:MAX_BATCH], left[MAX_BATCH:]
            for attempt in range(1, BATCH_ATTEMPTS + 1):
                with queue_errors(self, action):
                    answer = send(QueueUrl=self.url, Entries=_numbered(batch))
                refused = [(batch[int(one["Id"])], one) for one in answer.get("Failed") or ()]
                final = [one["SenderFault"] or attempt == BATCH_ATTEMPTS for _entry, one in refused]
                failed += [
                    FailedEntry(message, str(one.get("Code")))
                    for ((message, _fields), one), ends in zip(refused, final, strict=True)
                    if ends
                ]
                batch = [entry for (entry, _one), ends in zip(refused, final, strict=True) if not ends]
                if not batch:
                    break
        return failed


def _numbered(batch: Sequence[_Entry]) -> list[dict[str, Any]]:
    return [
        {"Id": str(index), "ReceiptHandle": message.receipt_handle, **fields}
        for index, (message, fields) in enumerate(batch)
    ]


def message_of(raw: Mapping[str, Any]) -> QueueMessage:
    """A message of boto3's ``receive_message``."""
    said = raw.get("Attributes") or {}
    count, sent = said.get("ApproximateReceiveCount"), said.get("SentTimestamp")
    return QueueMessage(
        raw["MessageId"],
        raw["ReceiptHandle"],
        raw,
        None if count is None else int(count),
        None if sent is None else dt.datetime.fromtimestamp(int(sent) / 1000, dt.UTC),
    )


def checked_queue_url(queue_url: object) -> str:
    """The URL, once it is known to be a queue's.

    Raises:
        RequestError: it is none; an ARN or a bare name, for two.
    """
    if isinstance(queue_url, str) and _URL.fullmatch(queue_url):
        return queue_url
    # What it is may hold credentials: it is not repeated.
    kind = "an ARN" if isinstance(queue_url, str) and queue_url.startswith("arn:") else "none"
    raise RequestError(
        f"queue_url is {kind}, and not the URL of a queue (https://sqs.<region>.amazonaws.com/<account>/<name>):"
        " boto3's get_queue_url has it"
    )


def queue_name(queue_url: str) -> str:
    """The queue's name, the last part of its URL."""
    return queue_url.rpartition("/")[2]


def same_queue_url(queue_url: str) -> str:
    """One URL for a queue of AWS's, however its endpoint is named; any other URL as it is.

    Source: "Amazon SQS endpoints and quotas", AWS General Reference, 2026-11; boto3 gave the older names,
    ``<region>.queue.amazonaws.com``, until 2023.
    """
    parts = _URL.fullmatch(queue_url)
    host = _AWS_HOST.fullmatch(parts[1].lower()) if parts else None
    if parts is None or host is None:
        return queue_url
    region = host["region"] or host["older"] or "us-east-1"
    cn = ".cn" if region.startswith("cn-") else ""
    path = queue_url.partition("://")[2].partition("/")[2]
    return f"https://sqs.{region}.amazonaws.com{cn}/{path}"


def is_fifo(queue_url: str) -> bool:
    """Whether it is a FIFO queue: those, and only those, are named so."""
    return queue_url.endswith(".fifo")


@contextlib.contextmanager
def queue_errors(queue: Queue, action: str) -> Iterator[None]:
    """Say botocore's errors as QueueErrors; ``action`` is the permission that the call needs.

    Raises:
        QueueError: a refusal, or no answer.
        RequestError: the call could not be made.
    """
    where = f"queue {queue.name}"
    try:
        yield
    except be.ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", "Unknown"))
        text = f"{where}: {code}: {said.get('Message') or 'no message'}{_hint(queue, code, action)}"
        # botocore's own error may repeat signed headers, a session token among them: not chained.
        raise QueueError(
            text,
            queue_url=queue.url,
            code=code,
            status_code=error.response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
        ) from None
    except be.ParamValidationError as error:
        raise RequestError(f"{where}: botocore refused the parameters of {action}") from error
    except be.BotoCoreError as error:
        if isinstance(error, be.StubResponseError):
            raise  # the test's own failure
        raise QueueError(f"{where}: {words(error)}", queue_url=queue.url) from error


def _hint(queue: Queue, code: str, action: str) -> str:
    if code in _DENIED:
        return f"; the caller needs {action} on it"
    if code not in _ABSENT:
        return ""
    region = getattr(getattr(queue.client, "meta", None), "region_name", None)
    host = _URL.fullmatch(queue.url)
    named = _REGION.fullmatch(host[1]) if host else None
    if named and region and named[1] != region:
        return f"; its URL is of {named[1]}, and the client asks in {region}"
    return ""
