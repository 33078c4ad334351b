"""One reply of HTTP/1.x, put together from bytes as they come. No I/O, no clock.

httptools reads what has a grammar: the status line, the headers, the chunks. Where a reply ends is
decided here. httptools alone never completes a reply that ends with the connection, does not say how
many bytes it used, and takes what follows one reply for the beginning of the next.

The rules are those of RFC 9112, section 6.3, for an answer to POST, where it leaves a choice the
stricter one: a reply that says its length twice, or in two ways, is no reply.
"""

from __future__ import annotations

import http
from typing import TYPE_CHECKING

import attrs
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HEAD_BYTES = 64 * 1024
"""Of a status line with its headers, and of what a chunked body has beside its data."""

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Five times what a function can answer with (6,291,556 bytes; AWS quota, 2026-11). It only keeps
nonsense out of memory: a quota that AWS raises must not turn results into failures."""

_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_VERSION_LENGTH = len(_VERSIONS[0])
_HEAD_END = b"\r\n\r\n"
_BODILESS = (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED)


class MalformedReplyError(Exception):
    """What came is not HTTP/1.x, says its own length in no clear way, or is over a bound."""


@attrs.frozen
class RawReply:
    """A whole reply. Header names are lower-case; the values of a repeated one are joined by commas."""

    status: int
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class ReplyReader:
    """Reads one reply. Feed it until it returns the reply, or tell it that the connection ended.

    ``reusable`` is set when the reply is whole: whether the connection can carry another exchange. It
    cannot when either side is to close it, or when bytes came that belong to no reply.
    """

    __slots__ = (
        "_chunks",
        "_head",
        "_length",
        "_max_body_bytes",
        "_parts",
        "_persistent",
        "_received",
        "_started",
        "reusable",
    )

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_body_bytes = max_body_bytes
        self._started = b""  # of the head, until it is whole
        self._head: _Head | None = None
        self._length: int | None = None
        self._chunks: _Chunks | None = None
        self._parts: list[bytes] = []
        self._received = 0
        self._persistent = False
        self.reusable = False

    def feed(self, data: bytes) -> RawReply | None:
        """Take the next bytes; returns the reply once it is whole.

        Raises:
            MalformedReplyError: they cannot belong to a reply.
        """
        if self._head is None:
            rest = self._read_heads(data)
            if rest is None:
                return None
            data = rest
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        return self._feed_plain(data)

    def end(self) -> RawReply | None:
        """The connection ended: the reply if that is what its end is told by, else None.

        Such a reply has neither a length nor chunks. Over plain TCP nothing tells one that broke off
        from a whole one.
        """
        if self._head is None or self._chunks is not None or self._length is not None:
            return None
        return self._whole(self._head, b"".join(self._parts), surplus=True)

    def _read_heads(self, data: bytes) -> bytes | None:
        """Read interim heads and the final one; returns what follows it, None if it is not whole."""
        seen = len(self._started)
        data = self._started + data if seen else data
        while data:
            if not data.startswith(_VERSIONS) and not any(
                version.startswith(data[:_VERSION_LENGTH]) for version in _VERSIONS
            ):
                raise MalformedReplyError("the reply is not HTTP/1.1")
            end = data.find(_HEAD_END, max(0, seen - len(_HEAD_END)))
            size = len(data) if end < 0 else end + len(_HEAD_END)
            if size > MAX_HEAD_BYTES:
                raise MalformedReplyError(f"the reply's headers have more than {MAX_HEAD_BYTES} bytes")
            if end < 0:
                break
            head = _Head(data[:size])
            data = data[size:]
            seen = 0
            if head.status >= http.HTTPStatus.OK:
                self._begin(head)
                return data
        self._started = data
        return None

    def _begin(self, head: _Head) -> None:
        headers = head.headers
        self._head = head
        self._persistent = _is_persistent(headers, http_1_1=head.http_1_1)
        if head.status in _BODILESS:
            self._length = 0
        elif "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked" or not head.http_1_1:
                raise MalformedReplyError("the reply has a transfer coding that was not asked for")
            self._chunks = _Chunks()
        elif "content-length" in headers:
            self._length = _length_of(headers["content-length"], self._max_body_bytes)

    def _feed_plain(self, data: bytes) -> RawReply | None:
        assert self._head is not None
        length = self._length
        received = self._received = self._received + len(data)
        if length is None:
            if received > self._max_body_bytes:
                raise _too_large(self._max_body_bytes)
            self._parts.append(data)
            return None
        if received < length:
            self._parts.append(data)
            return None
        surplus = received - length
        if surplus:
            data = data[: len(data) - surplus]
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
        return self._whole(self._head, data, surplus=bool(surplus))

    def _feed_chunks(self, chunks: _Chunks, data: bytes) -> RawReply | None:
        assert self._head is not None
        chunks.feed(data)
        if chunks.size > self._max_body_bytes:
            raise _too_large(self._max_body_bytes)
        if not chunks.complete:
            return None
        return self._whole(self._head, b"".join(chunks.parts), surplus=chunks.surplus)

    def _whole(self, head: _Head, body: bytes, *, surplus: bool) -> RawReply:
        self.reusable = self._persistent and not surplus
        return RawReply(head.status, head.headers, body)


class _Head:
    """A status line and its headers, read by httptools."""

    __slots__ = ("complete", "headers", "http_1_1", "status")

    def __init__(self, data: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.complete = False
        self.http_1_1 = data.startswith(_VERSIONS[0])
        parser = HttpResponseParser(self)
        try:
            parser.feed_data(data)
        except HttpParserError as error:
            raise MalformedReplyError(f"the reply's headers are malformed: {error}") from error
        except HttpParserUpgrade as error:
            raise MalformedReplyError("the reply changes the protocol, which was not asked for") from error
        self.status = parser.get_status_code()
        if not self.complete or self.status < http.HTTPStatus.CONTINUE:
            raise MalformedReplyError("the reply's status line or headers are malformed")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header from httptools."""
        key = name.lower().decode("latin-1")
        text = value.decode("latin-1").rstrip(" \t")
        headers = self.headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """Be told by httptools that the headers are whole."""
        self.complete = True


class _Chunks:
    """A chunked body, read by httptools, which is shown a head that announces it and nothing else.

    Extensions and trailers are read and dropped.
    """

    __slots__ = ("_framing", "_parser", "_tail", "complete", "parts", "size", "surplus")

    _HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.complete = False
        self.surplus = False
        self._framing = 0  # bytes since there was any data
        self._tail = b""  # the last bytes seen
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.feed_data(self._HEAD)

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            MalformedReplyError: they are not chunks.
        """
        assert self._parser is not None
        before = self.size
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.complete:
                raise MalformedReplyError(f"the reply's chunks are malformed: {error}") from error
            self.surplus = True
        self._framing = 0 if self.size > before else self._framing + len(data)
        if self._framing > MAX_HEAD_BYTES:
            raise MalformedReplyError(f"the reply has more than {MAX_HEAD_BYTES} bytes between its chunks")
        # A chunked body ends with a line that is not empty and one that is. httptools passes over empty
        # lines before the next reply; here they are surplus.
        self._tail = (self._tail + data)[-5:]
        if self.complete:
            self._parser = None  # the two refer to each other
            if not self._tail.endswith(_HEAD_END) or self._tail.startswith(b"\n"):
                self.surplus = True

    def on_message_begin(self) -> None:
        """Be told of a reply's beginning: the one that was announced, or a stray one behind it."""
        self.surplus = self.complete

    def on_body(self, data: bytes) -> None:
        """Take a piece of data from httptools."""
        if not self.complete:
            self.parts.append(data)
            self.size += len(data)

    def on_message_complete(self) -> None:
        """Be told by httptools that chunks and trailers are whole."""
        self.complete = True


def _is_persistent(headers: Mapping[str, str], *, http_1_1: bool) -> bool:
    """Whether the connection stays open, as far as the reply says (RFC 9112, section 9.3)."""
    said = headers.get("connection")
    if said is None:
        return http_1_1
    options = {option.strip().lower() for option in said.split(",")}
    return "close" not in options and (http_1_1 or "keep-alive" in options)


def _length_of(text: str, limit: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise MalformedReplyError("the reply's Content-Length is not a number")
    length = int(text)
    if length > limit:
        raise _too_large(limit)
    return length


def _too_large(limit: int) -> MalformedReplyError:
    return MalformedReplyError(f"the reply's body has more than {limit} bytes")
