"""The queues that mappings read: checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import Queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts, SourceMapping
    from lambda_invoke.doctor.findings import Finding

VISIBILITY_TIMES = 6
"""A queue's visibility timeout is to be at least six times the function's timeout, plus the batching window.
Source: "Creating and configuring an Amazon SQS event source mapping", AWS Lambda developer guide, 2026-11."""
FEWEST_RECEIVES = 5
"""Of a queue's redrive policy. Source: "Understanding SQS retries", AWS Lambda developer guide, 2026-11."""


def _read(facts: Facts) -> Iterator[tuple[SourceMapping, Queue]]:
    for mapping in facts.known_mappings:
        queue = facts.queues.get(mapping.source)
        if isinstance(queue, Queue):
            yield mapping, queue


def visibility(facts: Facts) -> Iterator[Finding]:
    """Whether a message stays hidden for as long as it is worked on."""
    timeout = facts.timeout
    if timeout is None:
        return
    for mapping, queue in _read(facts):
        wanted = int(VISIBILITY_TIMES * timeout) + mapping.window
        kind = (
            kinds.VISIBILITY_BELOW_TIMEOUT if queue.visibility_timeout < timeout else kinds.VISIBILITY_SHORT
        )
        if queue.visibility_timeout < wanted:
            yield kind(
                f"{mapping.name} hides a message for {queue.visibility_timeout} s, the function may take "
                f"{timeout:g} s",
                f"aws sqs set-queue-attributes --queue-url ... --attributes VisibilityTimeout={wanted}",
                queue=mapping.source,
                visibility_timeout=queue.visibility_timeout,
                function_timeout=timeout,
                batching_window=mapping.window,
                advised=wanted,
            )


def redrive(facts: Facts) -> Iterator[Finding]:
    """Where a message goes that always fails."""
    for mapping, queue in _read(facts):
        if queue.max_receive_count is None:
            yield kinds.QUEUE_WITHOUT_REDRIVE(
                f"{mapping.name} has no dead-letter queue",
                "aws sqs set-queue-attributes: a RedrivePolicy of deadLetterTargetArn and maxReceiveCount 5",
                queue=mapping.source,
            )
        elif queue.max_receive_count < FEWEST_RECEIVES:
            yield kinds.QUEUE_FEW_RECEIVES(
                f"{mapping.name} gives a message up after {queue.max_receive_count} receives",
                f"set maxReceiveCount of its RedrivePolicy to {FEWEST_RECEIVES} or more",
                queue=mapping.source,
                max_receive_count=queue.max_receive_count,
            )
