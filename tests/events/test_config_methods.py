"""Both clients' methods for event configurations, against the local endpoint and moto's server."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from botocore.stub import Stubber

import lambda_invoke as li
from lambda_invoke import AsyncLambdaClient, EventConfig, LambdaClient
from lambda_invoke.local import EventInvokeConfig, Function, LocalLambda
from tests.local.event_tools import ADDS
from tests.support.moto import serving

ACCOUNT = "us-east-1:000000000000"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:queue"
OTHER_QUEUE = f"arn:aws:sqs:{ACCOUNT}:other-queue"
ARN = f"arn:aws:lambda:{ACCOUNT}:function:orders"

Run = Callable[[str], Callable[..., Any]]
"""A client's method by its name, which answers whether it is awaited or not."""


@pytest.fixture
def local() -> Iterator[LocalLambda]:
    """An endpoint that reaches no other service; a destination is only kept."""
    functions: dict[str, Function | str] = {
        "orders": Function(ADDS, versions={"1": ADDS}, aliases={"prod": "1"}),
        "takes": ADDS,
    }
    with LocalLambda(functions, services=lambda _name: None) as endpoint:
        yield endpoint


async def _all(listing: Any) -> list[Any]:
    return [one async for one in listing]


@pytest.fixture(params=["blocking", "asyncio"])
def run(local: LocalLambda, request: pytest.FixtureRequest) -> Iterator[Run]:
    """Calls of either client; listings are lists."""
    if request.param == "blocking":
        with local.client() as client:
            yield lambda name: _blocking(client, name)
        return
    with asyncio.Runner() as runner:
        awaited = local.async_client()
        yield lambda name: lambda *args, **options: runner.run(_awaited(awaited, name, *args, **options))
        runner.run(awaited.aclose())


def _blocking(client: LambdaClient, name: str) -> Callable[..., Any]:
    method = getattr(client, name)
    return (lambda *args: list(method(*args))) if name.startswith("list") else method


async def _awaited(client: AsyncLambdaClient, name: str, *args: Any, **options: Any) -> Any:
    answer = getattr(client, name)(*args, **options)
    return await (answer if isinstance(answer, Awaitable) else _all(answer))


def test_put_replaces_and_update_keeps(local: LocalLambda, run: Run) -> None:
    """What the other side then holds: put forgets what is not named, update does not."""
    put = run("put_event_config")("orders", maximum_retry_attempts=1, on_failure=QUEUE, qualifier="prod")
    assert (put.function, put.qualifier, put.maximum_event_age) == (f"{ARN}:prod", "prod", None)
    updated = run("update_event_config")("orders:prod", maximum_event_age=90)
    assert (updated.maximum_retry_attempts, updated.maximum_event_age) == (1, 90.0)
    assert local._registry.event_config("orders", "prod") == EventInvokeConfig(
        maximum_retry_attempts=1, maximum_event_age=90.0, on_failure=QUEUE
    )
    replaced = run("put_event_config")("orders", qualifier="prod", maximum_event_age=60)
    assert (replaced.maximum_retry_attempts, replaced.on_failure) == (None, None)
    assert local._registry.event_config("orders", "prod") == EventInvokeConfig(maximum_event_age=60.0)
    got = run("get_event_config")("orders", qualifier="prod")
    assert got == replaced
    assert got.last_modified is not None


def test_an_update_of_one_destination_keeps_the_other(local: LocalLambda, run: Run) -> None:
    """Lambda takes both as one member, and would forget the one that is not sent; None removes one."""
    run("put_event_config")("orders", on_success=f"{ARN.removesuffix('orders')}takes", on_failure=QUEUE)
    changed = run("update_event_config")("orders", on_failure=OTHER_QUEUE)
    assert (changed.on_success, changed.on_failure) == (f"{ARN.removesuffix('orders')}takes", OTHER_QUEUE)
    removed = run("update_event_config")("orders", on_success=None)
    assert (removed.on_success, removed.on_failure) == (None, OTHER_QUEUE)
    both = run("update_event_config")("orders", on_success=QUEUE, on_failure=None)
    assert (both.on_success, both.on_failure) == (QUEUE, None)
    held = local._registry.event_config("orders", None)
    assert (held.on_success, held.on_failure) == (QUEUE, None)


def test_what_is_not_there(run: Run) -> None:
    """A function without a configuration has none; one that does not exist is an error, by every method."""
    assert run("get_event_config")("orders") is None
    assert run("delete_event_config")("orders") is False
    assert run("list_event_configs")("orders") == []
    run("put_event_config")("orders", maximum_retry_attempts=0)
    assert run("get_event_config")("orders", qualifier="prod") is None
    assert run("delete_event_config")("orders") is True
    assert run("get_event_config")("orders") is None
    calls: list[Callable[[], Any]] = [
        lambda: run("update_event_config")("orders", maximum_retry_attempts=0),
        lambda: run("update_event_config")("orders", on_failure=QUEUE),
        lambda: run("get_event_config")("nobody"),
        lambda: run("get_event_config")("orders", qualifier="nobody"),
        lambda: run("delete_event_config")("nobody"),
        lambda: run("put_event_config")("nobody", maximum_retry_attempts=0),
        lambda: run("list_event_configs")("nobody"),
        lambda: run("get_dead_letter_queue")("nobody"),
        lambda: run("set_dead_letter_queue")("nobody", QUEUE),
    ]
    for call in calls:
        with pytest.raises(li.FunctionNotFoundError):
            call()


def test_each_qualifier_is_listed(run: Run) -> None:
    """What is set for $LATEST, for versions and for aliases."""
    for qualifier in (None, "1", "prod"):
        run("put_event_config")("orders", maximum_retry_attempts=0, qualifier=qualifier)
    assert [each.qualifier for each in run("list_event_configs")("orders")] == ["$LATEST", "1", "prod"]


def test_dead_letter_queues(run: Run, local: LocalLambda) -> None:
    """Set, read, removed; the endpoint holds it."""
    assert run("get_dead_letter_queue")("orders") is None
    answer = run("set_dead_letter_queue")("orders", QUEUE)
    assert (answer.name, answer.dead_letter_target_arn) == ("orders", QUEUE)
    assert local._registry.find("orders").deployment.function.dead_letter == QUEUE
    assert run("get_dead_letter_queue")("orders:$LATEST") == QUEUE
    assert run("remove_dead_letter_queue")("orders").dead_letter_target_arn is None
    assert local._registry.find("orders").deployment.function.dead_letter is None


def test_nothing_is_sent_that_lambda_would_refuse(run: Run, local: LocalLambda) -> None:
    """The other side is as it was."""
    run("put_event_config")("orders", maximum_retry_attempts=1)
    calls: list[Callable[[], Any]] = [
        lambda: run("put_event_config")("orders", maximum_retry_attempts=3),
        lambda: run("put_event_config")("orders"),
        lambda: run("update_event_config")("orders"),
        lambda: run("update_event_config")("orders", maximum_event_age=1),
        lambda: run("update_event_config")("orders", on_success="arn:aws:s3:::bucket"),
        lambda: run("set_dead_letter_queue")("orders", "arn:aws:s3:::bucket"),
        lambda: run("set_dead_letter_queue")("orders:prod", QUEUE),
        lambda: run("remove_dead_letter_queue")("orders:1"),
    ]
    for call in calls:
        with pytest.raises(li.RequestError, match="orders"):
            call()
    assert local._registry.event_config("orders", None) == EventInvokeConfig(maximum_retry_attempts=1)


def test_what_the_service_refuses_is_said_by_it(run: Run) -> None:
    """A destination that is not there, or the function itself."""
    with pytest.raises(li.InvalidRequestError, match="destination for itself") as raised:
        run("put_event_config")("orders", on_success=ARN)
    assert raised.value.executed is li.Executed.NO


def test_against_motos_control_plane() -> None:
    """A second opinion on put, get, list and delete; moto's update is a put, and it has no dead letters."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("f.py", "")
    with serving() as moto:
        boto = moto.client("lambda")
        iam = moto.client("iam")
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        boto.create_function(
            FunctionName="orders",
            Runtime="python3.12",
            Handler="f.f",
            Role=role,
            Code={"ZipFile": code.getvalue()},
        )
        sqs = moto.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        client = LambdaClient(boto_client=boto)
        assert client.get_event_config("orders") is None
        put = client.put_event_config("orders", maximum_retry_attempts=0, on_failure=arn)
        held = boto.get_function_event_invoke_config(FunctionName="orders")
        assert (held["MaximumRetryAttempts"], held["DestinationConfig"]["OnFailure"]) == (
            0,
            {"Destination": arn},
        )
        assert (put.maximum_retry_attempts, put.on_failure) == (0, arn)
        assert [each.on_failure for each in client.list_event_configs("orders")] == [arn]
        assert client.delete_event_config("orders") is True
        assert client.get_event_config("orders") is None
        with pytest.raises(li.FunctionNotFoundError):
            client.get_event_config("nobody")
        for each in (boto, iam, sqs):
            each.close()


def handed_over() -> Any:
    """A boto3 client that reaches nobody, and tries once."""
    config = Config(retries={"total_max_attempts": 1})
    return boto3.Session("a", "s", region_name="us-east-1").client("lambda", config=config)


def stubbed() -> tuple[LambdaClient, Stubber]:
    """A client over a boto3 client that answers what the test says."""
    boto = handed_over()
    stubber = Stubber(boto)
    stubber.activate()
    return LambdaClient(boto_client=boto), stubber


def test_an_update_keeps_a_destination_that_is_not_known_here() -> None:
    """What Lambda holds already it has accepted: one that is FIFO, or new, keeps nobody from the other."""
    client, stubber = stubbed()
    held = {"OnSuccess": {"Destination": f"{QUEUE}.fifo"}, "OnFailure": {}}
    sent = {**held, "OnFailure": {"Destination": OTHER_QUEUE}}
    stubber.add_response(
        "get_function_event_invoke_config",
        {"FunctionArn": ARN, "DestinationConfig": held},
        {"FunctionName": "orders"},
    )
    stubber.add_response(
        "update_function_event_invoke_config",
        {"FunctionArn": ARN, "DestinationConfig": sent},
        {"FunctionName": "orders", "DestinationConfig": sent},
    )
    assert client.update_event_config("orders", on_failure=OTHER_QUEUE).on_failure == OTHER_QUEUE
    stubber.assert_no_pending_responses()


def test_who_may_not_look_gets_none() -> None:
    """Without lambda:GetFunctionConfiguration a function that is not there has nothing set, it seems."""
    client, stubber = stubbed()
    stubber.add_client_error("get_function_event_invoke_config", "ResourceNotFoundException", "none", 404)
    stubber.add_client_error("get_function_configuration", "AccessDeniedException", "no", 403)
    assert client.get_event_config("orders") is None
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("failure", "expected", "executed"),
    [
        (ConnectionClosedError(endpoint_url="http://x"), li.OutcomeUnknownError, li.Executed.UNKNOWN),
        (EndpointConnectionError(endpoint_url="http://x"), li.ConnectError, li.Executed.NO),
    ],
)
def test_a_change_without_an_answer_may_have_been_made(
    failure: Exception, expected: type[li.LambdaInvokeError], executed: li.Executed
) -> None:
    """A broken connection leaves it open, one that was never had does not; reading changes nothing."""
    boto = handed_over()

    def fail(**_: Any) -> None:
        raise failure

    boto.meta.events.register("before-send.lambda", fail)
    client = LambdaClient(boto_client=boto)
    changes: list[Callable[[], Any]] = [
        lambda: client.put_event_config("orders", maximum_retry_attempts=0),
        lambda: client.update_event_config("orders", maximum_retry_attempts=0),
        lambda: client.delete_event_config("orders"),
        lambda: client.set_dead_letter_queue("orders", QUEUE),
        lambda: client.remove_dead_letter_queue("orders"),
    ]
    for change in changes:
        with pytest.raises(expected) as raised:
            change()
        assert raised.value.executed is executed
    with pytest.raises(li.ConnectError):
        client.get_event_config("orders")
    boto.close()


def test_the_answer_is_typed() -> None:
    """What the service says it holds now, not what was sent."""
    client, stubber = stubbed()
    answer = {"FunctionArn": ARN, "MaximumRetryAttempts": 2, "DestinationConfig": {}}
    stubber.add_response(
        "put_function_event_invoke_config",
        answer,
        {
            "FunctionName": "orders",
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
        },
    )
    assert client.put_event_config("orders", maximum_retry_attempts=0) == EventConfig(ARN, 2)


def test_pages_are_fetched_as_they_are_consumed() -> None:
    """The second when the first is used up."""
    client, stubber = stubbed()
    operation = "list_function_event_invoke_configs"
    for number, marker in (("1", {"NextMarker": "m"}), ("2", {})):
        page = {"FunctionEventInvokeConfigs": [{"FunctionArn": f"{ARN}:{number}"}], **marker}
        asked = {"FunctionName": "orders"} if marker else {"FunctionName": "orders", "Marker": "m"}
        stubber.add_response(operation, page, asked)
    listing = client.list_event_configs("orders")
    assert next(listing).qualifier == "1"
    with pytest.raises(AssertionError, match="1 responses remaining"):
        stubber.assert_no_pending_responses()
    assert [each.qualifier for each in listing] == ["2"]
    stubber.assert_no_pending_responses()
