"""The dry run: looks at a queue, and leaves it as it was but for the receive counts."""

from __future__ import annotations

import datetime as dt
import functools
import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.events.queue import MAX_BATCH, is_fifo, queue_errors
from lambda_invoke.events.redrive_holding import Holding, threaded
from lambda_invoke.events.redrive_messages import read_message
from lambda_invoke.events.redrive_plan import RedrivePlan, Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lambda_invoke.events.queue import Queue, QueueMessage
    from lambda_invoke.events.redrive_choice import Choice
    from lambda_invoke.events.redrive_journal import RedriveJournal
    from lambda_invoke.events.redrive_messages import ReadMessage

SURVEY_LIMIT = 10_000
"""Messages that a dry run looks at when nobody says otherwise."""
_HIDDEN_SECONDS = 30
"""For so long a killed dry run leaves messages hidden."""

EMPTY = 10
IDLE_LIMIT = 20
"""The end of a queue: two receives without a message, or twenty with none but known ones."""


@attrs.frozen
class QueueState:
    """What SQS says of a queue: about how many messages are there, and its own time, rounded up."""

    visible: int
    in_flight: int
    moves_after: int | None
    now: dt.datetime


def queue_state(queue: Queue) -> QueueState:
    """Ask for it.

    Raises:
        QueueError: there is no such queue, it may not be read, or it cannot be reached.
    """
    with queue_errors(queue, "sqs:GetQueueAttributes"):
        answer = queue.client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])
    found: Mapping[str, str] = answer.get("Attributes") or {}
    return QueueState(
        int(found.get("ApproximateNumberOfMessages", 0)),
        int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
        _moves_after(found.get("RedrivePolicy")),
        _server_time(answer) + dt.timedelta(seconds=1),
    )


def _moves_after(policy: str | None) -> int | None:
    try:
        return int(json.loads(policy or "null")["maxReceiveCount"])
    except (ValueError, TypeError, KeyError):
        return None


def _server_time(answer: Mapping[str, object]) -> dt.datetime:
    """SQS's clock, by which messages are stamped: the caller's own may be minutes off."""
    metadata = answer.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, dict) else None
    try:
        told = parsedate_to_datetime(headers["date"] if isinstance(headers, dict) else "")
    except (KeyError, ValueError, TypeError):
        return dt.datetime.now(dt.UTC)
    return told if told.tzinfo is not None else told.replace(tzinfo=dt.UTC)


def read_all(
    messages: Sequence[QueueMessage], choice: Choice, now: dt.datetime
) -> list[tuple[ReadMessage, str | None]]:
    """Read messages, each with why the choice leaves it alone, if it does.

    Raises:
        RequestError: the caller's own filter raised.
    """
    read = [read_message(message) for message in messages]
    return [(one, choice.refusal(one, now)) for one in read]


async def survey(
    queue: Queue,
    choice: Choice,
    journal: RedriveJournal,
    *,
    function: str | None,
    limit: int | None,
    visibility_timeout: int,
    halted: Callable[[], bool],
) -> RedrivePlan:
    """Look at up to ``limit`` messages; ``halted`` ends it early.

    They are hidden meanwhile, for half a minute at a time, or ``visibility_timeout`` if that is less.

    Raises:
        QueueError: the queue cannot be read.
        RequestError: a filter raised.
    """
    most = SURVEY_LIMIT if limit is None else limit
    state = await threaded(functools.partial(queue_state, queue))
    counted = Survey(state.now)
    warnings = _warnings(queue, state)
    idle = 0
    async with Holding(queue, min(_HIDDEN_SECONDS, visibility_timeout)) as holding:
        while idle < IDLE_LIMIT and counted.looked_at < most and not halted():
            fresh, came = await holding.receive(min(MAX_BATCH, most - counted.looked_at))
            idle = 0 if fresh else idle + (1 if came else EMPTY)
            messages = [held.message for held in fresh]
            for held in fresh:
                held.forget_body()
            for one, refusal in await threaded(functools.partial(read_all, messages, choice, state.now)):
                counted.add(one, refusal)
    try:
        counted.note_past(await threaded(functools.partial(journal.known, counted.chosen)))
    except RequestError as error:
        warnings.append(f"what earlier redrives sent cannot be told: {error.message}")
    return RedrivePlan(
        queue.url,
        counted.groups(),
        counted.looked_at,
        state.visible,
        state.in_flight,
        counted.looked_at < most and not halted(),
        0 if function is not None else counted.unnamed,
        counted.copies,
        str(journal.file),
        tuple(warnings),
    )


def _warnings(queue: Queue, state: QueueState) -> list[str]:
    warnings = []
    if state.moves_after is not None:
        warnings.append(
            f"each look counts as a receive, and this queue's own redrive policy moves a message on after "
            f"{state.moves_after:,} of them"
        )
    if is_fifo(queue.url):
        warnings.append("of each group of this FIFO queue only the first messages can be seen at a time")
    return warnings


def no_function(plan: RedrivePlan) -> RequestError:
    """What is said to a caller who named no function, and has messages that do not either."""
    least = "" if plan.complete else "at least "
    return RequestError(
        f"{least}{plan.unnamed:,} of the messages are dead letters, which do not name their function: say "
        "which it is (function), or choose others; nothing was sent"
    )
