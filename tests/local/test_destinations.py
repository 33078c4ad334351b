"""What Events come to reaches functions and lists; what is no destination is refused."""

import json
import re
from pathlib import Path

import attrs
import pytest

from lambda_invoke.local import EventInvokeConfig, Function, LocalLambda, LocalLambdaError, Outbox
from lambda_invoke.local.deliveries import Deliveries
from lambda_invoke.local.destinations import ServiceRoute, check_destination, route
from lambda_invoke.local.registry import Registry
from tests.local.conftest import Serve, handler
from tests.local.event_tools import ACCOUNT, ADDS, HANDLERS, NO_RETRY, SCALE, arn, event, lines
from tests.support.patience import PATIENCE

TOPIC = arn("sns", "t")


def test_success_and_failure_go_to_their_own_lists(serve: Serve, tmp_path: Path) -> None:
    """Each record has the request id that its caller was answered with; a success is no failure."""
    good, bad = Outbox(), Outbox()
    config = EventInvokeConfig(on_success=good, on_failure=bad)
    local, client = serve({"f": Function(ADDS, events=config)}, time_scale=SCALE)
    first = event(client, "f", {"file": str(tmp_path / "ran"), "n": 1})
    second = event(client, "f", {"file": str(tmp_path / "ran"), "fail": "no"})
    local.wait_for_events(PATIENCE)
    (success,), (failure,) = good.records, bad.records
    assert success["requestContext"] == {
        "requestId": first,
        "functionArn": f"{local.arn('f')}:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert (success["requestPayload"]["n"], success["responsePayload"]) == (1, {"seen": 1})
    assert failure["requestContext"]["requestId"] == second
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert failure["requestContext"]["approximateInvokeCount"] == 3
    assert failure["responseContext"]["functionError"] == "Unhandled"
    assert failure["responsePayload"]["errorMessage"] == "no"
    assert len(lines(tmp_path / "ran")) == 4
    stats = local.stats("f")
    assert (stats.succeeded_events, stats.failed_events, stats.retried, stats.delivered) == (1, 1, 2, 2)
    assert (stats.queued_events, stats.dropped_events, stats.delivery_failures) == (0, 0, 0)


def test_a_failure_goes_to_the_destination_and_to_the_dead_letter_queue(serve: Serve, tmp_path: Path) -> None:
    """Both are told when both are set; a dead letter is the event with attributes."""
    bad, letters = Outbox(), Outbox()
    function = Function(
        ADDS, events=EventInvokeConfig(maximum_retry_attempts=0, on_failure=bad), dead_letter=letters
    )
    local, client = serve({"f": function}, time_scale=SCALE)
    payload = {"file": str(tmp_path / "ran"), "fail": "no"}
    request_id = event(client, "f", payload)
    local.wait_for_events(PATIENCE)
    (letter,) = letters.records
    assert json.loads(letter["Body"]) == payload
    values = {name: of["StringValue"] for name, of in letter["MessageAttributes"].items()}
    assert values == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no"}
    assert bad.records[0]["requestContext"]["requestId"] == request_id
    assert (local.stats("f").delivered, local.stats("f").dead_lettered) == (1, 1)


def test_reserved_concurrency_zero_goes_straight_to_the_destination(serve: Serve) -> None:
    """Nothing ran, nothing is retried: ZeroReservedConcurrency, and a count of zero."""
    bad, letters = Outbox(), Outbox()
    config = EventInvokeConfig(on_failure=bad)
    function = Function(ADDS, reserved_concurrency=0, events=config, dead_letter=letters)
    local, client = serve({"off": function})
    event(client, "off", {})
    local.wait_for_events(PATIENCE)
    context = bad.records[0]["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("ZeroReservedConcurrency", 0)
    assert letters.records[0]["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"
    assert local.stats("off").started == 0


def test_the_qualifier_is_told_as_it_was_invoked(serve: Serve) -> None:
    """An alias stands in the ARN, and the version that ran beside it."""
    box = Outbox()
    config = EventInvokeConfig(maximum_retry_attempts=0, on_failure=box)
    function = Function(
        f"{HANDLERS}:fails_in_v1",
        versions={"1": f"{HANDLERS}:fails_in_v1"},
        aliases={"live": "1"},
        events=config,
    )
    local, client = serve({"f": function}, time_scale=SCALE)
    event(client, "f", {}, Qualifier="live")
    local.wait_for_events(PATIENCE)
    assert box.records[0]["requestContext"]["functionArn"] == local.arn("f", "live")
    assert box.records[0]["responseContext"]["executedVersion"] == "1"


@pytest.mark.parametrize("named", ["next", "arn:aws:lambda:us-east-1:000000000000:function:next"])
def test_a_record_is_an_event_of_the_next_function(serve: Serve, tmp_path: Path, named: str) -> None:
    """Another function gets the record as its event, with a request id of its own, once."""
    file, box = tmp_path / "ran", Outbox()
    functions = {
        "first": Function(ADDS, events=EventInvokeConfig(on_success=named)),
        "next": Function(ADDS, events=EventInvokeConfig(on_success=box)),
    }
    local, client = serve(functions, time_scale=SCALE)
    request_id = event(client, "first", {"file": str(file), "n": 7})
    local.wait_for_events(PATIENCE)
    (first, its_id), (second, other_id) = lines(file)
    assert (first, its_id, second) == ("first", request_id, "next")
    assert other_id != request_id
    assert box.records[0]["requestPayload"]["requestContext"]["requestId"] == request_id
    assert box.records[0]["responsePayload"] == {"seen": 7}
    assert (local.stats("first").delivered, local.stats("next").accepted_events) == (1, 1)


def test_a_loop_is_stopped_after_sixteen(serve: Serve, tmp_path: Path) -> None:
    """A function whose destination is itself runs 16 times; the event that was stopped is not lost."""
    file, letters = tmp_path / "ran", Outbox()
    function = Function(f"{HANDLERS}:loops", events=EventInvokeConfig(on_success="f"), dead_letter=letters)
    local, client = serve({"f": function}, time_scale=SCALE)
    event(client, "f", {"file": str(file)})
    local.wait_for_events(PATIENCE)
    assert len(lines(file)) == 16
    attributes = letters.records[0]["MessageAttributes"]
    assert (len(letters), attributes["ErrorCode"]["StringValue"]) == (1, "400")
    stats = local.stats("f")
    assert (stats.accepted_events, stats.succeeded_events, stats.failed_events) == (17, 16, 1)


def test_a_loop_of_failures_ends_too(serve: Serve, tmp_path: Path) -> None:
    """Two functions, each the other's on_failure: each runs 16 times, and nothing circles on."""
    file = tmp_path / "ran"
    functions = {
        name: Function(f"{HANDLERS}:loops", events=attrs.evolve(NO_RETRY, on_failure=other))
        for name, other in (("a", "b"), ("b", "a"))
    }
    local, client = serve(functions, time_scale=SCALE)
    event(client, "a", {"file": str(file), "fail": True})
    local.wait_for_events(PATIENCE)
    ran = [line[0] for line in lines(file)]
    assert (ran.count("a"), ran.count("b")) == (16, 16)
    assert local.stats("a").queued_events == local.stats("b").queued_events == 0


def test_a_handler_that_sends_events_to_itself_is_stopped(serve: Serve, tmp_path: Path) -> None:
    """The trace header, which boto3 hands on from inside a function, counts the rounds."""
    letters = Outbox()
    function = Function(
        f"{HANDLERS}:sends_itself_on", timeout=60.0, memory_size=1024, events=NO_RETRY, dead_letter=letters
    )
    local, client = serve({"f": function}, time_scale=SCALE)
    options = {
        "endpoint_url": local.endpoint_url,
        "aws_access_key_id": local.credentials.access_key_id,
        "aws_secret_access_key": local.credentials.secret_access_key,
    }
    event(client, "f", {"file": str(tmp_path / "ran"), "client": options})
    local.wait_for_events(PATIENCE)
    assert len(lines(tmp_path / "ran")) == 16
    assert len(letters) == 1


def test_a_record_too_large_for_an_event_is_not_delivered(serve: Serve) -> None:
    """A megabyte of event makes a record over a megabyte, which no function takes."""
    functions = {"f": Function(handler("echo"), events=EventInvokeConfig(on_success="g")), "g": ADDS}
    local, client = serve(functions)
    event(client, "f", "x" * 600_000)
    local.wait_for_events(PATIENCE)
    assert (local.stats("f").delivery_failures, local.stats("g").accepted_events) == (1, 0)


REGISTRY = Registry({"f": Function(ADDS, aliases={"live": "$LATEST"})}, "us-east-1", "000000000000")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (arn("sqs", "q"), ServiceRoute("sqs", arn("sqs", "q"), ACCOUNT, "q")),
        (TOPIC, ServiceRoute("sns", TOPIC, ACCOUNT, "t")),
        (
            arn("events", "event-bus/a/b"),
            ServiceRoute("events", arn("events", "event-bus/a/b"), ACCOUNT, "a/b"),
        ),
        ("arn:aws-cn:s3:::bucket", ServiceRoute("s3", "arn:aws-cn:s3:::bucket", None, "bucket")),
    ],
)
def test_arns_name_services(text: str, found: ServiceRoute) -> None:
    """The service, the account and the plain name are read out of it."""
    assert route(text, REGISTRY) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nobody", "nor a function of this endpoint, which are: f"),
        ("f:unknown", "nor a function of this endpoint"),
        ("arn:aws:lambda:eu-west-1:000000000000:function:f", "nor a function of this endpoint"),
        ("", "nor a function of this endpoint"),
        (arn("kinesis", "stream/s"), "is no destination of Events"),
        (arn("sqs", "a/b"), "is no destination of Events"),
        (arn("events", "rule/r"), "is no destination of Events"),
        ("arn:aws:s3:::bucket/key", "is no destination of Events"),
        (arn("sqs", "q.fifo"), "first in, first out"),
    ],
)
def test_what_is_no_destination_is_named(text: str, why: str) -> None:
    """The message says what was given, and what could be."""
    with pytest.raises(LocalLambdaError, match=re.escape(why)) as error:
        route(text, REGISTRY)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("dead_letter", "f", "Lambda takes an SQS queue or an SNS topic"),
        ("dead_letter", "arn:aws:s3:::bucket", "Lambda takes an SQS queue or an SNS topic"),
        ("on_success", "arn:aws:s3:::bucket", "only failures"),
    ],
)
def test_what_lambda_does_not_deliver_there_is_refused(kind: str, text: str, why: str) -> None:
    """As the real control plane does."""
    with pytest.raises(LocalLambdaError, match=why):
        check_destination(text, REGISTRY, kind=kind, has_services=True)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (Function(ADDS, events=EventInvokeConfig(on_success=TOPIC)), "on_success"),
        (Function(ADDS, events=EventInvokeConfig(on_failure=arn("sqs", "q"))), "on_failure"),
        (Function(ADDS, dead_letter=TOPIC), "dead_letter"),
    ],
)
def test_a_service_that_nobody_said_how_to_reach_stops_the_start(function: Function, kind: str) -> None:
    """Nobody reaches AWS by surprise: the error names function, setting and fix."""
    local = LocalLambda({"mine": function})
    with pytest.raises(LocalLambdaError, match=f"{kind} of function 'mine'.*services=functools.partial"):
        local.start()
    assert "not running" in repr(local)


def test_deliveries_without_services_have_nothing_to_close() -> None:
    """Closing is for every endpoint the same."""
    from lambda_invoke.local.event_state import EventClock

    Deliveries(REGISTRY, EventClock(1.0), None).close()
