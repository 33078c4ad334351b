"""Finds the requests in the bytes of a connection: it keeps what is not whole yet, and does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lambda_invoke.local.http_head import (
    MAX_HEAD_BYTES,
    MalformedRequestError,
    check_chunked,
    check_expectation,
    content_length,
    parse_head,
)
from lambda_invoke.local.http_message import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.chunked import ChunkedBody

_LINE_ENDS = (b"\r", b"\n")
_HEAD_END = b"\r\n\r\n"


class _Head(NamedTuple):
    """A request without its body, of ``size`` bytes; None for one in chunks."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    size: int | None


class RequestReader:
    """Takes bytes, gives requests.

    Args:
        body_limit: bytes of a body that are kept; of a larger one only the size is.
        accept_chunked: whether a body may be chunked.
        invite: called when a client waits to be asked for its body.
        stream: makes a chunked body, from its first bytes; later ones are not for this reader.
    """

    def __init__(
        self,
        body_limit: int,
        accept_chunked: bool,
        invite: Callable[[], None],
        stream: Callable[[bytes], ChunkedBody],
    ) -> None:
        self._body_limit = body_limit
        self._accept_chunked = accept_chunked
        self._invite = invite
        self._stream = stream
        self._received = bytearray()
        self._searched = 0
        """Bytes of it in which no head ends."""
        self._head: _Head | None = None
        """That of the request whose body is not there yet."""
        self._discarding = 0
        self._repeated: tuple[bytes, _Head] | None = None
        """The last head without a body: a worker asks for its invocations in the same words every time."""

    def feed(self, data: bytes) -> int:
        """Take what came; how many bytes wait now."""
        self._received += data
        return len(self._received)

    def clear(self) -> None:
        """Forget what came."""
        self._received.clear()

    @property
    def within_request(self) -> bool:
        """Whether a request has begun and is not there yet."""
        return bool(self._received) or self._head is not None

    def next_request(self) -> HttpRequest | None:
        """The next request, if it is there: whole, or as a stream from its head on.

        Raises:
            MalformedRequestError: there is none that could be read; what follows cannot be either.
        """
        head = self._head
        if head is None:
            text = self._take_head()
            if text is None:
                return None
            head = self._head = self._begin(text)
        body, stream = b"", None
        if head.size is None:
            stream = self._stream(self._take(len(self._received)))
        elif head.size > self._body_limit:
            if not self._discard():
                return None
        elif head.size:
            if len(self._received) < head.size:
                return None
            body = self._take(head.size)
        self._head = None
        return HttpRequest(head.method, head.path, head.query, head.headers, body, head.size or 0, stream)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _take_head(self) -> bytes | None:
        received = self._received
        if received[:1] in _LINE_ENDS:  # empty lines before a request mean nothing (RFC 9112, section 2.2)
            del received[: len(received) - len(received.lstrip(b"\r\n"))]
        size = received.find(_HEAD_END, self._searched) + len(_HEAD_END)
        if size < len(_HEAD_END):
            self._searched = max(0, len(received) - len(_HEAD_END) + 1)
            size = len(received)
            head = None
        else:
            self._searched = 0
            head = None if size > MAX_HEAD_BYTES else self._take(size)
        if size > MAX_HEAD_BYTES:
            raise MalformedRequestError(431)
        return head

    def _begin(self, text: bytes) -> _Head:
        if self._repeated is not None and self._repeated[0] == text:
            return self._repeated[1]
        method, target, headers = parse_head(text)
        path, _, query = target.partition("?")
        if "expect" in headers:
            check_expectation(headers)
            self._invite()
        if "transfer-encoding" in headers:
            check_chunked(headers, accepted=self._accept_chunked)
            return _Head(method, path, query, headers, None)
        size = self._discarding = content_length(headers)
        head = _Head(method, path, query, headers, size)
        if not size and "expect" not in headers:
            self._repeated = (text, head)
        return head

    def _discard(self) -> bool:
        """Throw a body away as it comes; whether that was all of it."""
        thrown = min(self._discarding, len(self._received))
        del self._received[:thrown]
        self._discarding -= thrown
        return not self._discarding
