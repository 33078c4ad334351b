"""Whether a function sends what becomes of its Events to a queue, and what is missing if it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import botocore.exceptions as be

from lambda_invoke.control_plane import control_errors, get_configuration
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.core.target import Target
    from lambda_invoke.events.queue import Queue


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


def check_route(client: Any, queue: Queue, function: str, qualifier: str | None) -> OutcomeRoute:
    """Read the function's event invoke configuration, its dead-letter queue and the queue's attributes.

    Raises:
        LambdaInvokeError: one of them cannot be read.
    """
    target = parse_target(function, qualifier)
    attributes = queue.attributes("QueueArn", "RedrivePolicy")
    arn = attributes["QueueArn"]
    sent = _destinations(client, target)
    dead_letter = get_configuration(client, target).dead_letter_target_arn
    on_success, on_failure = sent.get("OnSuccess"), sent.get("OnFailure")
    problems = [
        _problem(target, kind, found, arn)
        for kind, found, told in (
            ("OnSuccess", on_success, on_success == arn),
            ("OnFailure", on_failure, arn in {on_failure, dead_letter}),
        )
        if not told
    ]
    return OutcomeRoute(
        target.display, arn, on_success, on_failure, dead_letter, tuple(problems), _warnings(attributes)
    )


def _destinations(client: Any, target: Target) -> Mapping[str, str]:
    qualifier = {} if target.qualifier is None else {"Qualifier": target.qualifier}
    with control_errors(target):
        try:
            answer = client.get_function_event_invoke_config(FunctionName=target.function, **qualifier)
        except be.ClientError as error:
            # There is no configuration of this qualifier; whether there is the function is asked after.
            if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
                raise
            return {}
    said = answer.get("DestinationConfig") or {}
    return {kind: where["Destination"] for kind, where in said.items() if where and where.get("Destination")}


def _problem(target: Target, kind: str, found: str | None, arn: str) -> str:
    outcome = "success" if kind == "OnSuccess" else "failure"
    instead = "no destination" if found is None else found
    qualifier = "" if target.qualifier is None else f"Qualifier={target.qualifier!r}, "
    return (
        f"on {outcome} its Events go to {instead}, and not to {arn}: "
        f"update_function_event_invoke_config(FunctionName={target.function!r}, {qualifier}"
        f"DestinationConfig={{..., '{kind}': {{'Destination': '{arn}'}}}})"
    )


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
