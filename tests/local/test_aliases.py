"""Aliases: made, changed and routed."""

from collections import Counter
from typing import Any

import pytest

from lambda_invoke.local import Alias, Function
from lambda_invoke.local.registry import Registry
from tests.local.conftest import Serve, handler, invoke
from tests.local.refusals import refusal

TWO = {"1": handler("describe"), "2": handler("version_two")}


def test_an_alias_is_routed_by_its_weights() -> None:
    """A draw below the weight goes to the other version, any other to the alias's own."""
    draws = iter([0.0, 0.24, 0.25, 0.99])
    function = Function(handler("echo"), versions=TWO, aliases={"prod": Alias("1", weights={"2": 0.25})})
    registry = Registry({"f": function}, "us-east-1", "000000000000", draw=lambda: next(draws))
    targets = [registry.resolve("f", "prod") for _ in range(4)]
    assert [target.deployment.version for target in targets] == ["2", "2", "1", "1"]
    assert {target.invoked_arn for target in targets} == {registry.arn("f", "prod")}
    assert registry.find("f:prod").deployment.version == "1"


def test_the_executed_version_tells_which_ran(serve: Serve) -> None:
    """X-Amz-Executed-Version and the context agree, whichever version the alias was routed to."""
    aliases = {"half": Alias("1", weights={"2": 0.5})}
    local, client = serve({"f": Function(handler("describe"), versions=TWO, aliases=aliases)})
    replies = [invoke(client, "f:half", {}) for _ in range(40)]
    assert all(reply.version == reply.value["version"] for reply in replies)
    ran = Counter(reply.version for reply in replies)
    assert set(ran) == {"1", "2"}  # by chance not, once in 2 ** 39 runs
    with local.client() as ours:
        assert ours.invoke("f:half", {}).executed_version in ran


def test_an_alias_goes_through_its_life(serve: Serve) -> None:
    """Created, found, invoked, shifted, listed, deleted; each answer has the alias as it is."""
    _, client = serve({"f": Function(handler("describe"), versions=TWO)})
    made = client.create_alias(FunctionName="f", Name="prod", FunctionVersion="1", Description="live")
    assert (made["FunctionVersion"], made["Description"]) == ("1", "live")
    assert made["AliasArn"].endswith(":function:f:prod")
    assert invoke(client, "f", {}, Qualifier="prod").version == "1"

    weights = {"AdditionalVersionWeights": {"2": 1.0}}
    shifted = client.update_alias(FunctionName="f", Name="prod", RoutingConfig=weights)
    assert (shifted["RoutingConfig"], shifted["Description"]) == (weights, "live")
    assert shifted["RevisionId"] != made["RevisionId"]
    assert invoke(client, "f", {}, Qualifier="prod").version == "2"
    only = client.list_aliases(FunctionName="f", FunctionVersion="2")["Aliases"]
    assert [alias["Name"] for alias in only] == ["prod"]

    ended = client.update_alias(FunctionName="f", Name="prod", FunctionVersion="2", RoutingConfig={})
    assert "RoutingConfig" not in ended
    got = client.get_alias(FunctionName="f", Name="prod")
    assert {**got, "ResponseMetadata": None} == {**ended, "ResponseMetadata": None}

    assert client.delete_alias(FunctionName="f", Name="prod")["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.delete_alias(FunctionName="f", Name="prod")
    assert refusal(client.invoke, FunctionName="f:prod")[:2] == (404, "ResourceNotFoundException")


def test_an_alias_may_point_to_a_version_that_was_published_now(serve: Serve) -> None:
    """Versions that came later count as those that were there."""
    local, client = serve({"f": handler("describe")})
    number = client.publish_version(FunctionName="f")["Version"]
    client.create_alias(FunctionName="f", Name="live", FunctionVersion=number)
    assert invoke(client, "f:live", {}).value["version"] == number
    with local.client() as ours:
        assert [alias.name for alias in ours.list_aliases("f")] == ["live"]


def test_aliases_come_page_by_page(serve: Serve) -> None:
    """boto3's paginator finds each once."""
    names = {f"a{number}": "1" for number in range(7)}
    _, client = serve({"f": Function(handler("echo"), versions={"1": handler("echo")}, aliases=names)})
    pages = list(
        client.get_paginator("list_aliases").paginate(FunctionName="f", PaginationConfig={"PageSize": 3})
    )
    assert [len(page["Aliases"]) for page in pages] == [3, 3, 1]
    assert [alias["Name"] for page in pages for alias in page["Aliases"]] == list(names)


@pytest.fixture(scope="module")
def client(serve_module: Serve) -> Any:
    _, client = serve_module({"f": Function(handler("echo"), versions=TWO, aliases={"prod": "1"})})
    return client


@pytest.mark.parametrize(
    ("parameters", "status", "code", "message"),
    [
        ({"Name": "prod"}, 409, "ResourceConflictException", "Alias already exists: "),
        ({"Name": "12"}, 400, "ValidationException", "1 validation error detected: Value '12' at 'name'"),
        ({"FunctionVersion": "9"}, 404, "ResourceNotFoundException", "Function not found: "),
        ({"FunctionName": "none"}, 404, "ResourceNotFoundException", "Function not found: "),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1, "3": 0.1}}},
            400,
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
            400,
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included",
        ),
        (
            {"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
            400,
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            400,
            "ValidationException",
            "1 validation error detected: Value '{2=1.5}'",
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"9": 0.5}}},
            404,
            "ResourceNotFoundException",
            "Function not found: ",
        ),
    ],
)
def test_an_alias_that_cannot_be_is_refused(
    client: Any, parameters: Any, status: int, code: str, message: str
) -> None:
    """In Lambda's words, and nothing is made."""
    whole = {"FunctionName": "f", "Name": "new", "FunctionVersion": "1", **parameters}
    found = refusal(client.create_alias, **whole)
    assert found[:2] == (status, code)
    assert found[2].startswith(message)
    assert [alias["Name"] for alias in client.list_aliases(FunctionName="f")["Aliases"]] == ["prod"]


def test_an_update_of_what_has_changed_or_is_not_there_is_refused(serve: Serve) -> None:
    """A stale RevisionId is 412, an unknown alias 404."""
    _, client = serve({"f": Function(handler("echo"), versions=TWO, aliases={"prod": "1"})})
    stale = client.get_alias(FunctionName="f", Name="prod")["RevisionId"]
    client.update_alias(FunctionName="f", Name="prod", FunctionVersion="2", RevisionId=stale)
    found = refusal(client.update_alias, FunctionName="f", Name="prod", RevisionId=stale)
    assert found[:2] == (412, "PreconditionFailedException")
    assert refusal(client.update_alias, FunctionName="f", Name="no")[:2] == (404, "ResourceNotFoundException")
