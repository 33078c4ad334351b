"""The handlers that every emulator runs, as they would be deployed."""

import ctypes
import json
import os
import time
from typing import Any


def echo(event: Any, context: Any) -> Any:
    return event


def fail(event: Any, context: Any) -> Any:
    raise ValueError("no such order")


def slow(event: Any, context: Any) -> Any:
    time.sleep(60)


def leave(event: Any, context: Any) -> Any:
    os._exit(7)


def crash(event: Any, context: Any) -> Any:
    ctypes.string_at(0)


def hoard(event: Any, context: Any) -> Any:
    held = []
    for _ in range(400):
        held.append(bytearray(os.urandom(1)) * 1_000_000)
        time.sleep(0.005)
    return len(held)


def unserialisable(event: Any, context: Any) -> Any:
    return {1, 2}


def large(event: Any, context: Any) -> Any:
    return "x" * 6_400_000


def say(event: Any, context: Any) -> Any:
    print("hello from the handler")
    return None


def chatter(event: Any, context: Any) -> Any:
    for number in range(200):
        print(f"line {number} of two hundred")


def describe(event: Any, context: Any) -> Any:
    custom = context.client_context.custom if context.client_context else None
    return {
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "version": context.function_version,
        "memory": str(context.memory_limit_in_mb),
        "left": context.get_remaining_time_in_millis(),
        "custom": custom,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "tenant": getattr(context, "tenant_id", None),
        "variable": os.environ.get("STAGE"),
        "pid": os.getpid(),
    }


def nap(event: Any, context: Any) -> Any:
    time.sleep(event)
    return os.getpid()


def record(event: Any, context: Any) -> Any:
    with open(event["requestPayload"]["record"], "w") as file:  # noqa: PTH123 - as short as users write it
        json.dump(event["requestContext"], file)


def write(event: Any, context: Any) -> Any:
    with open(event["file"], "a") as file:  # noqa: PTH123 - as short as users write it
        file.write(f"{context.aws_request_id}\n")
    if event.get("fails"):
        raise ValueError("as asked")
