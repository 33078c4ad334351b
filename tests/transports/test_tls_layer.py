"""TLS over memory BIOs: whatever the pieces in which records come, and however a connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import ssl
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.transports.http1 import ConnectionBrokenError, HttpConnection
from lambda_invoke.transports.tls import TlsLayer
from tests.support.server import Certificate
from tests.support.tls import authority

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lambda_invoke.transports.http1_reply import RawReply

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nhello"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class FakeTcp(asyncio.Transport):
    """Keeps what is written, for the peer to take."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        if not self.aborted:
            self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def taken(self) -> bytes:
        """What was written since."""
        written, self.written = self.written, b""
        return written


@attrs.define
class Pair:
    """A connection over the layer, and a peer that speaks TLS in memory."""

    connection: HttpConnection
    layer: TlsLayer
    tcp: FakeTcp
    peer: ssl.SSLObject
    to_peer: ssl.MemoryBIO
    from_peer: ssl.MemoryBIO

    @classmethod
    def connect(cls, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Pair:
        """TCP is there; the handshake begins."""
        loop = asyncio.get_running_loop()
        connection, tcp = HttpConnection(loop), FakeTcp()
        layer = TlsLayer(loop, client_context(version), "localhost", connection)
        to_peer, from_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = authority().server_context(Certificate.GOOD)
        peer = context.wrap_bio(to_peer, from_peer, server_side=True)
        layer.connection_made(tcp)
        return cls(connection, layer, tcp, peer, to_peer, from_peer)

    def receive(self, data: bytes) -> None:
        """Bytes come over TCP."""
        self.layer.get_buffer(-1)[: len(data)] = data
        self.layer.buffer_updated(len(data))

    def peer_shakes(self) -> bytes:
        """The peer's answer to what was written; it may be none."""
        self.to_peer.write(self.tcp.taken())
        with contextlib.suppress(ssl.SSLWantReadError):
            self.peer.do_handshake()
        return self.from_peer.read()

    async def shake(self) -> None:
        """The handshake, to its end."""
        for _ in range(4):
            answer = self.peer_shakes()
            if answer:
                self.receive(answer)
        await self.layer.handshake()

    def peer_reads(self) -> bytes:
        """What the peer makes of all that was written."""
        self.to_peer.write(self.tcp.taken())
        read = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := self.peer.read(1 << 20):
                read += piece
        return read

    def peer_writes(self, data: bytes) -> bytes:
        """What the peer sends for this."""
        self.peer.write(data)
        return self.from_peer.read()

    def peer_leaves(self) -> bytes:
        """The peer's goodbye."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.peer.unwrap()
        return self.from_peer.read()

    async def begin(self) -> asyncio.Task[RawReply]:
        """An exchange whose request has been written."""
        task = asyncio.get_running_loop().create_task(self.connection.exchange(HEAD, b"{}"))
        await asyncio.sleep(0)
        return task


@functools.cache
def client_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority().ca_bundle))
    context.minimum_version = context.maximum_version = version
    return context


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@on_a_loop
async def test_one_exchange_after_another(version: ssl.TLSVersion) -> None:
    """The peer reads the requests, the connection the replies, and nothing goes in clear."""
    pair = Pair.connect(version)
    await pair.shake()
    for _ in range(3):
        task = await pair.begin()
        assert pair.connection.wrote
        assert HEAD not in pair.tcp.written
        assert pair.peer_reads() == HEAD + b"{}"
        pair.receive(pair.peer_writes(REPLY))
        assert (await task).body == b"hello"
        assert pair.connection.reusable


@given(
    cuts=st.lists(st.integers(1, 3000), max_size=30),
    pieces=st.lists(st.integers(1, 100_000), max_size=3),
    version=st.sampled_from(VERSIONS),
)
@on_a_loop
async def test_records_in_any_pieces(cuts: list[int], pieces: list[int], version: ssl.TLSVersion) -> None:
    """However the peer cuts its records, and TCP cuts those: the same reply."""
    pair = Pair.connect(version)
    await pair.shake()
    task = await pair.begin()
    marks = sorted({0, *(at % len(LARGE) for at in pieces), len(LARGE)})
    sent = b"".join(pair.peer_writes(LARGE[a:b]) for a, b in pairwise(marks))
    for cut in cuts:
        if sent[:cut]:
            pair.receive(sent[:cut])
        sent = sent[cut:]
    while sent:
        pair.receive(sent[:65_536])
        sent = sent[65_536:]
    assert (await task).body == bytes(100_000)
    assert pair.connection.reusable


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@on_a_loop
async def test_a_handshake_byte_by_byte(version: ssl.TLSVersion) -> None:
    """It is done when all of it came, and the connection hears of nothing before."""
    pair = Pair.connect(version)
    done = asyncio.ensure_future(pair.layer.handshake())
    for _ in range(4):
        for byte in pair.peer_shakes():
            assert not done.done() or pair.connection.reusable
            pair.receive(bytes([byte]))
    await done
    task = await pair.begin()
    assert pair.peer_reads() == HEAD + b"{}"
    pair.receive(pair.peer_writes(REPLY))
    assert (await task).status == 200


def ends(pair: Pair) -> None:
    """The peer closes its side of TCP."""
    pair.layer.eof_received()


def is_lost(pair: Pair) -> None:
    """TCP is reset."""
    pair.layer.connection_lost(None)


@on_a_loop
async def test_a_reply_cut_off_at_every_byte() -> None:
    """Whether TCP just ends or is reset, a part of a reply is none."""
    whole = len(REPLY) + 22  # the record around it
    for length in range(whole):
        for breaks in (ends, is_lost):
            pair = Pair.connect()
            await pair.shake()
            task = await pair.begin()
            pair.peer_reads()
            sent = pair.peer_writes(REPLY)
            assert len(sent) == whole
            if length:
                pair.receive(sent[:length])
            breaks(pair)
            with pytest.raises(ConnectionBrokenError) as caught:
                await task
            assert caught.value.wrote
            assert not caught.value.replied  # of which nothing can be decrypted before its record is whole


@on_a_loop
async def test_only_a_goodbye_ends_a_body_of_no_length() -> None:
    """Over TLS the end of TCP says nothing: anyone may have cut it."""
    for says_goodbye in (True, False):
        pair = Pair.connect()
        await pair.shake()
        task = await pair.begin()
        pair.peer_reads()
        pair.receive(pair.peer_writes(ENDLESS))
        assert not task.done()
        if says_goodbye:
            pair.receive(pair.peer_leaves())
            assert (await task).body == b"hello"
        else:
            pair.layer.eof_received()
            with pytest.raises(ConnectionBrokenError):
                await task
        assert pair.tcp.aborted


@on_a_loop
async def test_a_reply_and_the_goodbye_in_one_piece() -> None:
    """The reply counts, and the connection is not used again."""
    pair = Pair.connect()
    await pair.shake()
    task = await pair.begin()
    pair.peer_reads()
    pair.receive(pair.peer_writes(REPLY) + pair.peer_leaves())
    assert (await task).body == b"hello"
    assert not pair.connection.reusable


@on_a_loop
async def test_a_forged_record() -> None:
    """A bit that was turned on the way ends the connection; the cause says that it was TLS."""
    pair = Pair.connect()
    await pair.shake()
    task = await pair.begin()
    pair.peer_reads()
    sent = bytearray(pair.peer_writes(REPLY))
    sent[-1] ^= 1
    pair.receive(bytes(sent))
    with pytest.raises(ConnectionBrokenError) as caught:
        await task
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    assert caught.value.wrote
    assert pair.tcp.aborted


@pytest.mark.parametrize(
    ("breaks", "error"),
    [
        (lambda pair: pair.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ssl.SSLError),
        (ends, ConnectionResetError),
        (is_lost, ConnectionResetError),
        (lambda pair: pair.layer.connection_lost(TimeoutError("late")), TimeoutError),
    ],
    ids=["no TLS", "the end of TCP", "TCP is lost", "with its error"],
)
@on_a_loop
async def test_a_handshake_that_breaks(breaks: Callable[[Pair], None], error: type[Exception]) -> None:
    """Whoever waits for it is told why; the connection was never one."""
    pair = Pair.connect()
    breaks(pair)
    with pytest.raises(error):
        await pair.layer.handshake()
    assert not pair.connection.reusable
    assert not pair.connection.wrote


@on_a_loop
async def test_a_handshake_that_nobody_waits_for() -> None:
    """Its failure is not logged: who gave it up does not want to know."""
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    is_lost(Pair.connect())
    gc.collect()
    await asyncio.sleep(0)
    assert logged == []


@on_a_loop
async def test_a_certificate_for_another_host() -> None:
    """Nothing but an alert is sent."""
    pair = Pair.connect()
    context = authority().server_context(Certificate.WRONG_HOST)
    pair.peer = context.wrap_bio(pair.to_peer, pair.from_peer, server_side=True)
    pair.receive(pair.peer_shakes())
    with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
        await pair.layer.handshake()
    assert pair.tcp.aborted
    with pytest.raises(ssl.SSLError, match="alert"):
        pair.peer_shakes()


@on_a_loop
async def test_a_handshake_that_is_cancelled() -> None:
    """TCP is aborted, and what comes afterwards does no harm."""
    pair = Pair.connect()
    task = asyncio.ensure_future(pair.layer.handshake())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pair.tcp.aborted
    pair.receive(pair.peer_shakes())
    pair.layer.connection_lost(None)


@on_a_loop
async def test_back_pressure_is_passed_on() -> None:
    """A large body goes out as TCP takes it, and arrives whole."""
    pair = Pair.connect()
    await pair.shake()
    body = bytes(1_000_000)
    pair.layer.pause_writing()
    task = asyncio.ensure_future(pair.connection.exchange(HEAD, body))
    await asyncio.sleep(0)
    assert pair.peer_reads() == HEAD
    pair.layer.resume_writing()
    assert pair.peer_reads() == body
    pair.receive(pair.peer_writes(REPLY))
    assert (await task).status == 200
