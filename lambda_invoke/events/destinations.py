"""Where Lambda can send records of Events and dead letters, told by an ARN. Pure.

Source: "Adding a destination" and "Adding a dead-letter queue", AWS Lambda developer guide, 2026-11.
"""

from __future__ import annotations

import re

from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import InvalidTargetError, RequestError

_ARN = re.compile(
    r"arn:aws[a-zA-Z0-9-]*:(?P<service>[a-zA-Z0-9-]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.+)"
)
_REGION = re.compile(r"(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d")  # the model's DestinationArn
_ACCOUNT = re.compile(r"\d{12}")
_RESOURCES = {
    "sqs": (re.compile(r"[a-zA-Z0-9_-]{1,80}"), "a queue's name"),
    "sns": (re.compile(r"[a-zA-Z0-9_-]{1,256}"), "a topic's name"),
    "events": (re.compile(r"event-bus/[/.\-_A-Za-z0-9]{1,256}"), "event-bus/ and a bus's name"),
    "s3": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "a bucket's name"),
}
_NAMES = {
    "sqs": "a standard SQS queue",
    "sns": "a standard SNS topic",
    "events": "an EventBridge bus",
    "lambda": "a Lambda function",
    "s3": "an S3 bucket",
}
_ALLOWED = {
    "on_success": ("sqs", "sns", "events", "lambda"),
    "on_failure": ("sqs", "sns", "events", "lambda", "s3"),
    "dead_letter": ("sqs", "sns"),
}


def check_destination(arn: object, *, name: str, function: str) -> None:
    """Refuse what Lambda could not deliver to, before it is set.

    Args:
        arn: the destination.
        name: what it is for: "on_success", "on_failure" or "dead_letter".
        function: the function whose destination it is, for the message.

    Raises:
        RequestError: it is no ARN of a destination of that kind; says what is wrong with it.
    """
    problem = _problem(arn, _ALLOWED[name], name)
    if problem is not None:
        raise RequestError(f"{name}={arn!r}: {problem}", function=function)


def _problem(arn: object, allowed: tuple[str, ...], name: str) -> str | None:
    *most, last = (_NAMES[service] for service in allowed)
    choice = f"{', '.join(most)} or {last}"
    if not isinstance(arn, str):
        return f"an ARN is a str, not {type(arn).__name__}"
    if "://" in arn:
        return "a URL; the ARN is wanted, as the queue's attribute QueueArn has it"
    found = _ARN.fullmatch(arn)
    service = found["service"] if found is not None else None
    if service == "s3" and name == "on_success":
        return "an S3 bucket takes records of failures only: on_failure"
    if found is None or service not in allowed:
        return f"{'no ARN' if service is None else f'an ARN of {service}'}; it can be that of {choice}"
    if service == "lambda":
        return _function_problem(arn)
    return _resource_problem(service, found["region"], found["account"], found["resource"])


def _function_problem(arn: str) -> str | None:
    try:
        parse_target(arn)
    except InvalidTargetError as error:
        return error.message
    return None


def _resource_problem(service: str, region: str, account: str, resource: str) -> str | None:
    if resource.endswith(".fifo") and service in ("sqs", "sns"):
        return "first in, first out, to which Lambda does not deliver; it has to be standard"
    if service == "s3":
        if region or account:
            return "an ARN of a bucket has neither region nor account: arn:aws:s3:::name"
    elif not _REGION.fullmatch(region):
        return f"{region!r} is no AWS region"
    elif not _ACCOUNT.fullmatch(account):
        return f"{account!r} is no AWS account id of 12 digits"
    pattern, wanted = _RESOURCES[service]
    return None if pattern.fullmatch(resource) else f"an ARN of {service} ends in {wanted}, not {resource!r}"
