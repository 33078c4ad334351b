"""What becomes of Events that fail: checks."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import NotLooked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding, Plain
    from lambda_invoke.events.config import EventConfig

DEFAULT_RETRIES = 2
"""After the first attempt, where MaximumRetryAttempts is not set; AWS default, 2026-11."""
DEFAULT_AGE = 21_600
"""Seconds, where MaximumEventAgeInSeconds is not set; AWS default, 2026-11."""
RETRY_WAITS = (0, 60, 180)
"""Seconds that pass, at least, until so many retries were made: one minute, then two. Source: "How Lambda
handles errors and retries with asynchronous invocation", AWS Lambda developer guide, 2026-11."""


def event_config(facts: Facts) -> EventConfig | None:
    """What is set for the qualifier that is called; None where nothing is, or it is not known."""
    known = () if isinstance(facts.events, NotLooked) else facts.events
    return next((each for each in known if each.qualifier == facts.called), None)


def failure(facts: Facts) -> Iterator[Finding]:
    """Whether Events that fail go anywhere, and how long they are tried."""
    if isinstance(facts.configuration, NotLooked) or isinstance(facts.events, NotLooked):
        return
    config = event_config(facts)
    on_failure = None if config is None else config.on_failure
    queue = facts.configuration.dead_letter_target_arn
    retries, age = retries_of(config), int(age_of(config))
    seen: dict[str, Plain] = {"qualifier": facts.called, "retries": retries, "age": age}
    update = f"aws lambda update-function-event-invoke-config --function-name {facts.shell_name}"
    if on_failure is None and queue is None:
        yield kinds.EVENTS_WITHOUT_DESTINATION(
            "Events that fail go nowhere: no failure destination, no dead-letter queue",
            f"{_with_destination(facts, config)}; the function's role needs sqs:SendMessage on it",
            **seen,
            failure_destinations_of=tuple(each.qualifier for each in facts.events if each.on_failure),
        )
        if retries == 0:
            yield kinds.EVENTS_NOT_RETRIED(
                "Events are tried once only", f"{update} --maximum-retry-attempts 2, or a destination", **seen
            )
    for target in (on_failure, queue):
        if target is not None and target.endswith(".fifo"):
            yield kinds.FIFO_DESTINATION(
                "Its failure destination is FIFO, which Lambda does not deliver to",
                "name a standard queue or topic instead",
                destination=target,
            )
    if age <= RETRY_WAITS[min(retries, DEFAULT_RETRIES)]:
        yield kinds.EVENT_AGE_BELOW_RETRIES(
            f"Events are given up after {age} s, before {retries} retries can be made",
            f"{update} --maximum-event-age-in-seconds 3600",
            **seen,
        )


def retries_of(config: EventConfig | None) -> int:
    """After a first attempt that failed."""
    if config is None or config.maximum_retry_attempts is None:
        return DEFAULT_RETRIES
    return config.maximum_retry_attempts


def age_of(config: EventConfig | None) -> float:
    """Seconds for which an Event is tried."""
    return DEFAULT_AGE if config is None or config.maximum_event_age is None else config.maximum_event_age


def _with_destination(facts: Facts, config: EventConfig | None) -> str:
    """The command: where nothing is set there is nothing to update, and both destinations are one member."""
    kept = (
        "" if config is None or not config.on_success else f"OnSuccess={{Destination={config.on_success}}},"
    )
    return (
        f"aws lambda {'put' if config is None else 'update'}-function-event-invoke-config --function-name "
        f"{facts.shell_name} --destination-config {shlex.quote(f'{kept}OnFailure={{Destination=QUEUE_ARN}}')}"
    )
