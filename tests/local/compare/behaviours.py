"""What a client of Lambda's Invoke can notice: each is tried on every emulator in the same way."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import boto3
import pytest
from botocore.exceptions import ClientError

from tests.local.compare.worlds import QUICK, REGION

if TYPE_CHECKING:
    from tests.local.compare.worlds import World

Check = Callable[["World", Path], None]


@attrs.frozen
class Behaviour:
    """``title`` is a row of the table, ``source`` where AWS says so; ``check`` raises where it is not so."""

    title: str
    source: str
    check: Check


BEHAVIOURS: list[Behaviour] = []
INVOKE = "Invoke, API reference"
GUIDE = "AWS Lambda developer guide"


def behaviour(title: str, source: str) -> Callable[[Check], Check]:
    """Add a row to the table."""

    def add(check: Check) -> Check:
        BEHAVIOURS.append(Behaviour(title, source, check))
        return check

    return add


def error_of(world: World, function: str, **options: Any) -> dict[str, Any]:
    """The error payload of a function that failed; a success is none."""
    answer = world.invoke(FunctionName=function, **options)
    assert answer.get("FunctionError") == "Unhandled"
    error: dict[str, Any] = json.loads(answer["Payload"].read())
    return error


def value_of(world: World, function: str, event: Any = None, **options: Any) -> Any:
    """What a function that succeeded returned."""
    answer = world.invoke(FunctionName=function, Payload=json.dumps(event).encode(), **options)
    assert answer.get("FunctionError") is None
    return json.loads(answer["Payload"].read())


def refused(code: str, status: int, call: Callable[[], object]) -> Mapping[str, Any]:
    """The service's refusal, which must be this one, as boto3 gives it."""
    with pytest.raises(ClientError) as caught:
        call()
    response: Mapping[str, Any] = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    return response


def eventually(world: World, condition: Callable[[], bool]) -> bool:
    """Whether what an Event does comes about in the world's time for it."""
    until = time.monotonic() + world.event_seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def meanwhile(call: Callable[[], object]) -> threading.Thread:
    """The call in a thread of its own; where it fails, what is looked at afterwards shows it."""

    def run() -> None:
        with contextlib.suppress(Exception):
            call()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@behaviour("the handler runs, and its result is the reply", INVOKE)
def _(world: World, _folder: Path) -> None:
    assert value_of(world, "describe")["variable"] == "test"


@behaviour(
    "an exception: `FunctionError`, the exception's type and message", "Python handler errors, " + GUIDE
)
def _(world: World, _folder: Path) -> None:
    error = error_of(world, "fail")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such order")


@behaviour("its stack trace, line by line, and the request id", "Python handler errors, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    answer = world.invoke(FunctionName="fail")
    error = json.loads(answer["Payload"].read())
    assert "in fail" in error["stackTrace"][-1]
    assert error["requestId"] == answer["ResponseMetadata"]["RequestId"]


@behaviour("a timeout: `Sandbox.Timedout` after the function's own limit", GUIDE)
def _(world: World, _folder: Path) -> None:
    error = error_of(world, "slow")
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in error["errorMessage"]


@behaviour("a process that exits: `Runtime.ExitError` with its status", GUIDE)
def _(world: World, _folder: Path) -> None:
    error = error_of(world, "leave")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")


@behaviour("a crash: `Runtime.ExitError` with its signal", GUIDE)
def _(world: World, _folder: Path) -> None:
    error = error_of(world, "crash")
    assert error["errorType"] == "Runtime.ExitError"
    assert "signal: segmentation fault" in error["errorMessage"]


@behaviour("more memory than the function has: killed", GUIDE)
def _(world: World, _folder: Path) -> None:
    error = error_of(world, "hoard")
    assert error["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in error["errorMessage"]


@behaviour("a module that cannot be imported: `Runtime.ImportModuleError`", GUIDE)
def _(world: World, _folder: Path) -> None:
    assert error_of(world, "no-module")["errorType"] == "Runtime.ImportModuleError"


@behaviour("a handler that is not there: `Runtime.HandlerNotFound`", GUIDE)
def _(world: World, _folder: Path) -> None:
    assert error_of(world, "no-handler")["errorType"] == "Runtime.HandlerNotFound"


@behaviour("a result that is not JSON: `Runtime.MarshalError`", GUIDE)
def _(world: World, _folder: Path) -> None:
    assert error_of(world, "unserialisable")["errorType"] == "Runtime.MarshalError"


@behaviour("a reply over 6 MB: `Function.ResponseSizeTooLarge`", "Lambda quotas, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    assert error_of(world, "large")["errorType"] == "Function.ResponseSizeTooLarge"


@behaviour("a request over 6 MB: 413", "Lambda quotas, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    body = json.dumps("x" * 6_300_000).encode()
    code = "RequestEntityTooLargeException"
    refused(code, 413, lambda: world.invoke(FunctionName="echo", Payload=body))


@behaviour("an Event over 1 MB: 413", "Lambda quotas, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    body = json.dumps("x" * 1_050_000).encode()
    event = {"FunctionName": "echo", "Payload": body, "InvocationType": "Event"}
    refused("RequestEntityTooLargeException", 413, lambda: world.invoke(**event))


@behaviour("a body that is not JSON: 400 `InvalidRequestContentException`", INVOKE)
def _(world: World, _folder: Path) -> None:
    code = "InvalidRequestContentException"
    refused(code, 400, lambda: world.invoke(FunctionName="echo", Payload=b"{not json"))


@behaviour("no such function: 404 `ResourceNotFoundException`", INVOKE)
def _(world: World, _folder: Path) -> None:
    refused("ResourceNotFoundException", 404, lambda: world.invoke(FunctionName="absent"))


@behaviour("no such version or alias: 404", INVOKE)
def _(world: World, _folder: Path) -> None:
    refused(
        "ResourceNotFoundException",
        404,
        lambda: world.invoke(FunctionName="describe", Qualifier="absent"),
    )


@behaviour("a signature with another key: 403", INVOKE)
def _(world: World, _folder: Path) -> None:
    stranger = boto3.client(
        "lambda",
        region_name=REGION,
        endpoint_url=world.url,
        config=QUICK,
        aws_access_key_id="AKIASTRANGER",
        aws_secret_access_key="guessed",
    )
    with pytest.raises(ClientError) as caught:
        stranger.invoke(FunctionName="echo")["Payload"].read()
    stranger.close()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@behaviour("the log tail: START, what was printed, END, REPORT with true figures", INVOKE)
def _(world: World, _folder: Path) -> None:
    answer = world.invoke(FunctionName="say", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request_id} Version: $LATEST" in log
    assert "hello from the handler" in log
    assert f"END RequestId: {request_id}" in log
    assert re.search(r"REPORT RequestId: \S+\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t", log)
    (used,) = map(int, re.findall(r"Max Memory Used: (\d+) MB", log))
    assert 5 < used <= 256


@behaviour("the executed version, directly and through an alias", INVOKE)
def _(world: World, _folder: Path) -> None:
    for qualifier, version in (("$LATEST", "$LATEST"), ("1", "1"), ("live", "1")):
        answer = world.invoke(FunctionName="describe", Qualifier=qualifier)
        assert answer["ExecutedVersion"] == version
        assert json.loads(answer["Payload"].read())["version"] == version


@behaviour("the context: ARN as invoked, memory, time left, client context", "Python context, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    context = base64.b64encode(json.dumps({"custom": {"user": "ü"}}).encode()).decode()
    answer = world.invoke(FunctionName="describe", Qualifier="live", ClientContext=context)
    seen = json.loads(answer["Payload"].read())
    assert seen["arn"].endswith(":function:describe:live")
    assert seen["request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert seen["memory"] == "256"
    assert 1000 < seen["left"] <= 9000
    assert seen["custom"] == {"user": "ü"}


@behaviour("a trace header for the handler", "Lambda and X-Ray, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    assert value_of(world, "describe")["trace"].startswith("Root=1-")


@behaviour("no payload is `{}`, `null` is `null`", INVOKE)
def _(world: World, _folder: Path) -> None:
    assert world.invoke(FunctionName="echo")["Payload"].read() == b"{}"
    assert world.invoke(FunctionName="echo", Payload=b"null")["Payload"].read() == b"null"


@behaviour("a warm environment is used again", "Execution environment lifecycle, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    assert len({value_of(world, "describe")["pid"] for _ in range(3)}) == 1


@behaviour("concurrent invocations run at once, each in a process of its own", "Concurrency, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    pids: list[Any] = []
    calls = [meanwhile(lambda: pids.append(value_of(world, "nap", 1.0))) for _ in range(2)]
    for call in calls:
        call.join()
    assert len(set(pids)) == 2


@behaviour("reserved concurrency 0: 429 with its reason", "Concurrency, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    error = refused("TooManyRequestsException", 429, lambda: world.invoke(FunctionName="blocked"))
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


@behaviour("reserved concurrency 1: the second at once gets 429", "Concurrency, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    first = meanwhile(lambda: value_of(world, "single", 2.0))
    try:
        time.sleep(1.0)
        error = refused(
            "TooManyRequestsException",
            429,
            lambda: world.invoke(FunctionName="single", Payload=b"0"),
        )
    finally:
        first.join()
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


@behaviour("a dry run: 204, and nothing runs", INVOKE)
def _(world: World, folder: Path) -> None:
    file = folder / uuid.uuid4().hex
    event = json.dumps({"file": str(file)}).encode()
    answer = world.invoke(FunctionName="write", InvocationType="DryRun", Payload=event)
    assert answer["StatusCode"] == 204
    assert value_of(world, "write", {"file": str(file)}) is None
    assert len(file.read_text().splitlines()) == 1


@behaviour("an Event: 202 at once, executed afterwards under that request id", INVOKE)
def _(world: World, folder: Path) -> None:
    file = folder / uuid.uuid4().hex
    event = json.dumps({"file": str(file)}).encode()
    answer = world.invoke(FunctionName="write", InvocationType="Event", Payload=event)
    assert answer["StatusCode"] == 202
    assert eventually(world, lambda: file.exists() and file.read_text() != "")
    assert file.read_text().split() == [answer["ResponseMetadata"]["RequestId"]]


@behaviour("ListFunctions page by page", "ListFunctions, API reference")
def _(world: World, _folder: Path) -> None:
    first = world.client.list_functions(MaxItems=3)
    assert len(first["Functions"]) == 3
    second = world.client.list_functions(MaxItems=3, Marker=first["NextMarker"])
    names = [one["FunctionName"] for one in (*first["Functions"], *second["Functions"])]
    assert len(set(names)) == 6


@behaviour("a failed Event is run three times, within seconds where a test wants it", GUIDE)
def _(world: World, folder: Path) -> None:
    file = folder / uuid.uuid4().hex
    event = json.dumps({"file": str(file), "fails": True}).encode()
    world.invoke(FunctionName="write", InvocationType="Event", Payload=event)
    assert eventually(world, lambda: file.exists() and len(file.read_text().split()) == 3)


@behaviour("an on-failure destination gets the record of an Event that failed for good", GUIDE)
def _(world: World, folder: Path) -> None:
    target = world.client.get_function(FunctionName="record")["Configuration"]["FunctionArn"]
    world.client.put_function_event_invoke_config(
        FunctionName="told",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": target}},
    )
    place = folder / uuid.uuid4().hex
    event = {"file": str(folder / uuid.uuid4().hex), "fails": True, "record": str(place)}
    answer = world.invoke(FunctionName="told", InvocationType="Event", Payload=json.dumps(event).encode())
    assert eventually(world, lambda: place.exists() and place.read_text().endswith("}"))
    context = json.loads(place.read_text())
    assert context["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 1)


@behaviour("InvokeWithResponseStream", "InvokeWithResponseStream, API reference")
def _(world: World, _folder: Path) -> None:
    answer = world.client.invoke_with_response_stream(FunctionName="echo", Payload=b'{"a": 1}')
    with contextlib.closing(answer["EventStream"]) as stream:
        *chunks, last = list(stream)
    assert json.loads(b"".join(one["PayloadChunk"]["Payload"] for one in chunks)) == {"a": 1}
    assert "ErrorCode" not in last["InvokeComplete"]


@behaviour("a configuration that is updated holds from the next invocation on, waiters work", GUIDE)
def _(world: World, _folder: Path) -> None:
    assert value_of(world, "changing")["variable"] == "test"
    world.client.update_function_configuration(
        FunctionName="changing", Environment={"Variables": {"STAGE": "changed"}}
    )
    waiter = world.client.get_waiter("function_updated_v2")
    waiter.wait(FunctionName="changing", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    assert value_of(world, "changing")["variable"] == "changed"


@behaviour("an alias with weights sends a share to another version", "Lambda aliases, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    world.client.update_function_configuration(FunctionName="changing", Description="another version")
    versions = [world.client.publish_version(FunctionName="changing")["Version"]]
    world.client.update_function_configuration(FunctionName="changing", Description="and another")
    versions.append(world.client.publish_version(FunctionName="changing")["Version"])
    world.client.create_alias(
        FunctionName="changing",
        Name="canary",
        FunctionVersion=versions[0],
        RoutingConfig={"AdditionalVersionWeights": {versions[1]: 0.5}},
    )
    ran = {world.invoke(FunctionName="changing", Qualifier="canary")["ExecutedVersion"] for _ in range(30)}
    assert ran == set(versions)


@behaviour("reserved concurrency that is set and taken away while it runs", "Concurrency, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    world.client.put_function_concurrency(FunctionName="say", ReservedConcurrentExecutions=0)
    try:
        refused("TooManyRequestsException", 429, lambda: world.invoke(FunctionName="say"))
    finally:
        world.client.delete_function_concurrency(FunctionName="say")
    assert value_of(world, "say") is None
