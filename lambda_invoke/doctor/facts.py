"""What was gathered about a function: typed answers, or a NotLooked in the place of one. Frozen values."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.core.target import Target
    from lambda_invoke.events.config import EventConfig
    from lambda_invoke.results import DryRun, FunctionConfiguration
    from lambda_invoke.sources.mapping import EventSourceMapping

LATEST = "$LATEST"
METRICS = "CloudWatch metrics"


@attrs.frozen
class NotLooked:
    """What could not be looked at, the IAM action that would allow it, and what came instead."""

    what: str
    action: str
    reason: str


@attrs.frozen
class Intent:
    """How the client means to call the function.

    ``timeout`` is what one attempt may take, in seconds: of a boto3 client that was handed over its
    ``read_timeout``, where None is for ever. ``keep_alive`` is whether an idle connection is probed well
    before a NAT gateway forgets it.
    """

    concurrency: int
    timeout: float | None
    deadline: float | None = None
    handed_over: bool = False
    keep_alive: bool = True


@attrs.frozen
class Statement:
    """An Allow of the function's resource policy: who may do what, and the conditions' keys, lower case."""

    sid: str
    everybody: bool = False
    services: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    """Account ids, of ARNs too."""
    conditions: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


@attrs.frozen
class AccountLimits:
    """The account's concurrency: all of it, and what no function has reserved."""

    concurrent_executions: int
    unreserved: int


@attrs.frozen
class Reserved:
    """A function's reserved concurrency; None is none, 0 throttles everything."""

    executions: int | None


@attrs.frozen
class Provisioned:
    """Provisioned concurrency of one version or alias."""

    qualifier: str
    requested: int
    allocated: int
    status: str
    reason: str | None = None


def source_of(mapping: EventSourceMapping) -> str:
    """The ARN of what a mapping reads; of self-managed Kafka, which has none, a topic."""
    return mapping.event_source_arn or next(iter(mapping.topics), "self-managed Kafka")


def name_of(mapping: EventSourceMapping) -> str:
    """The name of what a mapping reads, for titles."""
    source = source_of(mapping)
    return source.rpartition(":")[2] or source


@attrs.frozen
class Queue:
    """An SQS queue that a mapping reads. ``visibility_timeout`` in seconds; ``waiting`` is about right."""

    visibility_timeout: int
    max_receive_count: int | None = None
    waiting: int = 0


@attrs.frozen
class Metrics:
    """CloudWatch's figures of the last hours: sums; ages and durations are maxima in seconds, or None."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    events_dropped: int = 0
    dead_letter_errors: int = 0
    destination_delivery_failures: int = 0
    event_age: float | None = None
    duration: float | None = None


@attrs.frozen
class Facts:
    """Everything that was gathered; ``queues`` are by ARN."""

    target: Target
    intent: Intent
    hours: float
    permission: DryRun | NotLooked
    configuration: FunctionConfiguration | NotLooked
    policy: tuple[Statement, ...] | NotLooked
    reserved: Reserved | NotLooked
    account: AccountLimits | NotLooked
    provisioned: tuple[Provisioned, ...] | NotLooked
    events: tuple[EventConfig, ...] | NotLooked
    mappings: tuple[EventSourceMapping, ...] | NotLooked
    queues: Mapping[str, Queue | NotLooked]
    metrics: Metrics | NotLooked

    @property
    def called(self) -> str:
        """The qualifier that is called."""
        return self.target.qualifier or LATEST

    @property
    def shell_name(self) -> str:
        """What a fix's command names: quoted for a shell, and $LATEST by no qualifier."""
        qualifier = "" if self.called == LATEST else f":{self.called}"
        return shlex.quote(f"{self.target.function}{qualifier}")

    @property
    def timeout(self) -> float | None:
        """The function's timeout in seconds, where it is known."""
        return None if isinstance(self.configuration, NotLooked) else self.configuration.timeout

    @property
    def known_mappings(self) -> tuple[EventSourceMapping, ...]:
        """The mappings; none where they could not be listed."""
        return () if isinstance(self.mappings, NotLooked) else self.mappings

    @property
    def reserved_executions(self) -> int | None:
        """Reserved concurrency; None where there is none, or it could not be read."""
        return None if isinstance(self.reserved, NotLooked) else self.reserved.executions
