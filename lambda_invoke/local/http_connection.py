"""One connection of the HTTP server: reads requests, has them answered in their order, writes the replies.

A request that came whole is answered, and its reply written, in the call that brought its bytes; only what
must wait has a task. That, and not a nicer way with streams, is what keeps a warm invocation cheap.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import select
from typing import TYPE_CHECKING, cast

import attrs

from lambda_invoke.local.chunked import ChunkedBody
from lambda_invoke.local.http_head import MalformedRequestError
from lambda_invoke.local.http_message import HttpResponse, LaterResponse
from lambda_invoke.local.http_reader import RequestReader
from lambda_invoke.local.http_reply import HangUpError, whole_reply, write_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lambda_invoke.local.http_message import Answer, HttpRequest

    Handle = Callable[[HttpRequest], Answer]

_READ_AHEAD_BYTES = 1024 * 1024
"""What a client may send on while a request of its own is answered."""
_LINGER_SECONDS = 1.0


@attrs.frozen
class ServerOptions:
    """What all connections of a server have in common; see ``HttpServer``."""

    handle: Handle
    body_limit: int
    read_timeout: float | None
    accept_chunked: bool
    admits: Callable[[tuple[str, int], tuple[str, int]], bool] | None


class Connection(asyncio.Protocol):
    """Is in ``registry`` while it lasts. ``over`` is set when it is closed and all was heard."""

    transport: asyncio.Transport

    def __init__(self, options: ServerOptions, registry: set[Connection]) -> None:
        self._options = options
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self.over = asyncio.Event()
        self._reader = RequestReader(
            options.body_limit, options.accept_chunked, self._invite, self._begin_stream
        )
        self._answering = False
        self._later: LaterResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._stream: asyncio.StreamReader | None = None
        self._deadline: float | None = None
        """The loop's time by which the request that has begun must be there."""
        self._timer: asyncio.TimerHandle | None = None
        self._paused = self._lingering = self._ended = self._lost = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a client that is not admitted is dropped."""
        self.transport = cast("asyncio.Transport", transport)
        self._registry.add(self)
        admits = self._options.admits
        if admits is not None and not admits(
            transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        ):
            self.drop()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self._stream is not None:
            self._stream.feed_data(data)
        elif not self._lingering:
            waiting = self._reader.feed(data)
            if not self._answering:
                self._advance()
            elif waiting > _READ_AHEAD_BYTES and not self._paused:
                self._paused = True
                self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Close, once what is being answered is answered; who only waits has left."""
        self._ended = True
        if self._stream is not None:
            self._stream.feed_eof()
        self._leave_later()
        if not self._answering:
            self.transport.close()
        return True

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        self._flowing.clear()

    def resume_writing(self) -> None:
        """It has taken most of it."""
        self._flowing.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End; a handler that runs does so to its own end."""
        self._lost = True
        self._disarm()
        self._flowing.set()
        if self._stream is not None:
            self._stream.feed_eof()
        self._leave_later()
        if not self._answering:
            self._finish()

    def _leave_later(self) -> None:
        if self._later is not None:
            self._later.left = True
            self._later = None
            self._answering = False

    def _has_hung_up(self) -> bool:
        """Look past what the loop has heard: its turn may have begun with somebody else."""
        if self.transport.is_closing():
            return True
        socket = self.transport.get_extra_info("socket")
        if socket is None:
            return False
        poll = select.poll()
        poll.register(socket, getattr(select, "POLLRDHUP", select.POLLHUP))
        return bool(poll.poll(0))

    def drop(self) -> None:
        """Close it now, whatever it does."""
        self.transport.abort()
        if self._task is not None:
            self._loop.call_soon(self._task.cancel)  # it begins first: what it is to finish has begun

    def _finish(self) -> None:
        self._registry.discard(self)
        self.over.set()

    def _advance(self) -> None:
        """Answer what has come whole, one request after the other, until one must be waited for."""
        try:
            while not self._answering and not self.transport.is_closing():
                request = self._reader.next_request()
                if request is None:
                    break
                self._deadline = None
                self._answer(request)
        except MalformedRequestError as error:
            self._refuse(error.status)
            return
        if self._answering or self.transport.is_closing():
            return
        if self._ended:
            self.transport.close()
        elif self._reader.within_request:
            self._begin_to_wait()
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    def _invite(self) -> None:
        """Ask for the body: curl waits a second for the word when that is over 1 MB."""
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _begin_stream(self, begun: bytes) -> ChunkedBody:
        self._stream = asyncio.StreamReader(_READ_AHEAD_BYTES)
        self._stream.set_transport(self.transport)
        self._stream.feed_data(begun)
        if self._ended:
            self._stream.feed_eof()
        return ChunkedBody(self._stream)

    def _answer(self, request: HttpRequest) -> None:
        answer = self._options.handle(request)
        if isinstance(answer, LaterResponse):
            if answer.response is None:
                self._answering = True
                self._later = answer
                answer.when_given = functools.partial(self._send_later, request)
                answer.look = self._has_hung_up
                return
            answer = answer.response
        if isinstance(answer, HttpResponse):
            self._send(request, answer)
        else:
            self._start(request, answer)

    def _send_later(self, request: HttpRequest, response: HttpResponse) -> None:
        if self._later is None:
            return  # the client has left
        self._later = None
        self._answering = False
        self._send(request, response)
        self._advance()

    def _send(self, request: HttpRequest, response: HttpResponse) -> None:
        """Write a reply at once; one that takes time, or that the client does not take, has a task."""
        if not self._can_write_at_once(response):
            self._start(request, response)
            return
        keep_alive = _keeps_alive(request)
        self.transport.write(whole_reply(response, keep_alive=keep_alive, head_only=request.method == "HEAD"))
        if not keep_alive:
            self.transport.close()

    def _can_write_at_once(self, response: HttpResponse) -> bool:
        return response.stream is None and response.delivery is None and self.writable

    def _start(
        self, request: HttpRequest, answer: HttpResponse | Coroutine[object, object, HttpResponse]
    ) -> None:
        self._answering = True
        self._task = self._loop.create_task(self._serve(request, answer))

    async def _serve(
        self, request: HttpRequest, answer: HttpResponse | Coroutine[object, object, HttpResponse]
    ) -> None:
        try:
            response = answer if isinstance(answer, HttpResponse) else await answer
            keep_alive, head_only = _keeps_alive(request), request.method == "HEAD"
            if self._can_write_at_once(response):
                self.transport.write(whole_reply(response, keep_alive=keep_alive, head_only=head_only))
            else:
                await write_reply(self, response, keep_alive=keep_alive, head_only=head_only)
            if self._stream is not None and keep_alive:
                self._stream.feed_eof()
                self._reader.feed(await self._stream.read())  # what came after the body
                self._stream = None
            if not keep_alive:
                self.transport.close()
        except TimeoutError:
            self.transport.abort()  # a client that takes nothing would keep what is left for ever
        except (OSError, asyncio.CancelledError, HangUpError):
            self.transport.close()  # the client went or is to be left, or the server stops: nobody to tell
        except BaseException:
            self.transport.close()
            raise
        finally:
            self._task = None
            self._answering = False
            if self._lost:
                self._finish()
            else:
                self._advance()

    @property
    def lost(self) -> bool:
        """Whether the client went."""
        return self._lost

    @property
    def writable(self) -> bool:
        """Whether there is a client, and it takes what it is sent."""
        return not self._lost and self._flowing.is_set()

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written.

        Raises:
            ConnectionResetError: it went.
        """
        await self._flowing.wait()
        if self._lost:
            raise ConnectionResetError("the client hung up")

    def _refuse(self, status: int) -> None:
        """Answer what cannot be read; then read on for a moment.

        A socket that is closed with bytes unread takes the reply back.
        """
        self._disarm()
        self._lingering = True
        self._reader.clear()
        self.transport.write(whole_reply(HttpResponse(status), keep_alive=False))
        if self._ended:
            self.transport.close()
            return
        with contextlib.suppress(OSError):
            self.transport.write_eof()
        self._timer = self._loop.call_later(_LINGER_SECONDS, self.transport.close)
        if self._paused:
            self.transport.resume_reading()

    def _begin_to_wait(self) -> None:
        """Give the client its time for the rest of a request."""
        if self._deadline is None and self._options.read_timeout is not None:
            self._deadline = self._loop.time() + self._options.read_timeout
            if self._timer is None:
                self._timer = self._loop.call_at(self._deadline, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        """Refuse what is too slow. A timer that a request did not need is left for the next one."""
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_deadline)
        else:
            self._refuse(408)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _keeps_alive(request: HttpRequest) -> bool:
    """Whether the connection can be used again: what follows a body that was not read is no request."""
    if request.stream is not None and not request.stream.finished:
        return False
    return request.headers.get("connection", "").lower() != "close"
