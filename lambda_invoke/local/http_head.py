"""Reads the head of an HTTP/1.1 request: what could be read in two ways is refused."""

from __future__ import annotations

import functools
import re
from http import HTTPStatus

MAX_HEAD_BYTES = 64 * 1024
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SINGLE = frozenset({"host", "content-length", "transfer-encoding", "authorization"})
"""Two of one of these are how requests are smuggled."""
_MAX_LENGTH_DIGITS = 15


class MalformedRequestError(Exception):
    """The request cannot be read any further; ``status`` is what it is answered with."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


def parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers (names in lower case) of a head, the empty line at its end included.

    Raises:
        MalformedRequestError: it is not HTTP/1.1, or ambiguous.
    """
    text = head[:-4].decode("latin-1")
    first, *lines = text.split("\r\n")
    if not len(lines) == text.count("\r") == text.count("\n") or "\0" in text:
        raise MalformedRequestError(400)  # a lone CR or LF is a line's end to some, and not to others
    try:
        method, target, protocol = first.split(" ")
    except ValueError as error:
        raise MalformedRequestError(400) from error
    if protocol != "HTTP/1.1" or not target.startswith("/") or _name(method) is None:
        raise MalformedRequestError(400)
    headers: dict[str, str] = {}
    for line in lines:
        given, colon, value = line.partition(":")
        name = _name(given)
        if not colon or name is None:
            raise MalformedRequestError(400)
        value = value.strip(" \t")
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise MalformedRequestError(400)
        else:
            headers[name] += f",{value}"
    return method, target, headers


@functools.lru_cache(maxsize=256)
def _name(text: str) -> str | None:
    """A header's name in lower case, or None if it cannot be one (nor a method)."""
    return text.lower() if _TOKEN.fullmatch(text) else None


def content_length(headers: dict[str, str]) -> int:
    """The bytes of the body that follows; 0 where the head says nothing of one.

    Raises:
        MalformedRequestError: it is not a number, or beyond all reason.
    """
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > _MAX_LENGTH_DIGITS:
        raise MalformedRequestError(400)
    return int(length)


def check_expectation(headers: dict[str, str]) -> None:
    """Refuse a head that expects anything but 100-continue."""
    if headers["expect"].lower() != "100-continue":
        raise MalformedRequestError(417)


def check_chunked(headers: dict[str, str], *, accepted: bool) -> None:
    """Refuse a head whose body is framed in another way than in chunks, or in two."""
    if "content-length" in headers:
        raise MalformedRequestError(400)
    if not accepted:
        raise MalformedRequestError(411)
    if headers["transfer-encoding"].lower() != "chunked":
        raise MalformedRequestError(501)
