"""EventInvokeConfig through boto3: what becomes of Events, for each qualifier."""

from typing import Any

import pytest

from lambda_invoke.local import EventInvokeConfig, Function, LocalLambda, Outbox
from tests.local.conftest import Serve, handler
from tests.local.refusals import refusal

ACCOUNT = "us-east-1:000000000000"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:queue"
FUNCTION = f"arn:aws:lambda:{ACCOUNT}:function"
DEFAULTS = EventInvokeConfig()


FUNCTIONS = {
    "f": Function(handler("echo"), versions={"1": handler("echo")}, aliases={"prod": "1"}),
    "other": handler("echo"),
}


@pytest.fixture
def served(serve: Serve) -> tuple[LocalLambda, Any]:
    return serve(FUNCTIONS)


@pytest.fixture(scope="module")
def refusing(serve_module: Serve) -> tuple[LocalLambda, Any]:
    return serve_module(FUNCTIONS)


def put(client: Any, **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.put_function_event_invoke_config(FunctionName="f", **parameters)
    return answer


def test_put_replaces_and_update_merges(served: tuple[LocalLambda, Any]) -> None:
    """Put forgets what is not given, Update keeps it; both show what holds now."""
    local, client = served
    first = put(client, MaximumRetryAttempts=1, MaximumEventAgeInSeconds=90)
    assert first["FunctionArn"] == f"{FUNCTION}:f:$LATEST"
    assert (first["MaximumRetryAttempts"], first["MaximumEventAgeInSeconds"]) == (1, 90)
    assert first["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}

    destinations = {"OnSuccess": {"Destination": f"{FUNCTION}:other"}, "OnFailure": {"Destination": QUEUE}}
    merged = client.update_function_event_invoke_config(FunctionName="f", DestinationConfig=destinations)
    assert (merged["MaximumRetryAttempts"], merged["DestinationConfig"]) == (1, destinations)
    assert local._registry.event_config("f", None) == EventInvokeConfig(
        maximum_retry_attempts=1, maximum_event_age=90, on_success=f"{FUNCTION}:other", on_failure=QUEUE
    )

    replaced = put(client, MaximumEventAgeInSeconds=60)
    assert "MaximumRetryAttempts" not in replaced
    got = client.get_function_event_invoke_config(FunctionName="f")
    assert {**got, "ResponseMetadata": None} == {**replaced, "ResponseMetadata": None}
    assert local._registry.event_config("f", "$LATEST") == EventInvokeConfig(maximum_event_age=60)


def test_each_qualifier_has_its_own(served: tuple[LocalLambda, Any]) -> None:
    """Without a qualifier it is $LATEST's; a qualifier without one has Lambda's defaults."""
    local, client = served
    put(client, MaximumRetryAttempts=0)
    put(client, Qualifier="prod", MaximumRetryAttempts=1)
    configs = {qualifier: local._registry.event_config("f", qualifier) for qualifier in (None, "prod", "1")}
    assert {qualifier: config.maximum_retry_attempts for qualifier, config in configs.items()} == {
        None: 0,
        "prod": 1,
        "1": 2,
    }
    pages = list(
        client.get_paginator("list_function_event_invoke_configs").paginate(
            FunctionName="f", PaginationConfig={"PageSize": 1}
        )
    )
    arns = [config["FunctionArn"] for page in pages for config in page["FunctionEventInvokeConfigs"]]
    assert arns == [f"{FUNCTION}:f:$LATEST", f"{FUNCTION}:f:prod"]

    client.delete_function_event_invoke_config(FunctionName="f", Qualifier="prod")
    assert local._registry.event_config("f", "prod") == DEFAULTS
    found = refusal(client.get_function_event_invoke_config, FunctionName="f", Qualifier="prod")
    arn = f"{FUNCTION}:f:prod"
    assert found == (
        404,
        "ResourceNotFoundException",
        f"The function {arn} doesn't have an EventInvokeConfig",
    )


def test_what_the_function_says_holds_for_all_that_it_declares(serve: Serve) -> None:
    """Function.events is $LATEST's, its versions' and its aliases', not that of what is published later."""
    outbox = Outbox()
    config = EventInvokeConfig(maximum_retry_attempts=0, on_failure=outbox, on_success="other")
    function = Function(
        handler("echo"), versions={"1": handler("raises")}, aliases={"prod": "1"}, events=config
    )
    local, client = serve({"f": function, "other": handler("echo")})
    assert {local._registry.event_config("f", qualifier) for qualifier in (None, "1", "prod")} == {config}
    shown = client.get_function_event_invoke_config(FunctionName="f", Qualifier="prod")
    assert shown["DestinationConfig"] == {
        "OnSuccess": {"Destination": f"{FUNCTION}:other"},
        "OnFailure": {"Destination": f"arn:aws:sqs:{ACCOUNT}:outbox-1"},
    }
    number = client.publish_version(FunctionName="f")["Version"]
    assert local._registry.event_config("f", number) == DEFAULTS

    put(client, Qualifier=number, DestinationConfig=shown["DestinationConfig"])
    assert local._registry.event_config("f", number).on_failure is outbox


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {},
            "InvalidParameterValueException",
            "You must specify at least one of error handling or destination",
        ),
        ({"MaximumRetryAttempts": 3}, "ValidationException", "at 'maximumRetryAttempts'"),
        ({"MaximumEventAgeInSeconds": 21_601}, "ValidationException", "at 'maximumEventAgeInSeconds'"),
        (
            {"Qualifier": "none", "MaximumRetryAttempts": 1},
            "ResourceNotFoundException",
            "The function doesn't",
        ),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}}},
            "InvalidParameterValueException",
            "onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), onFailure=null) is invalid.",
        ),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": f"{FUNCTION}:nobody"}}},
            "InvalidParameterValueException",
            f"The destination ARN {FUNCTION}:nobody is invalid.",
        ),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": f"{FUNCTION}:other:no"}}},
            "InvalidParameterValueException",
            f"The destination ARN {FUNCTION}:other:no is invalid.",
        ),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": f"{FUNCTION}:f"}}},
            "InvalidParameterValueException",
            "You can't specify the function as a destination for itself.",
        ),
    ],
)
def test_a_config_that_cannot_be_is_refused(
    refusing: tuple[LocalLambda, Any], parameters: Any, code: str, message: str
) -> None:
    """In Lambda's words, and nothing is kept."""
    local, client = refusing
    _, found, said = refusal(client.put_function_event_invoke_config, FunctionName="f", **parameters)
    assert found == code
    assert message in said
    assert client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"] == []
    assert local._registry.event_config("f", None) == DEFAULTS


def test_a_bucket_takes_failures(served: tuple[LocalLambda, Any]) -> None:
    """S3 is a destination of failures only."""
    _, client = served
    destinations = {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}
    assert put(client, DestinationConfig=destinations)["DestinationConfig"] == {
        "OnSuccess": {},
        **destinations,
    }


def test_there_must_be_a_config_to_update_or_delete(refusing: tuple[LocalLambda, Any]) -> None:
    """Neither makes one."""
    _, client = refusing
    for call, parameters in (
        (client.update_function_event_invoke_config, {"MaximumRetryAttempts": 1}),
        (client.delete_function_event_invoke_config, {}),
    ):
        assert refusal(call, FunctionName="f", **parameters)[:2] == (404, "ResourceNotFoundException")
