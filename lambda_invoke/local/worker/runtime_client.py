"""awslambdaric's extension ``runtime_client`` over the worker's channel, in place of HTTP.

The same four functions. The channel is a socket that ``bootstrap.py`` was given; ``channel.py`` is its other
end, and says what goes through it. This module imports nothing of lambda_invoke.
"""

from __future__ import annotations

import os
import struct

_TO_ENDPOINT = struct.Struct("<cIQ")
_TO_WORKER = struct.Struct("<IQ")
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
_HEAD = (
    "Lambda-Runtime-Aws-Request-Id",
    _DEADLINE,
    "Lambda-Runtime-Invoked-Function-Arn",
    "Lambda-Runtime-Trace-Id",
    "Lambda-Runtime-Client-Context",
    "Lambda-Runtime-Aws-Tenant-Id",
)
"""The lines of an invocation's head."""
_READ_BYTES = 64 * 1024
_MAX_BUFFERS = 1024 * 1024


class _Channel:
    """``asked`` says whether the endpoint knows that this worker waits for an invocation."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.initialised = self.asked = False

    def send(self, kind: bytes, request_id: bytes = b"", body: bytes = b"") -> None:
        head = _TO_ENDPOINT.pack(kind, len(request_id), len(body)) + request_id
        if len(body) <= _READ_BYTES:
            head, body = head + body, b""
        for part in (head, body):
            left = memoryview(part)
            while left:
                left = left[os.write(self.descriptor, left[:_MAX_BUFFERS]) :]

    def receive(self) -> tuple[bytes, bytes]:
        data = self._read(_READ_BYTES)
        while len(data) < _TO_WORKER.size:
            data += self._read(_READ_BYTES)
        head_size, body_size = _TO_WORKER.unpack_from(data)
        end = _TO_WORKER.size + head_size
        if len(data) < end + body_size:
            pieces, left = [data], end + body_size - len(data)
            while left:
                pieces.append(self._read(min(left, _MAX_BUFFERS)))
                left -= len(pieces[-1])
            data = b"".join(pieces)
        return data[_TO_WORKER.size : end], data[end:]

    def _read(self, most: int) -> bytes:
        data = os.read(self.descriptor, most)
        if not data:
            raise OSError("the endpoint is gone")
        return data


_channel: _Channel | None = None


def connect(descriptor: int) -> None:
    """Use this socket. Not one of the extension's: it connects by itself."""
    global _channel  # noqa: PLW0603 - the extension's client is a global too
    os.set_inheritable(descriptor, False)
    _channel = _Channel(descriptor)


def report_imports(lines: bytes) -> None:
    """Tell the endpoint of files that this process has imported; not one of the extension's either."""
    assert _channel is not None
    _channel.send(b"I", b"", lines)


def _ready() -> _Channel:
    if _channel is None or not _channel.initialised:
        raise RuntimeError("Client not yet initalized")  # the extension's spelling
    return _channel


def initialize_client(user_agent: str) -> None:  # noqa: ARG001 - nobody is told
    """Begin."""
    if _channel is not None:
        _channel.initialised = True


def next() -> tuple[bytes, dict[str, str | int | None]]:  # noqa: A001 - the extension's name
    """Wait for the next invocation: its payload, and the Runtime API's headers (an absent one is None)."""
    channel = _ready()
    try:
        if not channel.asked:
            channel.send(b"N")
        channel.asked = False
        head, payload = channel.receive()
    except OSError as error:
        raise RuntimeError("Failed to get next") from error
    headers: dict[str, str | int | None] = {"Content-Type": "application/json"}
    headers.update((name, line or None) for name, line in zip(_HEAD, head.decode().split("\n"), strict=True))
    headers[_DEADLINE] = int(headers[_DEADLINE] or 0)
    return payload, headers


def post_invocation_result(
    invoke_id: str,
    result: bytes,
    content_type: str,  # noqa: ARG001 - Lambda does not pass it on either
    invocation_id: str | None = None,  # noqa: ARG001 - the endpoint gives none
) -> None:
    """Answer an invocation with what its handler returned."""
    _answer(b"R", invoke_id, result, "Failed to post invocation response")


def post_error(
    invoke_id: str,
    error: str,
    xray_fault: str,  # noqa: ARG001 - there is no X-Ray here
    invocation_id: str | None = None,  # noqa: ARG001 - the endpoint gives none
) -> None:
    """Answer an invocation with the error that its handler raised."""
    _answer(b"E", invoke_id, error.encode(), "Failed to post invocation error")


def _answer(kind: bytes, invoke_id: str, body: bytes, failure: str) -> None:
    channel = _ready()
    channel.asked = True  # an answer asks for more
    try:
        channel.send(kind, invoke_id.encode(), body)
    except OSError as error:
        raise RuntimeError(failure) from error
