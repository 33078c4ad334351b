"""Event source mappings as the service lists them: typed, page by page, over boto3."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.sources.record import service_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lambda_invoke.core.target import Target
    from lambda_invoke.transports.protocols import BotoLambdaClient

REPORT_BATCH_ITEM_FAILURES = "ReportBatchItemFailures"

# What Lambda's console calls the sources whose ARNs have another service's name.
_KINDS = {"rds": "documentdb"}


@attrs.frozen
class EventSourceMapping:
    """What Lambda polls for a function, and how. Seconds; what the service did not say is None.

    ``kind`` is the source's: "sqs", "kinesis", "dynamodb", "kafka" (managed or not), "mq",
    "documentdb", or whatever else its ARN names. ``maximum_retry_attempts`` and
    ``maximum_record_age`` are ``math.inf`` where the service says -1: no limit. ``state`` and
    ``last_processing_result`` are open strings ("Enabled"; "OK", "No records processed", "PROBLEM:
    Function call failed"). ``filters`` are patterns as JSON text.
    """

    uuid: str
    arn: str | None = None
    event_source_arn: str | None = None
    function_arn: str | None = None
    kind: str | None = None
    state: str | None = None
    state_transition_reason: str | None = None
    last_processing_result: str | None = None
    last_modified: datetime | None = None
    batch_size: int | None = None
    batching_window: float | None = None
    starting_position: str | None = None
    starting_position_timestamp: datetime | None = None
    maximum_retry_attempts: float | None = None
    maximum_record_age: float | None = None
    bisect_batch_on_function_error: bool | None = None
    parallelization_factor: int | None = None
    tumbling_window: float | None = None
    function_response_types: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    filter_error: str | None = None
    maximum_concurrency: int | None = None
    on_failure: str | None = None
    on_success: str | None = None
    topics: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    bootstrap_servers: tuple[str, ...] = ()
    consumer_group_id: str | None = None
    minimum_pollers: int | None = None
    maximum_pollers: int | None = None
    metrics: tuple[str, ...] = ()
    kms_key_arn: str | None = None

    @property
    def reports_batch_item_failures(self) -> bool:
        """Whether the function's reply says which records of a batch failed."""
        return REPORT_BATCH_ITEM_FAILURES in self.function_response_types


def mapping_of(answer: Mapping[str, Any]) -> EventSourceMapping:
    """An EventSourceMapping from the service's shape."""
    pollers = answer.get("ProvisionedPollerConfig") or {}
    filters = (answer.get("FilterCriteria") or {}).get("Filters") or ()
    kafka = answer.get("AmazonManagedKafkaEventSourceConfig") or answer.get(
        "SelfManagedKafkaEventSourceConfig"
    )
    return EventSourceMapping(
        uuid=answer["UUID"],
        arn=answer.get("EventSourceMappingArn"),
        event_source_arn=answer.get("EventSourceArn"),
        function_arn=answer.get("FunctionArn"),
        kind=_kind(answer),
        state=answer.get("State"),
        state_transition_reason=answer.get("StateTransitionReason"),
        last_processing_result=answer.get("LastProcessingResult"),
        last_modified=answer.get("LastModified"),
        batch_size=answer.get("BatchSize"),
        batching_window=_seconds(answer.get("MaximumBatchingWindowInSeconds")),
        starting_position=answer.get("StartingPosition"),
        starting_position_timestamp=answer.get("StartingPositionTimestamp"),
        maximum_retry_attempts=_or_infinite(answer.get("MaximumRetryAttempts")),
        maximum_record_age=_or_infinite(answer.get("MaximumRecordAgeInSeconds")),
        bisect_batch_on_function_error=answer.get("BisectBatchOnFunctionError"),
        parallelization_factor=answer.get("ParallelizationFactor"),
        tumbling_window=_seconds(answer.get("TumblingWindowInSeconds")),
        function_response_types=tuple(answer.get("FunctionResponseTypes") or ()),
        filters=tuple(one["Pattern"] for one in filters if one.get("Pattern") is not None),
        filter_error=(answer.get("FilterCriteriaError") or {}).get("Message"),
        maximum_concurrency=(answer.get("ScalingConfig") or {}).get("MaximumConcurrency"),
        on_failure=_destination(answer, "OnFailure"),
        on_success=_destination(answer, "OnSuccess"),
        topics=tuple(answer.get("Topics") or ()),
        queues=tuple(answer.get("Queues") or ()),
        bootstrap_servers=_servers(answer),
        consumer_group_id=(kafka or {}).get("ConsumerGroupId"),
        minimum_pollers=pollers.get("MinimumPollers"),
        maximum_pollers=pollers.get("MaximumPollers"),
        metrics=tuple((answer.get("MetricsConfig") or {}).get("Metrics") or ()),
        kms_key_arn=answer.get("KMSKeyArn"),
    )


def mapping_pages(
    client: BotoLambdaClient, target: Target | None, event_source_arn: str | None
) -> Iterator[list[EventSourceMapping]]:
    """The mappings of a function, of a source, or all; a page is fetched when it is asked for."""
    from lambda_invoke.control_plane import control_pages

    wanted: dict[str, Any] = {}
    if target is not None:
        of = "" if target.qualifier is None else f":{target.qualifier}"
        wanted["FunctionName"] = target.function + of
    if event_source_arn is not None:
        wanted["EventSourceArn"] = event_source_arn
    for page in control_pages(client, "list_event_source_mappings", "EventSourceMappings", target, **wanted):
        yield [mapping_of(one) for one in page]


def get_mapping(client: BotoLambdaClient, uuid: str) -> EventSourceMapping:
    """One mapping by its id."""
    from lambda_invoke.control_plane import control_errors

    with control_errors(None):
        answer = client.get_event_source_mapping(UUID=uuid)
    return mapping_of(answer)


def _kind(answer: Mapping[str, Any]) -> str | None:
    if answer.get("SelfManagedEventSource"):
        return "kafka"  # the one self-managed source there is
    service = service_of(answer.get("EventSourceArn") or "")
    return _KINDS.get(service, service) or None


def _seconds(value: float | None) -> float | None:
    return None if value is None else float(value)


def _or_infinite(value: float | None) -> float | None:
    """-1 is what the service says for "no limit"."""
    return math.inf if value == -1 else value


def _destination(answer: Mapping[str, Any], when: str) -> str | None:
    arn: str | None = ((answer.get("DestinationConfig") or {}).get(when) or {}).get("Destination")
    return arn


def _servers(answer: Mapping[str, Any]) -> tuple[str, ...]:
    endpoints = (answer.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
    return tuple(endpoints.get("KAFKA_BOOTSTRAP_SERVERS") or ())
