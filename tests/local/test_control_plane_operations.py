"""The table of operations, against the service model and against bodies that no SDK would send."""

import itertools
import json
import threading
from typing import Any

import boto3
import pytest

from lambda_invoke.local import Alias, Function, Outbox
from lambda_invoke.local.control_plane import Answer, ControlPlane
from lambda_invoke.local.faults import ServiceFault
from lambda_invoke.local.registry import Registry
from tests.local.conftest import handler


def registry() -> Registry:
    function = Function(
        handler("echo"),
        versions={"1": handler("echo"), "2": handler("echo")},
        aliases={"prod": Alias("1", weights={"2": 0.5})},
        dead_letter=Outbox(),
    )
    return Registry({"f": function, "g": handler("echo")}, "us-east-1", "000000000000")


def test_every_operation_is_as_the_service_model_has_it() -> None:
    """Method, path and status are those of the operation of that name."""
    client = boto3.client(
        "lambda", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    model = client.meta.service_model
    for operation in ControlPlane(registry(), 10)._operations:
        http = model.operation_model(operation.name).http
        assert http["method"] == operation.method, operation.name
        assert http["responseCode"] == operation.status, operation.name
        path = http["requestUri"].removesuffix("?List=ALL")
        theirs, ours = (each.strip("/").split("/") for each in (path, operation.path))
        assert len(theirs) == len(ours), operation.name
        assert all(a == b or a[0] == b[0] == "{" for a, b in zip(theirs, ours, strict=True)), operation.name
    client.close()


VALUES: list[Any] = [
    None,
    "x",
    "",
    "1",
    5,
    -1,
    10**9,
    0.5,
    True,
    [],
    ["x"],
    {},
    {"x": 1},
    {"1": "x"},
    {"TargetArn": 5},
]
MEMBERS = [
    *("Name", "FunctionVersion", "Description", "RoutingConfig", "RevisionId", "CodeSha256", "Timeout"),
    *("MemorySize", "Environment", "DeadLetterConfig", "ReservedConcurrentExecutions", "Unheard"),
    *("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"),
]
WEIGHTS: list[Any] = [[], {"1": True}, {"2": None}, {"2": "0.5"}, {"2": float("nan")}, {"x": 0.5}]
VARIABLES: list[Any] = [[], {"a": 1}, {"a": None}, {"a": "b"}]
DESTINATIONS: list[Any] = [
    *([], "x", {"Destination": 1}, {"Destination": "x"}, {"Destination": "arn:aws:lambda:::"})
]
NESTED: list[dict[str, Any]] = [
    *({"RoutingConfig": {"AdditionalVersionWeights": weights}} for weights in WEIGHTS),
    *({"Environment": {"Variables": variables}} for variables in VARIABLES),
    *({"DestinationConfig": {"OnSuccess": to}} for to in DESTINATIONS),
]


def test_no_body_is_an_error_of_the_endpoint() -> None:
    """Whatever a body holds, the answer is an answer or a refusal in the 400s."""
    bodies = [json.dumps({member: value}).encode() for member in MEMBERS for value in VALUES]
    bodies += [json.dumps({"Name": "a", "FunctionVersion": "1", **nested}).encode() for nested in NESTED]
    bodies += [json.dumps(nested).encode() for nested in NESTED]
    bodies += [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000]
    known = registry()
    control = ControlPlane(known, 10)
    refused = 0
    for operation, body in itertools.product(control._operations, bodies):
        path = operation.path.replace("{name}", "f").replace("{alias}", "prod").replace("{arn}", "f")
        answer = outcome(control, operation.method, path, body)
        if isinstance(answer, ServiceFault):
            refused += 1
            assert 400 <= answer.status < 500
        else:
            assert answer is not None
            json.dumps(answer.document)
    assert refused > len(bodies)


def outcome(control: ControlPlane, method: str, path: str, body: bytes) -> Answer | ServiceFault | None:
    try:
        return control.answer(method, path.split("/"), {}, body)
    except ServiceFault as fault:
        return fault


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", "2015-03-31/functions"),
        ("GET", "2015-03-31/functions/f/none"),
        ("GET", "f/g/h/i"),
    ],
)
def test_what_is_not_an_operation_has_no_answer(method: str, path: str) -> None:
    """The endpoint then says what is served."""
    assert ControlPlane(registry(), 10).answer(method, path.split("/"), {}, b"{") is None


def test_it_can_be_read_while_it_changes() -> None:
    """A thread that lists versions and follows aliases never sees half of a change."""
    known = registry()
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                versions = [deployment.version for deployment in known.versions("f")]
                assert versions == ["$LATEST", *map(str, range(1, len(versions)))]
                known.find("f:moving")
                known.resolve("f:prod")
        except BaseException as error:
            failures.append(error)

    known.put_alias("f", "moving", Alias("1"))
    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        known.configure("f", {"description": str(number)})
        known.put_alias("f", "moving", Alias(known.publish("f").version))
    done.set()
    reader.join()
    assert not failures
    assert len(known.versions("f")) == 203
