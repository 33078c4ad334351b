"""The queues that mappings read: checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import Queue, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding
    from lambda_invoke.sources.mapping import EventSourceMapping

VISIBILITY_TIMES = 6
"""A queue's visibility timeout is to be at least six times the function's timeout, plus the batching window.
Source: "Creating and configuring an Amazon SQS event source mapping", AWS Lambda developer guide, 2026-11."""
FEWEST_RECEIVES = 5
"""Of a queue's redrive policy. Source: "Understanding SQS retries", AWS Lambda developer guide, 2026-11."""


def _read(facts: Facts) -> Iterator[tuple[EventSourceMapping, Queue]]:
    for mapping in facts.known_mappings:
        queue = facts.queues.get(mapping.event_source_arn or "")
        if isinstance(queue, Queue):
            yield mapping, queue


def visibility(facts: Facts) -> Iterator[Finding]:
    """Whether a message stays hidden for as long as it is worked on."""
    timeout = facts.timeout
    if timeout is None:
        return
    for mapping, queue in _read(facts):
        window = int(mapping.batching_window or 0)
        wanted = int(VISIBILITY_TIMES * timeout) + window
        kind = (
            kinds.VISIBILITY_BELOW_TIMEOUT if queue.visibility_timeout < timeout else kinds.VISIBILITY_SHORT
        )
        if queue.visibility_timeout < wanted:
            yield kind(
                f"Queue {name_of(mapping)} hides a message for {queue.visibility_timeout} s, "
                f"the function may take {timeout:g} s",
                f"aws sqs set-queue-attributes --queue-url ... --attributes VisibilityTimeout={wanted}",
                queue=mapping.event_source_arn,
                visibility_timeout=queue.visibility_timeout,
                function_timeout=timeout,
                batching_window=window,
                advised=wanted,
            )


def redrive(facts: Facts) -> Iterator[Finding]:
    """Where a message goes that always fails."""
    for mapping, queue in _read(facts):
        if queue.max_receive_count is None:
            yield kinds.QUEUE_WITHOUT_REDRIVE(
                f"Queue {name_of(mapping)} has no dead-letter queue",
                "aws sqs set-queue-attributes: a RedrivePolicy of deadLetterTargetArn and maxReceiveCount 5",
                queue=mapping.event_source_arn,
            )
        elif queue.max_receive_count < FEWEST_RECEIVES:
            yield kinds.QUEUE_FEW_RECEIVES(
                f"Queue {name_of(mapping)} gives a message up after {queue.max_receive_count} receives",
                f"set maxReceiveCount of its RedrivePolicy to {FEWEST_RECEIVES} or more",
                queue=mapping.event_source_arn,
                max_receive_count=queue.max_receive_count,
            )
