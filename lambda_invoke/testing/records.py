"""What a fake was called with, and what became of it."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.target import parse_target
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.testing.matching import decoded, show

if TYPE_CHECKING:
    from lambda_invoke.core.transport import Request


@attrs.define
class AttemptRecord:
    """One request that came. Times are on the fake's clock, in seconds.

    ``outcome`` is what the client makes of it: "ok", the name of an error class, "AbandonedError" of
    one that was cancelled, or "unscripted". None: in flight. ``executed``: the function ran.
    """

    request_id: str
    started: float
    duration: float = 0.0
    outcome: str | None = None
    executed: bool = False


@attrs.define(eq=False)
class CallRecord:
    """One call of the code under test, with all its attempts.

    ``function`` is the bare name, ``payload`` what the function saw (decoded; ``NO_PAYLOAD`` for
    none, bytes if it is no JSON), ``runs`` what each run of an Event came to. Neither payloads nor
    client contexts stand in its ``repr``; a failing check shows them, for that is what it is for.
    """

    function: str
    qualifier: str | None
    invocation_type: InvocationType
    payload: Any = attrs.field(repr=False)
    body: bytes | None = attrs.field(repr=False)
    client_context: Any = attrs.field(repr=False)
    tenant_id: str | None
    log_tail: bool
    request: Request = attrs.field(repr=False)
    attempts: list[AttemptRecord] = attrs.field(factory=list)
    runs: list[str] = attrs.field(factory=list)

    @property
    def outcome(self) -> str | None:
        """What the last attempt came to."""
        return self.attempts[-1].outcome if self.attempts else None

    @property
    def executions(self) -> int:
        """How often the function ran for it."""
        return sum(attempt.executed for attempt in self.attempts) + len(self.runs)

    @property
    def target(self) -> str:
        """The function with its qualifier."""
        return self.function if self.qualifier is None else f"{self.function}:{self.qualifier}"

    def line(self) -> str:
        """The call in one line, its payload included, for failing checks."""
        kind = "" if self.invocation_type is InvocationType.REQUEST_RESPONSE else f"{self._kind} "
        tries = f", {len(self.attempts)} attempts" if len(self.attempts) > 1 else ""
        return f"{kind}{self.target} {show(self.payload)} -> {self.outcome or 'in flight'}{tries}"

    @property
    def _kind(self) -> str:
        return self.invocation_type.value


def record_of(request: Request) -> CallRecord:
    """The record of a request, with no attempts yet."""
    target = parse_target(request.function, request.qualifier)
    context = request.client_context
    return CallRecord(
        target.name,
        target.qualifier,
        request.invocation_type,
        decoded(request.payload),
        request.payload,
        None if context is None else _context(context),
        request.tenant_id,
        request.log_tail,
        request,
    )


def _context(text: str) -> Any:
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        return text


class Ledger:
    """The calls in the order in which they came, from any thread.

    The attempts of one call are those with the same ``key``: a plan sends one request object.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[CallRecord] = []
        self._by_key: dict[object, CallRecord] = {}
        self._requests = 0
        self._in_flight = 0
        self.max_in_flight = 0

    def begin(self, request: Request, key: object, now: float) -> tuple[CallRecord, AttemptRecord]:
        """A request came."""
        made = record_of(request)
        with self._lock:
            call = self._by_key.setdefault(key, made)
            if call is made:
                self._calls.append(call)
            self._requests += 1
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            attempt = AttemptRecord(f"00000000-0000-4000-8000-{self._requests:012d}", now)
            call.attempts.append(attempt)
        return call, attempt

    def end(self, attempt: AttemptRecord, outcome: str, now: float) -> None:
        """It has its answer."""
        with self._lock:
            self._in_flight -= 1
            attempt.outcome = outcome
            attempt.duration = now - attempt.started

    def calls(self) -> list[CallRecord]:
        """A copy."""
        with self._lock:
            return list(self._calls)

    @property
    def requests(self) -> int:
        """Requests so far, every attempt counted."""
        with self._lock:
            return self._requests
