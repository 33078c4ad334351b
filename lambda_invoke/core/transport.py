"""What travels between the plan and the code that sends: the Transport protocols.

A transport sends one request once and says what came: a :class:`Reply` (the function was reached),
a :class:`Refusal` (the service answered with an error of its own) or a :class:`Failure` (no whole
answer). It never retries and never raises for what the network or the service did.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from lambda_invoke.errors import Executed


class InvocationType(enum.Enum):
    """The values of ``X-Amz-Invocation-Type``."""

    REQUEST_RESPONSE = "RequestResponse"
    EVENT = "Event"
    DRY_RUN = "DryRun"


@attrs.frozen
class Request:
    """One invocation, encoded. ``display`` is the target as the caller named it, for messages."""

    function: str
    display: str
    qualifier: str | None = None
    payload: bytes | None = attrs.field(default=None, repr=False)
    invocation_type: InvocationType = InvocationType.REQUEST_RESPONSE
    log_tail: bool = False
    client_context: str | None = attrs.field(default=None, repr=False)
    tenant_id: str | None = None
    durable_execution_name: str | None = None


@attrs.frozen
class Reply:
    """A whole 2xx answer. ``log_result`` is base64 as it came."""

    status_code: int
    body: bytes = attrs.field(default=b"", repr=False)
    request_id: str | None = None
    executed_version: str | None = None
    function_error: str | None = None
    log_result: str | None = attrs.field(default=None, repr=False)
    durable_execution_arn: str | None = None


@attrs.frozen
class Refusal:
    """A whole answer with an error of the service. ``retry_after`` is in seconds."""

    status_code: int
    code: str
    message: str = ""
    request_id: str | None = None
    reason: str | None = None
    retry_after: float | None = None


class FailureKind(enum.Enum):
    """In which way no whole answer was had."""

    QUEUE = "queue"
    """The deadline passed while waiting for a free connection: nothing was sent."""
    CONNECT = "connect"
    CREDENTIALS = "credentials"
    REQUEST = "request"
    """The layer below refused to send the request as it is."""
    TIMEOUT = "timeout"
    LOST = "lost"
    TRUNCATED = "truncated"


@attrs.frozen
class Failure:
    """No whole answer. ``executed`` is what the transport knows: NO or UNKNOWN."""

    kind: FailureKind
    executed: Executed
    message: str
    cause: BaseException | None = attrs.field(default=None, repr=False)


Answer = Reply | Refusal | Failure


class Transport(Protocol):
    """Sends one request once, blocking.

    ``timeout`` is seconds from the first byte sent to the last byte of the reply; ``remaining`` is
    what is left of the call's deadline, queueing and connecting included. None: no bound.
    """

    def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send ``request`` once."""

    def close(self) -> None:
        """Put away what was opened."""


class AsyncTransport(Protocol):
    """The same, awaited."""

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send ``request`` once."""

    async def aclose(self) -> None:
        """Put away what was opened."""
