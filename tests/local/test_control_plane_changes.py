"""What changes a function while the endpoint runs: its configuration, and what is published of it."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import Function, Outbox
from tests.local.conftest import Serve, children, handler, invoke
from tests.local.refusals import refusal
from tests.support.patience import soon

QUICK = {"Delay": 0, "MaxAttempts": 3}


@pytest.fixture(scope="module")
def client(serve_module: Serve) -> Any:
    _, client = serve_module({"echo": handler("echo")})
    return client


def test_a_published_version_keeps_what_it_was_published_with(serve: Serve) -> None:
    """The version runs with its configuration, and $LATEST with the changed one."""
    _, client = serve({"env": Function(handler("environment"), environment={"STAGE": "old"})})
    published = client.publish_version(FunctionName="env", Description="the first")
    assert (published["Version"], published["Description"]) == ("1", "the first")
    assert published["FunctionArn"].endswith(":function:env:1")
    client.get_waiter("published_version_active").wait(FunctionName="env", Qualifier="1", WaiterConfig=QUICK)
    client.update_function_configuration(
        FunctionName="env", Environment={"Variables": {"STAGE": "new"}}, MemorySize=256
    )
    for qualifier, stage, memory in (("1", "old", "128"), ("$LATEST", "new", "256")):
        seen = invoke(client, "env", Qualifier=qualifier)
        assert (seen.value["STAGE"], seen.value["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) == (stage, memory)
        assert seen.version == seen.value["AWS_LAMBDA_FUNCTION_VERSION"] == qualifier


def test_publishing_without_a_change_gives_the_last_version_again(serve: Serve) -> None:
    """The number goes up only when something changed; versions that were declared count."""
    _, client = serve({"echo": Function(handler("echo"), versions={"7": handler("echo")})})
    assert client.publish_version(FunctionName="echo")["Version"] == "7"
    client.update_function_configuration(FunctionName="echo", Description="another")
    second = client.publish_version(FunctionName="echo")
    assert (second["Version"], second["Description"]) == ("8", "another")
    assert client.publish_version(FunctionName="echo", Description="ignored")["Version"] == "8"
    pages = client.get_paginator("list_versions_by_function").paginate(
        FunctionName="echo", PaginationConfig={"PageSize": 2}
    )
    assert [item["Version"] for page in pages for item in page["Versions"]] == ["$LATEST", "7", "8"]


def test_a_handler_of_its_own_version_is_not_the_last_version(serve: Serve) -> None:
    """$LATEST with another handler than the last version is published as the next."""
    _, client = serve({"two": Function(handler("version_two"), versions={"1": handler("echo")})})
    assert client.publish_version(FunctionName="two")["Version"] == "2"
    assert invoke(client, "two", 5, Qualifier="2").value == {"two": 5, "version": "2"}
    assert invoke(client, "two", 5, Qualifier="1").value == 5


def test_preconditions_are_held(serve: Serve) -> None:
    """A stale RevisionId is 412, another CodeSha256 400; the current ones pass."""
    _, client = serve({"echo": handler("echo")})
    stale = client.get_function_configuration(FunctionName="echo")
    latest = client.update_function_configuration(
        FunctionName="echo", Timeout=9, RevisionId=stale["RevisionId"]
    )
    assert latest["RevisionId"] != stale["RevisionId"]
    for call in (client.publish_version, client.update_function_configuration):
        status, code, message = refusal(call, FunctionName="echo", RevisionId=stale["RevisionId"])
        assert (status, code) == (412, "PreconditionFailedException")
        assert message.startswith("The Revision Id provided does not match the latest Revision Id.")
    status, code, message = refusal(client.publish_version, FunctionName="echo", CodeSha256="bm8=")
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith("CodeSHA256 (bm8=) is different from current CodeSHA256 in $LATEST (")
    published = client.publish_version(
        FunctionName="echo", RevisionId=latest["RevisionId"], CodeSha256=latest["CodeSha256"]
    )
    assert published["Version"] == "1"


def test_a_changed_configuration_is_shown_and_in_force(serve: Serve) -> None:
    """The answer and every reading after it have the change; what was not given stays."""
    local, client = serve({"nap": Function(handler("nap"), timeout=30, description="naps")})
    invoke(client, "nap", {"seconds": 0})
    changed = client.update_function_configuration(FunctionName="nap", Timeout=1)
    client.get_waiter("function_updated_v2").wait(FunctionName="nap", WaiterConfig=QUICK)
    for seen in (changed, client.get_function_configuration(FunctionName="nap")):
        assert (seen["Timeout"], seen["MemorySize"], seen["Description"]) == (1, 128, "naps")
    assert client.list_functions()["Functions"][0]["Timeout"] == 1
    assert "Task timed out after 1.00 seconds" in invoke(client, "nap", {"seconds": 30}).value["errorMessage"]
    assert local.stats("nap").cold_starts == 2


def test_the_workers_of_an_old_configuration_end(serve: Serve) -> None:
    """What nobody can reach any more is not kept until it expires, and no descriptor for it."""
    _, client = serve({"who": handler("whoami")})
    old = invoke(client, "who").value["pid"]
    open_files = files_without_a_name()
    client.update_function_configuration(FunctionName="who", Timeout=5)
    assert invoke(client, "who").value["pid"] != old
    soon(lambda: old not in children())
    soon(lambda: files_without_a_name() == open_files)


def files_without_a_name() -> int:
    """How many open files of this process were deleted: what workers are started with is kept in such."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            links.append(str(descriptor.readlink()))
    return sum(link.endswith("(deleted)") for link in links)


def test_a_dead_letter_queue_is_an_arn(serve: Serve) -> None:
    """An Outbox is shown as a queue, which can be put back; an empty ARN takes it away."""
    outbox = Outbox()
    _, client = serve({"a": Function(handler("echo"), dead_letter=outbox), "b": handler("echo")})
    shown = client.get_function_configuration(FunctionName="a")["DeadLetterConfig"]
    assert shown == {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:outbox-1"}
    changed = client.update_function_configuration(FunctionName="b", DeadLetterConfig=shown)
    assert changed["DeadLetterConfig"] == shown
    changed = client.update_function_configuration(FunctionName="b", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in changed


@pytest.mark.parametrize(
    ("parameters", "code", "names"),
    [
        ({"Timeout": 901}, "ValidationException", "'timeout'"),
        ({"MemorySize": 20_000}, "ValidationException", "'memorySize'"),
        ({"Description": "x" * 257}, "ValidationException", "'description'"),
        (
            {"Environment": {"Variables": {"FINE": "x", "AWS_EXECUTION_ENV": "x"}}},
            "InvalidParameterValueException",
            "Reserved keys used in this request: AWS_EXECUTION_ENV",
        ),
        ({"Environment": {"Variables": {"A-B": "x"}}}, "ValidationException", "'{A-B}'"),
        ({"Layers": []}, "InvalidParameterValueException", "does not change Layers"),
        (
            {"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::b"}},
            "InvalidParameterValueException",
            "arn:aws:s3",
        ),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(
    client: Any, parameters: Any, code: str, names: str
) -> None:
    """The message names what is wrong, and nothing is changed."""
    before = client.get_function_configuration(FunctionName="echo")
    status, found, message = refusal(client.update_function_configuration, FunctionName="echo", **parameters)
    assert (status, found) == (400, code)
    assert names in message
    after = client.get_function_configuration(FunctionName="echo")
    assert after["RevisionId"] == before["RevisionId"]


def test_changes_outlive_a_restart(serve: Serve) -> None:
    """The same LocalLambda, started again, has what was published."""
    local, client = serve({"echo": handler("echo")})
    client.publish_version(FunctionName="echo")
    client.close()
    local.stop()
    local.start()
    again = local.boto3_client()
    assert invoke(again, "echo", 1, Qualifier="1").version == "1"
    again.close()


def test_what_a_user_of_boto3_meets_first_is_there(serve: Serve) -> None:
    """Account settings, tags, event source mappings, policies and provisioned concurrency answer."""
    _, client = serve({"echo": Function(handler("echo"), reserved_concurrency=4)}, concurrency_limit=20)
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 20
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 16
    assert settings["AccountUsage"]["FunctionCount"] == 1
    arn = client.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]
    assert client.list_tags(Resource=arn)["Tags"] == {}
    assert client.list_event_source_mappings(FunctionName="echo")["EventSourceMappings"] == []
    assert refusal(client.get_policy, FunctionName="echo")[:2] == (404, "ResourceNotFoundException")
    assert (
        client.list_provisioned_concurrency_configs(FunctionName="echo")["ProvisionedConcurrencyConfigs"]
        == []
    )
    one = refusal(client.get_provisioned_concurrency_config, FunctionName="echo", Qualifier="$LATEST")
    assert one[:2] == (404, "ProvisionedConcurrencyConfigNotFoundException")
    assert refusal(client.list_provisioned_concurrency_configs, FunctionName="nix")[0] == 404
    assert refusal(client.list_tags, Resource=f"{arn}x")[:2] == (404, "ResourceNotFoundException")
