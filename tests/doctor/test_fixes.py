"""A fix mends what was found, and nothing is said of what is not known."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse

from lambda_invoke.doctor.answers import STATISTICS
from lambda_invoke.local import LocalLambda
from tests.doctor.cases import CASES, silent
from tests.doctor.world import ACCOUNT, LETTERS, SESSION

if TYPE_CHECKING:
    from tests.doctor.world import World


WITHOUT_DESTINATION = "events-without-failure-destination"


def found(world: World) -> list[str]:
    return [finding.id for finding in world.diagnose().findings]


KEPT = {"OnSuccess": {"Destination": LETTERS}}


@pytest.mark.parametrize(
    ("already", "operation"),
    [({}, "put"), ({"MaximumRetryAttempts": 1}, "update"), ({"DestinationConfig": KEPT}, "update")],
    ids=["nothing set", "retries set", "success set"],
)
def test_the_command_that_sets_a_failure_destination(already: dict[str, Any], operation: str) -> None:
    """It mends that and nothing else: a put removes the rest, an update of nothing fails."""
    functions = {"f": "tests/local/handlers.py:echo"}
    with LocalLambda(functions, services=lambda _: None) as local, local.client() as client:
        control = client._sender.control()
        if already:
            control.put_function_event_invoke_config(FunctionName="f", **already)
        (finding,) = (each for each in client.diagnose("f").findings if each.id == WITHOUT_DESTINATION)
        words = shlex.split(finding.fix.partition(";")[0])
        assert words[:4] == ["aws", "lambda", f"{operation}-function-event-invoke-config", "--function-name"]
        destinations = shorthand(words[6].replace("QUEUE_ARN", LETTERS))
        getattr(control, words[2].replace("-", "_"))(FunctionName=words[4], DestinationConfig=destinations)
        assert WITHOUT_DESTINATION not in [each.id for each in client.diagnose("f").findings]
        config = client.get_event_config("f")
    assert config is not None
    assert config.on_success == (LETTERS if "DestinationConfig" in already else None)
    assert config.maximum_retry_attempts == already.get("MaximumRetryAttempts")


def shorthand(text: str) -> dict[str, dict[str, str]]:
    """As the AWS CLI reads it."""
    return {
        when: {"Destination": arn} for when, arn in re.findall(r"(\w+)=\{Destination=([^}]*)\}(?:,|$)", text)
    }


@pytest.mark.parametrize("qualifier", ["$LATEST", "$LATEST.PUBLISHED"])
def test_a_command_survives_a_shell(qualifier: str, world: World) -> None:
    """A shell would read $LATEST as a variable; what is set for it is named by no qualifier."""
    world.function(bare=True)
    world.configured(Version=qualifier)
    world.asked = {"qualifier": qualifier}
    (finding,) = world.diagnose().findings
    named = world.name if qualifier == "$LATEST" else f"'{world.name}:{qualifier}'"
    assert f" --function-name {named} " in finding.fix


@pytest.mark.parametrize("code", ["Forbidden", "InternalError", "PartialData"])
def test_metrics_that_cloudwatch_did_not_give(code: str, world: World) -> None:
    """They are not zero: nothing is called silent or sound on them."""
    silent()(world)
    watch = SESSION.client("cloudwatch", endpoint_url=world.moto.url)
    results = [{"Id": name.lower(), "Values": [], "StatusCode": code} for name in STATISTICS]
    watch.meta.events.register(
        "before-call.cloudwatch.GetMetricData",
        lambda **_: (AWSResponse("", 200, {}, None), {"MetricDataResults": results}),
    )
    world.options = {"services": lambda name: watch if name == "cloudwatch" else world.moto.client(name)}
    diagnosis = world.diagnose()
    assert [each.id for each in diagnosis.findings] == ["could-not-look"]
    assert code in str(diagnosis.findings[0].evidence["reason"])


@pytest.mark.parametrize(("called", "said"), [("prod", False), ("4", True), (None, True)])
def test_provisioned_elsewhere_is_known_or_not_said(called: str | None, said: bool, world: World) -> None:
    """Which version is behind an alias only the configuration tells: without it nothing is said of one."""
    CASES["provisioned-concurrency-elsewhere"][1](world)
    world.refuse("GetFunctionConfiguration")
    world.asked["qualifier"] = called
    assert ("provisioned-concurrency-elsewhere" in found(world)) is said


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Updating", "Deleting"])
def test_a_mapping_on_its_way(state: str, world: World) -> None:
    """It is neither silent yet, nor to be enabled while it is deleted."""
    world.mapped(State=state, LastProcessingResult="No records processed")
    assert found(world) == []


@pytest.mark.parametrize("state", ["Disabled", "Disabling"])
def test_a_mapping_that_lambda_disabled(state: str, world: World) -> None:
    """To enable it alone would not mend it: the cause comes first."""
    world.mapped(State=state, StateTransitionReason="EVENT_SOURCE_AUTHZ_ERROR")
    (finding,) = world.diagnose().findings
    assert finding.fix.startswith("mend the cause, most likely: the function's role may not read the source;")
    assert finding.fix.endswith("--uuid uuid-1 --enabled")
    world.mapped(State=state)
    (finding,) = world.diagnose().findings
    assert finding.fix == "aws lambda update-event-source-mapping --uuid uuid-1 --enabled"


def test_kafka_in_provisioned_mode_is_read_in_order(world: World) -> None:
    """Only then it takes limits, splits batches and says which records failed."""
    arn = f"arn:aws:kafka:us-east-1:{ACCOUNT}:cluster/c/00000000-0000-0000-0000-000000000000-1"
    mapping: dict[str, Any] = {"UUID": "k", "EventSourceArn": arn, "Topics": ["orders"], "BatchSize": 100}
    world.answer("ListEventSourceMappings", EventSourceMappings=[mapping])
    assert found(world) == []
    mapping["ProvisionedPollerConfig"] = {"MinimumPollers": 1}
    world.answer("ListEventSourceMappings", EventSourceMappings=[mapping])
    assert found(world) == [
        "mapping-without-batch-item-failures",
        "stream-without-bisect",
        "stream-without-limits",
        "stream-without-failure-destination",
    ]


def test_one_is_not_many(world: World) -> None:
    """Titles count in English."""
    for name in ("Errors", "Invocations", "Throttles", "AsyncEventsDropped"):
        world.metric(name, 1)
    assert [each.title for each in world.diagnose().findings] == [
        "1 Event dropped in 24 h",
        "1 of 1 invocation failed in 24 h",
        "1 invocation throttled in 24 h",
    ]


def test_the_hours_are_of_metrics_that_were_read(world: World) -> None:
    """The text says how far back figures go, and nothing of the kind where there are none."""
    assert str(world.diagnose()).endswith("CloudWatch metrics (24 h).")
    world.hand_over(read_timeout=60)
    world.options = {"services": None}
    assert "24 h" not in str(world.diagnose())


@pytest.mark.parametrize(
    "said",
    [
        {"Effect": "Deny", "Action": "lambda:InvokeFunction"},
        {"Effect": "Allow", "Action": "lambda:GetFunction"},
    ],
    ids=["deny", "another action"],
)
def test_a_statement_that_lets_nobody_invoke(said: dict[str, str], world: World) -> None:
    """It opens nothing, whoever it is about."""
    world.policy({"Sid": "s", "Principal": "*", "Resource": "*", **said})
    assert found(world) == []


def test_the_accounts_share_counts_only_where_nothing_is_reserved(world: World) -> None:
    """Whether something is may not be known: then nothing is said of the account."""
    CASES["account-concurrency-below-fan-out"][0](world)
    world.refuse("GetFunctionConcurrency")
    assert found(world) == ["could-not-look"]


def test_provisioned_concurrency_on_its_way(world: World) -> None:
    """What is not there yet is said while nothing has failed, too."""
    CASES["provisioned-concurrency-not-ready"][1](world)
    (one,) = world._answers["ListProvisionedConcurrencyConfigs"]["ProvisionedConcurrencyConfigs"]
    one |= {"AllocatedProvisionedConcurrentExecutions": 9, "Status": "IN_PROGRESS"}
    assert "provisioned-concurrency-not-ready" in found(world)


@pytest.mark.parametrize(("most", "said"), [((5, 6), True), ((5, 5), False)])
def test_mappings_count_together(most: tuple[int, int], said: bool, world: World) -> None:
    """They share what is reserved: AWS has it be no less than the sum of all."""
    world.reserve(10)
    world.asked = {"concurrency": 10}
    world.mapped()
    (known,) = world._answers["ListEventSourceMappings"]["EventSourceMappings"]
    both = [{**known, "UUID": str(each), "ScalingConfig": {"MaximumConcurrency": each}} for each in most]
    world.answer("ListEventSourceMappings", EventSourceMappings=both)
    assert ("mapping-concurrency-above-reserved" in found(world)) is said


@pytest.mark.parametrize(("waited", "said"), [(300_001, True), (300_000, False)])
def test_half_of_the_greatest_age_is_long(waited: int, said: bool, world: World) -> None:
    """Events that are given up after ten minutes have waited long after five."""
    world.function(bare=True)
    world.events(on_failure=LETTERS, MaximumEventAgeInSeconds=600)
    world.metric("AsyncEventAge", waited)
    assert ("events-waiting" in found(world)) is said


@pytest.mark.parametrize(("qualifier", "suffix"), [("prod", ":prod"), ("$LATEST", ""), (None, "")])
def test_mappings_are_those_of_what_is_called(qualifier: str | None, suffix: str, world: World) -> None:
    """An alias has mappings of its own; those of $LATEST are listed by the bare name."""
    world.configured(Version="3")
    asked = []
    with world.client() as client:
        client._sender.control().meta.events.register(
            "provide-client-params.lambda.ListEventSourceMappings",
            lambda params, **_: asked.append(params["FunctionName"]),
        )
        client.diagnose(world.name, qualifier=qualifier)
    assert asked == [world.name + suffix]
