"""Listing and configuration, as boto3's paginators and waiters read them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_invoke.local import Function
from tests.local.conftest import Serve, handler

ECHO = handler("echo")


@pytest.fixture(scope="module")
def client(serve_module: Serve) -> Any:
    functions: dict[str, Function | str] = {f"f{number:03d}": ECHO for number in range(120)}
    functions["main"] = Function(
        ECHO,
        timeout=1.5,
        memory_size=512,
        description="the main one",
        environment={"SECRET": "hidden"},
        reserved_concurrency=2,
        versions={str(number): ECHO for number in (1, 10, 2)},
        aliases={"prod": "2", "beta": "10", "also": "2"},
    )
    functions["f000"] = Function(ECHO, log_format="JSON", system_log_level="WARN")
    _, client = serve_module(functions)
    return client


def test_functions_are_listed_page_by_page(client: Any) -> None:
    """Every function once, 50 to a page at most, in more than one page."""
    pages = list(client.get_paginator("list_functions").paginate())
    assert [len(page["Functions"]) for page in pages] == [50, 50, 21]
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    assert names == [*(f"f{number:03d}" for number in range(120)), "main"]


def test_max_items_bounds_a_page(client: Any) -> None:
    """MaxItems is the size of a page, and the marker leads on."""
    first = client.list_functions(MaxItems=7)
    assert len(first["Functions"]) == 7
    second = client.list_functions(MaxItems=7, Marker=first["NextMarker"])
    assert second["Functions"][0]["FunctionName"] == "f007"


def test_all_versions_are_listed_when_asked(client: Any) -> None:
    """FunctionVersion=ALL lists each version with its qualified ARN."""
    pages = client.get_paginator("list_functions").paginate(FunctionVersion="ALL")
    arns = [
        item["FunctionArn"] for page in pages for item in page["Functions"] if item["FunctionName"] == "main"
    ]
    assert [arn.rpartition(":")[2] for arn in arns] == ["$LATEST", "1", "2", "10"]


def test_another_function_version_is_refused(client: Any) -> None:
    """ALL is the only value of FunctionVersion."""
    with pytest.raises(ClientError) as caught:
        client.list_functions(FunctionVersion="SOME")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_page_has_its_bounds(client: Any) -> None:
    """10,000 items may be asked for, and no more; a listing of EventInvokeConfigs has 50 at most."""
    assert len(client.list_functions(MaxItems=10_000)["Functions"]) == 50
    for call, parameters in (
        (client.list_functions, {"MaxItems": 10_001}),
        (client.list_function_event_invoke_configs, {"FunctionName": "main", "MaxItems": 51}),
    ):
        with pytest.raises(ClientError) as caught:
            call(**parameters)
        assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize("marker", ["garbage", "WzEsMl0=", "WyJBbGlhc2VzIiwgMV0="])
def test_a_marker_of_somebody_else_is_refused(client: Any, marker: Any) -> None:
    """A token that this listing did not give is an InvalidParameterValueException."""
    with pytest.raises(ClientError) as caught:
        client.list_functions(Marker=marker)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_configuration_is_what_the_function_says(client: Any) -> None:
    """Timeout (rounded up), memory, handler, environment, state."""
    found = client.get_function_configuration(FunctionName="main", Qualifier="prod")
    assert (found["Timeout"], found["MemorySize"], found["Description"]) == (2, 512, "the main one")
    assert (found["Version"], found["FunctionArn"].rpartition(":")[2]) == ("2", "prod")
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")
    assert found["Handler"] == ECHO
    assert found["Environment"] == {"Variables": {"SECRET": "hidden"}}


def test_the_log_levels_are_told_with_the_format_that_has_them(client: Any) -> None:
    """JSON logs have levels, text logs none."""
    group = "/aws/lambda/{}"
    said = {
        name: client.get_function_configuration(FunctionName=name)["LoggingConfig"]
        for name in ("f000", "f001")
    }
    assert said == {
        "f000": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "WARN",
            "LogGroup": group.format("f000"),
        },
        "f001": {"LogFormat": "Text", "LogGroup": group.format("f001")},
    }


def test_get_function_tells_reserved_concurrency(client: Any) -> None:
    """GetFunction has the configuration and the concurrency."""
    found = client.get_function(FunctionName="main")
    assert found["Configuration"]["FunctionName"] == "main"
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 2}


def test_waiters_are_satisfied(client: Any) -> None:
    """boto3's waiters see an active function."""
    client.get_waiter("function_active_v2").wait(FunctionName="main")
    client.get_waiter("function_updated").wait(FunctionName="main")
    client.get_waiter("function_exists").wait(FunctionName="main")


def test_versions_are_in_order(client: Any) -> None:
    """$LATEST first, then by number."""
    versions = client.list_versions_by_function(FunctionName="main")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2", "10"]


def test_aliases_are_listed_and_filtered(client: Any) -> None:
    """By name; FunctionVersion keeps those that point to it; GetAlias finds one."""
    aliases = client.list_aliases(FunctionName="main")["Aliases"]
    assert [(alias["Name"], alias["FunctionVersion"]) for alias in aliases] == [
        ("also", "2"),
        ("beta", "10"),
        ("prod", "2"),
    ]
    only = client.list_aliases(FunctionName="main", FunctionVersion="10")["Aliases"]
    assert [alias["Name"] for alias in only] == ["beta"]
    assert client.get_alias(FunctionName="main", Name="prod")["AliasArn"].endswith(":main:prod")


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("get_alias", {"FunctionName": "main", "Name": "none"}, "Cannot find alias arn: "),
        ("get_function", {"FunctionName": "none"}, "Function not found: "),
        ("list_aliases", {"FunctionName": "none"}, "Function not found: "),
        ("list_versions_by_function", {"FunctionName": "none"}, "Function not found: "),
    ],
)
def test_what_is_not_there_is_404(client: Any, operation: Any, parameters: Any, message: Any) -> None:
    """Reading what does not exist is ResourceNotFoundException."""
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**parameters)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert caught.value.response["Error"]["Message"].startswith(message)
