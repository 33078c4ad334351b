"""Whether a function sends what becomes of its Events to a queue, and what is missing if it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import RequestError
from lambda_invoke.events.config_calls import get_dead_letter_queue, get_event_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lambda_invoke.core.target import Target
    from lambda_invoke.events.queue import Queue
    from lambda_invoke.transports.protocols import BotoLambdaClient


@attrs.frozen
class OutcomeRoute:
    """Where a function's Events leave their outcomes, beside the queue that a tracker reads.

    ``on_success``, ``on_failure`` and ``dead_letter`` are ARNs, or None. ``problems`` say what is missing
    and the fix: Events whose outcome cannot be told. ``warnings`` are of what works, and may surprise.
    """

    function: str
    queue_arn: str
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter: str | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether both outcomes come to the queue."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok

    def raise_for_problems(self) -> None:
        """Raise if an outcome does not come to the queue.

        Raises:
            RequestError: it names what is missing, and the fix.
        """
        if self.problems:
            raise RequestError("; ".join(self.problems), function=self.function)


def check_route(client: BotoLambdaClient, queue: Queue, function: str, qualifier: str | None) -> OutcomeRoute:
    """Read the function's event invoke configuration, its dead-letter queue and the queue's attributes.

    Raises:
        LambdaInvokeError: one of them cannot be read.
    """
    target = parse_target(function, qualifier)
    attributes = queue.attributes("QueueArn", "RedrivePolicy")
    arn = attributes["QueueArn"]
    config = get_event_config(client, target)
    on_success, on_failure = (None, None) if config is None else (config.on_success, config.on_failure)
    dead_letter = get_dead_letter_queue(client, target)
    missing = {"success": on_success} if on_success != arn else {}
    if arn not in {on_failure, dead_letter}:
        missing["failure"] = on_failure
    fix = _fix(target, "put" if config is None else "update", missing, arn)
    problems = [
        f"on {outcome} its Events go to {found or 'no destination'}, and not to {arn}: {fix}"
        for outcome, found in missing.items()
    ]
    return OutcomeRoute(
        target.display, arn, on_success, on_failure, dead_letter, tuple(problems), _warnings(attributes)
    )


def _fix(target: Target, verb: str, outcomes: Iterable[str], arn: str) -> str:
    """One call for all that is missing: a second put would undo the first."""
    arguments = [repr(target.function), *(f"on_{outcome}={arn!r}" for outcome in outcomes)]
    if target.qualifier is not None:
        arguments.append(f"qualifier={target.qualifier!r}")
    return f"client.{verb}_event_config({', '.join(arguments)})"


def _warnings(attributes: Mapping[str, str]) -> tuple[str, ...]:
    policy = attributes.get("RedrivePolicy")
    if not policy:
        return ()
    most = json.loads(policy).get("maxReceiveCount")
    warning = (
        f"the queue moves what was received {most} times to a dead-letter queue of its own, and a tracker "
        "receives records of others too before it gives them back"
    )
    return (warning,)
