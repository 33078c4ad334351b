"""From the arguments of ``once`` to a job: everything that can be refused is refused here."""

from __future__ import annotations

import math
import os
import socket
import uuid
from typing import TYPE_CHECKING, Any, Literal

import attrs

from lambda_invoke.core.retry import check_seconds
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import RequestError
from lambda_invoke.once import envelope as kinds
from lambda_invoke.once.envelope import Envelope
from lambda_invoke.once.keys import check_key, comparable, identity, put_key, scope
from lambda_invoke.once.places import check_store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambda_invoke.core.calls import Caller, Options, Terms
    from lambda_invoke.core.plan import Call
    from lambda_invoke.errors import FunctionError, PayloadDecodingError
    from lambda_invoke.once.store import Lock, Name, Store
    from lambda_invoke.results import Invocation

FUNCTION_SECONDS = 915.0
"""How long a function may still be running after a request for it was sent, in seconds: it runs for at
most 900 s (AWS quota, 2026-11), and is started first."""

DEFAULT_TTL = 3600.0
"""Seconds that a result is kept, as Powertools' ``expires_after_seconds``."""

_DEFAULT_THROTTLE_SECONDS = 60.0
_LONGEST = 10 * 366 * 86400.0


@attrs.frozen
class Settings:
    """How a key is treated: the arguments of ``once`` by their names."""

    key: str = attrs.field(repr=False)
    store: Any = None
    ttl: float = DEFAULT_TTL
    lock_seconds: float | None = None
    concurrent: Literal["wait", "raise"] = "wait"
    on_error: Literal["release", "keep"] = "release"
    key_in: str | None = None
    key_as: Literal["durable_execution_name"] | None = None
    key_prefix: str | None = None

    def checked(self, display: str) -> Settings:
        """These settings, if they can be.

        Raises:
            RequestError: one of them is wrong, or AWS Powertools is missing.
        """
        check_key(self.key, display)
        for name, seconds in (("ttl", self.ttl), ("lock_seconds", self.lock_seconds)):
            try:
                check_seconds(name, seconds)
            except ValueError as error:
                raise RequestError(str(error), function=display) from None
            if name == "ttl" and seconds is None:
                raise RequestError("ttl is a positive number of seconds, not None", function=display)
            if seconds is not None and seconds > _LONGEST:
                raise RequestError(f"{name} is ten years at most, not {seconds!r} s", function=display)
        for name, value, allowed in (
            ("concurrent", self.concurrent, ("wait", "raise")),
            ("on_error", self.on_error, ("release", "keep")),
            ("key_as", self.key_as, (None, "durable_execution_name")),
        ):
            if value not in allowed:
                choice = " or ".join(repr(one) for one in allowed)
                raise RequestError(f"{name} is {choice}, not {value!r}", function=display)
        if self.key_prefix == "":
            raise RequestError("key_prefix is empty; None stands for the function", function=display)
        check_store(self.store)
        return self


@attrs.frozen
class Job:
    """One ``once``: the call to make, and the key it is made for."""

    settings: Settings
    call: Call[Invocation[Any]]
    tenant_id: str | None
    response: Any
    error_types: Mapping[str, type[FunctionError]]
    redact_remote: bool
    deadline: float | None
    call_seconds: float
    """How long the call may take: nothing is sent after that."""
    lock_seconds: float
    service: Callable[[str], Any]
    layers: dict[Any, Any]
    token: str = attrs.field(factory=lambda: uuid.uuid4().hex)

    @property
    def display(self) -> str:
        """The function as the caller named it."""
        return self.call.request.display

    @property
    def idempotent(self) -> bool:
        """Whether the caller says that running it twice does no harm."""
        return self.call.idempotent

    def open(self) -> Store:
        """The store."""
        belongs_to = scope(self.display, self.settings.key_prefix)
        return open_store(self.settings.store, belongs_to, self.service, self.layers)

    def name_in(self, store: Store) -> Callable[[], Name]:
        """What makes the name of the key and its payload: large ones take a while to hash."""
        key = identity(self.settings.key, self.tenant_id)
        return lambda: store.name(key, comparable(self.call.request.payload))

    def lock(self, name: Name, wall: float) -> Lock:
        """The lock of a call that begins now."""
        from lambda_invoke.once.store import Lock

        owner = f"{socket.gethostname()}:{os.getpid()}"
        until = wall + self.lock_seconds
        return Lock(
            name,
            Envelope(kinds.LOCK, self.token, owner, wall, name.payload_hash),
            until,
            # Powertools takes a record whose expiry has passed for gone, whatever its lock says.
            math.ceil(max(until, wall + self.settings.ttl)) + 1,
        )

    def expires(self, wall: float) -> int:
        """When a result that is stored now goes."""
        return math.ceil(wall + self.settings.ttl)

    def result(self, lock: Lock, invocation: Invocation[Any]) -> Envelope:
        """What is stored of a result."""
        return attrs.evolve(
            lock.envelope,
            kind=kinds.RESULT,
            payload=invocation.payload,
            request_id=invocation.request_id,
            executed_version=invocation.executed_version,
            status_code=invocation.status_code,
            durable_execution_arn=invocation.durable_execution_arn,
        )

    def undecoded(self, lock: Lock, error: PayloadDecodingError) -> Envelope:
        """What is stored of a result that was not of the type that was asked for."""
        return attrs.evolve(
            lock.envelope, kind=kinds.RESULT, payload=error.payload, request_id=error.request_id
        )

    def failure(self, lock: Lock, error: FunctionError) -> Envelope:
        """What is stored of a function's error that is kept."""
        return attrs.evolve(
            lock.envelope,
            kind=kinds.ERROR,
            payload=error.raw_payload,
            request_id=error.request_id,
            executed_version=error.executed_version,
            function_error=error.function_error,
        )


def prepare(
    caller: Caller,
    function: str,
    payload: object,
    *,
    qualifier: str | None,
    options: Options,
    terms: Terms,
    settings: Settings,
    service: Callable[[str], Any],
    layers: dict[Any, Any],
) -> Job:
    """The job of one ``once``.

    Raises:
        RequestError: it cannot be done as asked; nothing was sent, and no key taken.
    """
    checked = settings.checked(parse_target(function, qualifier).display)
    if checked.key_as is not None:
        if options.durable_execution_name is not None:
            raise RequestError(
                "key_as='durable_execution_name' names the execution by the key; durable_execution_name "
                "cannot be given as well",
                function=function,
            )
        options = attrs.evolve(options, durable_execution_name=checked.key)
    if checked.key_in is not None:
        payload = put_key(payload, checked.key_in, checked.key, function=function)
    call = caller.invocation(function, payload, qualifier=qualifier, options=options, terms=terms)
    settled = terms.over(caller.terms)
    call_seconds, lock_seconds = times(settled, call.timeout, checked.lock_seconds)
    return Job(
        checked,
        call,
        options.tenant_id,
        options.response,
        caller.error_types if options.error_types is None else options.error_types,
        caller.redact_remote,
        settled.deadline,
        call_seconds,
        lock_seconds,
        service,
        layers,
    )


def times(terms: Terms, timeout: float | None, lock_seconds: float | None) -> tuple[float, float]:
    """How long a call may take, and how long its key is locked, in seconds.

    Nothing is sent after the former, and what was sent last may run for :data:`FUNCTION_SECONDS` more,
    whatever the client's own timeout: so long is the default lock. A ``lock_seconds`` of the caller's
    bounds the call as well; that it leaves the function time to run is the caller's to know.
    """
    call_seconds = terms.deadline
    if call_seconds is None:
        policy = terms.retry
        assert policy is not None
        throttled = policy.throttle_timeout
        call_seconds = (timeout or FUNCTION_SECONDS) + (
            _DEFAULT_THROTTLE_SECONDS if throttled is None else throttled
        )
    if lock_seconds is None:
        return call_seconds, call_seconds + FUNCTION_SECONDS
    return min(call_seconds, lock_seconds), lock_seconds


def forget(
    function: str,
    qualifier: str | None,
    *,
    key: str,
    store: Any,
    key_prefix: str | None,
    tenant_id: str | None,
    service: Callable[[str], Any],
    layers: dict[Any, Any],
) -> Callable[[], bool]:
    """What frees a key, and says whether it was there; blocking.

    Raises:
        RequestError: it cannot be done as asked.
    """
    display = parse_target(function, qualifier).display
    Settings(key, store, key_prefix=key_prefix).checked(display)

    def work() -> bool:
        opened = open_store(store, scope(display, key_prefix), service, layers)
        return opened.forget(opened.name(identity(key, tenant_id), {}).record)

    return work
