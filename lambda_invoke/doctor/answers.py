"""Facts from what boto3 answers. Works on plain mappings; nothing of an environment is read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from lambda_invoke.doctor.facts import (
    AccountLimits,
    EventSettings,
    Metrics,
    Provisioned,
    Queue,
    SourceMapping,
    Statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_ACCOUNT = re.compile(r"(?:^|:)([0-9]{12})(?::|$)")
_INVOKES = re.compile(r"lambda:(?:\*|invoke.*)|\*", re.IGNORECASE)
_MILLISECONDS = 1000.0

STATISTICS: Mapping[str, str] = {
    "Invocations": "Sum",
    "Errors": "Sum",
    "Throttles": "Sum",
    "AsyncEventsDropped": "Sum",
    "DeadLetterErrors": "Sum",
    "DestinationDeliveryFailures": "Sum",
    "AsyncEventAge": "Maximum",
    "Duration": "Maximum",
}
"""The metrics that are read, with the statistic that AWS advises for each; both maxima are in milliseconds.
Source: "Types of metrics for Lambda functions", AWS Lambda developer guide, 2026-11."""


def statements_of(answer: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The statements of GetPolicy's answer that let somebody invoke.

    Raises:
        ValueError: its text is no policy.
    """
    document = json.loads(answer["Policy"])
    if not isinstance(document, dict):
        raise ValueError("the policy is not a JSON object")  # noqa: TRY004 - of its text
    found = (one for one in _listed(document.get("Statement")) if isinstance(one, dict))
    return tuple(
        _statement(one)
        for one in found
        if one.get("Effect") == "Allow"
        and any(_INVOKES.fullmatch(each) for each in _texts(one.get("Action")))
    )


def _statement(said: Mapping[str, Any]) -> Statement:
    principal = said.get("Principal")
    named = principal if isinstance(principal, dict) else {"AWS": principal}
    people = _texts(named.get("AWS"))
    return Statement(
        sid=str(said.get("Sid", "")),
        everybody="*" in people,
        services=_texts(named.get("Service")),
        accounts=tuple(found[1] for each in people if (found := _ACCOUNT.search(each))),
        conditions={
            str(key).lower(): _texts(value)
            for test in _tests(said.get("Condition"))
            for key, value in test.items()
        },
    )


def _tests(condition: Any) -> Iterable[Mapping[str, Any]]:
    return (
        [test for test in condition.values() if isinstance(test, dict)] if isinstance(condition, dict) else []
    )


def _listed(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in _listed(value))


def limits_of(answer: Mapping[str, Any]) -> AccountLimits:
    """Of GetAccountSettings' answer."""
    limit = answer["AccountLimit"]
    most = limit["ConcurrentExecutions"]
    return AccountLimits(most, limit.get("UnreservedConcurrentExecutions", most))


def provisioned_of(said: Mapping[str, Any]) -> Provisioned:
    """One of ListProvisionedConcurrencyConfigs."""
    return Provisioned(
        qualifier=_qualifier(said["FunctionArn"]),
        requested=said.get("RequestedProvisionedConcurrentExecutions", 0),
        allocated=said.get("AllocatedProvisionedConcurrentExecutions", 0),
        status=said.get("Status", ""),
        reason=said.get("StatusReason"),
    )


def event_settings_of(said: Mapping[str, Any]) -> EventSettings:
    """One of ListFunctionEventInvokeConfigs. Destinations that are not set come as empty objects."""
    return EventSettings(
        qualifier=_qualifier(said["FunctionArn"]),
        attempts=said.get("MaximumRetryAttempts"),
        age=said.get("MaximumEventAgeInSeconds"),
        on_failure=_failure_destination(said),
    )


def _qualifier(arn: str) -> str:
    """Of a function's ARN; emulators leave that of $LATEST out."""
    parts = arn.split(":")
    return parts[7] if len(parts) > 7 else "$LATEST"  # noqa: PLR2004 - ...:function:name:qualifier


def _failure_destination(said: Mapping[str, Any]) -> str | None:
    return ((said.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")


def mapping_of(said: Mapping[str, Any]) -> SourceMapping:
    """One of ListEventSourceMappings."""
    source = said.get("EventSourceArn") or ""
    # Self-managed Kafka has no ARN: its topics name it.
    topics = said.get("Topics") or ["self-managed Kafka"]
    return SourceMapping(
        uuid=said["UUID"],
        source=source or str(topics[0]),
        service=source.split(":")[2] if source.count(":") > 2 else "kafka",  # noqa: PLR2004 - arn:partition:service
        state=said.get("State") or "Enabled",
        reason=said.get("StateTransitionReason"),
        last_result=said.get("LastProcessingResult"),
        batch_size=said.get("BatchSize") or 1,
        window=said.get("MaximumBatchingWindowInSeconds") or 0,
        reports_item_failures="ReportBatchItemFailures" in (said.get("FunctionResponseTypes") or ()),
        bisect=bool(said.get("BisectBatchOnFunctionError")),
        retries=_limited(said.get("MaximumRetryAttempts")),
        age=_limited(said.get("MaximumRecordAgeInSeconds")),
        on_failure=_failure_destination(said),
        filtered=bool((said.get("FilterCriteria") or {}).get("Filters")),
        starting_position=said.get("StartingPosition"),
        maximum_concurrency=(said.get("ScalingConfig") or {}).get("MaximumConcurrency"),
    )


def _limited(value: int | None) -> int | None:
    return None if value in {None, -1} else value


def queue_of(answer: Mapping[str, Any]) -> Queue:
    """Of GetQueueAttributes' answer.

    Raises:
        ValueError: a number or the redrive policy cannot be read.
    """
    said = answer.get("Attributes") or {}
    redrive = json.loads(said["RedrivePolicy"]) if said.get("RedrivePolicy") else {}
    receives = redrive.get("maxReceiveCount")
    return Queue(
        visibility_timeout=int(said["VisibilityTimeout"]),
        max_receive_count=None if receives is None else int(receives),
        waiting=int(said.get("ApproximateNumberOfMessages", 0)),
    )


def metrics_of(answer: Mapping[str, Any]) -> Metrics:
    """Of GetMetricData's answer; the ids are the metrics' names, lower case."""
    values = {each["Id"]: each.get("Values") or [] for each in answer.get("MetricDataResults") or ()}

    def over(name: str, how: Callable[[Sequence[float]], float]) -> float | None:
        seen = values.get(name.lower()) or []
        return how(seen) if seen else None

    def count(name: str) -> int:
        return round(over(name, sum) or 0)

    def longest(name: str) -> float | None:
        most = over(name, max)
        return None if most is None else most / _MILLISECONDS

    return Metrics(
        invocations=count("Invocations"),
        errors=count("Errors"),
        throttles=count("Throttles"),
        events_dropped=count("AsyncEventsDropped"),
        dead_letter_errors=count("DeadLetterErrors"),
        destination_delivery_failures=count("DestinationDeliveryFailures"),
        event_age=longest("AsyncEventAge"),
        duration=longest("Duration"),
    )
