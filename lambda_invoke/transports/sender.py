"""What a client sends with, opened at first use: its own boto3 clients, a caller's, or a transport."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_invoke.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.core.transport import AsyncTransport, Transport
    from lambda_invoke.transports.aws_config import BuiltClients
    from lambda_invoke.transports.choice import TransportChoice
    from lambda_invoke.transports.protocols import BotoLambdaClient, BotoSession, Services

T = TypeVar("T")


class Sender:
    """Opens and holds what a client sends with. Thread-safe; started anew in a forked child.

    Either ``boto_client`` (taken as it is), or ``transport``, or ``async_transport`` (for asyncio
    alone), or a client built of the rest, as boto3 would.
    """

    def __init__(
        self,
        *,
        max_concurrency: int,
        boto_client: BotoLambdaClient | None = None,
        transport: Transport | None = None,
        async_transport: AsyncTransport | None = None,
        session: BotoSession | None = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        services: Services | None = None,
    ) -> None:
        self.max_concurrency = max_concurrency
        self.boto_client = boto_client
        self._given = transport
        self._given_async = async_transport
        self._session = session
        self._names = {
            "region_name": region_name,
            "profile_name": profile_name,
            "endpoint_url": endpoint_url,
        }
        self._services = services
        self._built: BuiltClients | None = None
        self._transport = transport
        self._closed = False
        self.also_after_fork: list[Callable[[], None]] = []
        self.start_anew()
        _SENDERS.add(self)

    def start_anew(self) -> None:
        """Also in a forked child: the parent's locks, slots and threads are not ours."""
        self._lock = threading.RLock()
        self._service_clients: dict[str, Any] = {}
        for also in self.also_after_fork:
            also()
        self._async_transport: AsyncTransport | None = self._given_async
        renew = getattr(self._transport, "renew_locks", None)
        if renew is not None:
            renew()

    @property
    def slots(self) -> int:
        """Requests in flight at most; over a handed-over client, what its pool holds."""
        config = getattr(getattr(self.boto_client, "meta", None), "config", None)
        pool = getattr(config, "max_pool_connections", None)
        return min(pool, self.max_concurrency) if isinstance(pool, int) else self.max_concurrency

    def transport(self) -> Transport:
        """The blocking transport.

        Raises:
            RequestError: closed.
        """
        self._check_open()
        if self._transport is None:
            with self._lock:
                if self._transport is None:
                    self._transport = self._open()
        return self._transport

    def async_transport(self) -> AsyncTransport:
        """The transport of ``map``, ``fan_out`` and the asyncio client.

        Raises:
            RequestError: closed.
        """
        self._check_open()
        if self._async_transport is None:
            transport = self.transport()
            with self._lock:
                if self._async_transport is None:
                    self._async_transport = self._open_async(transport)
        return self._async_transport

    async def opened(self) -> AsyncTransport:
        """The same, opened in a thread: importing botocore would hold the loop up for long.

        Raises:
            RequestError: closed.
        """
        self._check_open()
        if self._async_transport is not None:
            return self._async_transport
        from lambda_invoke.transports.threads import DaemonThreads, in_thread

        return await in_thread(DaemonThreads(1), self.async_transport)

    def _check_open(self) -> None:
        if self._closed:
            raise RequestError("the client is closed")

    def choice(self) -> TransportChoice:
        """What carries the calls, and why. It may have to fetch credentials to know.

        Raises:
            RequestError: closed, or no client could be built.
        """
        from lambda_invoke.transports.choice import ChosenTransport, TransportChoice

        transport = self.async_transport()
        given = self._given or self._given_async
        if given is not None:
            return TransportChoice(type(given).__name__, type(given).__name__)
        if not isinstance(transport, ChosenTransport):
            return TransportChoice("botocore", "botocore", "the boto3 client was handed over")
        reason = self._asked(transport.settled_reason)
        return TransportChoice("botocore", "direct" if reason is None else "botocore", reason)

    def _open_async(self, transport: Transport) -> AsyncTransport:
        from lambda_invoke.transports.threads import ThreadedTransport

        if self._built is None:
            of_its_own: Callable[[], AsyncTransport] | None = getattr(transport, "async_transport", None)
            if of_its_own is not None:
                return of_its_own()
            return ThreadedTransport(transport, most=self.max_concurrency)
        from lambda_invoke.transports.botocore import BotocoreTransport
        from lambda_invoke.transports.choice import ChosenTransport

        assert isinstance(transport, BotocoreTransport)
        return ChosenTransport(self._built, transport, slots=self.max_concurrency)

    @staticmethod
    def _asked(question: Callable[[], T]) -> T:
        try:
            return question()
        except Exception as error:
            raise RequestError(f"no client could be built: {type(error).__name__}: {error}") from error

    def control(self) -> BotoLambdaClient:
        """The boto3 client for the control plane.

        Raises:
            RequestError: closed, or over a transport, which has none.
        """
        self._check_open()
        if self._given_async is None:
            self.transport()
        if self.boto_client is not None:
            return self.boto_client
        if self._built is None:
            raise RequestError("a client over a transport of its own has no control plane")
        return self._asked(self._built.control)

    def service(self, name: str) -> Any:
        """The boto3 client of another service ("sqs"): the caller's, or of the session that Lambda's is of.

        Raises:
            RequestError: closed, or nothing says where that service is.
        """
        self._check_open()
        with self._lock:
            if name not in self._service_clients:
                self._service_clients[name] = self._open_service(name)
            return self._service_clients[name]

    def _open_service(self, name: str) -> Any:
        if self._services is not None:
            return self._services(name)
        if self._given_async is None:
            self.transport()
        built = self._built
        if built is None:
            given = "a boto3 client that was handed over" if self.boto_client is not None else "a transport"
            raise RequestError(
                f"{given} does not say where {name} is: give the client services=, which makes boto3's "
                "client of a service (boto3.client, for one)"
            )
        return self._asked(lambda: built.service(name))

    def _open(self) -> Transport:
        from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
        from lambda_invoke.transports.botocore import BotocoreTransport, over_handed

        if self.boto_client is not None:
            return over_handed(self.boto_client, concurrency=self.slots)
        config = AwsConfig(session=self._session, **self._names)
        self._built = BuiltClients(config, max_concurrency=self.max_concurrency)
        return BotocoreTransport(self._built.invoke, slots=self.max_concurrency, bounded=True)

    def close(self) -> None:
        """Close what was opened here; a handed-over client stays open."""
        self._closed = True
        close_async = getattr(self._async_transport, "close", None)
        if close_async is not None:
            close_async()
        if self._built is not None:
            self._built.close()
        elif self._given is not None:
            self._given.close()

    async def aclose(self) -> None:
        """Close this loop's connections, and whatever :meth:`close` closes."""
        self._closed = True
        transport = self._async_transport
        if transport is not None:
            await transport.aclose()
        self.close()

    def __repr__(self) -> str:
        if self.boto_client is not None:
            over = "a boto3 client that was handed over"
        elif self._given is not None or self._given_async is not None:
            over = type(self._given or self._given_async).__name__
        else:
            named = (f"{name}={value!r}" for name, value in self._names.items() if value is not None)
            over = ", ".join(named) or ("a session" if self._session else "boto3's own configuration")
        return f"{over}, closed" if self._closed else over


_SENDERS: weakref.WeakSet[Sender] = weakref.WeakSet()


def _after_fork() -> None:
    for sender in list(_SENDERS):
        sender.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
