"""What was gathered about a function: typed answers, or a NotLooked in the place of one. Frozen values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.core.target import Target
    from lambda_invoke.results import DryRun, FunctionConfiguration


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


@attrs.frozen
class EventSettings:
    """The event invoke configuration of one qualifier; what is not set is None and has Lambda's default."""

    qualifier: str
    attempts: int | None = None
    age: int | None = None
    on_failure: str | None = None


@attrs.frozen
class SourceMapping:
    """An event source mapping, as far as the checks need it. ``source`` is its ARN, or what there is of one.

    ``retries`` and ``age`` (seconds) are None where they are unlimited, which the API says as -1.
    """

    uuid: str
    source: str
    service: str
    state: str
    reason: str | None = None
    last_result: str | None = None
    batch_size: int = 1
    window: int = 0
    reports_item_failures: bool = False
    bisect: bool = False
    retries: int | None = None
    age: int | None = None
    on_failure: str | None = None
    filtered: bool = False
    starting_position: str | None = None
    maximum_concurrency: int | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it reads shards in order: Kinesis or DynamoDB."""
        return self.service in {"kinesis", "dynamodb"}

    @property
    def name(self) -> str:
        """The source's name, for titles."""
        return self.source.rpartition(":")[2] or self.source


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
    events: tuple[EventSettings, ...] | NotLooked
    mappings: tuple[SourceMapping, ...] | NotLooked
    queues: Mapping[str, Queue | NotLooked]
    metrics: Metrics | NotLooked

    @property
    def timeout(self) -> float | None:
        """The function's timeout in seconds, where it is known."""
        return None if isinstance(self.configuration, NotLooked) else self.configuration.timeout

    @property
    def known_mappings(self) -> tuple[SourceMapping, ...]:
        """The mappings; none where they could not be listed."""
        return () if isinstance(self.mappings, NotLooked) else self.mappings

    @property
    def reserved_executions(self) -> int | None:
        """Reserved concurrency; None where there is none, or it could not be read."""
        return None if isinstance(self.reserved, NotLooked) else self.reserved.executions
