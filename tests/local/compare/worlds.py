"""The emulators, each with the same functions deployed, behind a plain boto3 client."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import boto3
from botocore.config import Config
from moto import mock_aws

from lambda_invoke.local import Function, LocalLambda
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

APP = Path(__file__).with_name("app.py")
REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/any"
QUICK = Config(read_timeout=20, retries={"total_max_attempts": 1, "mode": "standard"})


@attrs.frozen
class Deployed:
    """A function as it is to be deployed; ``handler`` is one of app.py unless it has a dot."""

    handler: str
    timeout: int = 20
    memory_size: int = 256
    reserved_concurrency: int | None = None
    published: bool = False


FUNCTIONS: Mapping[str, Deployed] = {
    **{name: Deployed(name) for name in ("echo", "fail", "leave", "crash", "say", "nap", "write")},
    **{name: Deployed(name) for name in ("unserialisable", "large", "record", "chatter")},
    "describe": Deployed("describe", timeout=9, published=True),
    "changing": Deployed("describe"),
    "told": Deployed("write"),
    "done": Deployed("write"),
    "slow": Deployed("slow", timeout=1),
    "hoard": Deployed("hoard", memory_size=128),
    "no-module": Deployed("absent.handler"),
    "no-handler": Deployed("nothing"),
    "blocked": Deployed("echo", reserved_concurrency=0),
    "single": Deployed("nap", reserved_concurrency=1),
}


@attrs.frozen
class World:
    """An emulator that runs; an Event that has not run in ``event_seconds`` counts as never run."""

    name: str
    client: Any
    url: str | None
    event_seconds: float = 5.0

    def invoke(self, **options: Any) -> Any:
        """Invoke; the payload is read whatever becomes of it, so that no connection is left behind."""
        answer = self.client.invoke(**options)
        return {**answer, "Payload": io.BytesIO(answer["Payload"].read())}


@contextlib.contextmanager
def local_lambda() -> Iterator[World]:
    """This project's."""
    functions = {}
    for name, one in FUNCTIONS.items():
        handler = one.handler if "." in one.handler else f"{APP}:{one.handler}"
        functions[name] = Function(
            handler,
            timeout=one.timeout,
            memory_size=one.memory_size,
            reserved_concurrency=one.reserved_concurrency,
            environment={"STAGE": "test"},
            versions={"1": handler} if one.published else {},
            aliases={"live": "1"} if one.published else {},
        )
    with LocalLambda(functions, init_timeout=PATIENCE, time_scale=0.001) as local:
        client = local.boto3_client(config=QUICK)
        yield World("lambda_invoke.local", client, local.endpoint_url)
        client.close()


@contextlib.contextmanager
def moto_without_docker() -> Iterator[World]:
    """In this process, moto's Lambda answering without Docker."""
    with mock_aws(config={"lambda": {"use_docker": False}}):
        iam = boto3.client("iam", region_name=REGION, **KEYS)
        role = iam.create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = boto3.client("lambda", region_name=REGION, config=QUICK, **KEYS)
        deploy(client, role)
        yield World("moto", client, None)


@contextlib.contextmanager
def ministack() -> Iterator[World]:
    """MiniStack in a process of its own, executing in subprocesses."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "lambda,iam,sqs,sns,events,s3",
        "LAMBDA_EXECUTOR": "local",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        url = f"http://127.0.0.1:{port}"
        client = boto3.client("lambda", region_name=REGION, endpoint_url=url, config=QUICK, **KEYS)
        deploy(client, ROLE)
        yield World("MiniStack", client, url)
        client.close()
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it has been seen not to end at SIGTERM
        process.wait()


KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def deploy(client: Any, role: str) -> None:
    """Create the functions, as one would in AWS."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(APP, "app.py")
    for name, one in FUNCTIONS.items():
        client.create_function(
            FunctionName=name,
            Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
            Role=role,
            Handler=one.handler if "." in one.handler else f"app.{one.handler}",
            Code={"ZipFile": code.getvalue()},
            Timeout=one.timeout,
            MemorySize=one.memory_size,
            Environment={"Variables": {"STAGE": "test"}},
        )
        if one.published:
            version = client.publish_version(FunctionName=name)["Version"]
            client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
        if one.reserved_concurrency is not None:
            client.put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=one.reserved_concurrency
            )
