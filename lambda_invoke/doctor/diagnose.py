"""From facts to a diagnosis: every check, and what could not be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.doctor import access, concurrency, events, figures, kinds, mappings, queues, timing
from lambda_invoke.doctor.facts import METRICS, NotLooked
from lambda_invoke.doctor.findings import Diagnosis, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lambda_invoke.doctor.facts import Facts
    from lambda_invoke.doctor.findings import Finding

CHECKS: Sequence[Callable[[Facts], Iterator[Finding]]] = (
    access.permission,
    access.state,
    access.policy,
    timing.client_timeouts,
    timing.limit,
    timing.keep_alive,
    concurrency.limits,
    concurrency.provisioned,
    events.failure,
    mappings.state,
    mappings.batches,
    mappings.streams,
    mappings.concurrency,
    queues.visibility,
    queues.redrive,
    figures.invocations,
    figures.events,
)
"""Each looks at facts and knows nothing else."""

WHAT = {
    "permission": "the permission to invoke",
    "configuration": "the configuration",
    "policy": "the resource policy",
    "reserved": "reserved concurrency",
    "account": "the account's concurrency",
    "provisioned": "provisioned concurrency",
    "events": "the event invoke configuration",
    "mappings": "event source mappings",
    "metrics": METRICS,
}
"""What can be looked at, by the field of Facts that it ends in; each queue comes on top."""


def diagnose(facts: Facts) -> Diagnosis:
    """Run every check."""
    found = [finding for check in CHECKS for finding in check(facts)]
    answers: dict[str, Any] = {what: getattr(facts, field) for field, what in WHAT.items()}
    answers |= {f"queue {arn.rpartition(':')[2]}": queue for arn, queue in facts.queues.items()}
    missing = [answer for answer in answers.values() if isinstance(answer, NotLooked)]
    return Diagnosis(
        function=facts.target.display,
        function_arn=None if isinstance(facts.configuration, NotLooked) else facts.configuration.arn,
        hours=facts.hours,
        looked_at=tuple(what for what, answer in answers.items() if not isinstance(answer, NotLooked)),
        findings=in_order([*found, *map(_could_not_look, missing)]),
    )


def _could_not_look(missing: NotLooked) -> Finding:
    return kinds.COULD_NOT_LOOK(
        f"Could not look at {missing.what}",
        f"allow {missing.action}, if it is a permission that is missing",
        **attrs.asdict(missing),
    )
