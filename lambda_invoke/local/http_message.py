"""Requests and responses, as the small HTTP server of ``http.py`` hands them on and takes them."""

from __future__ import annotations

import functools
from collections.abc import Coroutine
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.chunked import ChunkedBody
    from lambda_invoke.local.http_reply import ByteStream, Delivery


@attrs.frozen
class HttpRequest:
    """A request. Header names are lower-case; ``path`` and ``query`` are as they came, still quoted.

    ``body`` is empty when ``body_size`` is over the server's limit: it was read and thrown away. A
    chunked body comes as ``stream`` instead, of which ``body_size`` says nothing.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    body_size: int
    stream: ChunkedBody | None = attrs.field(default=None, repr=False)


@attrs.frozen
class HttpResponse:
    """A response; Date, Connection and the body's framing are added when it is written.

    ``stream`` makes a body that is sent as it comes; it is closed when nobody takes it any more.
    ``delivery`` spoils it on its way.
    """

    status: int
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)
    stream: ByteStream | None = attrs.field(default=None, repr=False)
    delivery: Delivery | None = None


@attrs.define(eq=False)
class LaterResponse:
    """The response to a request that waits for as long as it has to, without a task of its own.

    ``when_given`` and ``look`` are the connection's: what writes it, and whether the client has left.
    """

    response: HttpResponse | None = None
    left: bool = False
    when_given: Callable[[HttpResponse], None] | None = attrs.field(default=None, repr=False)
    look: Callable[[], bool] | None = attrs.field(default=None, repr=False)

    @property
    def gone(self) -> bool:
        """Whether the client has left, as far as the system knows: the loop may hear of it later."""
        return self.left or (self.look is not None and self.look())

    def give(self, response: HttpResponse) -> None:
        """Answer with this, at once. Called once, on the server's loop."""
        self.response = response
        if self.when_given is not None:
            self.when_given(response)


Answer = HttpResponse | LaterResponse | Coroutine[object, object, HttpResponse]
"""To one request: at once, later, or made by a coroutine, which gets a task."""


def comes_from_a_browser(request: HttpRequest) -> bool:
    """Whether a web page sent it: browsers add ``Origin`` or ``Sec-Fetch-*``, SDKs do not."""
    return _from_a_browser(tuple(request.headers))


@functools.lru_cache(maxsize=64)
def _from_a_browser(names: tuple[str, ...]) -> bool:
    return "origin" in names or any(name.startswith("sec-fetch-") for name in names)
