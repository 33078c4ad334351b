"""What cannot be looked at is said, and nothing is changed."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.stub import Stubber

from lambda_invoke import (
    ConnectError,
    FunctionNotFoundError,
    LambdaClient,
    RequestError,
    Severity,
)
from lambda_invoke.local import LocalLambda
from tests.doctor.world import ACCOUNT, SESSION, World, validate
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer

if TYPE_CHECKING:
    from lambda_invoke import Diagnosis
    from tests.support.moto import Moto

OPERATIONS = {
    "get_function_configuration": "lambda:GetFunctionConfiguration",
    "list_event_source_mappings": "lambda:ListEventSourceMappings",
    "get_policy": "lambda:GetPolicy",
    "get_function_concurrency": "lambda:GetFunctionConcurrency",
    "get_account_settings": "lambda:GetAccountSettings",
    "list_provisioned_concurrency_configs": "lambda:ListProvisionedConcurrencyConfigs",
    "list_function_event_invoke_configs": "lambda:ListFunctionEventInvokeConfigs",
}
"""In the order in which they are asked."""
MESSAGE = "User: arn:aws:iam::123456789012:user/x is not authorized"


def actions(diagnosis: Diagnosis) -> dict[str, Any]:
    """What could not be looked at: the reasons by the actions."""
    return {str(each.evidence["action"]): each.evidence["reason"] for each in diagnosis.could_not_look}


def test_no_permission_at_all() -> None:
    """Every operation is refused: each is named by its IAM action, and nothing crashes."""
    control, watch = SESSION.client("lambda"), SESSION.client("cloudwatch")
    with Stubber(control) as stubs, Stubber(watch) as others:
        stubs.add_client_error("invoke", "AccessDeniedException", MESSAGE, 403)
        for operation in OPERATIONS:
            stubs.add_client_error(operation, "AccessDeniedException", MESSAGE, 403)
        others.add_client_error("get_metric_data", "AccessDenied", MESSAGE, 403)
        diagnosis = LambdaClient(control, services=lambda _: watch).diagnose("f")
        stubs.assert_no_pending_responses()
        others.assert_no_pending_responses()
    validate(diagnosis.to_dict())
    assert actions(diagnosis) == {
        **dict.fromkeys(OPERATIONS.values(), f"AccessDeniedException: {MESSAGE}"),
        "cloudwatch:GetMetricData": f"AccessDenied: {MESSAGE}",
    }
    assert [each.id for each in diagnosis.findings if each.severity is not Severity.UNKNOWN] == [
        "invoke-denied"
    ]
    assert diagnosis.function_arn is None
    assert diagnosis.looked_at == ("the permission to invoke",)


@pytest.mark.parametrize("operation", ["GetQueueUrl", "GetQueueAttributes"])
def test_a_queue_that_may_not_be_read(operation: str, world: World) -> None:
    """Of the two permissions that it takes, the one that is missing is named; the rest is looked at."""
    world.read_queue(world.queue())
    queues = SESSION.client("sqs", endpoint_url=world.moto.url)

    def refuse(**_: Any) -> Any:
        raise_with = {"Error": {"Code": "AccessDenied", "Message": MESSAGE}, "ResponseMetadata": {}}
        from botocore.awsrequest import AWSResponse

        return AWSResponse("", 403, {}, None), raise_with

    queues.meta.events.register(f"before-call.sqs.{operation}", refuse)
    world.options = {"services": lambda name: queues if name == "sqs" else world.moto.client(name)}
    diagnosis = world.diagnose()
    assert actions(diagnosis) == {f"sqs:{operation}": f"AccessDenied: {MESSAGE}"}
    assert diagnosis.worst is Severity.UNKNOWN
    assert f"queue {world.name}" in diagnosis.could_not_look[0].title


def test_a_queue_that_is_gone(world: World) -> None:
    """The mapping outlived its queue."""
    queue = world.queue()
    world.read_queue(queue)
    queues = world.moto.client("sqs")
    queues.delete_queue(QueueUrl=queues.get_queue_url(QueueName=world.name)["QueueUrl"])
    (finding,) = world.diagnose().could_not_look
    assert "NonExistentQueue" in str(finding.evidence["reason"])


def test_a_client_that_was_handed_over_without_services(world: World) -> None:
    """It does not say where SQS and CloudWatch are: both are said, with the fix."""
    world.read_queue(world.queue())
    world.hand_over(read_timeout=60)
    world.options = {"services": None}
    reasons = actions(world.diagnose())
    assert reasons.keys() == {"sqs:GetQueueAttributes", "cloudwatch:GetMetricData"}
    assert all("give the client services=" in str(reason) for reason in reasons.values())


def test_an_emulator_that_answers_something_else(world: World) -> None:
    """An answer without what belongs there is not looked at, rather than a crash."""
    world.answer("GetAccountSettings")
    world.answer("GetPolicy", Policy="[]")
    world.refuse("ListProvisionedConcurrencyConfigs", "404", 404)
    reasons = actions(world.diagnose())
    assert reasons["lambda:GetAccountSettings"] == "KeyError: 'AccountLimit'"
    assert reasons["lambda:GetPolicy"] == "ValueError: the policy is not a JSON object"
    assert (
        "does not know ListProvisionedConcurrencyConfigs"
        in reasons["lambda:ListProvisionedConcurrencyConfigs"]
    )


def test_moto_and_what_it_has_not(world: World) -> None:
    """Unhelped, two operations of Lambda's are unknown to it."""
    world._answers.clear()
    assert actions(world.diagnose()).keys() == {
        "lambda:GetAccountSettings",
        "lambda:ListProvisionedConcurrencyConfigs",
    }


def test_the_local_lambda() -> None:
    """It serves the rest; it has no CloudWatch, which is said."""
    with LocalLambda({"f": "tests/local/handlers.py:echo"}) as local, local.client() as client:
        diagnosis = client.diagnose("f")
        with pytest.raises(FunctionNotFoundError):
            client.diagnose("g")
    validate(diagnosis.to_dict())
    reasons = actions(diagnosis)
    assert reasons.keys() == {"cloudwatch:GetMetricData"}
    assert "events-without-failure-destination" in [each.id for each in diagnosis.findings]


def test_no_such_function(world: World) -> None:
    """One clear error, and no finding about a function that is not there."""
    with world.client() as client, pytest.raises(FunctionNotFoundError, match="nope"):
        client.diagnose("nope")


def test_the_function_goes_meanwhile() -> None:
    """It was there for the dry run, and is not for the first question."""
    control = SESSION.client("lambda")
    with Stubber(control) as stubs:
        stubs.add_response("invoke", {"StatusCode": 204})
        stubs.add_client_error("get_function_configuration", "ResourceNotFoundException", "gone", 404)
        with pytest.raises(FunctionNotFoundError, match="gone"):
            LambdaClient(control).diagnose("f")


def test_no_connection() -> None:
    """There is no diagnosis of nothing."""
    with (
        ScriptedServer(refusing=True) as server,
        LambdaClient(session=SESSION, endpoint_url=server.url) as client,
        pytest.raises(ConnectError),
    ):
        client.diagnose("f")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hours": 0}, "hours is a number"),
        ({"hours": 337}, "at most 336"),
        ({"hours": float("nan")}, "hours is a number"),
        ({"hours": "24"}, "hours is a number"),
        ({"hours": True}, "hours is a number"),
        ({"concurrency": 0}, "max_concurrency is an int"),
        ({"qualifier": "a b"}, "qualifier"),
    ],
)
def test_bad_arguments(options: dict[str, Any], says: str) -> None:
    """They are refused before anything is asked."""
    with LambdaClient(session=SESSION) as client, pytest.raises(RequestError, match=says):
        client.diagnose("f", **options)


def test_on_asyncio(moto: Moto) -> None:
    """The same findings, awaited; and an error is the same error."""
    world = World(moto)
    world.read_queue(world.queue(visibility=30))
    world.metric("Errors", 1)

    async def look() -> Diagnosis:
        async with world.async_client() as client:
            with pytest.raises(FunctionNotFoundError):
                await client.diagnose("nope")
            return await client.diagnose(world.name)

    assert asyncio.run(look()) == world.diagnose()


def test_cancelled_it_asks_nothing_more(moto: Moto) -> None:
    """The question on its way is the last one."""
    world = World(moto)
    asked, begun, go_on, ended = list[str](), threading.Event(), threading.Event(), threading.Event()

    async def look() -> None:
        client = world.async_client()
        events = client._sender.control().meta.events

        def hold(**_: Any) -> None:
            asked.append("GetFunctionConfiguration")
            begun.set()
            assert go_on.wait(PATIENCE)

        events.register_first("before-call.lambda.GetFunctionConfiguration", hold)
        for later in ("ListEventSourceMappings", "GetPolicy"):
            events.register_first(f"before-call.lambda.{later}", lambda **_: asked.append("more"))
        events.register_last("after-call.lambda.GetFunctionConfiguration", lambda **_: ended.set())
        task = asyncio.ensure_future(client.diagnose(world.name))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert await asyncio.to_thread(ended.wait, PATIENCE)
        await client.aclose()

    asyncio.run(look())
    assert asked == ["GetFunctionConfiguration"]


def test_a_client_over_a_transport_has_no_control_plane() -> None:
    """It says so at once."""

    class Nowhere:
        def send(self, *_: object) -> Any:
            raise AssertionError

        def close(self) -> None:
            """Nothing."""

    with pytest.raises(RequestError, match="no control plane"):
        LambdaClient.over(Nowhere()).diagnose("f")


def test_metrics_of_a_qualifier(world: World) -> None:
    """They are those of that alias, and not of the whole function; all in one call."""
    world.function()
    seen: list[Any] = []
    watch = SESSION.client("cloudwatch", endpoint_url=world.moto.url)
    watch.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: seen.append(params)
    )
    world.configured(Version="3")
    world.options = {"services": lambda _: watch}
    world.asked = {"qualifier": "prod", "hours": 2}
    assert world.diagnose().hours == 2
    (asked,) = seen
    dimensions = asked["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"]
    assert {each["Name"]: each["Value"] for each in dimensions} == {
        "FunctionName": world.name,
        "Resource": f"{world.name}:prod",
    }
    assert len(asked["MetricDataQueries"]) == 8
    assert (asked["EndTime"] - asked["StartTime"]).total_seconds() == 7200


def test_other_accounts_are_those_of_arns_too(world: World) -> None:
    """In whatever form a policy names them; what lets nobody invoke does not count."""
    everybody = {"Effect": "Allow", "Action": "lambda:GetFunction", "Principal": "*", "Sid": "reads"}
    people = ["111111111111", "arn:aws:iam::222222222222:root", f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"]
    invokes = {"Effect": "Allow", "Action": ["lambda:*"], "Principal": {"AWS": people}, "Sid": "invokes"}
    denies = {"Effect": "Deny", "Action": "*", "Principal": "*", "Sid": "denies"}
    world.policy(everybody, invokes, denies)
    (finding,) = world.diagnose().findings
    assert finding.evidence == {"accounts": ("111111111111", "222222222222"), "statements": ("invokes",)}


def test_latest_is_the_function_itself(world: World) -> None:
    """Asked for by its name, it has the function's policy, mappings and metrics."""
    world.permit("*")
    world.read_queue(world.queue(visibility=30))
    world.metric("Errors", 1)
    unqualified = world.diagnose()
    world.asked = {"qualifier": "$LATEST"}
    assert [each.id for each in world.diagnose().findings] == [each.id for each in unqualified.findings]
    assert {each.id for each in unqualified.findings} == {
        *("public-invoke", "queue-visibility-short", "errors-seen")
    }


def test_a_dry_run_that_fails_otherwise(world: World) -> None:
    """A fault of Lambda's says nothing of permissions: it could not be looked at, on asyncio either."""
    world.hand_over(read_timeout=60)
    world.refuse("Invoke", "ServiceException", 500)

    async def look() -> Diagnosis:
        async with world.async_client() as client:
            return await client.diagnose(world.name)

    diagnosis = world.diagnose()
    assert actions(diagnosis).keys() == {"lambda:InvokeFunction"}
    assert asyncio.run(look()) == diagnosis


def test_a_service_that_cannot_be_reached(world: World) -> None:
    """CloudWatch is not Lambda: the rest of the diagnosis is there."""
    once = Config(retries={"total_max_attempts": 1})
    with ScriptedServer(refusing=True) as server:
        watch = SESSION.client("cloudwatch", endpoint_url=server.url, config=once)
        world.options = {"services": lambda _: watch}
        reasons = actions(world.diagnose())
    assert str(reasons["cloudwatch:GetMetricData"]).startswith("EndpointConnectionError: ")


def test_without_the_configuration_what_was_asked_for_says_whose_it_is(world: World) -> None:
    """Where it may not be read, the account of an ARN still tells others from its own."""
    world.permit("111111111111")
    world.refuse("GetFunctionConfiguration")
    with world.client() as client:
        diagnosis = client.diagnose(f"arn:aws:lambda:us-east-1:111111111111:function:{world.name}")
    assert [each.id for each in diagnosis.findings] == ["could-not-look"]
