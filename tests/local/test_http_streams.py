"""The HTTP server with slow clients, chunked bodies and replies that are made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.local import http_reply
from lambda_invoke.local.chunked import PIECE_BYTES, BrokenBodyError, ChunkedBody
from lambda_invoke.local.http import HttpServer
from lambda_invoke.local.http_message import HttpRequest, HttpResponse
from lambda_invoke.local.http_reply import Delivery
from lambda_invoke.local.response_stream import ReplyStream
from tests.support.patience import PATIENCE

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


def served(answer: HttpResponse | Callable[[HttpRequest], Any], client: Client, **options: Any) -> Any:
    """What a client comes to that is connected to a server with this answer."""

    async def handle(request: HttpRequest) -> HttpResponse:
        if isinstance(answer, HttpResponse):
            return answer
        response: HttpResponse = await answer(request)
        return response

    async def run() -> Any:
        server = HttpServer(handle, body_limit=options.pop("body_limit", 1_000), **options)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(PATIENCE):
                return await client(reader, writer)
        finally:
            writer.transport.abort()
            await server.close()
            await asyncio.sleep(0)

    return asyncio.run(run())


def sends(data: bytes) -> Client:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(data)
        return await reader.read()

    return client


async def pieces(*data: bytes) -> AsyncGenerator[bytes, None]:
    for piece in data:
        yield piece


@pytest.mark.parametrize(
    "data", [b"G", b"GET / HTTP/1.1\r\nX: y", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc"]
)
def test_a_client_that_stops_in_the_middle_is_told_and_left(data: bytes) -> None:
    """Half a head or half a body: 408 after the time, and the connection is closed."""
    answer = served(HttpResponse(200), sends(data), read_timeout=0.05)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close\r\n" in answer


def test_a_client_that_sends_nothing_may_stay() -> None:
    """Pools keep connections open; only a request that was begun has to be ended."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.2)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        return await reader.readline()

    assert served(HttpResponse(200), client, read_timeout=0.05) == b"HTTP/1.1 200 OK\r\n"


def test_a_client_that_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that nobody takes does not keep its connection, nor what makes it, for ever."""
    monkeypatch.setattr(http_reply, "WRITE_SECONDS", 0.1)
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield bytes(65_536)
        finally:
            closed.set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        return await closed.wait()

    assert served(HttpResponse(200, stream=endless()), client)


def test_the_body_is_asked_for() -> None:
    """``Expect: 100-continue`` is answered before the body comes."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        return await reader.readline()

    assert served(HttpResponse(200), client) == b"HTTP/1.1 200 OK\r\n"


def test_head_gets_no_body() -> None:
    """Nor does the next reply follow a body that was not asked for."""
    data = b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = served(HttpResponse(200, body=b"body"), sends(data))
    assert answer.count(b"Content-Length: 4\r\n") == 2
    assert answer.count(b"body") == 1
    streamed = served(HttpResponse(200, stream=pieces(b"body")), sends(data[:-2] + b"\r\n"))
    assert streamed.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_stream_is_sent_chunked_as_it_comes() -> None:
    """Each piece at once; an empty one is not the end."""
    answer = served(
        HttpResponse(200, stream=pieces(b"one", b"", b"three")),
        sends(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    )
    assert b"Transfer-Encoding: chunked\r\n" in answer
    assert b"Content-Length" not in answer
    assert answer.endswith(b"\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("delivery", "body"),
    [
        (Delivery(drop=True), None),
        (Delivery(truncate=0), b""),
        (Delivery(truncate=2), b"ab"),
        (Delivery(truncate=3), b"abc"),
        (Delivery(truncate=99), b"abc"),
        (Delivery(bytes_per_second=1_000.0), b"abc"),
    ],
)
def test_a_reply_is_spoilt_as_it_is_told(delivery: Delivery, body: bytes | None) -> None:
    """Dropped: not a byte. Truncated: the head promises all of it."""
    answer = served(
        HttpResponse(200, body=b"abc", delivery=delivery),
        sends(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    )
    if body is None:
        assert answer == b""
    else:
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert b"Content-Length: 3" in head
        assert rest == body


def chunked(data: bytes) -> tuple[bytes, dict[str, str], bool]:
    """What is read of a chunked body, its trailers, and whether it was whole."""

    async def read() -> tuple[bytes, dict[str, str], bool]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        body, taken = ChunkedBody(reader), b""
        try:
            while piece := await body.read():
                assert len(piece) <= PIECE_BYTES
                taken += piece
        except BrokenBodyError:
            return taken, body.trailers, False
        assert await body.read() == b""
        return taken, body.trailers, body.finished

    return asyncio.run(read())


@given(st.lists(st.binary(min_size=1, max_size=200)), st.booleans())
def test_chunks_are_joined_again(parts: list[bytes], extended: bool) -> None:
    """Whatever they hold; extensions of a chunk mean nothing here."""
    extension = b";a=b" if extended else b""
    data = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    trailers = b"Lambda-Runtime-Function-Error-Type: A.B\r\nX:y\r\n"
    expected = {"lambda-runtime-function-error-type": "A.B", "x": "y"}
    assert chunked(data + b"0\r\n\r\n") == (b"".join(parts), {}, True)
    assert chunked(data + b"0\r\n" + trailers + b"\r\n") == (b"".join(parts), expected, True)
    assert chunked(data + b"0\r\n" + trailers)[2] is False
    assert chunked(data)[2] is False


@pytest.mark.parametrize(
    "data",
    [
        b"-1\r\n",
        b"0x1\r\na\r\n0\r\n\r\n",
        b"\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"fffffffff\r\n",
        b"1;" + b"x" * 5_000 + b"\r\na\r\n0\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"1\na\n0\n\n",
    ],
)
def test_what_is_not_chunked_is_broken(data: bytes) -> None:
    """No size, a wrong size, a trailer without a name: the body has no end that could be trusted."""
    assert chunked(data)[2] is False


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_chunks(data: bytes) -> None:
    """It is a body or it is broken; nothing else is raised."""
    taken, _, _ = chunked(data)
    assert len(taken) <= len(data)


def test_a_connection_with_half_a_body_is_not_used_again() -> None:
    """A handler that does not read the stream ends the connection: what follows is not a request."""

    async def refuse(request: HttpRequest) -> HttpResponse:
        assert request.stream is not None
        return HttpResponse(403)

    answer = served(
        refuse,
        sends(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n"),
        accept_chunked=True,
    )
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"Connection: close\r\n" in answer


def test_only_plain_chunks_are_read() -> None:
    """Other transfer codings are not."""
    answer = served(
        HttpResponse(200),
        sends(b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        accept_chunked=True,
    )
    assert answer.startswith(b"HTTP/1.1 501 ")


def test_a_reply_stream_holds_little() -> None:
    """Who writes waits while 256 KB are not read; abandoned, it takes everything and keeps nothing."""

    async def run() -> None:
        stream = ReplyStream()
        for _ in range(4):
            await stream.put(bytes(65_536))
        blocked = asyncio.create_task(stream.put(b"last"))
        await asyncio.sleep(0)
        assert not blocked.done()
        assert len(await stream.get()) == 65_536
        await blocked
        stream.end()
        assert [len(await stream.get()) for _ in range(5)] == [65_536] * 3 + [4, 0]
        other = ReplyStream()
        writing = asyncio.create_task(other.put(bytes(1_000_000)))
        await writing
        more = asyncio.create_task(other.put(b"x"))
        await asyncio.sleep(0)
        other.abandon()
        await more
        other.end()
        assert await other.get() == b""

    asyncio.run(run())
