"""A connection knows what was written and what came, carries one exchange at a time, and ends in order."""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
import time
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.transports.connecting import connected_socket
from lambda_invoke.transports.http1 import (
    BadReplyError,
    ConnectionBrokenError,
    ExchangeAbortedError,
    ExchangeTimedOutError,
    HttpConnection,
    HttpError,
)
from lambda_invoke.transports.tls import connect_over
from tests.support.patience import PATIENCE
from tests.support.server import (
    Accept,
    Ending,
    ScriptedServer,
    closing,
    drop_after_executing,
    hang,
    ok,
    raw,
    reset,
    trickle,
    truncate,
    truncate_chunked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lambda_invoke.transports.http1_reply import RawReply
    from tests.support.server import Step

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
LARGE = bytes(1_000_000)


class FakeTransport(asyncio.Transport):
    """Keeps what is written. ``room`` bytes fit its buffer before it pauses its protocol."""

    def __init__(self, *, room: int = 1 << 30, fails: bool = False) -> None:
        super().__init__()
        self.written: list[Any] = []
        self.aborted = False
        self.protocol: HttpConnection | None = None
        self._room = room
        self._fails = fails

    def write(self, data: Any) -> None:
        assert not self.aborted, "written to after it was aborted"
        self.aborted = self._fails
        if self._fails:
            return
        self.written.append(data)
        self._room -= len(data)
        if self._room <= 0:
            assert self.protocol is not None
            self.protocol.pause_writing()

    def drain(self, room: int) -> None:
        """The peer read: there is room again."""
        self._room = room
        assert self.protocol is not None
        self.protocol.resume_writing()

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    @property
    def sent(self) -> bytes:
        return b"".join(self.written)


@attrs.define
class Wire:
    """A connection on a fake transport, and how often it was lost."""

    connection: HttpConnection
    transport: FakeTransport
    lost: list[HttpConnection]

    def receive(self, data: bytes) -> None:
        """Bytes come."""
        receive(self.connection, data)

    def free(self) -> bool:
        """Whether another exchange can begin."""
        return self.connection.reusable

    async def begin(self, body: bytes = b"{}") -> asyncio.Task[RawReply]:
        """An exchange that has been written."""
        task = asyncio.get_running_loop().create_task(self.connection.exchange(HEAD, body))
        await asyncio.sleep(0)
        return task


def receive(connection: HttpConnection, data: bytes) -> None:
    """Bytes come, as a loop brings them."""
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))


def wire(**options: Any) -> Wire:
    lost: list[HttpConnection] = []
    connection = HttpConnection(asyncio.get_running_loop(), on_lost=lost.append)
    transport = FakeTransport(**options)
    transport.protocol = connection
    connection.connection_made(transport)
    return Wire(connection, transport, lost)


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that takes no arguments on a loop; what the loop would only log fails it."""

    def run() -> None:
        failures: list[dict[str, Any]] = []
        with asyncio.Runner() as runner:
            runner.get_loop().set_exception_handler(lambda _, context: failures.append(context))
            runner.run(test())
        assert len(failures) == 0

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


async def failure_of(task: asyncio.Task[RawReply]) -> HttpError:
    with pytest.raises(HttpError) as caught:
        await task
    return caught.value


@on_a_loop
async def test_one_exchange_after_another() -> None:
    """Head and body go out in one write; the reply comes back, and the connection is free again."""
    w = wire()
    assert w.free()
    for count in (1, 2):
        task = await w.begin()
        assert w.transport.written == [HEAD + b"{}"] * count
        assert not w.free()
        w.receive(REPLY)
        reply = await task
        assert (reply.status, reply.headers, reply.body) == (200, {"content-length": "5"}, b"hello")
        assert w.free()
    assert not w.lost
    assert not w.transport.aborted


@on_a_loop
async def test_what_is_known_at_every_stage() -> None:
    """``wrote`` is set by writing and ``replied`` by the first byte; both start anew."""
    w = wire()
    known = []
    for _ in range(2):
        known.append((w.connection.wrote, w.connection.replied))
        task = await w.begin()
        known.append((w.connection.wrote, w.connection.replied))
        w.receive(REPLY[:1])
        known.append((w.connection.wrote, w.connection.replied))
        w.receive(REPLY[1:])
        await task
    assert known == [(False, False), (True, False), (True, True), (True, True), (True, False), (True, True)]


@on_a_loop
async def test_the_time_since_it_is_idle() -> None:
    """It counts from connecting, and from the end of the last exchange."""
    now = [5.0]
    loop = asyncio.get_running_loop()
    real, loop.time = loop.time, lambda: now[0]  # type: ignore[method-assign]
    try:
        w = wire()
        assert w.connection.idle_since == 5.0
        task = await w.begin()
        now[0] = 7.0
        w.receive(REPLY)
        now[0] = 9.0
        await task
        assert w.connection.idle_since == 7.0
    finally:
        loop.time = real  # type: ignore[method-assign]


@on_a_loop
async def test_a_reply_that_breaks_off_anywhere() -> None:
    """Closed or reset, at every byte: the outcome is unknown, never a success, and ``replied`` is right."""
    for data in (REPLY, CHUNKED):
        for offset in range(len(data)):
            for error in (None, ConnectionResetError("reset")):
                w = wire()
                task = await w.begin()
                if offset:
                    w.receive(data[:offset])
                if error is None:
                    w.connection.eof_received()
                w.connection.connection_lost(error)
                failure = await failure_of(task)
                assert type(failure) is ConnectionBrokenError
                assert (failure.wrote, failure.replied) == (True, offset > 0)
                assert failure.__cause__ is error
                assert w.lost == [w.connection]
                assert w.connection.closed


@on_a_loop
async def test_a_body_that_ends_with_the_connection() -> None:
    """It is whole when the peer closed in order, and not when the connection was lost."""
    for orderly in (True, False):
        w = wire()
        task = await w.begin()
        w.receive(b"HTTP/1.0 200 OK\r\n\r\nhel")
        w.receive(b"lo")
        if orderly:
            w.connection.eof_received()
            assert (await task).body == b"hello"
        w.connection.connection_lost(None)
        if not orderly:
            assert (await failure_of(task)).replied
        assert not w.connection.reusable
        assert w.lost == [w.connection]


@given(cuts=st.lists(st.integers(1, 100), max_size=6), closes=st.booleans())
def test_replies_in_any_pieces(cuts: list[int], closes: bool) -> None:
    """Where the network cuts makes no difference to what ``exchange`` returns."""

    async def run() -> None:
        for data in (CLOSING,) if closes else (REPLY, CHUNKED):
            w = wire()
            task = await w.begin()
            start = 0
            for end in [*sorted({min(cut, len(data)) for cut in cuts}), len(data)]:
                if end > start:
                    w.receive(data[start:end])
                start = end
            assert (await task).body == b"hello"
            assert w.connection.reusable is not closes
            assert len(w.lost) == closes

    asyncio.run(run())


@on_a_loop
async def test_whatever_ends_an_idle_connection() -> None:
    """FIN, a reset or stray bytes: unusable at once, told once, and the next exchange wrote nothing."""
    endings: list[Callable[[HttpConnection], object]] = [
        lambda connection: connection.eof_received(),
        lambda connection: connection.connection_lost(ConnectionResetError()),
        lambda connection: receive(connection, b"HTTP/1.1 408 Request Timeout\r\n\r\n"),
        lambda connection: receive(connection, b"\r\n"),
        lambda connection: connection.abort(),
    ]
    for used in (False, True):
        for end in endings:
            w = wire()
            if used:
                task = await w.begin()
                w.receive(REPLY)
                await task
            end(w.connection)
            assert not w.connection.reusable
            assert w.connection.looks_stale()
            assert w.lost == [w.connection]
            written = len(w.transport.written)
            failure = await failure_of(await w.begin())
            assert type(failure) is ConnectionBrokenError
            assert not failure.wrote
            assert len(w.transport.written) == written
            w.connection.connection_lost(None)
            assert w.lost == [w.connection]


@on_a_loop
async def test_replies_that_end_the_connection() -> None:
    """Connection: close, surplus bytes, a request not yet written whole: a reply, and then no more."""
    for data in (CLOSING, REPLY + b"\r\n", REPLY + REPLY, CHUNKED + b"x"):
        w = wire()
        task = await w.begin()
        w.receive(data)
        assert w.lost == [w.connection]
        assert w.transport.aborted
        assert (await task).body == b"hello"
        assert not w.connection.reusable


@on_a_loop
async def test_what_is_no_reply() -> None:
    """It is an error of its own, with what is wrong in it, and the connection is given up."""
    w = wire()
    task = await w.begin()
    w.receive(b"SSH-2.0-OpenSSH_9.6\r\n")
    failure = await failure_of(task)
    assert type(failure) is BadReplyError
    assert (failure.wrote, failure.replied) == (True, True)
    assert "not HTTP/1.1" in str(failure)
    assert failure.__cause__ is not None
    assert w.transport.aborted
    assert w.lost == [w.connection]


@on_a_loop
async def test_the_bound_of_a_body() -> None:
    """The connection's own bound counts."""
    connection = HttpConnection(asyncio.get_running_loop(), max_body_bytes=4)
    connection.connection_made(FakeTransport())
    task = asyncio.get_running_loop().create_task(connection.exchange(HEAD))
    await asyncio.sleep(0)
    receive(connection, REPLY)
    assert type(await failure_of(task)) is BadReplyError


@on_a_loop
async def test_a_first_write_that_fails_at_once() -> None:
    """Nothing was sent then, small body or large, and nothing more is written."""
    for body in (b"{}", LARGE):
        w = wire(fails=True)
        task = await w.begin(body)
        w.connection.connection_lost(BrokenPipeError())
        failure = await failure_of(task)
        assert (failure.wrote, failure.replied) == (False, False)
        assert isinstance(failure.__cause__, BrokenPipeError)


@on_a_loop
async def test_abort() -> None:
    """The exchange raises the reason it was given, knowing what was written and what came."""
    for came in (b"", REPLY[:10]):
        w = wire()
        task = await w.begin()
        if came:
            w.receive(came)
        w.connection.abort("too slow")
        failure = await failure_of(task)
        assert isinstance(failure, ExchangeAbortedError)
        assert str(failure) == "too slow"
        assert (failure.wrote, failure.replied) == (True, bool(came))
        assert w.transport.aborted
        w.connection.abort("again")
        assert w.lost == [w.connection]


@on_a_loop
async def test_a_timer_that_outlives_its_exchange() -> None:
    """What was due of an earlier exchange ends no later one; what is due of this one does."""
    pair = wire()
    loop = asyncio.get_running_loop()
    for due in (loop.time() + 0.02, loop.time() + PATIENCE):
        task = loop.create_task(pair.connection.exchange(HEAD, b"{}", due=due))
        await asyncio.sleep(0)
        if due > loop.time() + 1:
            await asyncio.sleep(0.05)
        pair.receive(REPLY)
        assert (await task).status == 200
    task = loop.create_task(pair.connection.exchange(HEAD, b"{}", due=loop.time()))
    assert isinstance(await failure_of(task), ExchangeTimedOutError)
    assert pair.transport.aborted


@on_a_loop
async def test_abort_before_it_is_connected() -> None:
    """A connection given up while it is made is dropped as soon as it is there."""
    lost: list[HttpConnection] = []
    connection = HttpConnection(asyncio.get_running_loop(), on_lost=lost.append)
    assert not connection.reusable
    assert connection.looks_stale()
    connection.abort()
    await connection.wait_closed()
    transport = FakeTransport()
    connection.connection_made(transport)
    assert transport.aborted
    assert not connection.reusable
    assert lost == [connection]


@on_a_loop
async def test_cancelling_an_exchange() -> None:
    """The connection is given up, whether or not the reply came meanwhile; what comes later is ignored."""
    for came in (b"", REPLY[:10], REPLY, CLOSING, b"garbage"):
        w = wire()
        task = await w.begin()
        if came:
            w.receive(came)
        task.cancel()
        if came in (b"", REPLY[:10]):
            w.receive(REPLY[len(came) :])  # before the task hears of it
        with pytest.raises(asyncio.CancelledError):
            await task
        assert w.transport.aborted
        assert not w.connection.reusable
        assert w.lost == [w.connection]
        w.connection.connection_lost(None)


@on_a_loop
async def test_waiting_until_it_is_closed() -> None:
    """Any number may wait; one that is cancelled leaves the others waiting."""
    w = wire()
    waiting = [asyncio.ensure_future(w.connection.wait_closed()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, False, False]
    w.connection.connection_lost(None)
    await asyncio.gather(*waiting[1:])
    await w.connection.wait_closed()


@on_a_loop
async def test_back_pressure() -> None:
    """A large body is written as the transport takes it, in slices of the body itself: no copies."""
    w = wire(room=300_000)
    task = await w.begin(LARGE)
    head, *slices = w.transport.written
    assert head == HEAD
    for _ in range(20):
        before = len(w.transport.sent)
        assert before < len(HEAD) + len(LARGE)
        w.transport.drain(1)
        assert len(w.transport.sent) <= before + 256 * 1024
        if len(w.transport.sent) == len(HEAD) + len(LARGE):
            break
    assert w.transport.sent == HEAD + LARGE
    slices = w.transport.written[1:]
    assert all(piece.obj is LARGE for piece in slices)
    w.transport.drain(1 << 20)
    w.receive(REPLY)
    assert (await task).body == b"hello"
    assert w.connection.reusable


@on_a_loop
async def test_a_reply_before_the_request_is_written_whole() -> None:
    """It counts, the rest of the body is not sent, and the connection is not used again."""
    w = wire(room=100)
    task = await w.begin(LARGE)
    written = len(w.transport.written)
    w.receive(REPLY)
    assert (await task).status == 200
    w.connection.resume_writing()
    assert len(w.transport.written) == written
    assert w.transport.aborted
    assert w.lost == [w.connection]


@on_a_loop
async def test_a_connection_lost_while_a_large_body_is_written() -> None:
    """Part of it was sent: nobody knows."""
    w = wire(room=100)
    task = await w.begin(LARGE)
    w.connection.connection_lost(ConnectionResetError())
    failure = await failure_of(task)
    assert (failure.wrote, failure.replied) == (True, False)


# Over real sockets: asyncio and uvloop, plain and TLS.

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    if name == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> Any:
    """Runs coroutines on one loop; what the loop would only log fails the test."""
    failures: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=lambda: new_loop(request.param)) as made:
        made.get_loop().set_exception_handler(lambda _, context: failures.append(context))
        yield made
    assert not failures


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    """Whether it is over TLS."""
    chosen: bool = request.param
    return chosen


async def connect(server: ScriptedServer, **options: Any) -> HttpConnection:
    context = ssl.create_default_context(cafile=server.ca_bundle) if server.url.startswith("https") else None
    connection = HttpConnection(asyncio.get_running_loop(), **options)
    sock = await connected_socket("127.0.0.1", server.port)
    await connect_over(sock, connection, context=context, hostname="127.0.0.1")
    return connection


def head_for(body: bytes) -> bytes:
    return (
        b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )


async def ask(connection: HttpConnection, body: bytes = b"{}") -> RawReply:
    return await asyncio.wait_for(connection.exchange(head_for(body), body), PATIENCE)


async def end(connection: HttpConnection) -> None:
    connection.abort()
    await asyncio.wait_for(connection.wait_closed(), PATIENCE)
    assert connection.closed


@pytest.mark.parametrize("size", [0, 2, 100_000, 6_291_456])
def test_bodies_of_every_size_and_back(runner: asyncio.Runner, tls: bool, size: int) -> None:
    """What is sent comes back, several times over one connection."""
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]

    async def run() -> None:
        with ScriptedServer(tls=tls) as server:
            connection = await connect(server)
            for _ in range(3):
                reply = await ask(connection, body)
                assert reply.status == 200
                assert reply.body == (body or b"null")  # the echo of no payload
                assert connection.reusable
            assert server.connections == 1
            await end(connection)

    runner.run(run())


@pytest.mark.parametrize(
    "step", [ok(b"x" * 5000, chunked=True), trickle(b'"slow"', 0.001)], ids=["chunked", "trickled"]
)
def test_replies_in_parts(runner: asyncio.Runner, tls: bool, step: Step) -> None:
    """Chunks and single bytes make a reply, and the connection is free again."""

    async def run() -> None:
        with ScriptedServer([step], tls=tls) as server:
            connection = await connect(server)
            for _ in range(2):
                assert (await ask(connection)).body == step.body
            assert server.connections == 1
            await end(connection)

    runner.run(run())


@pytest.mark.parametrize(
    ("step", "replied"),
    [
        (drop_after_executing(), False),
        (reset(), False),
        (truncate(b'"0123456789"', 5), True),
        (truncate_chunked(b'"0123456789"', 5), True),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), True),
    ],
    ids=["dropped", "reset", "truncated", "truncated chunks", "truncated headers"],
)
def test_broken_connections(runner: asyncio.Runner, tls: bool, step: Step, replied: bool) -> None:
    """The request was written, no whole reply came, and whether a byte of it did is known."""

    async def run() -> None:
        lost: list[HttpConnection] = []
        with ScriptedServer([step], tls=tls) as server:
            connection = await connect(server, on_lost=lost.append)
            with pytest.raises(ConnectionBrokenError) as caught:
                await ask(connection)
            assert (caught.value.wrote, caught.value.replied) == (True, replied)
            assert lost == [connection]
            assert server.executions == 1
            await end(connection)

    runner.run(run())


def test_a_body_until_the_end_of_a_real_connection(runner: asyncio.Runner, tls: bool) -> None:
    """TCP cannot tell a body that was cut off from a whole one. TLS can: its end is said, or it is none."""

    async def run() -> None:
        for ending in (Ending.CLOSE, Ending.ABORT):
            step = raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", ending=ending)
            with ScriptedServer([step], tls=tls) as server:
                connection = await connect(server)
                if tls and ending is Ending.ABORT:
                    with pytest.raises(ConnectionBrokenError):
                        await ask(connection)
                else:
                    assert (await ask(connection)).body == b"hello"
                assert not connection.reusable
                await end(connection)

    runner.run(run())


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_an_idle_connection_that_the_server_ends(runner: asyncio.Runner, tls: bool, reset: bool) -> None:
    """The pool hears of it without asking, and a request on it was not written."""

    async def run() -> None:
        ended = asyncio.Event()
        with ScriptedServer(tls=tls) as server:
            connection = await connect(server, on_lost=lambda _: ended.set())
            assert (await ask(connection)).status == 200
            while not await asyncio.to_thread(server.close_idle_connections, reset=reset):
                pass  # it has yet to notice that its reply is written
            await asyncio.wait_for(ended.wait(), PATIENCE)
            assert not connection.reusable
            with pytest.raises(ConnectionBrokenError) as caught:
                await ask(connection)
            assert not caught.value.wrote
            assert server.requests == 1
            await end(connection)

    runner.run(run())


def test_a_server_that_says_it_closes(runner: asyncio.Runner, tls: bool) -> None:
    """The reply counts, and the connection is gone with it."""

    async def run() -> None:
        lost: list[HttpConnection] = []
        with ScriptedServer([closing()], tls=tls) as server:
            connection = await connect(server, on_lost=lost.append)
            assert (await ask(connection)).status == 200
            assert lost == [connection]
            await asyncio.wait_for(connection.wait_closed(), PATIENCE)

    runner.run(run())


def test_a_close_that_the_loop_has_not_heard_of(runner: asyncio.Runner, tls: bool) -> None:
    """``looks_stale`` knows it from the system; an idle connection that is alive does not look so."""

    async def run() -> None:
        with ScriptedServer(tls=tls) as server:
            connection = await connect(server)
            await ask(connection)
            assert not connection.looks_stale()
            expires = time.monotonic() + PATIENCE
            while not connection.looks_stale():  # the loop does not turn meanwhile
                server.close_idle_connections()
                assert time.monotonic() < expires
            assert connection.reusable
            await end(connection)

    runner.run(run())


def test_aborting_a_stuck_exchange(runner: asyncio.Runner, tls: bool) -> None:
    """A server that never answers, and one that does not even read a large body."""

    async def run() -> None:
        for options, body in (
            ({"script": [hang()]}, b"{}"),
            ({"accept": (Accept.NO_READ,), "receive_buffer_bytes": 4096}, bytes(6_000_000)),
        ):
            with ScriptedServer(tls=tls, **options) as server:
                connection = await connect(server)
                loop = asyncio.get_running_loop()
                loop.call_later(0.05, connection.abort, "timed out")
                with pytest.raises(ExchangeAbortedError, match="timed out") as caught:
                    await ask(connection, body)
                assert (caught.value.wrote, caught.value.replied) == (True, False)
                await end(connection)

    runner.run(run())


def test_cancelling_over_a_real_socket(runner: asyncio.Runner, tls: bool) -> None:
    """The server sees the connection end, and nothing is left behind."""

    async def run() -> None:
        with ScriptedServer([hang()], tls=tls) as server:
            connection = await connect(server)
            task = asyncio.get_running_loop().create_task(ask(connection))
            await asyncio.to_thread(server.wait_until, lambda s: s.executions == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(
                asyncio.gather(connection.wait_closed(), connection.wait_closed()), PATIENCE
            )
            await asyncio.to_thread(server.wait_until, lambda s: s.open_connections == 0)

    runner.run(run())
