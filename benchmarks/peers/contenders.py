"""Who is measured beside whom: this library in four ways, and its peers, each in a process of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from benchmarks.peers.environments import AbsentError, later_python, node_modules, virtual_environment
from tests.support.aws import REGION, dummy_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack
    from types import TracebackType

    from benchmarks.peers.server import Server

ROOT = Path(__file__).resolve().parents[2]


@attrs.frozen(eq=False)
class Contender:
    """How one is started, and, of a peer, how many times less CPU than it this library is to take."""

    name: str
    command: tuple[str, ...]
    aim: float | None = None
    environment: dict[str, str] = attrs.Factory(dict)


def module(name: str, *arguments: str, python: str = sys.executable) -> tuple[str, ...]:
    """The command of a script of this directory."""
    return (python, "-m", f"benchmarks.peers.{name}", *arguments)


def own(loops: tuple[str, ...]) -> Iterator[Contender]:
    """This library, with the public calls that send many."""
    for loop in loops:
        yield Contender(f"map, {loop}", module("own_map", loop))
    for loop in loops:
        yield Contender(f"await invoke, {loop}", module("own_async", loop))


def boto3_threads(_: Path) -> Contender:
    """boto3 in threads, in this environment."""
    return Contender("boto3 in threads", module("boto3_threads"), aim=10)


def aiobotocore(directory: Path, loop: str = "asyncio") -> Contender:
    """aiobotocore, on asyncio's loop or uvloop's."""
    python = virtual_environment(directory / "aiobotocore", sys.executable, "aiobotocore", "uvloop")
    return Contender(f"aiobotocore, {loop}", module("aiobotocore_tasks", loop, python=python), aim=4)


def aws_sdk_lambda(directory: Path) -> Contender:
    """AWS's generated Python SDK."""
    python = virtual_environment(directory / "aws-sdk-lambda", later_python(12), "aws-sdk-lambda")
    return Contender("aws-sdk-lambda", module("aws_sdk_lambda_tasks", "asyncio", python=python), aim=4)


def javascript(directory: Path) -> Contender:
    """The AWS SDK for JavaScript v3."""
    modules = node_modules(directory / "javascript", "@aws-sdk/client-lambda")
    script = str(Path(__file__).with_name("javascript_sdk.cjs"))
    environment = {"NODE_PATH": modules, "NODE_NO_WARNINGS": "1"}
    return Contender("JavaScript SDK v3", ("node", script), aim=4, environment=environment)


PEERS: dict[str, Callable[[Path], Contender]] = {
    "boto3 in threads": boto3_threads,
    "aiobotocore, asyncio": aiobotocore,
    "aiobotocore, uvloop": functools.partial(aiobotocore, loop="uvloop"),
    "aws-sdk-lambda": aws_sdk_lambda,
    "JavaScript SDK v3": javascript,
}


def present(directory: Path) -> list[Contender]:
    """The peers that can be measured here; of each other, a line says why not."""
    found = []
    for name, make in PEERS.items():
        try:
            found.append(make(directory))
        except AbsentError as exc:
            print(f"left out: {name}: {exc}")
    return found


def started(contenders: list[Contender], server: Server, stack: ExitStack) -> list[Running]:
    """The processes of all, until the stack ends; of a peer that does not start, a line says so."""
    running = []
    for contender in contenders:
        try:
            running.append(stack.enter_context(Running(contender, server)))
        except AbsentError as exc:
            if contender.aim is None:
                raise
            print(f"left out: {contender.name}: {exc}")
    return running


class Running:
    """A contender's process, which measures when it is told to."""

    def __init__(self, contender: Contender, server: Server) -> None:
        self.contender = contender
        self._process = subprocess.Popen(
            contender.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(server), **contender.environment},
            cwd=ROOT,
        )

    def __enter__(self) -> Self:
        """Wait for its start; ``about`` names versions. Raises AbsentError if it ended instead."""
        try:
            self.about = str(self._read()["about"])
        except EOFError as exc:
            raise AbsentError(f"it did not start, {exc}") from None
        return self

    def measure(self, *, items: int, in_flight: int, payload: Any) -> tuple[float, float]:
        """CPU seconds of its process per invoke, and invokes per second."""
        assert self._process.stdin is not None
        job = {"items": items, "in_flight": in_flight, "payload": payload}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        measured = self._read()
        return measured["cpu"], measured["rate"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"exit status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # its input ends, and so does it


def environment(server: Server) -> dict[str, str]:
    """What every SDK reads: dummy credentials, the server as endpoint, its CA."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
    trusted = {}
    if server.ca_bundle:
        names = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        trusted = dict.fromkeys(names, server.ca_bundle)
    return {
        **kept,
        **dummy_environment(),
        **trusted,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_LAMBDA": server.url,
        "PYTHONPATH": str(ROOT),
    }
