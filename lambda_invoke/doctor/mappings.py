"""Event source mappings: checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import NotLooked, Queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts, SourceMapping
    from lambda_invoke.doctor.findings import Finding, Plain

_BATCHES = frozenset({"sqs", "kinesis", "dynamodb"})
"""Sources whose mappings know ReportBatchItemFailures; AWS, 2026-11."""
_NOTHING_YET = "No records processed"
_PROBLEM = "PROBLEM"
_RUNNING = frozenset({"Enabled", "Enabling", "Updating", "Creating"})
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
        seen = {"mapping": mapping.uuid, "source": mapping.source, "state": mapping.state}
        if mapping.state not in _RUNNING:
            by_hand = mapping.reason in _BY_HAND
            cause = "somebody disabled it" if by_hand else f"Lambda did: {_cause(mapping.reason or '')}"
            yield kinds.MAPPING_DISABLED(
                f"The mapping of {mapping.name} is {mapping.state}",
                f"aws lambda update-event-source-mapping --uuid {mapping.uuid} --enabled",
                **seen,
                transition_reason=mapping.reason,
                likeliest_cause=cause,
            )
        elif mapping.last_result is not None and mapping.last_result.startswith(_PROBLEM):
            cause = _cause(mapping.last_result)
            yield kinds.MAPPING_FAILING(
                f"The mapping of {mapping.name} fails: {mapping.last_result}",
                f"most likely {cause}",
                **seen,
                last_processing_result=mapping.last_result,
                likeliest_cause=cause,
            )
        elif (silence := _silence(facts, mapping)) is not None:
            yield kinds.MAPPING_SILENT(
                f"Nothing has come from {mapping.name}",
                f"most likely {silence}",
                **seen,
                last_processing_result=mapping.last_result,
                likeliest_cause=silence,
            )


def _cause(words: str) -> str:
    lowered = words.lower()
    return next((cause for part, cause in _CAUSES if part in lowered), words or "no reason is given")


def _silence(facts: Facts, mapping: SourceMapping) -> str | None:
    """The likeliest cause of a mapping's silence; None when it is not silent, as far as can be known."""
    queue = facts.queues.get(mapping.source)
    if not (_waits(facts, queue) if isinstance(queue, Queue) else mapping.last_result == _NOTHING_YET):
        return None
    if facts.reserved_executions == 0:
        return "the function's reserved concurrency is 0"
    if isinstance(queue, Queue):
        return (
            f"the function's role may not receive: {queue.waiting} messages wait (sqs:ReceiveMessage, "
            "sqs:DeleteMessage, sqs:GetQueueAttributes; kms:Decrypt of an encrypted queue)"
        )
    if mapping.filtered:
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
            "source": mapping.source,
            "batch_size": mapping.batch_size,
        }
        update = f"aws lambda update-event-source-mapping --uuid {mapping.uuid}"
        if mapping.batch_size > 1 and mapping.service in _BATCHES and not mapping.reports_item_failures:
            yield kinds.MAPPING_WHOLE_BATCHES(
                f"One bad record of {mapping.name} fails up to {mapping.batch_size}",
                f"have the handler answer with batchItemFailures, then {update} --function-response-types "
                "ReportBatchItemFailures",
                **seen,
            )
        if mapping.is_stream and mapping.batch_size > 1 and not mapping.bisect:
            yield kinds.STREAM_WITHOUT_BISECT(
                f"Batches of {mapping.name} are not split when they fail",
                f"{update} --bisect-batch-on-function-error",
                **seen,
            )


def streams(facts: Facts) -> Iterator[Finding]:
    """Whether a poison record ends, and where."""
    for mapping in facts.known_mappings:
        if not mapping.is_stream:
            continue
        seen = {"mapping": mapping.uuid, "source": mapping.source}
        update = f"aws lambda update-event-source-mapping --uuid {mapping.uuid}"
        if mapping.retries is None and mapping.age is None:
            yield kinds.STREAM_WITHOUT_LIMITS(
                f"A bad record of {mapping.name} is tried until it expires",
                f"{update} --maximum-retry-attempts 5 --maximum-record-age-in-seconds 3600",
                **seen,
                maximum_retry_attempts=-1,
                maximum_record_age=-1,
            )
        if mapping.on_failure is None:
            yield kinds.STREAM_WITHOUT_DESTINATION(
                f"Records of {mapping.name} that are given up leave no trace",
                f"{update} --destination-config OnFailure={{Destination=QUEUE_ARN}}",
                **seen,
            )


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
