"""Records that go to real SQS, SNS, EventBridge and S3 (moto's server, MiniStack), or to ones that fail."""

import functools
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config

from lambda_invoke.local import EventInvokeConfig, Function
from lambda_invoke.local.destination_services import MAX_SNS_BYTES, Services, UndeliverableError
from lambda_invoke.local.destinations import ServiceRoute
from lambda_invoke.local.event_records import Message
from tests.local.compare.worlds import KEYS, REGION, ministack
from tests.local.conftest import Serve, invoke
from tests.local.event_tools import ACCOUNT, ADDS, NO_RETRY, SCALE, arn, event
from tests.support.moto import serving
from tests.support.patience import PATIENCE, soon


@pytest.fixture(scope="module", params=["moto", "MiniStack"])
def make_client(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Any]]:
    """boto3's clients for moto's own server, and for MiniStack: neither is AWS, and they are not alike."""
    if request.param == "moto":
        with serving() as moto:
            yield moto.client
        return
    with ministack() as world:
        session = boto3.Session(KEYS["aws_access_key_id"], KEYS["aws_secret_access_key"], region_name=REGION)
        yield functools.partial(session.client, endpoint_url=world.url, config=Config(proxies={}))


@attrs.frozen
class Queue:
    """A queue on one of the servers."""

    client: Any
    url: str

    @property
    def arn(self) -> str:
        attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return str(attributes["Attributes"]["QueueArn"])

    def message(self) -> Any:
        """The one message that comes."""
        found: list[Any] = []

        def came() -> bool:
            answer = self.client.receive_message(
                QueueUrl=self.url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
            )
            found.extend(answer.get("Messages", []))
            return bool(found)

        soon(came)
        (message,) = found
        return message


@pytest.fixture
def queue(make_client: Any, request: pytest.FixtureRequest) -> Iterator[Queue]:
    """A queue of the test's own."""
    client = make_client("sqs")
    name = re.sub(r"\W", "-", request.node.name)[:60]
    yield Queue(client, client.create_queue(QueueName=name)["QueueUrl"])
    client.close()


def test_sqs_gets_the_record_as_its_body(
    serve: Serve, tmp_path: Path, make_client: Any, queue: Queue
) -> None:
    """A real queue, found by its ARN; no attributes."""
    config = EventInvokeConfig(on_success=queue.arn)
    local, client = serve({"f": Function(ADDS, events=config)}, services=make_client)
    request_id = event(client, "f", {"file": str(tmp_path / "ran"), "n": 1})
    local.wait_for_events(PATIENCE)
    message = queue.message()
    assert json.loads(message["Body"])["requestContext"]["requestId"] == request_id
    assert "MessageAttributes" not in message


def test_a_dead_letter_queue_gets_event_and_attributes(
    serve: Serve, tmp_path: Path, make_client: Any, queue: Queue
) -> None:
    """The body is the event as it was sent, the attributes have Lambda's names and types."""
    function = Function(ADDS, events=NO_RETRY, dead_letter=queue.arn)
    local, client = serve({"f": function}, services=make_client)
    payload = {"file": str(tmp_path / "ran"), "fail": "no"}
    request_id = event(client, "f", payload)
    local.wait_for_events(PATIENCE)
    message = queue.message()
    assert message["Body"] == json.dumps(payload)
    assert message["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no"},
    }


def test_sns_gets_the_record_as_its_message(
    serve: Serve, tmp_path: Path, make_client: Any, queue: Queue
) -> None:
    """A queue that is subscribed to the topic gets it, and a dead letter with its attributes."""
    sns = make_client("sns")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    config = EventInvokeConfig(on_success=topic)
    local, client = serve(
        {"f": Function(ADDS, events=config), "bad": Function(ADDS, events=NO_RETRY, dead_letter=topic)},
        services=make_client,
    )
    request_id = event(client, "f", {"file": str(tmp_path / "ran"), "n": 1})
    local.wait_for_events(PATIENCE)
    notification = json.loads(queue.message()["Body"])
    assert json.loads(notification["Message"])["requestContext"]["requestId"] == request_id
    request_id = event(client, "bad", {"file": str(tmp_path / "ran"), "fail": "no"})
    local.wait_for_events(PATIENCE)
    received: list[Any] = []

    def second_came() -> bool:
        received.extend(queue.client.receive_message(QueueUrl=queue.url).get("Messages", []))
        return bool(received)

    soon(second_came)
    letter = json.loads(received[0]["Body"])
    assert letter["MessageAttributes"]["RequestID"] == {"Type": "String", "Value": request_id}
    sns.close()


def test_eventbridge_gets_an_event_that_a_rule_matches(
    serve: Serve, tmp_path: Path, make_client: Any, queue: Queue
) -> None:
    """Source, detail type and resources are Lambda's; the detail is the record."""
    events = make_client("events")
    bus = events.create_event_bus(Name="bus")["EventBusArn"]
    pattern = {"source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Failure"]}
    events.put_rule(Name="rule", EventBusName="bus", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="rule", EventBusName="bus", Targets=[{"Id": "1", "Arn": queue.arn}])
    config = EventInvokeConfig(maximum_retry_attempts=0, on_success=bus, on_failure=bus)
    local, client = serve({"f": Function(ADDS, events=config)}, services=make_client)
    event(client, "f", {"file": str(tmp_path / "ran")})
    request_id = event(client, "f", {"file": str(tmp_path / "ran"), "fail": "no"})
    local.wait_for_events(PATIENCE)
    told = json.loads(queue.message()["Body"])
    assert told["detail"]["requestContext"]["requestId"] == request_id
    assert told["resources"] == [local.arn("f", "$LATEST"), bus]
    assert local.stats("f").delivered == 2
    events.close()


def test_s3_gets_an_object_for_a_failure(serve: Serve, tmp_path: Path, make_client: Any) -> None:
    """Under Lambda's key, with the record as its content."""
    s3 = make_client("s3")
    s3.create_bucket(Bucket="failures")
    config = EventInvokeConfig(maximum_retry_attempts=0, on_failure="arn:aws:s3:::failures")
    local, client = serve({"f": Function(ADDS, events=config)}, services=make_client)
    request_id = event(client, "f", {"file": str(tmp_path / "ran"), "fail": "no"})
    local.wait_for_events(PATIENCE)
    (found,) = s3.list_objects_v2(Bucket="failures")["Contents"]
    day = r"(\d{4})/(\d\d)/(\d\d)"
    key = rf"aws/lambda/async/f/{day}/\1-\2-\3T\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}"
    assert re.fullmatch(key, found["Key"])
    body = s3.get_object(Bucket="failures", Key=found["Key"])["Body"].read()
    assert json.loads(body)["requestContext"]["requestId"] == request_id
    s3.close()


class RecordingClient:
    """A service's client that does as its script says; calls are counted on its side."""

    def __init__(self, script: list[Any]) -> None:
        self.script = script
        self.calls: list[dict[str, Any]] = []
        self.closed = False

    def publish(self, **request: Any) -> Any:
        self.calls.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    put_events = publish

    def close(self) -> None:
        self.closed = True


TOPIC = arn("sns", "t")


def test_a_delivery_is_tried_again(serve: Serve, tmp_path: Path) -> None:
    """A service that fails twice gets the record the third time, and its client is closed at the end."""
    stub = RecordingClient([OSError("down"), OSError("down"), {}])
    config = EventInvokeConfig(on_success=TOPIC)
    local, client = serve({"f": Function(ADDS, events=config)}, time_scale=SCALE, services=lambda _name: stub)
    event(client, "f", {"file": str(tmp_path / "ran")})
    local.wait_for_events(PATIENCE)
    assert len(stub.calls) == 3
    assert (local.stats("f").delivered, local.stats("f").delivery_failures) == (1, 0)
    local.stop()
    assert stub.closed


def test_a_destination_that_cannot_be_reached_is_logged_and_counted(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up after three tries, no payload is in the log, and the endpoint goes on."""
    stub = RecordingClient([OSError("SECRET")] * 3)
    config = EventInvokeConfig(maximum_retry_attempts=0, on_failure=TOPIC)
    local, client = serve({"f": Function(ADDS, events=config)}, time_scale=SCALE, services=lambda _name: stub)
    request_id = event(client, "f", {"file": str(tmp_path / "ran"), "fail": "SECRET"})
    local.wait_for_events(PATIENCE)
    stats = local.stats("f")
    assert (len(stub.calls), stats.delivery_failures, stats.delivered, stats.dropped_events) == (3, 1, 0, 1)
    assert f"event {request_id} was not delivered to its on_failure, {TOPIC}: OSError" in caplog.text
    assert "SECRET" not in caplog.text
    assert invoke(client, "f", {"file": str(tmp_path / "ran"), "n": 2}).value == {"seen": 2}


def test_a_bus_that_refuses_an_entry_is_a_failed_delivery(serve: Serve, tmp_path: Path) -> None:
    """PutEvents answers 200 and says in the entry that it was not taken; that is not tried again."""
    stub = RecordingClient([{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalException"}]}])
    config = EventInvokeConfig(on_success=arn("events", "event-bus/b"))
    local, client = serve({"f": Function(ADDS, events=config)}, services=lambda _name: stub)
    event(client, "f", {"file": str(tmp_path / "ran")})
    local.wait_for_events(PATIENCE)
    assert (local.stats("f").delivery_failures, len(stub.calls)) == (1, 1)


def test_a_queue_that_does_not_exist_is_a_failed_delivery(
    serve: Serve, tmp_path: Path, make_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """boto3's error is named by its code."""
    config = EventInvokeConfig(on_success=arn("sqs", "nowhere"))
    local, client = serve({"f": Function(ADDS, events=config)}, time_scale=SCALE, services=make_client)
    event(client, "f", {"file": str(tmp_path / "ran")})
    local.wait_for_events(PATIENCE)
    assert local.stats("f").delivery_failures == 1
    assert "NonExistentQueue" in caplog.text


def test_a_slow_destination_holds_up_nothing(serve: Serve, tmp_path: Path) -> None:
    """While one delivery hangs, invocations are answered; wait_for_events waits for it."""
    gate, entered = threading.Event(), threading.Event()

    class Slow(RecordingClient):
        def publish(self, **request: Any) -> Any:
            entered.set()
            gate.wait(PATIENCE)
            return super().publish(**request)

    stub = Slow([{}])
    config = EventInvokeConfig(on_success=TOPIC)
    local, client = serve({"f": Function(ADDS, events=config)}, services=lambda _name: stub)
    event(client, "f", {"file": str(tmp_path / "ran")})
    assert entered.wait(PATIENCE)
    assert invoke(client, "f", {"file": str(tmp_path / "ran"), "n": 2}).value == {"seen": 2}
    with pytest.raises(TimeoutError):
        local.wait_for_events(timeout=0.05)
    assert local.stats("f").queued_events == 1
    gate.set()
    local.wait_for_events(PATIENCE)
    assert (local.stats("f").queued_events, len(stub.calls)) == (0, 1)


def test_a_stop_does_not_wait_for_a_destination_that_hangs(serve: Serve, tmp_path: Path) -> None:
    """Its thread is a daemon's, and its answer is nobody's concern any more."""
    gate, entered = threading.Event(), threading.Event()

    class Hangs(RecordingClient):
        def publish(self, **request: Any) -> Any:
            entered.set()
            gate.wait()
            return {}

    config = EventInvokeConfig(on_success=TOPIC)
    functions = {"f": Function(ADDS, events=config)}
    local, client = serve(functions, services=lambda _name: Hangs([]))
    event(client, "f", {"file": str(tmp_path / "ran")})
    assert entered.wait(PATIENCE)
    local.stop()
    gate.set()
    assert local.stats("f").queued_events == 1


def test_nothing_is_sent_once_services_are_closed() -> None:
    """A delivery that waited for a thread until the stop is left to the next start."""
    stub = RecordingClient([{}])
    services = Services(lambda _name: stub)
    services.close()
    with pytest.raises(UndeliverableError, match="stopped"):
        services.send(ServiceRoute("sns", TOPIC, ACCOUNT, "t"), Message("{}", "f", "arn", "id"), "")
    assert stub.calls == []


def test_a_record_that_sns_would_refuse_goes_without_its_payloads() -> None:
    """Over 256 KB, as Lambda does it; a smaller one is whole."""
    stub = RecordingClient([{}, {}])
    services = Services(lambda _name: stub)
    where = ServiceRoute("sns", TOPIC, ACCOUNT, "t")
    whole = Message("x" * MAX_SNS_BYTES, "f", "arn", "id", brief="brief")
    services.send(where, whole, "")
    services.send(where, attrs.evolve(whole, body="x" * (MAX_SNS_BYTES + 1)), "")
    assert [len(call["Message"]) for call in stub.calls] == [MAX_SNS_BYTES, 5]
