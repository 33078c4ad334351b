"""An AWS environment for tests that leads nowhere but to loopback, and clients made in it."""

from __future__ import annotations

import contextlib
import enum
import functools
import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any, Self, cast

import boto3
import botocore.session
from botocore.config import Config

from lambda_invoke import FullJitter, LambdaClient, RetryPolicy

if TYPE_CHECKING:
    from types import TracebackType

    import pytest

    from lambda_invoke.transports.protocols import BotoLambdaClient
    from tests.support.server import ScriptedServer

REGION = "eu-west-1"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "dummy-secret-key-of-the-tests"
SESSION_TOKEN = "dummy-session-token-of-the-tests"

QUICK = RetryPolicy(wait=FullJitter(initial=0.001, maximum=0.005))
"""The default policy with waits too short to notice."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_LAMBDA = ("_X_AMZN_TRACE_ID", "_HANDLER", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR")


def dummy_environment() -> dict[str, str]:
    """What boto3 is to find: dummy credentials, a region, no configuration files, no metadata service."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": SESSION_TOKEN,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the dummy environment in the place of the caller's, proxies and all."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name in _LAMBDA or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
    for name, value in dummy_environment().items():
        monkeypatch.setenv(name, value)


class NetworkForbiddenError(Exception):
    """A test tried to reach something that is not on this machine."""


def forbid_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let sockets connect to loopback alone; returns the list in which other attempts are noted.

    They raise as well, but code under test may take that for an ordinary failure.
    """
    attempts: list[str] = []
    real_getaddrinfo = socket.getaddrinfo

    def refuse(what: str) -> None:
        attempts.append(what)
        raise NetworkForbiddenError(what)

    def guarded(real: Any) -> Any:
        @functools.wraps(real)
        def connect(self: socket.socket, address: Any, /) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
                refuse(f"connect to {address!r}")
            return real(self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name.endswith(".invalid"):  # RFC 6761: never resolves
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name and not _is_loopback(name):
            refuse(f"resolve {name!r}")
        return real_getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return attempts


def _is_loopback(host: str) -> bool:
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@functools.cache
def session() -> boto3.Session:
    """One session for the whole run: it loads the service model once."""
    return boto3.Session(region_name=REGION)


@functools.cache
def _loader() -> Any:
    return botocore.session.get_session().get_component("data_loader")


def own_session() -> boto3.Session:
    """A session with handlers of its own; the service's model is loaded once for all of them."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader())
    made = boto3.Session(botocore_session=core, region_name=REGION)
    _loader().search_paths[:] = dict.fromkeys(_loader().search_paths)  # each session adds its own
    return made


class Kind(enum.Enum):
    """Where a client's boto3 client comes from."""

    BUILT = "built"
    HANDED = "handed"


class Clients:
    """Makes clients of one kind for a scripted server, and closes them with what they stand on."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._stack = contextlib.ExitStack()

    @property
    def built(self) -> bool:
        """Whether the library builds the boto3 client itself."""
        return self.kind is Kind.BUILT

    def __call__(
        self,
        server: ScriptedServer,
        *,
        config: Config | None = None,
        retry: RetryPolicy = QUICK,
        **options: Any,
    ) -> LambdaClient:
        """A client for the server; ``config`` is for the boto3 client that is handed over."""
        if self.built:
            made = LambdaClient(session=session(), endpoint_url=server.url, retry=retry, **options)
        else:
            made = LambdaClient(self.boto_client(server, config), retry=retry, **options)
        return self._stack.enter_context(made)

    def boto_client(self, server: ScriptedServer, config: Config | None = None) -> BotoLambdaClient:
        """A caller's own boto3 client for the server."""
        # As many connections as the library's own client has, unless the test says otherwise.
        whole = Config(max_pool_connections=64)
        client = cast(
            "BotoLambdaClient",
            session().client(
                "lambda",
                endpoint_url=server.url,
                config=whole if config is None else whole.merge(config),
            ),
        )
        self._stack.callback(client.close)
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
