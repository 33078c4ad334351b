"""Facts from what boto3 answers. Works on plain mappings; nothing of an environment is read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from lambda_invoke.doctor.facts import (
    LATEST,
    AccountLimits,
    Metrics,
    Provisioned,
    Queue,
    Statement,
)
from lambda_invoke.events.outcome import arn_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_ACCOUNT = re.compile(r"(?:^|:)([0-9]{12})(?::|$)")
_INVOKES = re.compile(r"lambda:(?:\*|invoke.*)|\*", re.IGNORECASE)
_MILLISECONDS = 1000.0
_ALL_THERE = "Complete"
"""StatusCode of a metric's values; else InternalError, Forbidden or PartialData. Source: MetricDataResult,
Amazon CloudWatch API reference, 2026-11."""

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
        qualifier=arn_parts(said["FunctionArn"])[1] or LATEST,
        requested=said.get("RequestedProvisionedConcurrentExecutions", 0),
        allocated=said.get("AllocatedProvisionedConcurrentExecutions", 0),
        status=said.get("Status", ""),
        reason=said.get("StatusReason"),
    )


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
    """Of GetMetricData's answer; the ids are the metrics' names, lower case.

    Raises:
        ValueError: CloudWatch has not said all of a metric's values: few or none would read as all well.
        KeyError: a metric is missing.
    """
    results = answer.get("MetricDataResults") or ()
    for each in results:
        if each.get("StatusCode", _ALL_THERE) != _ALL_THERE:
            raise ValueError(f"CloudWatch answers {each['StatusCode']} for {each['Id']}")
    values = {each["Id"]: each.get("Values") or () for each in results}

    def over(name: str, how: Callable[[Sequence[float]], float]) -> float | None:
        seen = values[name.lower()]
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
