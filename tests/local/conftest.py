"""What the local endpoint's tests share: a client's invoke in one line, and who is alive."""

import base64
import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from lambda_invoke.local import LocalLambda
from tests.support.patience import PATIENCE

HANDLERS = str(Path(__file__).parent / "handlers.py")


def handler(name: str) -> str:
    """One of handlers.py, as a caller names it."""
    return f"{HANDLERS}:{name}"


Serve = Callable[..., tuple[LocalLambda, Any]]
"""Starts an endpoint with LocalLambda's own arguments; with a plain boto3 client for it."""


@attrs.frozen
class Reply:
    payload: bytes
    error: str | None
    log: str
    status: int
    version: str | None
    headers: dict[str, str]

    @property
    def value(self) -> Any:
        return json.loads(self.payload)


def invoke(client: Any, name: str, event: Any = None, **options: Any) -> Reply:
    """Invoke through boto3 with the log tail."""
    if options.get("InvocationType") is None:
        options.setdefault("LogType", "Tail")
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **options)
    return Reply(
        answer["Payload"].read(),
        answer.get("FunctionError"),
        base64.b64decode(answer.get("LogResult", "")).decode(),
        answer["StatusCode"],
        answer.get("ExecutedVersion"),
        answer["ResponseMetadata"]["HTTPHeaders"],
    )


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Any, seconds: float = PATIENCE) -> bool:
    """Wait for what another process does; False when it did not happen in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def children() -> set[int]:
    """The live children of this process."""
    found: set[int] = set()
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            found.update(map(int, (task / "children").read_text().split()))
    return {pid for pid in found if alive(pid)}


def workers() -> set[int]:
    """Those of them that are workers, and not an endpoint's watchdog."""
    found = set()
    for pid in children():
        with contextlib.suppress(OSError):  # it ended meanwhile
            if b"_LAMBDA_INVOKE_LOCAL=" in Path(f"/proc/{pid}/environ").read_bytes():
                found.add(pid)
    return found


def _serving() -> Any:
    started: list[tuple[LocalLambda, Any]] = []

    def start(functions: Any, **options: Any) -> tuple[LocalLambda, Any]:
        local = LocalLambda(functions, **options)
        local.start()
        client = local.boto3_client()
        started.append((local, client))
        return local, client

    yield start
    for local, client in started:
        client.close()
        local.stop()


@pytest.fixture
def serve() -> Any:
    """Start endpoints that end with the test."""
    yield from _serving()


@pytest.fixture(scope="module")
def serve_module() -> Any:
    """Start endpoints that serve all tests of a module: those which only read, or are refused."""
    yield from _serving()
