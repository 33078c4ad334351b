"""What CloudWatch counted in the last hours: checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.doctor import kinds
from lambda_invoke.doctor.events import age_of, event_config
from lambda_invoke.doctor.facts import NotLooked
from lambda_invoke.doctor.timing import NEAR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding

LONG_WAIT = 600.0
"""Seconds that an Event may have waited before it counts as long: its two retries take three minutes."""


def invocations(facts: Facts) -> Iterator[Finding]:
    """Failures, throttles and durations."""
    seen = facts.metrics
    if isinstance(seen, NotLooked):
        return
    said = {"hours": facts.hours, "invocations": seen.invocations}
    if seen.errors:
        of = f"{seen.errors} of " if seen.invocations else ""
        yield kinds.ERRORS(
            f"{of}{_counted(seen.invocations or seen.errors, 'invocation')} failed in {facts.hours:g} h",
            "look at the function's log; `lambda_invoke invoke --log-tail` shows an error with its stack",
            **said,
            errors=seen.errors,
        )
    if seen.throttles:
        yield kinds.THROTTLES(
            f"{_counted(seen.throttles, 'invocation')} throttled in {facts.hours:g} h",
            "lower concurrency=, raise the reserved concurrency or the account's quota",
            **said,
            throttles=seen.throttles,
            reserved_concurrency=facts.reserved_executions,
        )
    timeout = facts.timeout
    if timeout is not None and seen.duration is not None and seen.duration >= NEAR * timeout:
        yield kinds.DURATION_NEAR_TIMEOUT(
            f"The longest took {seen.duration:.3g} s of the {timeout:g} s that it may",
            "raise the function's timeout (and the client's), or give it more memory, and so more CPU",
            **said,
            longest=seen.duration,
            function_timeout=timeout,
        )


def events(facts: Facts) -> Iterator[Finding]:
    """Events that were dropped, wait long, or whose records got lost."""
    seen = facts.metrics
    if isinstance(seen, NotLooked):
        return
    for number, kind, what, title, fix, name in (
        (
            seen.events_dropped,
            kinds.EVENTS_DROPPED,
            "Event",
            "dropped",
            "send again what its failure destination got: `lambda_invoke redrive`; with none, set one",
            "events_dropped",
        ),
        (
            seen.dead_letter_errors,
            kinds.DEAD_LETTER_ERRORS,
            "Event",
            "did not reach the dead-letter queue",
            "see that it exists, and that the function's role may sqs:SendMessage or sns:Publish there",
            "dead_letter_errors",
        ),
        (
            seen.destination_delivery_failures,
            kinds.DESTINATION_FAILURES,
            "record",
            "did not reach a destination",
            "see that it exists and is not FIFO, and that the function's role may write there",
            "destination_delivery_failures",
        ),
    ):
        if number:
            said = f"{_counted(number, what)} {title} in {facts.hours:g} h"
            yield kind(said, fix, hours=facts.hours, **{name: number})
    age = age_of(event_config(facts))
    if seen.event_age is not None and seen.event_age > min(LONG_WAIT, age / 2):
        yield kinds.EVENTS_OLD(
            f"Events waited up to {seen.event_age:.3g} s",
            "give the function more concurrency, or send fewer Events at a time",
            hours=facts.hours,
            longest_wait=seen.event_age,
            maximum_age=age,
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
