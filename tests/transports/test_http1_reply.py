"""A reply is whole or it is none: however its bytes come, wherever they break off, whatever they are."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.transports.http1_reply import (
    MAX_HEAD_BYTES,
    MalformedReplyError,
    RawReply,
    ReplyReader,
    _length_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Case:
    """What comes, and the reply that it is."""

    data: bytes
    body: bytes
    status: int = 200
    reusable: bool = True
    ends_with_connection: bool = False
    """From this point of ``data`` on nothing tells a reply that broke off from a whole one."""


CASES = {
    "Content-Length": Case(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "no body": Case(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "no reason phrase": Case(b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "a body that looks like a reply": Case(
        b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"
    ),
    "an error": Case(b"HTTP/1.1 429 Slow\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\n{}", b"{}", 429),
    "Connection: close": Case(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", b"{}", reusable=False
    ),
    "Connection with several options": Case(
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}", b"{}", reusable=False
    ),
    "Connection twice": Case(
        b"HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
        reusable=False,
    ),
    "Connection: keep-alive": Case(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", b"{}"
    ),
    "204": Case(b"HTTP/1.1 204 No Content\r\n\r\n", b"", 204),
    "204 with a length of no meaning": Case(b"HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n", b"", 204),
    "204 with a coding of no meaning": Case(
        b"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n", b"", 204
    ),
    "304": Case(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", b"", 304),
    "100 before": Case(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "several before": Case(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\n"
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        b"",
        202,
    ),
    "HTTP/1.0": Case(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}", reusable=False),
    "HTTP/1.0 kept alive": Case(
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n{}", b"{}"
    ),
    "HTTP/1.0 with another option": Case(
        b"HTTP/1.0 200 OK\r\nConnection: x\r\nContent-Length: 2\r\n\r\n{}", b"{}", reusable=False
    ),
    "chunked": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n",
        b"hello, world",
    ),
    "chunked, empty": Case(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b""),
    "chunked, with extensions and trailers": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'00a;name="va;lue";x\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n',
        b"0123456789",
    ),
    "chunked, with the end of a body as data": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"9\r\n\r\n\r\n0\r\n\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
        b"\r\n\r\n0\r\n\r\n\r\n\r\n",
    ),
    "chunked, and then closed": Case(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"x",
        reusable=False,
    ),
    "until the end": Case(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
        b"hello",
        reusable=False,
        ends_with_connection=True,
    ),
    "until the end, HTTP/1.0": Case(
        b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nhello", b"hello", reusable=False, ends_with_connection=True
    ),
    "until the end, of a persistent connection": Case(
        b"HTTP/1.1 500 Oh\r\n\r\n", b"", 500, reusable=False, ends_with_connection=True
    ),
}
TOLD = {name: case for name, case in CASES.items() if not case.ends_with_connection}


def read(pieces: list[bytes], **options: Any) -> tuple[RawReply | None, ReplyReader]:
    """Feed pieces until there is a reply."""
    reader = ReplyReader(**options)
    for piece in pieces:
        reply = reader.feed(piece)
        if reply is not None:
            return reply, reader
    return None, reader


def outcome(pieces: list[bytes]) -> object:
    """The reply, None, or that it is malformed; then the same of the end of the connection."""
    try:
        reply, reader = read(pieces)
        return reply or ("ended", reader.end())
    except MalformedReplyError:
        return "malformed"


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """``data`` cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def expect(case: Case, pieces: list[bytes]) -> None:
    """The pieces make the case's reply, and nothing before the last of them does."""
    reply, reader = read(pieces)
    if case.ends_with_connection:
        assert reply is None
        reply = reader.end()
    assert reply is not None
    assert (reply.status, reply.body, reader.reusable) == (case.status, case.body, case.reusable)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_reply_in_one_piece_and_in_bytes(case: Case) -> None:
    """All that HTTP/1.x has for the end of a reply is understood, at once or a byte at a time."""
    expect(case, [case.data])
    expect(case, [bytes([byte]) for byte in case.data])


@given(case=st.sampled_from(list(CASES.values())), cuts=st.lists(st.integers(0, 300), max_size=8))
def test_a_reply_in_any_pieces(case: Case, cuts: list[int]) -> None:
    """Where the network cuts a reply makes no difference."""
    expect(case, split(case.data, cuts))


tokens = st.text(st.sampled_from("abcXYZ-_09"), min_size=1, max_size=8)
texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12)


@st.composite
def replies(draw: st.DrawFn) -> Case:
    """Replies with any headers and body, by length or in chunks, after any number of interim ones."""
    body = draw(st.binary(max_size=300))
    status = draw(st.sampled_from([200, 202, 400, 429, 500, 599]))
    fields = draw(st.lists(st.tuples(tokens.map("x-{}".format), texts), max_size=4))
    chunked = draw(st.booleans())
    fields.insert(
        draw(st.integers(0, len(fields))),
        ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body))),
    )
    text = "HTTP/1.1 102 Processing\r\n\r\n" * draw(st.integers(0, 2)) + f"HTTP/1.1 {status} X\r\n"
    text += "".join(f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{value}\r\n" for name, value in fields)
    data = f"{text}\r\n".encode("latin-1")
    if not chunked:
        return Case(data + body, body, status)
    for piece in split(body, draw(st.lists(st.integers(0, 300), max_size=4))):
        data += b"%x%s\r\n%s\r\n" % (len(piece), draw(st.sampled_from([b"", b";a=b"])), piece)
    return Case(data + b"0\r\n" + draw(st.sampled_from([b"", b"T: 1\r\n"])) + b"\r\n", body, status)


@given(case=replies(), cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_any_reply_in_any_pieces(case: Case, cuts: list[int]) -> None:
    """Bodies, headers and chunks of any kind come through whole."""
    expect(case, split(case.data, cuts))


@pytest.mark.parametrize("case", TOLD.values(), ids=list(TOLD))
def test_truncated_at_every_offset(case: Case) -> None:
    """Up to its last byte it is no reply, and the end of the connection does not make it one."""
    for offset in range(len(case.data)):
        assert outcome([case.data[:offset]]) == ("ended", None)


@given(case=replies(), offset=st.integers(0, 1000))
def test_any_reply_truncated_anywhere(case: Case, offset: int) -> None:
    """The same for replies of any kind."""
    assert outcome([case.data[: offset % len(case.data)]]) == ("ended", None)


def test_truncation_cannot_be_seen_when_the_end_is_the_connections() -> None:
    """Without length or chunks a cut in the headers is seen, and a cut in the body is the reply's end."""
    data = b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nhello"
    head = data.index(b"\r\n\r\n") + 4
    for offset in range(len(data)):
        whole = RawReply(200, {"x-a": "b"}, data[head:offset]) if offset >= head else None
        assert outcome([data[:offset]]) == ("ended", whole)


@given(
    case=st.one_of(st.sampled_from(list(TOLD.values())), replies()),
    surplus=st.one_of(
        st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b"HTTP"]), st.binary(min_size=1)
    ),
    again=st.booleans(),
    cut=st.integers(0, 300),
)
def test_surplus_bytes_end_the_connection(case: Case, surplus: bytes, again: bool, cut: int) -> None:
    """What follows a reply is no part of it: not a second reply, not an empty line. It is not reused."""
    surplus = case.data if again else surplus
    place = cut % len(case.data)
    reply, reader = read([case.data[:place], case.data[place:] + surplus])
    assert reply is not None
    assert (reply.status, reply.body, reader.reusable) == (case.status, case.body, False)


def test_headers() -> None:
    """Names in lower case, values without the blanks around them, repeated ones joined; any Latin-1."""
    data = (
        b"HTTP/1.1 200 OK\r\nX-Amzn-RequestId:\t abc \t\r\nvia: a\r\nVIA: b, c\r\nX-Empty:\r\n"
        b"x-odd: \xe4\r\nContent-Length: 0\r\n\r\n"
    )
    reply, _ = read([data])
    assert reply is not None
    assert reply.headers == {
        "x-amzn-requestid": "abc",
        "via": "a, b, c",
        "x-empty": "",
        "x-odd": "\u00e4",
        "content-length": "0",
    }


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"HTTP/2 200\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n",
    "HTTP/0.9": b"{}",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x50",
    "an empty line first": b"\r\nHTTP/1.1 200 OK\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a status under 100": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nhello\r\nContent-Length: 0\r\n\r\n",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "a folded header": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a header": b"HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 0\r\n\r\n",
    "a bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}",
    "an endless length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "two lengths in one": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{} ",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    "chunks and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
    b"0\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding that is not chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{}",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"xyz\r\n",
    "no chunk size": CHUNKED + b"\r\n",
    "a negative chunk size": CHUNKED + b"-1\r\n",
    "a chunk size with a prefix": CHUNKED + b"0x1\r\nx\r\n",
    "an endless chunk size": CHUNKED + b"f" * 17 + b"\r\n",
    "a chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a line feed alone after a chunk size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "a trailer without a colon": CHUNKED + b"0\r\nhello\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=list(MALFORMED))
@pytest.mark.parametrize("whole", [True, False], ids=["at once", "in bytes"])
def test_what_is_no_reply(data: bytes, whole: bool) -> None:
    """It is refused as soon as that is known, without waiting for the connection to end."""
    with pytest.raises(MalformedReplyError):
        read([data] if whole else [bytes([byte]) for byte in data])


@given(
    start=st.sampled_from([b"", b"HTTP/1.1 ", CHUNKED, *(case.data for case in CASES.values())]),
    noise=st.binary(max_size=60),
    place=st.integers(0, 300),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_any_bytes_in_any_pieces(start: bytes, noise: bytes, place: int, cuts: list[int]) -> None:
    """Noise anywhere gives a reply, none, or a refusal, and the same one wherever it is cut."""
    place %= len(start) + 1
    data = start[:place] + noise + start[place:]
    assert outcome(split(data, cuts)) == outcome([data])


@pytest.mark.parametrize("text", ["", "+2", "-2", " 2", "2_0", "0x2", "2, 2", "\u0662", "1e1"])
def test_a_length_is_of_digits_alone(text: str) -> None:
    """It is refused by httptools first; where a reply ends does not hang on that."""
    with pytest.raises(MalformedReplyError, match="not a number"):
        _length_of(text, 1000)


def padded(size: int) -> bytes:
    """A reply whose head has this many bytes."""
    frame = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Pad: %s\r\n\r\n"
    return frame % (b"x" * (size - len(frame) + 2)) + b"{}"


def test_the_bound_of_the_head() -> None:
    """64 KB are taken and a byte more is not, ended or not."""
    reply, _ = read([padded(MAX_HEAD_BYTES)])
    assert reply is not None
    assert reply.body == b"{}"
    for data in (padded(MAX_HEAD_BYTES + 1), padded(2 * MAX_HEAD_BYTES)[: MAX_HEAD_BYTES + 1]):
        with pytest.raises(MalformedReplyError, match="headers have more than 65536 bytes"):
            read([data])
    many = b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000
    with pytest.raises(MalformedReplyError, match="headers have more than"):
        read(split(many, list(range(0, len(many), 1000))))


FRAMES: dict[str, Callable[[bytes], bytes]] = {
    "by length": lambda body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
    "in chunks": lambda body: CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    "until the end": lambda body: b"HTTP/1.0 200 OK\r\n\r\n" + body,
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=list(FRAMES))
def test_the_bound_of_the_body(frame: Callable[[bytes], bytes]) -> None:
    """A body of just the bound is taken, one more byte is refused, in whatever frame."""
    reply, reader = read([frame(b"x" * 1000)], max_body_bytes=1000)
    assert reply or reader.end()
    with pytest.raises(MalformedReplyError, match="body has more than 1000 bytes"):
        read([frame(b"x" * 1001)], max_body_bytes=1000)


def test_a_length_over_the_bound_is_refused_before_the_body_comes() -> None:
    """Nothing of it need be read."""
    with pytest.raises(MalformedReplyError, match="body has more than"):
        read([b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"])


@pytest.mark.parametrize("endless", [b"1;" + b"x" * 1000, b"0\r\n" + b"X-A: b\r\n" * 100])
def test_endless_extensions_and_trailers(endless: bytes) -> None:
    """What a chunked body has beside its data is bounded as the head is."""
    reader = ReplyReader()
    assert reader.feed(CHUNKED + endless) is None
    more = b"x" * 10_000 if endless.startswith(b"1") else b"X-A: b\r\n" * 1000
    with pytest.raises(MalformedReplyError, match="between its chunks"):
        for _ in range(20):
            reader.feed(more)


def test_a_large_body_in_many_pieces() -> None:
    """A reply of six megabytes, as the network brings it."""
    body = bytes(range(256)) * 24_577
    for frame in FRAMES.values():
        data = frame(body)
        reply, reader = read([data[at : at + 65_536] for at in range(0, len(data), 65_536)])
        reply = reply or reader.end()
        assert reply is not None
        assert reply.body == body


def test_a_body_is_not_in_the_repr() -> None:
    """Neither payload nor headers are shown."""
    assert repr(RawReply(200, {"x-amz-log-result": "secret"}, b"secret")) == "RawReply(status=200)"
