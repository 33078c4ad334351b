"""Listing, configuration, and waiting until a function is active: typed, over boto3."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import botocore.exceptions as be

from lambda_invoke.core.boto_shapes import refusal_of
from lambda_invoke.core.service_errors import build_service_error
from lambda_invoke.errors import (
    ConnectError,
    CredentialsError,
    DeadlineExceededError,
    Executed,
    FunctionConfigurationError,
    OutcomeUnknownError,
    RequestError,
)
from lambda_invoke.results import Alias, FunctionConfiguration
from lambda_invoke.transports.failures import NETWORK, NO_CREDENTIALS, NOT_CONNECTED, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambda_invoke.core.target import Target
    from lambda_invoke.transports.protocols import BotoLambdaClient

POLL_SECONDS = 1.0
"""Between two looks at a function's state; GetFunctionConfiguration shares 15 calls a second with
the rest of the control plane (AWS quota, 2026-11)."""


def function_pages(
    client: BotoLambdaClient, *, all_versions: bool = False
) -> Iterator[list[FunctionConfiguration]]:
    """The functions of the account and region; a page is fetched when it is asked for."""
    arguments = {"FunctionVersion": "ALL"} if all_versions else {}
    for page in control_pages(client, "list_functions", "Functions", None, **arguments):
        yield [configuration_of(function) for function in page]


def version_pages(client: BotoLambdaClient, target: Target) -> Iterator[list[FunctionConfiguration]]:
    """A function's versions, ``$LATEST`` included."""
    named = {"FunctionName": target.function}
    for page in control_pages(client, "list_versions_by_function", "Versions", target, **named):
        yield [configuration_of(version) for version in page]


def alias_pages(client: BotoLambdaClient, target: Target) -> Iterator[list[Alias]]:
    """A function's aliases."""
    for page in control_pages(client, "list_aliases", "Aliases", target, FunctionName=target.function):
        yield [alias_of(alias) for alias in page]


def get_configuration(client: BotoLambdaClient, target: Target) -> FunctionConfiguration:
    """A function's configuration, of the qualifier if there is one."""
    qualifier: dict[str, Any] = {} if target.qualifier is None else {"Qualifier": target.qualifier}
    with control_errors(target):
        answer = client.get_function_configuration(FunctionName=target.function, **qualifier)
    return configuration_of(answer)


def wait_until_active(
    client: BotoLambdaClient,
    target: Target,
    *,
    deadline: float,
    now: Callable[[], float],
    sleep: Callable[[float], object],
) -> FunctionConfiguration:
    """Look at the function until it can be invoked and no update of it is under way.

    Raises:
        FunctionConfigurationError: its state, or its last update, is Failed.
        DeadlineExceededError: it was not active within ``deadline`` seconds.
    """
    expires = now() + deadline
    while True:
        found = get_configuration(client, target)
        if is_active(found, target):
            return found
        if now() + POLL_SECONDS > expires:
            raise still_inactive(found, target, deadline)
        sleep(POLL_SECONDS)


def is_active(found: FunctionConfiguration, target: Target) -> bool:
    """Whether it can be invoked and no update of it is under way.

    Raises:
        FunctionConfigurationError: its state, or its last update, is Failed.
    """
    if found.state == "Failed" or found.last_update_status == "Failed":
        reason = found.state_reason or found.last_update_status_reason or "no reason given"
        raise FunctionConfigurationError(
            reason, code=found.state_reason_code or "Failed", function=target.display
        )
    # Functions made before states existed, and some emulators, answer without one: active.
    return found.state in {None, "Active"} and found.last_update_status != "InProgress"


def still_inactive(found: FunctionConfiguration, target: Target, deadline: float) -> DeadlineExceededError:
    """The error of who waited ``deadline`` seconds for a function to become active."""
    return DeadlineExceededError(
        f"still {found.state} (last update: {found.last_update_status}) after {deadline:.3g} s",
        function=target.display,
    )


def configuration_of(answer: Mapping[str, Any]) -> FunctionConfiguration:
    """A FunctionConfiguration from the service's shape; environment values are left out."""
    logging = answer.get("LoggingConfig") or {}
    return FunctionConfiguration(
        name=answer["FunctionName"],
        arn=answer["FunctionArn"],
        version=answer.get("Version"),
        runtime=answer.get("Runtime"),
        handler=answer.get("Handler"),
        description=answer.get("Description"),
        role=answer.get("Role"),
        timeout=None if answer.get("Timeout") is None else float(answer["Timeout"]),
        memory_size=answer.get("MemorySize"),
        code_size_bytes=answer.get("CodeSize"),
        last_modified=answer.get("LastModified"),
        state=answer.get("State"),
        state_reason=answer.get("StateReason"),
        state_reason_code=answer.get("StateReasonCode"),
        last_update_status=answer.get("LastUpdateStatus"),
        last_update_status_reason=answer.get("LastUpdateStatusReason"),
        package_type=answer.get("PackageType"),
        architectures=tuple(answer.get("Architectures") or ()),
        layers=tuple(layer["Arn"] for layer in answer.get("Layers") or ()),
        dead_letter_target_arn=(answer.get("DeadLetterConfig") or {}).get("TargetArn"),
        log_format=logging.get("LogFormat"),
        log_group=logging.get("LogGroup"),
        snap_start=(answer.get("SnapStart") or {}).get("ApplyOn"),
        tracing_mode=(answer.get("TracingConfig") or {}).get("Mode"),
        revision_id=answer.get("RevisionId"),
    )


def alias_of(answer: Mapping[str, Any]) -> Alias:
    """An Alias from the service's shape."""
    routing = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Alias(
        name=answer["Name"],
        arn=answer["AliasArn"],
        function_version=answer["FunctionVersion"],
        description=answer.get("Description"),
        routing={str(version): float(weight) for version, weight in routing.items()},
        revision_id=answer.get("RevisionId"),
    )


def control_pages(
    client: BotoLambdaClient, operation: str, member: str, target: Target | None, **arguments: Any
) -> Iterator[list[Mapping[str, Any]]]:
    """The listings' pages, each fetched when it is asked for: what they have under ``member``."""
    pages = iter(client.get_paginator(operation).paginate(**arguments))
    while True:
        with control_errors(target):
            page = next(pages, None)
        if page is None:
            return
        yield page.get(member) or []


@contextlib.contextmanager
def control_errors(target: Target | None, *, changes: bool = False) -> Iterator[None]:
    """Say botocore's errors in the library's terms.

    Reading runs nothing: ``executed`` is NO. Of what ``changes`` something, it says whether that was done.
    """
    function = None if target is None else target.display
    try:
        yield
    except be.ClientError as error:
        raised = build_service_error(refusal_of(error.response), function=function or "")
        raised.function = function
        if not changes:
            raised.executed = Executed.NO
        # botocore's own error may repeat signed headers, a session token among them: not chained.
        raise raised from None
    except NO_CREDENTIALS as error:
        raise CredentialsError(words(error), function=function) from error
    except NETWORK as error:
        if changes and not isinstance(error, NOT_CONNECTED):
            raise OutcomeUnknownError(
                f"the change may have been made: {words(error)}", function=function
            ) from error
        raise ConnectError(words(error), function=function) from error
    except be.BotoCoreError as error:
        if isinstance(error, be.StubResponseError):
            raise  # the test's own failure
        raise RequestError(words(error), function=function) from error
