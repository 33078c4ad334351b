"""Event source mappings: checks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import NotLooked, Queue, name_of, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding, Plain
    from lambda_invoke.sources.mapping import EventSourceMapping

_NOTHING_YET = "No records processed"
_PROBLEM = "PROBLEM"
_ENABLED = frozenset({None, "Enabled"})  # an emulator may not say
_DISABLED = frozenset({"Disabled", "Disabling"})
"""Of the other states, Creating, Enabling, Updating and Deleting, there is nothing to say yet or any more."""
_BY_HAND = frozenset({"USER_INITIATED", "User action", "User initiated"})

_CAUSES = (
    ("function call failed", "the function fails: look at its log and at errors-seen"),
    ("authz", "the function's role may not read the source"),
    ("authn", "the source refuses the credentials that the mapping names"),
    ("access", "the function's role may not read the source, or decrypt it (kms:Decrypt)"),
    ("permission", "the function's role may not read the source, or decrypt it (kms:Decrypt)"),
    ("kms", "the function's role may not decrypt it (kms:Decrypt)"),
    ("throttl", "the function is throttled: look at its concurrency"),
    ("not found", "the source, or the function, is gone"),
    ("internal error", "Lambda's own fault: it tries again"),
)
"""What Lambda's words mean, most likely; the first that fits."""


def state(facts: Facts) -> Iterator[Finding]:
    """Whether each of them works."""
    for mapping in facts.known_mappings:
        seen = {"mapping": mapping.uuid, "source": source_of(mapping), "state": mapping.state}
        if mapping.state in _DISABLED:
            by_hand = mapping.state_transition_reason in _BY_HAND
            why = _cause(mapping.state_transition_reason or "")
            cause = "somebody disabled it" if by_hand else f"Lambda did: {why}"
            enable = f"aws lambda update-event-source-mapping --uuid {mapping.uuid} --enabled"
            yield kinds.MAPPING_DISABLED(
                f"The mapping of {name_of(mapping)} is {mapping.state}",
                enable if by_hand else f"mend the cause, most likely: {why}; then {enable}",
                **seen,
                transition_reason=mapping.state_transition_reason,
                likeliest_cause=cause,
            )
        elif (mapping.last_processing_result or "").startswith(_PROBLEM):
            said = mapping.last_processing_result or ""
            cause = _cause(said)
            yield kinds.MAPPING_FAILING(
                f"The mapping of {name_of(mapping)} fails: {said}",
                f"most likely {cause}",
                **seen,
                last_processing_result=said,
                likeliest_cause=cause,
            )
        elif mapping.state in _ENABLED and (silence := _silence(facts, mapping)) is not None:
            yield kinds.MAPPING_SILENT(
                f"Nothing has come from {name_of(mapping)}",
                f"most likely {silence}",
                **seen,
                last_processing_result=mapping.last_processing_result,
                likeliest_cause=silence,
            )


def _cause(words: str) -> str:
    lowered = words.lower()
    return next((cause for part, cause in _CAUSES if part in lowered), words or "no reason is given")


def _silence(facts: Facts, mapping: EventSourceMapping) -> str | None:
    """The likeliest cause of a mapping's silence; None when it is not silent, as far as can be known."""
    queue = facts.queues.get(mapping.event_source_arn or "")
    if not (
        _waits(facts, queue) if isinstance(queue, Queue) else mapping.last_processing_result == _NOTHING_YET
    ):
        return None
    if facts.reserved_executions == 0:
        return "the function's reserved concurrency is 0"
    if isinstance(queue, Queue):
        return (
            f"the function's role may not receive: {queue.waiting} messages wait (sqs:ReceiveMessage, "
            "sqs:DeleteMessage, sqs:GetQueueAttributes; kms:Decrypt of an encrypted queue)"
        )
    if mapping.filters:
        return "its filter lets nothing through: what a filter leaves out is passed over for good"
    if mapping.starting_position == "LATEST":
        return "nothing was written since it was made: it starts at LATEST"
    return "the source is empty, or the function's role may not read it"


def _waits(facts: Facts, queue: Queue) -> bool:
    """SQS mappings tell nothing of their last batch: messages that wait do, when nothing was invoked."""
    idle = not isinstance(facts.metrics, NotLooked) and facts.metrics.invocations == 0
    return idle and queue.waiting > 0


def batches(facts: Facts) -> Iterator[Finding]:
    """Whether one bad record costs more than itself."""
    for mapping in facts.known_mappings:
        seen: dict[str, Plain] = {
            "mapping": mapping.uuid,
            "source": source_of(mapping),
            "batch_size": mapping.batch_size,
        }
        update = f"aws lambda update-event-source-mapping --uuid {mapping.uuid}"
        several, ordered = (mapping.batch_size or 1) > 1, _in_order(mapping)
        reports = mapping.reports_batch_item_failures
        if several and (ordered or mapping.kind == "sqs") and not reports:
            yield kinds.MAPPING_WHOLE_BATCHES(
                f"One bad record of {name_of(mapping)} fails up to {mapping.batch_size}",
                f"have the handler answer with batchItemFailures, then {update} --function-response-types "
                "ReportBatchItemFailures",
                **seen,
            )
        if several and ordered and not mapping.bisect_batch_on_function_error:
            yield kinds.STREAM_WITHOUT_BISECT(
                f"Batches of {name_of(mapping)} are not split when they fail",
                f"{update} --bisect-batch-on-function-error",
                **seen,
            )


def streams(facts: Facts) -> Iterator[Finding]:
    """Whether a poison record ends, and where."""
    for mapping in facts.known_mappings:
        if not _in_order(mapping):
            continue
        seen = {"mapping": mapping.uuid, "source": source_of(mapping)}
        update = f"aws lambda update-event-source-mapping --uuid {mapping.uuid}"
        if _unlimited(mapping.maximum_retry_attempts) and _unlimited(mapping.maximum_record_age):
            yield kinds.STREAM_WITHOUT_LIMITS(
                f"A bad record of {name_of(mapping)} is tried until it expires",
                f"{update} --maximum-retry-attempts 5 --maximum-record-age-in-seconds 3600",
                **seen,
                maximum_retry_attempts=-1,
                maximum_record_age=-1,
            )
        if mapping.on_failure is None:
            yield kinds.STREAM_WITHOUT_DESTINATION(
                f"Records of {name_of(mapping)} that are given up leave no trace",
                f"{update} --destination-config OnFailure={{Destination=QUEUE_ARN}}",
                **seen,
            )


def _in_order(mapping: EventSourceMapping) -> bool:
    """Whether a record that fails holds up those behind it, and the mapping can say for how long.

    Kinesis and DynamoDB; Kafka in provisioned mode only. Source: "Configuring error handling controls for
    Kafka event sources", AWS Lambda developer guide, 2026-11.
    """
    return mapping.kind in {"kinesis", "dynamodb"} or (
        mapping.kind == "kafka" and mapping.minimum_pollers is not None
    )


def _unlimited(most: float | None) -> bool:
    """As it is by default, too."""
    return most is None or most == math.inf


def concurrency(facts: Facts) -> Iterator[Finding]:
    """Whether mappings may call more often than the function may run."""
    reserved = facts.reserved_executions
    if not reserved:  # none, or the 0 that says it all
        return
    bounded = {each.uuid: each.maximum_concurrency or 0 for each in facts.known_mappings}
    if sum(bounded.values()) > reserved:
        yield kinds.MAPPING_ABOVE_RESERVED(
            f"Its mappings may call {sum(bounded.values())} at a time, {reserved} may run",
            f"reserve {sum(bounded.values())} at least, or lower the mappings' MaximumConcurrency",
            reserved_concurrency=reserved,
            maximum_concurrency=sum(bounded.values()),
            mappings=tuple(uuid for uuid, most in bounded.items() if most),
        )
