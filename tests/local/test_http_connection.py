"""One connection of the HTTP server, its bytes cut in every way and its requests sent ahead."""

import asyncio
import gc
import itertools
import time
from collections.abc import Callable
from typing import Any, Self

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.local.http import HttpServer
from lambda_invoke.local.http_connection import Connection, ServerOptions
from lambda_invoke.local.http_message import Answer, HttpRequest, HttpResponse, LaterResponse
from tests.support.patience import PATIENCE

LIMIT = 20
REQUESTS = (
    b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Many: 1\r\nx-many: 2\r\nContent-Length: 2\r\n\r\nhi"
    b"\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n"
    b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /large HTTP/1.1\r\nContent-Length: 25\r\n\r\n" + b"\r\n\r\n " * 5 + b"PUT /e HTTP/1.1\r\n"
    b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
)
SEEN = ["POST /a?b=c 2 b'hi'", "GET /next? 0 b''", "GET /next? 0 b''", "POST /large? 25 b''"]
SEEN.append("PUT /e? 4 b'\\r\\n\\r\\n'")
CHUNKED = (
    b"POST /stream HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\nyou\r\n0\r\nA: b\r\n\r\n"
)


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = self.paused = False
        self._wrote = asyncio.Event()

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        self._wrote.set()

    async def has_written(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.written) < times:
                self._wrote.clear()
                await self._wrote.wait()

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 1

    @property
    def replies(self) -> int:
        return sum(data.startswith(b"HTTP/1.1 200 ") for data in self.written)


class LostWire(Wire):
    """As uvloop's transports are, once closed."""

    def write(self, data: Any) -> None:
        raise RuntimeError("the handler is closed")


class Parts:
    """A body of no parts."""

    closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


def connect(
    handle: Callable[[HttpRequest], Answer], *, wire: Wire | None = None, **options: Any
) -> tuple[Connection, Wire]:
    """A connection without a socket; to be called on a loop."""
    settings = {"body_limit": LIMIT, "read_timeout": None, "accept_chunked": True, "admits": None, **options}
    connection, wire = Connection(ServerOptions(handle, **settings), set()), wire or Wire()
    connection.connection_made(wire)
    return connection, wire


def told(request: HttpRequest) -> str:
    return f"{request.method} {request.path}?{request.query} {request.body_size} {request.body!r}"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds) if start < end]


def heard(parts: list[bytes]) -> tuple[list[str], Wire]:
    """The requests that a handler which answers at once was given."""
    seen: list[str] = []

    def handle(request: HttpRequest) -> HttpResponse:
        seen.append(told(request))
        return HttpResponse(200, body=request.path.encode())

    async def run() -> Wire:
        connection, wire = connect(handle)
        for part in parts:
            connection.data_received(part)
        return wire

    return seen, asyncio.run(run())


def test_requests_in_one_piece_are_answered_at_once() -> None:
    """Five requests in one packet: five replies in their order, each in one write, in that same call."""
    seen, wire = heard([REQUESTS])
    assert seen == SEEN
    paths = [data.rpartition(b"\r\n")[2] for data in wire.written if b" 100 " not in data]
    assert paths == [b"/a", b"/next", b"/next", b"/large", b"/e"]
    assert wire.written[-2] == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_cut_at_any_byte_changes_nothing() -> None:
    """Two packets instead of one, wherever the first ends."""
    for cut in range(1, len(REQUESTS)):
        seen, wire = heard([REQUESTS[:cut], REQUESTS[cut:]])
        assert (cut, seen) == (cut, SEEN)
        assert wire.replies == len(SEEN)


@given(st.lists(st.integers(1, len(REQUESTS) - 1)))
def test_any_cuts_change_nothing(cuts: list[int]) -> None:
    """Down to single bytes."""
    assert heard(pieces(REQUESTS, cuts))[0] == heard([bytes([byte]) for byte in REQUESTS])[0] == SEEN


@given(st.lists(st.integers(1, 200)), st.booleans())
def test_a_chunked_body_may_be_cut_anywhere(cuts: list[int], wait: bool) -> None:
    """What follows it is the next request, whether or not the loop had turns in between."""
    seen: list[str] = []

    async def read(request: HttpRequest) -> HttpResponse:
        body = await request.stream.read_all(LIMIT) if request.stream is not None else request.body
        seen.append(f"{request.path} {body!r}")
        return HttpResponse(200)

    async def run() -> None:
        connection, wire = connect(read)
        for part in pieces(CHUNKED + CHUNKED + b"GET /d HTTP/1.1\r\n\r\n", cuts):
            connection.data_received(part)
            if wait:
                await asyncio.sleep(0)
        await wire.has_written(3)

    asyncio.run(run())
    assert seen == ["/stream (b'hiyou', 5)"] * 2 + ["/d b''"]


def test_requests_wait_for_the_reply_before_theirs() -> None:
    """Sent ahead while one is waited for, they are neither lost nor answered out of turn."""

    async def run() -> None:
        waiting: list[LaterResponse] = []

        def handle(request: HttpRequest) -> Answer:
            if request.path != "/wait":
                return HttpResponse(200, body=request.path.encode())
            waiting.append(LaterResponse())
            return waiting[-1]

        connection, wire = connect(handle)
        data = b"GET /wait HTTP/1.1\r\n\r\nGET /1 HTTP/1.1\r\n\r\n" * 2
        connection.data_received(data[:30])
        connection.data_received(data[30:])
        assert (len(waiting), wire.written) == (1, [])
        waiting[0].give(HttpResponse(200, body=b"first"))
        assert [data.rpartition(b"\n")[2] for data in wire.written] == [b"first", b"/1"]
        waiting[1].give(HttpResponse(200, body=b"second"))
        assert [data.rpartition(b"\n")[2] for data in wire.written[2:]] == [b"second", b"/1"]

    asyncio.run(run())


def test_a_reply_that_is_there_already_is_sent_at_once() -> None:
    """A LaterResponse may be given before the connection has it."""

    def handle(_: HttpRequest) -> Answer:
        later = LaterResponse()
        later.give(HttpResponse(200))
        return later

    async def run() -> None:
        connection, wire = connect(handle)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n" * 3)
        assert wire.replies == 3

    asyncio.run(run())


@pytest.mark.parametrize("by", ["eof", "reset"])
def test_who_leaves_while_waiting_is_known_to_have_left(by: str) -> None:
    """What is given after that is written to nobody, and the connection is over."""

    async def run() -> None:
        later = LaterResponse()
        connection, wire = connect(lambda _: later)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        waits = not later.gone
        if by == "eof":
            connection.eof_received()
            assert wire.closed
            assert later.gone
        connection.connection_lost(None)
        assert (waits, later.gone) == (True, True)
        assert connection.over.is_set()
        later.give(HttpResponse(200))
        assert wire.written == []

    asyncio.run(run())


def test_a_client_that_sends_on_without_end_is_held_up() -> None:
    """While its request is answered no more than some megabytes are read; then it goes on."""

    async def run() -> None:
        later = LaterResponse()
        connection, wire = connect(lambda _: later)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        for _ in range(5):
            connection.data_received(b"\r\n" * 131_072)
        held_up = wire.paused
        later.give(HttpResponse(200))
        assert (held_up, wire.paused) == (True, False)

    asyncio.run(run())


def test_a_client_that_does_not_take_its_replies_gets_no_more() -> None:
    """A reply that is written to a full connection is waited for before the next request is answered."""

    async def run() -> None:
        connection, wire = connect(lambda request: HttpResponse(200, body=request.path.encode()))
        connection.pause_writing()
        connection.data_received(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
        for _ in range(5):
            await asyncio.sleep(0)
        assert wire.replies == 1
        connection.resume_writing()
        await wire.has_written(2)

    asyncio.run(run())


@pytest.mark.parametrize("new_loop", [asyncio.SelectorEventLoop, uvloop.new_event_loop])
def test_the_time_for_a_request_begins_with_it(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """An earlier one that came in pieces does not shorten it; and it may still be too slow."""
    seconds = 0.1

    async def run() -> None:
        connection, wire = connect(lambda _: HttpResponse(200), read_timeout=seconds)
        connection.data_received(b"GET / HT")
        connection.data_received(b"TP/1.1\r\n\r\n")
        assert wire.replies == 1
        await asyncio.sleep(seconds / 2)
        begun = time.monotonic()
        connection.data_received(b"GET / HT")
        await wire.has_written(2)
        assert time.monotonic() - begun >= 0.9 * seconds  # uvloop's clock has milliseconds
        assert wire.written[1].startswith(b"HTTP/1.1 408 ")
        connection.connection_lost(None)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())


@pytest.mark.parametrize("streams", [False, True])
def test_a_reply_to_who_has_left_is_no_error(streams: bool) -> None:
    """A client's timeout passes while its function runs: nothing is logged, the reply's stream is closed."""
    said: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        left, parts = asyncio.Event(), Parts()

        async def handle(_: HttpRequest) -> HttpResponse:
            await left.wait()
            return HttpResponse(200, stream=parts if streams else None)

        connection, _ = connect(handle, wire=LostWire())
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0)
        connection.connection_lost(None)
        left.set()
        async with asyncio.timeout(PATIENCE):
            await connection.over.wait()
        assert parts.closed == streams
        await asyncio.sleep(0)
        gc.collect()  # an error that nobody looked at is said when its task goes

    asyncio.run(run())
    assert said == []


@pytest.mark.parametrize("new_loop", [asyncio.SelectorEventLoop, uvloop.new_event_loop])
def test_it_serves_on_either_loop(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A reply of megabytes to a client that reads late, a refusal with its linger, and the close."""
    body = bytes(8_000_000)

    async def run() -> tuple[int, bytes]:
        server = HttpServer(lambda _: HttpResponse(200, body=body), body_limit=LIMIT)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(PATIENCE):
            writer.write(b"GET / HTTP/1.1\r\n\r\n" * 2 + b"no request\r\n\r\n")
            await asyncio.sleep(0.01)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            await server.hung_up(PATIENCE)
            await server.close()
        return len(answer), answer[-200:]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        size, end = runner.run(run())
    assert size > 2 * len(body)
    assert b"HTTP/1.1 400 " in end
