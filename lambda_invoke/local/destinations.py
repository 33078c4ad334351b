"""Where the outcome of an Event can go: what a destination's text names, and what it may not name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local.faults import ServiceFault
from lambda_invoke.local.function import LocalLambdaError, Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.local.function import Destination
    from lambda_invoke.local.registry import Registry

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-zA-Z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12})?:"
    r"(?P<resource>\S+)"
)
_QUEUE_OR_TOPIC = re.compile(r"[a-zA-Z0-9_-]{1,256}")
_BUS = re.compile(r"event-bus/[/.\-_A-Za-z0-9]{1,256}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@attrs.frozen
class FunctionRoute:
    """To another function of this endpoint."""

    function_name: str
    qualifier: str | None


@attrs.frozen
class ServiceRoute:
    """To a queue, topic, bus or bucket: ``service`` is boto3's name for its client."""

    service: str
    arn: str
    account_id: str | None
    name: str


Route = FunctionRoute | ServiceRoute | Outbox


def route(destination: Destination, registry: Registry) -> Route:
    """What a destination names.

    Raises:
        LocalLambdaError: no destination that Lambda or this endpoint knows.
    """
    if isinstance(destination, Outbox):
        return destination
    parts = _ARN.fullmatch(destination)
    if parts is None or parts["service"] == "lambda":
        return _function(destination, registry)
    return _service_route(destination, parts)


def _service_route(destination: str, parts: re.Match[str]) -> ServiceRoute:
    found = _service(destination, parts["service"], parts["account"], parts["resource"])
    if found is None:
        raise LocalLambdaError(
            f"{destination!r} is no destination of Events: those are an Outbox, a local function, an SQS "
            "queue, an SNS topic, an EventBridge bus and an S3 bucket"
        )
    if found.name.endswith(".fifo"):
        raise LocalLambdaError(f"{destination!r} is first in, first out, which Lambda does not deliver to")
    return found


def _service(arn: str, service: str, account_id: str | None, resource: str) -> ServiceRoute | None:
    match service:
        case "sqs" | "sns" if _QUEUE_OR_TOPIC.fullmatch(resource.removesuffix(".fifo")) and account_id:
            return ServiceRoute(service, arn, account_id, resource)
        case "events" if _BUS.fullmatch(resource):
            return ServiceRoute(service, arn, account_id, resource.partition("/")[2])
        case "s3" if _BUCKET.fullmatch(resource):
            return ServiceRoute(service, arn, account_id, resource)
        case _:
            return None


def _function(text: str, registry: Registry) -> FunctionRoute:
    try:
        target = registry.find(text)
    except ServiceFault as error:
        served = ", ".join(registry) or "none"
        raise LocalLambdaError(
            f"{text!r} is neither an ARN of SQS, SNS, EventBridge or S3 nor a function of this endpoint, "
            f"which are: {served}"
        ) from error
    return FunctionRoute(target.deployment.function_name, target.qualifier)


def check_destination(
    destination: Destination, registry: Registry, *, kind: str, has_services: bool
) -> Route:
    """Check what one setting names; ``kind`` is ``on_success``, ``on_failure`` or ``dead_letter``.

    Raises:
        LocalLambdaError: nothing could be delivered there; the message names the fix.
    """
    found = route(destination, registry)
    _check_kind(destination, found, kind)
    if isinstance(found, ServiceRoute) and not has_services:
        raise LocalLambdaError(
            f"{destination!r} is a real service's, which this endpoint was not told how to reach: give "
            "LocalLambda services=functools.partial(boto3.client, endpoint_url=...), whatever makes a boto3 "
            f"client of {found.service!r}; or name a local function or an Outbox"
        )
    return found


def _check_kind(destination: Destination, found: Route, kind: str) -> None:
    if kind == "dead_letter" and (
        isinstance(found, FunctionRoute)
        or (isinstance(found, ServiceRoute) and found.service not in ("sqs", "sns"))
    ):
        raise LocalLambdaError(
            f"{destination!r} cannot be a dead-letter queue: Lambda takes an SQS queue or an SNS topic, and "
            "this endpoint an Outbox as well; on_failure takes the others"
        )
    if kind == "on_success" and isinstance(found, ServiceRoute) and found.service == "s3":
        raise LocalLambdaError(f"{destination!r} cannot be on_success: Lambda puts only failures into S3")


def check_service(arn: str, *, kind: str) -> None:
    """Check the ARN of a queue, topic, bus or bucket, whether or not there is a way to reach it.

    Raises:
        LocalLambdaError: it is none, or none that Lambda takes for that ``kind`` of setting.
    """
    parts = _ARN.fullmatch(arn)
    if parts is None:
        raise LocalLambdaError(f"{arn!r} is no ARN")
    _check_kind(arn, _service_route(arn, parts), kind)


def check_destinations(registry: Registry, *, has_services: bool) -> None:
    """Check all that the functions name, versions and aliases included.

    Raises:
        LocalLambdaError: one of them; the message says whose it is.
    """
    for name in registry:
        for kind, destination in _named(registry, name):
            try:
                check_destination(destination, registry, kind=kind, has_services=has_services)
            except LocalLambdaError as error:
                raise LocalLambdaError(f"{kind} of function {name!r}: {error}") from error


def _named(registry: Registry, name: str) -> Iterator[tuple[str, Destination]]:
    function = registry.function(name)
    for qualifier in (None, *(each.version for each in registry.versions(name)), *function.aliases):
        config = registry.event_config(name, qualifier)
        if config.on_success is not None:
            yield "on_success", config.on_success
        if config.on_failure is not None:
            yield "on_failure", config.on_failure
    if function.dead_letter is not None:
        yield "dead_letter", function.dead_letter
