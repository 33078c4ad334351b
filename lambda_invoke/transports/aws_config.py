"""What boto3's session says, and the clients that the library builds from it."""

from __future__ import annotations

import os
import threading
import weakref
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, cast

import attrs
import boto3
from botocore.config import Config

from lambda_invoke.errors import RequestError
from lambda_invoke.transports.botocore import watch
from lambda_invoke.transports.direct_config import make_readable
from lambda_invoke.transports.urllib3_session import CONNECT_TIMEOUT, BoundedSession

if TYPE_CHECKING:
    from lambda_invoke.transports.protocols import BotoLambdaClient, BotoSession

CONTROL_PLANE_ATTEMPTS = 5
"""Sends of a control-plane call, in botocore's standard mode: 15 calls a second are allowed in all
(AWS quota, 2026-11), and reading is safe to repeat."""

_CONTROL: dict[str, Any] = {
    "retries": {"total_max_attempts": CONTROL_PLANE_ATTEMPTS, "mode": "standard"},
    "connect_timeout": CONNECT_TIMEOUT,
    "tcp_keepalive": True,
}


def _config(**options: Any) -> Config:
    return Config(user_agent_extra=user_agent(), **options)


def user_agent() -> str:
    """What is added to botocore's user agent."""
    try:
        return f"lambda_invoke/{version('lambda-invoke-sdk')}"
    except PackageNotFoundError:  # run from a source tree
        return "lambda_invoke"


@attrs.frozen
class AwsConfig:
    """Where and as whom to call: what ``boto3.Session`` and ``session.client`` take."""

    session: BotoSession | None = attrs.field(default=None, repr=False)
    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None

    def make_session(self) -> BotoSession:
        """The caller's session, or a private one made of the environment."""
        if self.session is not None:
            return self.session
        return cast(
            "BotoSession", boto3.Session(region_name=self.region_name, profile_name=self.profile_name)
        )


class BuiltClients:
    """The boto3 clients that the library builds: each once, under a lock, anew after a fork.

    ``invoke`` has botocore's retries pinned to one send and the bounded session; ``control`` is
    botocore's own, standard retries included.
    """

    def __init__(self, config: AwsConfig, *, max_concurrency: int) -> None:
        self._config = config
        self._max_concurrency = max_concurrency
        self._closed = False
        self.forget()
        _BUILT.add(self)

    def forget(self) -> None:
        """Start anew: after a fork, sockets and locks of the parent are not ours to touch."""
        self._lock = threading.Lock()
        self._session: BotoSession | None = None
        self._invoke: BotoLambdaClient | None = None
        self._control: BotoLambdaClient | None = None
        self._services: list[Any] = []

    def invoke(self) -> BotoLambdaClient:
        """The client that sends invocations.

        Raises:
            RequestError: closed.
        """
        if self._closed:
            raise RequestError("the client is closed")
        if self._invoke is None:
            with self._lock:
                if self._invoke is None:
                    client = self._make(
                        # Given here, neither AWS_MAX_ATTEMPTS nor AWS_RETRY_MODE can change it.
                        retries={"total_max_attempts": 1, "mode": "standard"},
                        max_pool_connections=self._max_concurrency,
                        connect_timeout=CONNECT_TIMEOUT,
                    )
                    endpoint = cast("Any", client)._endpoint  # noqa: SLF001 - botocore has no public way
                    endpoint.http_session = BoundedSession(endpoint.http_session)
                    watch(client)
                    make_readable(client)
                    self._invoke = client
        return self._invoke

    def control(self) -> BotoLambdaClient:
        """The client for the control plane."""
        if self._control is None:
            with self._lock:
                if self._control is None:
                    self._control = self._make(**_CONTROL)
        return self._control

    def service(self, name: str) -> Any:
        """A client of another service, in the same region; ``endpoint_url`` is Lambda's alone."""
        with self._lock:
            made = self._session_of_its_own().client(
                name, region_name=self._config.region_name, config=_config(**_CONTROL)
            )
            self._services.append(made)
        return made

    def _make(self, **options: Any) -> BotoLambdaClient:
        client: BotoLambdaClient = self._session_of_its_own().client(
            "lambda",
            region_name=self._config.region_name,
            endpoint_url=self._config.endpoint_url,
            config=_config(**options),
        )
        return client

    def _session_of_its_own(self) -> BotoSession:
        if self._session is None:
            self._session = self._config.make_session()
        return self._session

    def close(self) -> None:
        """Close the clients' connections; none is made any more."""
        self._closed = True
        with self._lock:
            clients = (self._invoke, self._control, *self._services)
            self._invoke = self._control = None
            self._services = []
        for client in clients:
            if client is not None:
                client.close()


_BUILT: weakref.WeakSet[BuiltClients] = weakref.WeakSet()


def _after_fork() -> None:
    for clients in list(_BUILT):
        clients.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
