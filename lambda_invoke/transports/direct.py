"""Sends over connections of its own: asyncio, HTTP/1.1, SigV4.

It carries asyncio calls and fan-out of clients that the library built. It takes its configuration
from the boto3 client that would send otherwise, and it knows whether a byte was written and whether
one of the reply came, so that ``executed`` is as sharp as it can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import os
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.exceptions as be

from lambda_invoke.core.service_errors import parse_refusal
from lambda_invoke.core.transport import Answer, Failure, FailureKind, Refusal, Reply, Request
from lambda_invoke.errors import Executed
from lambda_invoke.transports.connecting import connected_socket
from lambda_invoke.transports.credentials import LoopCredentials
from lambda_invoke.transports.direct_config import DirectConfig, read_config
from lambda_invoke.transports.failures import not_sent
from lambda_invoke.transports.http1 import (
    ExchangeTimedOutError,
    HttpConnection,
    HttpError,
)
from lambda_invoke.transports.pool import Pool, PoolClosedError
from lambda_invoke.transports.sigv4 import Signer, hash_payload
from lambda_invoke.transports.threads import DaemonThreads, in_thread, mark_sent, mark_unsent, was_sent
from lambda_invoke.transports.tls import connect_over
from lambda_invoke.transports.urllib3_session import CONNECT_TIMEOUT, MAX_IDLE_SECONDS, keepalive_options
from lambda_invoke.transports.wire import Endpoint, RequestWriter, UnsendableRequestError, recursion_trace

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from lambda_invoke.transports.http1_reply import RawReply
    from lambda_invoke.transports.protocols import BotoLambdaClient

T = TypeVar("T")

_HASH_IN_THREAD_BYTES = 256 * 1024
"""Hashing takes about 1 ms for so much; more would hold the loop up."""
_SKEW_SECONDS = 240.0
"""AWS refuses signatures five minutes off; the SDKs correct their clock from four on."""
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_SKEWED = frozenset(
    {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed"}
)


class DirectTransport:
    """An AsyncTransport on connections of its own, for any number of event loops one after another.

    ``client`` gives the boto3 client whose configuration counts; ``slots`` bounds the connections
    of each loop.
    """

    def __init__(self, client: Callable[[], BotoLambdaClient], *, slots: int) -> None:
        self._client = client
        self.slots = slots
        self._threads = DaemonThreads(2)
        self._reading = threading.Lock()
        self._config: DirectConfig | None = None
        self._closed = False
        self._lines: dict[asyncio.AbstractEventLoop, _Lines] = {}

    async def configure(self) -> None:
        """Read the configuration, once, in a thread.

        Raises:
            UnsupportedError: botocore must carry this client's calls.
            BotoCoreError: the client cannot send at all.
        """
        if self._config is None:
            await in_thread(self._threads, self.read)

    def read(self) -> DirectConfig:
        """Read the configuration, once, blocking; raises as :meth:`configure`."""
        with self._reading:  # once for all who ask meanwhile
            self._config = self._config or read_config(self._client())
            return self._config

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send once. What the service refused for an expired token or a wrong clock is signed anew."""
        if self._closed:
            return Failure(FailureKind.REQUEST, Executed.NO, "the client is closed")
        loop = asyncio.get_running_loop()
        expires = None if remaining is None else loop.time() + remaining
        try:
            lines = self._lines.get(loop) or await self._open(loop, expires)
            return await lines.send(request, timeout, expires)
        except _NoConnectionError as error:
            return error.failure
        except asyncio.CancelledError as cancelled:
            if not was_sent(cancelled):
                mark_unsent(cancelled)
            raise

    async def _open(self, loop: asyncio.AbstractEventLoop, expires: float | None) -> _Lines:
        """This loop's lines, made at its first send; those of loops that ended are forgotten."""
        await _within(expires, self._configured())
        assert self._config is not None
        lines = self._lines.get(loop)
        if lines is None:
            self._forget_closed_loops()
            lines = self._lines[loop] = _Lines(loop, self._config, self._threads, self.slots)
            await lines.keep(lambda: self._lines.pop(loop, None))
        return lines

    def _forget_closed_loops(self) -> None:
        """One that was closed without shutting down its async generators left its connections to Python."""
        for loop in [loop for loop in self._lines if loop.is_closed()]:
            del self._lines[loop]

    async def _configured(self) -> None:
        try:
            await self.configure()
        except _BEFORE_SENDING as error:
            raise _NoConnectionError(not_sent(error)) from error

    def close(self) -> None:
        """Have every loop that runs drop its connections, and open none any more; from any thread."""
        self._closed = True
        for loop, lines in list(self._lines.items()):
            if loop.is_running():
                loop.call_soon_threadsafe(lines.close_soon)

    async def aclose(self) -> None:
        """Drop this loop's connections."""
        lines = self._lines.pop(asyncio.get_running_loop(), None)
        if lines is not None:
            await lines.close()


class _Lines:
    """What a DirectTransport has on one event loop: its connections, credentials and clock."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, config: DirectConfig, threads: DaemonThreads, slots: int
    ) -> None:
        self._loop = loop
        self._config = config
        self._threads = threads
        self._endpoint = Endpoint.parse(config.url)
        self._writer = RequestWriter(self._endpoint, user_agent=config.user_agent)
        self._credentials = LoopCredentials(config.credentials, threads)
        self._pool = Pool(loop, self._connect, most=slots, max_idle=MAX_IDLE_SECONDS)
        self._signer: tuple[Any, Signer] | None = None
        self._skew = 0.0
        self._closing: asyncio.Task[None] | None = None
        self._keeper: AsyncGenerator[None, None] | None = None
        self.slots = slots

    async def keep(self, forget: Callable[[], object]) -> None:
        """Close with the loop, and be forgotten then."""
        self._keeper = _closed_with_the_loop(self._pool, forget)
        await anext(self._keeper)  # waits for nothing

    async def close(self) -> None:
        if self._keeper is not None:
            await self._keeper.aclose()

    def close_soon(self) -> None:
        self._closing = self._loop.create_task(self.close())

    async def send(self, request: Request, timeout: float | None, expires: float | None) -> Answer:
        body = request.payload or b""
        digest = None
        if len(body) > _HASH_IN_THREAD_BYTES:
            digest = await _within(expires, in_thread(self._threads, lambda: hash_payload(body)))
        skew = self._skew
        answer, credentials, date = await self._signed(request, digest, timeout, expires)
        if not isinstance(answer, Refusal):
            return answer
        again = False
        if answer.code in _EXPIRED:
            with contextlib.suppress(*_BEFORE_SENDING):
                again = await self._credentials.refused(credentials)
        elif answer.code in _SKEWED and date is not None:
            again = self._correct_clock(date, skew)
        # The service did not get past the signature: nothing ran, and it is sent with a good one.
        return (await self._signed(request, digest, timeout, expires))[0] if again else answer

    async def _signed(
        self, request: Request, digest: str | None, timeout: float | None, expires: float | None
    ) -> tuple[Answer, Any, str | None]:
        credentials = self._credentials.current()
        try:
            if credentials is None:
                credentials = await _within(expires, self._credentials.get())
        except _BEFORE_SENDING as error:
            raise _NoConnectionError(not_sent(error)) from error
        if expires is not None and self._loop.time() >= expires:
            raise _NoConnectionError(_out_of_time("before it was sent"))
        connection = self._pool.take() or await self._connected(expires)
        try:
            answer, date = await self._exchange(connection, request, credentials, digest, timeout, expires)
        finally:
            self._pool.release(connection)
        return answer, credentials, date

    async def _exchange(
        self,
        connection: HttpConnection,
        request: Request,
        credentials: Any,
        digest: str | None,
        timeout: float | None,
        expires: float | None,
    ) -> tuple[Answer, str | None]:
        try:
            signed = self._writer.write(
                request,
                self._signer_for(credentials),
                time.time() + self._skew,
                trace=recursion_trace(os.environ),
                payload_hash=digest,
            )
            due = expires if timeout is None else _nearest(self._loop.time() + timeout, expires)
            reply = await connection.exchange(signed.head, signed.body, due=due)
        except UnsendableRequestError as error:
            return Failure(FailureKind.REQUEST, Executed.NO, str(error), error), None
        except HttpError as error:
            return _failure(error, timeout), None
        except asyncio.CancelledError as cancelled:
            if connection.wrote:
                mark_sent(cancelled)
            raise
        return _answer(reply), reply.headers.get("date")

    async def _connected(self, expires: float | None) -> HttpConnection:
        """A connection within the deadline.

        Raises:
            _NoConnectionError: none was had, with the Failure to say so.
        """
        waiting = f"while waiting for one of {self.slots} connections"
        try:
            return await _within(expires, self._pool.acquire(), waiting)
        except PoolClosedError as error:
            raise _NoConnectionError(Failure(FailureKind.CONNECT, Executed.NO, str(error), error)) from error

    async def _connect(self) -> HttpConnection:
        endpoint = self._endpoint
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                sock = await connected_socket(endpoint.hostname, endpoint.port)
                connection = await self._over(sock)
        except TimeoutError as error:
            message = f"no connection to {endpoint.host} within {CONNECT_TIMEOUT:.3g} s"
            raise _NoConnectionError(Failure(FailureKind.CONNECT, Executed.NO, message, error)) from error
        except OSError as error:
            message = f"no connection to {endpoint.host}: {type(error).__name__}: {error}"
            raise _NoConnectionError(Failure(FailureKind.CONNECT, Executed.NO, message, error)) from error
        return connection

    async def _over(self, sock: socket.socket) -> HttpConnection:
        """A connection over a connected socket, after the TLS handshake where there is one."""
        try:
            for option in keepalive_options():
                sock.setsockopt(*option)
        except BaseException:
            sock.close()
            raise
        connection = HttpConnection(self._loop)
        await connect_over(
            sock, connection, context=self._config.ssl_context, hostname=self._endpoint.hostname
        )
        return connection

    def _signer_for(self, credentials: Any) -> Signer:
        if self._signer is None or self._signer[0] is not credentials:
            signer = Signer(
                credentials.access_key,
                credentials.secret_key,
                credentials.token,
                self._config.region,
                self._config.service,
            )
            self._signer = (credentials, signer)
        return self._signer[1]

    def _correct_clock(self, date: str, skew_used: float) -> bool:
        """Take the service's time for ours when what was signed with is far off; whether it was."""
        try:
            theirs = email.utils.parsedate_to_datetime(date).timestamp()
        except ValueError:
            return False
        skew = theirs - time.time()
        if abs(skew - skew_used) < _SKEW_SECONDS:
            return False
        self._skew = skew
        return True


async def _within(expires: float | None, awaited: Awaitable[T], where: str = "before it was sent") -> T:
    """Await until the deadline.

    Raises:
        _NoConnectionError: it passed; nothing was sent.
    """
    if expires is None:
        return await awaited
    try:
        async with asyncio.timeout_at(expires):
            return await awaited
    except TimeoutError:
        raise _NoConnectionError(_out_of_time(where)) from None


def _out_of_time(where: str) -> Failure:
    return Failure(FailureKind.QUEUE, Executed.NO, f"the deadline passed {where}")


_BEFORE_SENDING = (be.BotoCoreError, be.ClientError, OSError, ValueError)
"""What making a client, or fetching its credentials, may raise."""


class _NoConnectionError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def _closed_with_the_loop(pool: Pool, forget: Callable[[], object]) -> AsyncGenerator[None, None]:
    """Close a pool at ``aclose()``, or when the loop shuts its async generators down before it ends.

    ``asyncio.run`` does so, which is how a client without ``async with`` leaves nothing behind.
    """
    try:
        yield
    finally:
        forget()
        await pool.close()


def _nearest(due: float, expires: float | None) -> float:
    return due if expires is None else min(due, expires)


def _failure(error: HttpError, timeout: float | None) -> Failure:
    if not error.wrote:
        return Failure(FailureKind.CONNECT, Executed.NO, f"the connection was lost: {error}", error)
    if isinstance(error, ExchangeTimedOutError):
        bound = "its deadline" if timeout is None else f"{timeout:.3g} s or its deadline"
        return Failure(FailureKind.TIMEOUT, Executed.UNKNOWN, f"no whole reply within {bound}", error)
    kind = FailureKind.TRUNCATED if error.replied else FailureKind.LOST
    return Failure(kind, Executed.UNKNOWN, str(error), error)


def _answer(reply: RawReply) -> Answer:
    headers = reply.headers
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - the 2xx class
        return parse_refusal(reply.status, headers, reply.body)
    if reply.status != HTTPStatus.NO_CONTENT and not headers.keys() & {"content-length", "transfer-encoding"}:
        # Lambda always says how long its reply is: without that it may have broken off anywhere.
        message = "the reply does not say how long it is, and may have broken off"
        return Failure(FailureKind.TRUNCATED, Executed.UNKNOWN, message)
    return Reply(
        status_code=reply.status,
        body=reply.body,
        request_id=headers.get("x-amzn-requestid"),
        executed_version=headers.get("x-amz-executed-version"),
        function_error=headers.get("x-amz-function-error"),
        log_result=headers.get("x-amz-log-result"),
        durable_execution_arn=headers.get("x-amz-durable-execution-arn"),
    )
