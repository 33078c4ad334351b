"""What a client says beside the payload, and what it finds out afterwards: more rows of the table."""

from __future__ import annotations

import base64
import contextlib
import json
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.local.compare.behaviours import (
    GUIDE,
    INVOKE,
    behaviour,
    eventually,
    refused,
    value_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.compare.worlds import World

LOG_TAIL_BYTES = 4096
CONTEXT_BYTES = 3583


def encoded(context: Any) -> str:
    """A client context, as it is sent."""
    return base64.b64encode(json.dumps(context).encode()).decode()


def told(world: World, function: str, event: dict[str, Any], place: Path, which: str) -> dict[str, Any]:
    """The context of the record that a destination gets of an Event."""
    target = world.client.get_function(FunctionName="record")["Configuration"]["FunctionArn"]
    world.client.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0, DestinationConfig={which: {"Destination": target}}
    )
    payload = json.dumps({**event, "record": str(place)}).encode()
    world.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    assert eventually(world, lambda: place.exists() and place.read_text().endswith("}"))
    context: dict[str, Any] = json.loads(place.read_text())
    return context


@behaviour("a function named by its ARN, a partial ARN, or with its qualifier", INVOKE)
def _(world: World, _folder: Path) -> None:
    arn = world.client.get_function(FunctionName="describe")["Configuration"]["FunctionArn"]
    account = arn.split(":")[4]
    for name in (arn, f"{account}:function:describe", f"{account}:describe", "describe"):
        assert value_of(world, name)["version"] == "$LATEST"
        assert value_of(world, f"{name}:live")["version"] == "1"


@behaviour("two qualifiers that differ: 400", INVOKE)
def _(world: World, _folder: Path) -> None:
    code = "InvalidParameterValueException"
    refused(code, 400, lambda: world.invoke(FunctionName="describe:live", Qualifier="1"))


@behaviour("a function of another account: 403 `AccessDeniedException`", INVOKE)
def _(world: World, _folder: Path) -> None:
    name = "arn:aws:lambda:us-east-1:999999999999:function:echo"
    refused("AccessDeniedException", 403, lambda: world.invoke(FunctionName=name))


@behaviour("a client context over 3,583 bytes, or one that is no JSON: 400", INVOKE)
def _(world: World, _folder: Path) -> None:
    code = "InvalidRequestContentException"
    for context in (encoded("x" * CONTEXT_BYTES), "!!!"):
        refused(code, 400, partial(world.invoke, FunctionName="echo", ClientContext=context))


@behaviour("a tenant id for the handler, and an environment for each tenant", "Tenant isolation, " + GUIDE)
def _(world: World, _folder: Path) -> None:
    blue, red = (value_of(world, "describe", TenantId=tenant) for tenant in ("blue", "red"))
    assert (blue["tenant"], red["tenant"]) == ("blue", "red")
    assert blue["pid"] != red["pid"]


@behaviour("the log tail is the last 4 KB, and comes only if it was asked for", INVOKE)
def _(world: World, _folder: Path) -> None:
    tail = base64.b64decode(world.invoke(FunctionName="chatter", LogType="Tail")["LogResult"])
    assert len(tail) == LOG_TAIL_BYTES
    assert b"line 199 of two hundred" in tail
    assert b"REPORT RequestId: " in tail
    assert b"line 0 of" not in tail
    assert "LogResult" not in world.invoke(FunctionName="chatter")


@behaviour("a stream that fails: its chunks end with `ErrorCode` and `ErrorDetails`, and the log", INVOKE)
def _(world: World, _folder: Path) -> None:
    answer = world.client.invoke_with_response_stream(FunctionName="fail", LogType="Tail")
    with contextlib.closing(answer["EventStream"]) as stream:
        *_, last = list(stream)
    end = last["InvokeComplete"]
    assert end["ErrorCode"] == "Unhandled"
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "no such order"
    assert b"no such order" in base64.b64decode(end["LogResult"])


@behaviour("an on-success destination gets the record of an Event that succeeded", GUIDE)
def _(world: World, folder: Path) -> None:
    event = {"file": str(folder / uuid.uuid4().hex)}
    context = told(world, "done", event, folder / uuid.uuid4().hex, "OnSuccess")
    assert (context["condition"], context["approximateInvokeCount"]) == ("Success", 1)


@behaviour("an Event for reserved concurrency 0 goes to its destination at once, and never runs", GUIDE)
def _(world: World, folder: Path) -> None:
    context = told(world, "blocked", {}, folder / uuid.uuid4().hex, "OnFailure")
    assert (context["condition"], context["approximateInvokeCount"]) == ("ZeroReservedConcurrency", 0)
