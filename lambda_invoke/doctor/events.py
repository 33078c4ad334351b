"""What becomes of Events that fail: checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.facts import EventSettings, NotLooked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding, Plain

DEFAULT_RETRIES = 2
"""After the first attempt, where MaximumRetryAttempts is not set; AWS default, 2026-11."""
DEFAULT_AGE = 21_600
"""Seconds, where MaximumEventAgeInSeconds is not set; AWS default, 2026-11."""
RETRY_WAITS = (0, 60, 180)
"""Seconds that pass, at least, until so many retries were made: one minute, then two. Source: "How Lambda
handles errors and retries with asynchronous invocation", AWS Lambda developer guide, 2026-11."""


def event_settings(facts: Facts) -> EventSettings | None:
    """Those of the qualifier that is called, Lambda's defaults where there are none; None when unknown."""
    if isinstance(facts.events, NotLooked):
        return None
    called = facts.target.qualifier or "$LATEST"
    return next((each for each in facts.events if each.qualifier == called), EventSettings(called))


def failure(facts: Facts) -> Iterator[Finding]:
    """Whether Events that fail go anywhere, and how long they are tried."""
    settings = event_settings(facts)
    if settings is None or isinstance(facts.configuration, NotLooked) or isinstance(facts.events, NotLooked):
        return
    queue = facts.configuration.dead_letter_target_arn
    retries = DEFAULT_RETRIES if settings.attempts is None else settings.attempts
    age = DEFAULT_AGE if settings.age is None else settings.age
    seen: dict[str, Plain] = {"qualifier": settings.qualifier, "retries": retries, "age": age}
    put = f"aws lambda update-function-event-invoke-config --function-name {facts.target.display}"
    if settings.on_failure is None and queue is None:
        elsewhere = tuple(each.qualifier for each in facts.events if each.on_failure)
        yield kinds.EVENTS_WITHOUT_DESTINATION(
            "Events that fail go nowhere: no failure destination, no dead-letter queue",
            f"{put} --destination-config OnFailure={{Destination=QUEUE_ARN}}; the function's role needs "
            "sqs:SendMessage on it",
            **seen,
            failure_destinations_of=elsewhere,
        )
        if retries == 0:
            yield kinds.EVENTS_NOT_RETRIED(
                "Events are tried once only", f"{put} --maximum-retry-attempts 2, or a destination", **seen
            )
    for target in (settings.on_failure, queue):
        if target is not None and target.endswith(".fifo"):
            yield kinds.FIFO_DESTINATION(
                "Its failure destination is FIFO, which Lambda does not deliver to",
                "name a standard queue or topic instead",
                destination=target,
            )
    if age <= RETRY_WAITS[min(retries, DEFAULT_RETRIES)]:
        yield kinds.EVENT_AGE_BELOW_RETRIES(
            f"Events are given up after {age} s, before {retries} retries can be made",
            f"{put} --maximum-event-age-in-seconds 3600",
            **seen,
        )
