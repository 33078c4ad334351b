"""Sends over a boto3 client, so that hooks, stubs and instrumentation all apply.

One send per attempt whatever the environment or the client says, and the body read inside the
attempt. The library's own clients have the bounded session; a caller's is taken as it is
(:func:`over_handed`).
"""

from __future__ import annotations

import functools
import http.client
import os
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import botocore.exceptions as be
from urllib3.exceptions import HTTPError as UrllibError

from lambda_invoke.core.boto_shapes import refusal_of, reply_of
from lambda_invoke.core.transport import Answer, Failure, FailureKind, InvocationType, Request
from lambda_invoke.errors import Executed
from lambda_invoke.transports.failures import (
    check_length,
    failure_of,
    headers_were_cut,
    not_sent,
)
from lambda_invoke.transports.slots import Slots
from lambda_invoke.transports.threads import SENDING
from lambda_invoke.transports.urllib3_session import EXCHANGE, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.transports.protocols import BotoLambdaClient


class _Seen:
    """What was seen of one send of ours: whether it began, and what came of the HTTP request itself.

    A hook of the caller's may raise anything at any time, errors of botocore's among them; only what
    came of the request itself says what became of it.
    """

    __slots__ = ("began", "error", "parsed")

    def __init__(self) -> None:
        self.began = False
        self.error: BaseException | None = None
        self.parsed: Any = None


_SEEN: ContextVar[_Seen | None] = ContextVar("lambda_invoke_seen", default=None)
"""Set while the boto3 call under way is ours, and so is to be sent once."""


class BotocoreTransport:
    """A Transport over one boto3 client.

    ``client`` gives the client (made at first use), ``slots`` bounds how many sends are under way.
    With ``bounded``, the client has the library's own HTTP session, which keeps to ``timeout`` and
    tells whether a byte was written. Its calls must be watched, see :func:`watch`.
    """

    def __init__(self, client: Callable[[], BotoLambdaClient], *, slots: int, bounded: bool) -> None:
        self._client = client
        self._bounded = bounded
        self._pid = os.getpid()
        self._most = slots
        self.renew_locks()

    def renew_locks(self) -> None:
        """After a fork: slots may be held by threads that are not here."""
        self.slots = Slots(self._most)

    def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send once."""
        if not self._bounded and os.getpid() != self._pid:
            return Failure(
                FailureKind.REQUEST,
                Executed.NO,
                "the boto3 client was handed over before a fork, and shares its connections with the "
                "parent: hand over one that was made in this process",
            )
        expires = None if remaining is None else time.monotonic() + remaining
        # Not for what a hook sends meanwhile: that is not this send.
        sending, sending_token = SENDING.get(), SENDING.set(None)
        if sending is not None:
            sending.queue()
        slots, held = self.slots, False
        try:
            held = slots.acquire(remaining)
            if not held:
                return Failure(
                    FailureKind.QUEUE,
                    Executed.NO,
                    f"the deadline passed while waiting for one of {self._most} connections",
                )
            exchange = Exchange(timeout, expires)
            if sending is not None and not sending.begin(exchange.abort):
                return Failure(FailureKind.LOST, Executed.NO, "the call was given up before it was sent")
            return self._send(request, exchange)
        finally:
            SENDING.reset(sending_token)
            if held:
                slots.release()

    def _send(self, request: Request, exchange: Exchange) -> Answer:
        try:
            client = self._client()
        except (be.BotoCoreError, ValueError) as error:
            return not_sent(error)
        seen = _Seen()
        own = exchange if self._bounded else None
        exchange_token, seen_token = EXCHANGE.set(own), _SEEN.set(seen)
        try:
            response = client.invoke(**_parameters(request))
        except be.StubResponseError:
            raise  # the test's own failure
        except (be.BotoCoreError, be.ClientError, UrllibError, OSError) as error:
            return _raised(error, seen, own)
        else:
            return _read(response, own)
        finally:
            _SEEN.reset(seen_token)
            EXCHANGE.reset(exchange_token)

    def close(self) -> None:
        """Nothing to close: the client belongs to its maker."""


def over_handed(client: BotoLambdaClient, *, concurrency: int) -> BotocoreTransport:
    """A transport over a caller's client, which is taken as it is.

    Each attempt sends once; the caller's own use of the client is unchanged.
    """
    watch(client)
    return BotocoreTransport(lambda: client, slots=concurrency, bounded=False)


def watch(client: BotoLambdaClient) -> None:
    """See what becomes of this client's sends while they are ours, and keep botocore from retrying.

    botocore's retry handlers listen to ``needs-retry``; ours comes first and raises what botocore
    itself raises when it has no retries left. (Answering False is not enough on older versions: any
    handler's answer other than None makes botocore try again.)
    """
    events = client.meta.events
    events.register_last("before-send.lambda.Invoke", _begins, "lambda_invoke-begins")
    ended = functools.partial(_ended, weakref.ref(client))
    events.register_first("needs-retry.lambda.Invoke", ended, "lambda_invoke-ended")


def _begins(**_: Any) -> None:
    seen = _SEEN.get()
    if seen is not None:
        seen.began = True


def _ended(client: weakref.ref[Any], response: Any = None, caught_exception: Any = None, **_: Any) -> None:
    seen = _SEEN.get()
    if seen is None:
        return
    if caught_exception is not None:
        seen.error = caught_exception
        raise caught_exception
    if response is not None and response[0].status_code >= http.client.MULTIPLE_CHOICES:
        answer, seen.parsed = response
        try:
            check_length(answer)
        except Exception as error:
            seen.error = error
            raise
        owner = client()
        code = seen.parsed.get("Error", {}).get("Code")
        raised = be.ClientError if owner is None else owner.exceptions.from_code(code)
        raise raised(seen.parsed, "Invoke")


def _raised(error: Exception, seen: _Seen, exchange: Exchange | None) -> Answer:
    """What an exception out of botocore says: of the request itself, or of somebody's hook?"""
    refusal = error if isinstance(error, be.ClientError) else None
    if not seen.began:
        # A Stubber answers in the place of the request; its refusals are as good as Lambda's.
        stubbed = refusal is not None and refusal.operation_name == "Invoke" and error is not seen.error
        return refusal_of(refusal.response) if refusal is not None and stubbed else not_sent(error)
    if error is seen.error or isinstance(error, UrllibError):
        return failure_of(error, exchange)
    if refusal is not None and refusal.response is seen.parsed:
        return refusal_of(refusal.response)
    return Failure(
        FailureKind.LOST,
        Executed.UNKNOWN,
        f"a hook of the boto3 client raised {type(error).__name__} after the request was on its way",
    )


def _read(response: Any, exchange: Exchange | None) -> Answer:
    """Read the payload to its end, whatever the invocation type: unread, it holds its connection."""
    payload: Any = response.get("Payload", b"")
    try:
        body = payload.read() if hasattr(payload, "read") else payload
    except (be.BotoCoreError, UrllibError, OSError) as error:
        return failure_of(error, exchange)
    if headers_were_cut(payload):
        return Failure(FailureKind.TRUNCATED, Executed.UNKNOWN, "the reply's headers broke off")
    return reply_of(response, body)


def _parameters(request: Request) -> dict[str, Any]:
    parameters: dict[str, Any] = {"FunctionName": request.function}
    if request.invocation_type is not InvocationType.REQUEST_RESPONSE:
        # Left out it means RequestResponse, and botocore spends 15 us on every parameter.
        parameters["InvocationType"] = request.invocation_type.value
    if request.payload is not None:
        parameters["Payload"] = request.payload
    if request.qualifier is not None:
        parameters["Qualifier"] = request.qualifier
    if request.log_tail and request.invocation_type is InvocationType.REQUEST_RESPONSE:
        parameters["LogType"] = "Tail"
    if request.client_context is not None:
        parameters["ClientContext"] = request.client_context
    if request.tenant_id is not None:
        parameters["TenantId"] = request.tenant_id
    if request.durable_execution_name is not None:
        parameters["DurableExecutionName"] = request.durable_execution_name
    return parameters
