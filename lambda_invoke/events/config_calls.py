"""Reading and changing event invoke configurations and dead-letter queues, over boto3."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from lambda_invoke.control_plane import configuration_of, control_errors, control_pages, get_configuration
from lambda_invoke.errors import AccessDeniedError, FunctionNotFoundError, RequestError
from lambda_invoke.events.config import EventConfig
from lambda_invoke.events.destinations import check_destination

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.core.target import Target
    from lambda_invoke.events.config import EventConfigChange
    from lambda_invoke.results import FunctionConfiguration
    from lambda_invoke.transports.protocols import BotoLambdaClient

_LATEST = "$LATEST"


def get_event_config(client: BotoLambdaClient, target: Target) -> EventConfig | None:
    """What is set, or None if nothing is. Lambda says so too where there is no function: that is looked up.

    Raises:
        FunctionNotFoundError: there is no such function, version or alias.
    """
    try:
        return _existing(client, target)
    except FunctionNotFoundError:
        _check_exists(client, target)
        return None


def put_event_config(client: BotoLambdaClient, target: Target, change: EventConfigChange) -> EventConfig:
    """Set everything."""
    with control_errors(target, changes=True):
        answer = client.put_function_event_invoke_config(**_named(target), **change.parameters())
    return EventConfig.of(answer)


def update_event_config(client: BotoLambdaClient, target: Target, change: EventConfigChange) -> EventConfig:
    """Set what is named. Lambda takes the two destinations together: the one that is not named is read."""
    parameters = change.parameters(_existing(client, target) if change.lacks_a_destination else None)
    with control_errors(target, changes=True):
        answer = client.update_function_event_invoke_config(**_named(target), **parameters)
    return EventConfig.of(answer)


def delete_event_config(client: BotoLambdaClient, target: Target) -> bool:
    """Remove everything; whether there was anything.

    Raises:
        FunctionNotFoundError: there is no such function, version or alias.
    """
    try:
        with control_errors(target, changes=True):
            client.delete_function_event_invoke_config(**_named(target))
    except FunctionNotFoundError:
        _check_exists(client, target)
        return False
    return True


def event_config_pages(client: BotoLambdaClient, target: Target) -> Iterator[list[EventConfig]]:
    """Those of a function's qualifiers, page by page."""
    operation, member = "list_function_event_invoke_configs", "FunctionEventInvokeConfigs"
    for page in control_pages(client, operation, member, target, FunctionName=target.function):
        yield [EventConfig.of(answer) for answer in page]


def get_dead_letter_queue(client: BotoLambdaClient, target: Target) -> str | None:
    """The ARN of the queue or topic, if there is one."""
    return get_configuration(client, target).dead_letter_target_arn or None


def set_dead_letter_queue(client: BotoLambdaClient, target: Target, arn: str | None) -> FunctionConfiguration:
    """Set it, or with None remove it. Published versions keep theirs: it is ``$LATEST``'s.

    Raises:
        RequestError: it can be none, or the target is a version or an alias.
    """
    if target.qualifier not in (None, _LATEST):
        raise RequestError(
            "the dead-letter queue is set for $LATEST, and a version has the one that it was published with",
            function=target.display,
        )
    if arn is not None:
        check_destination(arn, name="dead_letter", function=target.display)
    with control_errors(target, changes=True):
        answer = client.update_function_configuration(
            FunctionName=target.function, DeadLetterConfig={"TargetArn": arn or ""}
        )
    return configuration_of(answer)


def _existing(client: BotoLambdaClient, target: Target) -> EventConfig:
    with control_errors(target):
        return EventConfig.of(client.get_function_event_invoke_config(**_named(target)))


def _check_exists(client: BotoLambdaClient, target: Target) -> None:
    """Who may not look is not told: then the function counts as there."""
    with contextlib.suppress(AccessDeniedError):
        get_configuration(client, target)


def _named(target: Target) -> dict[str, Any]:
    qualifier = {} if target.qualifier is None else {"Qualifier": target.qualifier}
    return {"FunctionName": target.function, **qualifier}
