"""Handlers that the tests run in workers. Nothing here runs in the test process."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

CALLS = 0
"""How often this process was asked: it tells reuse from a new worker."""


def echo(event: Any, context: Any) -> Any:
    return event


def version_two(event: Any, context: Any) -> Any:
    return {"two": event, "version": context.function_version}


def whoami(event: Any, context: Any) -> Any:
    global CALLS  # noqa: PLW0603 - what Lambda functions keep between calls
    CALLS += 1
    return {"pid": os.getpid(), "calls": CALLS, "parent": os.getppid()}


def describe(event: Any, context: Any) -> Any:
    client_context = context.client_context
    return {
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "name": context.function_name,
        "version": context.function_version,
        "memory": context.memory_limit_in_mb,
        "log_group": context.log_group_name,
        "tenant_id": context.tenant_id,
        "custom": client_context.custom if client_context else None,
        "left": context.get_remaining_time_in_millis(),
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }


def writes_client_context(event: Any, context: Any) -> None:
    with Path(event["file"]).open("w") as file:
        file.write(repr(context.client_context))


def environment(event: Any, context: Any) -> Any:
    return dict(os.environ)


def world(event: Any, context: Any) -> Any:
    return {"cwd": str(Path.cwd()), "argv": sys.argv, "stdin": sys.stdin.read(), "path": sys.path}


def nap(event: Any, context: Any) -> Any:
    time.sleep(event["seconds"])
    return os.getpid()


def meet(event: Any, context: Any) -> Any:
    """Come back when as many are here as are to meet."""
    room = Path(event["room"])
    (room / str(os.getpid())).touch()
    while len(list(room.iterdir())) < event["many"]:
        time.sleep(0.005)
    return os.getpid()


def waits_for_a_file(event: Any, context: Any) -> None:
    while not Path(event["file"]).exists():
        time.sleep(0.01)


def prints(event: Any, context: Any) -> None:
    print("to stdout")
    print("to stderr", file=sys.stderr)
    logging.getLogger().warning("to the log")


def prints_much(event: Any, context: Any) -> None:
    for number in range(event["lines"]):
        print(f"line {number:06d}")


def raises(event: Any, context: Any) -> None:
    raise KeyError(event["key"])


def raises_itself_deep(event: Any, context: Any) -> None:
    def inner() -> None:
        raise ValueError("deep")

    inner()


def unserialisable(event: Any, context: Any) -> Any:
    return {"when": object()}


def raw_bytes(event: Any, context: Any) -> Any:
    return b"\x00not json"


def big(event: Any, context: Any) -> Any:
    return "x" * event["size"]


def allocate(event: Any, context: Any) -> Any:
    block = bytearray(event["bytes"])
    for index in range(0, len(block), 4096):
        block[index] = 1
    time.sleep(event.get("seconds", 0))
    return len(block)


def child_allocates(event: Any, context: Any) -> Any:
    code = f"b = bytearray({event['bytes']}); b[::4096] = b'x' * len(b[::4096]); import time; time.sleep(30)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def exits(event: Any, context: Any) -> None:
    sys.exit(event["status"])


def exits_hard(event: Any, context: Any) -> None:
    os._exit(event["status"])


def signals_itself(event: Any, context: Any) -> None:
    os.kill(os.getpid(), event["signal"])
    time.sleep(30)


def segfault(event: Any, context: Any) -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(30)


def starts_grandchildren(event: Any, context: Any) -> None:
    in_group = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    out_of_group = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )
    with Path(event["file"]).open("w") as file:
        file.write(f"{os.getpid()} {in_group.pid} {out_of_group.pid}")
    time.sleep(event["seconds"])


def dies_after_the_answer(event: Any, context: Any) -> Any:
    threading.Timer(event["seconds"], os._exit, [3]).start()
    return os.getpid()


def appends(event: Any, context: Any) -> Any:
    """Count an execution where the test can see it, then fail as often as it is told."""
    with Path(event["file"]).open("a") as file:
        file.write(f"{context.aws_request_id} {time.time()}\n")
    with Path(event["file"]).open() as file:
        if len(file.readlines()) <= event.get("failures", 0):
            raise RuntimeError("again")
    return "done"


def which_runtime_client(event: Any, context: Any) -> Any:
    return sys.modules["runtime_client"].__file__


class Grouped:
    @staticmethod
    def nested(event: Any, context: Any) -> Any:
        return {"nested": event}


def logs(event: Any, context: Any) -> Any:
    logger = logging.getLogger()
    logger.debug("debug %s", event)
    logger.info("info %s", event)
    logger.error("error %s", event)
    return event


def prints_wide(event: Any, context: Any) -> None:
    print("€" * 3000 + "x" * event, end="")
