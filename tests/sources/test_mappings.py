"""Listing event source mappings: botocore's Stubber for the pages, moto for a real answer."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from lambda_invoke import (
    AsyncLambdaClient,
    EventSourceMapping,
    FunctionNotFoundError,
    LambdaClient,
    ThrottledError,
)
from lambda_invoke.sources.mapping import mapping_of
from tests.support.moto import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
MAPPING = "arn:aws:lambda:us-east-1:123456789012:event-source-mapping"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:consume"


@pytest.fixture
def stub() -> Iterator[Stubber]:
    """Of a boto3 client; at the end every stubbed answer must have been used."""
    client: Any = boto3.client(
        "lambda", "us-east-1", aws_access_key_id="AKID", aws_secret_access_key="SECRET"
    )
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


A, B, C, D = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcd")


def page(*uuids: str, marker: str | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = {"EventSourceMappings": [{"UUID": uuid} for uuid in uuids]}
    return answer if marker is None else {**answer, "NextMarker": marker}


def test_every_member_is_read(stub: Stubber) -> None:
    """A mapping with everything the service can say, by the service model."""
    moment = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    stub.add_response(
        "get_event_source_mapping",
        {
            "UUID": A,
            "EventSourceMappingArn": f"{MAPPING}:{A}",
            "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
            "FunctionArn": FUNCTION,
            "State": "Enabled",
            "StateTransitionReason": "User action",
            "LastProcessingResult": "OK",
            "LastModified": moment,
            "BatchSize": 100,
            "MaximumBatchingWindowInSeconds": 5,
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": moment,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
            "BisectBatchOnFunctionError": True,
            "ParallelizationFactor": 2,
            "TumblingWindowInSeconds": 30,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "FilterCriteria": {"Filters": [{"Pattern": '{"a": [1]}'}]},
            "FilterCriteriaError": {"ErrorCode": "KMSAccessDeniedException", "Message": "cannot decrypt"},
            "ScalingConfig": {"MaximumConcurrency": 7},
            "DestinationConfig": {"OnFailure": {"Destination": QUEUE}, "OnSuccess": {}},
            "Topics": ["t"],
            "Queues": ["q"],
            "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"},
            "ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 3},
            "MetricsConfig": {"Metrics": ["EventCount"]},
            "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
        },
        {"UUID": A},
    )
    found = LambdaClient(stub.client).get_event_source_mapping(A)
    assert found == EventSourceMapping(
        uuid=A,
        arn=f"{MAPPING}:{A}",
        event_source_arn="arn:aws:kinesis:us-east-1:123456789012:stream/orders",
        function_arn=FUNCTION,
        kind="kinesis",
        state="Enabled",
        state_transition_reason="User action",
        last_processing_result="OK",
        last_modified=moment,
        batch_size=100,
        batching_window=5.0,
        starting_position="AT_TIMESTAMP",
        starting_position_timestamp=moment,
        maximum_retry_attempts=math.inf,
        maximum_record_age=math.inf,
        bisect_batch_on_function_error=True,
        parallelization_factor=2,
        tumbling_window=30.0,
        function_response_types=("ReportBatchItemFailures",),
        filters=('{"a": [1]}',),
        filter_error="cannot decrypt",
        maximum_concurrency=7,
        on_failure=QUEUE,
        topics=("t",),
        queues=("q",),
        consumer_group_id="g",
        minimum_pollers=1,
        maximum_pollers=3,
        metrics=("EventCount",),
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/k",
    )
    assert found.reports_batch_item_failures


def test_what_the_service_did_not_say_is_none() -> None:
    """An id is all that is needed; 0 is not None."""
    bare = mapping_of({"UUID": "u"})
    assert bare == EventSourceMapping("u")
    assert not bare.reports_batch_item_failures
    assert mapping_of({"UUID": "u", "MaximumRetryAttempts": 0}).maximum_retry_attempts == 0
    assert mapping_of({"UUID": "u", "MaximumBatchingWindowInSeconds": 0}).batching_window == 0.0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"EventSourceArn": QUEUE}, "sqs"),
        ({"EventSourceArn": "arn:aws-cn:dynamodb:cn-north-1:1:table/t/stream/s"}, "dynamodb"),
        ({"EventSourceArn": "arn:aws:kafka:us-east-1:1:cluster/c/x"}, "kafka"),
        ({"EventSourceArn": "arn:aws:mq:us-east-1:1:broker:b:x"}, "mq"),
        ({"EventSourceArn": "arn:aws:rds:us-east-1:1:cluster:docs"}, "documentdb"),
        ({"EventSourceArn": "arn:aws:newer:us-east-1:1:thing"}, "newer"),
        ({"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["k:9092"]}}}, "kafka"),
        ({}, None),
    ],
)
def test_the_kind_is_the_sources(answer: dict[str, Any], kind: str | None) -> None:
    """By the ARN; a source of one's own is Kafka."""
    found = mapping_of({"UUID": "u", **answer})
    assert found.kind == kind
    assert found.bootstrap_servers == (("k:9092",) if "SelfManagedEventSource" in answer else ())


def test_pages_are_fetched_as_they_are_consumed(stub: Stubber) -> None:
    """The second page only when the first is used up; function, qualifier and source narrow it."""
    wanted = {"FunctionName": "consume:prod", "EventSourceArn": QUEUE}
    stub.add_response("list_event_source_mappings", page(A, B, marker="m"), wanted)
    listed = LambdaClient(stub.client).list_event_source_mappings("consume:prod", event_source_arn=QUEUE)
    assert [next(listed).uuid, next(listed).uuid] == [A, B]
    stub.add_response("list_event_source_mappings", page(C), {**wanted, "Marker": "m"})
    assert [one.uuid for one in listed] == [C]


def test_refusals_are_ours(stub: Stubber) -> None:
    """With the service's code, and nothing of botocore's."""
    client = LambdaClient(stub.client)
    stub.add_client_error("list_event_source_mappings", "TooManyRequestsException", "slow", 429)
    with pytest.raises(ThrottledError):
        next(client.list_event_source_mappings())
    stub.add_client_error("get_event_source_mapping", "ResourceNotFoundException", "no such mapping", 404)
    with pytest.raises(FunctionNotFoundError, match="no such mapping"):
        client.get_event_source_mapping(A)


def test_awaited(stub: Stubber) -> None:
    """The asyncio client lists and gets the same."""

    async def look() -> tuple[list[str], str]:
        client = AsyncLambdaClient(stub.client)
        listed = [one.uuid async for one in client.list_event_source_mappings("consume")]
        return listed, (await client.get_event_source_mapping(D)).uuid

    stub.add_response("list_event_source_mappings", page(A, marker="m"), {"FunctionName": "consume"})
    stub.add_response("list_event_source_mappings", page(B), {"FunctionName": "consume", "Marker": "m"})
    stub.add_response("get_event_source_mapping", {"UUID": D}, {"UUID": D})
    assert asyncio.run(look()) == ([A, B], D)


def test_against_a_server() -> None:
    """Moto's Lambda has a mapping of a queue; the client finds it by its function and by its source."""
    with serving() as moto:
        boto, sqs, iam = (moto.client(name) for name in ("lambda", "sqs", "iam"))
        queue = sqs.create_queue(QueueName="mapped")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({}))["Role"]["Arn"]
        for name in ("consume", "other"):
            boto.create_function(
                FunctionName=name, Role=role, Runtime="python3.12", Handler="a.b", Code={"ZipFile": b"x"}
            )
        made = boto.create_event_source_mapping(FunctionName="consume", EventSourceArn=arn, BatchSize=5)
        client = LambdaClient(boto)
        (found,) = client.list_event_source_mappings("consume")
        assert (found.uuid, found.event_source_arn, found.kind, found.batch_size) == (
            made["UUID"],
            arn,
            "sqs",
            5,
        )
        assert [one.uuid for one in client.list_event_source_mappings(event_source_arn=arn)] == [found.uuid]
        assert list(client.list_event_source_mappings("other")) == []
        assert client.get_event_source_mapping(found.uuid).function_arn == found.function_arn
        for one in (boto, sqs, iam):
            one.close()
