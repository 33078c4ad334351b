"""Handlers of the tests of Events and their destinations."""

import json
import os
import time
from pathlib import Path
from typing import Any


def adds_a_line(event: Any, context: Any) -> Any:
    """Count an execution; the record of another function counts as well."""
    origin = event.get("requestPayload", event)
    with Path(origin["file"]).open("a") as file:
        file.write(f"{context.function_name} {context.aws_request_id}\n")
    if origin.get("fail"):
        raise RuntimeError(origin["fail"])
    return {"seen": origin.get("n")}


def fails_in_v1(event: Any, context: Any) -> Any:
    if context.function_version == "1":
        raise ValueError("one")
    return "two"


def loops(event: Any, context: Any) -> Any:
    """Each record holds the one before: only the file's name is read, wherever it is."""
    inner = event
    while "file" not in inner:
        inner = inner["requestPayload"]
    with Path(inner["file"]).open("a") as file:
        file.write(f"{context.function_name} {os.environ['_X_AMZN_TRACE_ID']}\n")
    if inner.get("fail"):
        raise RuntimeError("again")
    return None


def sends_itself_on(event: Any, context: Any) -> None:
    import boto3

    with Path(event["file"]).open("a") as file:
        file.write("ran\n")
    client = boto3.client("lambda", **event["client"])
    client.invoke(
        FunctionName=context.function_name, InvocationType="Event", Payload=json.dumps(event).encode()
    )
    client.close()


def waits_for(event: Any, context: Any) -> None:
    """Say that it runs, then wait until it may go on."""
    with Path(event["file"]).open("a") as file:
        file.write(f"{context.aws_request_id}\n")
    while not Path(event["go"]).exists():
        time.sleep(0.005)


def fails_if_told(event: Any, context: Any) -> Any:
    if event["fail"]:
        raise RuntimeError("as told")
    return "done"
