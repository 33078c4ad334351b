"""Faults that a caller orders for the next invocations, to see what their own code makes of them."""

from __future__ import annotations

import asyncio
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local.faults import ServiceFault, Throttled
from lambda_invoke.local.http_message import HttpResponse
from lambda_invoke.local.http_reply import Delivery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_STATUSES = frozenset(int(status) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)


@attrs.frozen(repr=False)
class Fault:
    """One way in which an invocation goes wrong. Made by its class methods, given to ``LocalLambda.inject``.

    Whether the function ran is part of each: ``throttle`` and ``status`` answer without running it,
    ``delay``, ``truncate`` and ``slow`` run it, ``drop`` does as it is told.
    """

    _text: str
    throttles: bool = False
    refusal: ServiceFault | None = None
    headers: dict[str, str] = attrs.field(factory=dict)
    seconds: float = 0.0
    executes: bool = True
    after_executing: bool = False
    delivery: Delivery | None = None

    def __repr__(self) -> str:
        return f"Fault.{self._text}"

    @classmethod
    def throttle(
        cls, reason: str = "ConcurrentInvocationLimitExceeded", *, retry_after: float | None = None
    ) -> Fault:
        """429 TooManyRequestsException, without running the function.

        ``reason`` is one of Lambda's ``ThrottleReason``, ``retry_after`` the seconds of ``Retry-After``.
        """
        if retry_after is not None and retry_after < 0:
            raise ValueError(f"retry_after must be 0 or more seconds, not {retry_after!r}")
        after = "" if retry_after is None else f", retry_after={retry_after!r}"
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return cls(
            f"throttle({reason!r}{after})",
            throttles=True,
            refusal=Throttled(reason),
            headers=headers,
            executes=False,
        )

    @classmethod
    def status(
        cls,
        code: int,
        error_code: str = "ServiceException",
        message: str = "The AWS Lambda service encountered an internal error.",
    ) -> Fault:
        """An error of the service with this HTTP status, without running the function.

        Raises:
            ValueError: ``code`` is not a status from 400 to 599.
        """
        if code not in _STATUSES:
            raise ValueError(f"code must be one of HTTP's statuses from 400 to 599, not {code!r}")
        refusal = ServiceFault(code, error_code, message)
        return cls(f"status({code!r}, {error_code!r})", refusal=refusal, executes=False)

    @classmethod
    def drop(cls, *, after_executing: bool = False) -> Fault:
        """The connection is closed without a byte of a reply, before the function runs or after."""
        return cls(
            f"drop(after_executing={after_executing!r})",
            executes=after_executing,
            delivery=Delivery(drop=True),
        )

    @classmethod
    def truncate(cls, bytes: int) -> Fault:  # noqa: A002 - what it is
        """The function runs, and the connection is closed after so many bytes of the reply's body."""
        if bytes < 0:
            raise ValueError(f"bytes must be 0 or more, not {bytes!r}")
        return cls(f"truncate({bytes!r})", delivery=Delivery(truncate=bytes))

    @classmethod
    def delay(cls, seconds: float, *, after_executing: bool = False) -> Fault:
        """The reply comes later by so many seconds, spent before the function runs or after."""
        if seconds < 0:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
        after = ", after_executing=True" if after_executing else ""
        return cls(f"delay({seconds!r}{after})", seconds=seconds, after_executing=after_executing)

    @classmethod
    def slow(cls, bytes_per_second: float) -> Fault:
        """The function runs, and the reply's body comes at this speed, a few bytes at a time."""
        if bytes_per_second <= 0:
            raise ValueError(f"bytes_per_second must be over 0, not {bytes_per_second!r}")
        return cls(f"slow({bytes_per_second!r})", delivery=Delivery(bytes_per_second=bytes_per_second))


class Injection:
    """What ``LocalLambda.inject`` ordered: ``used`` of its ``times`` were met, ``remaining`` are to come."""

    def __init__(self, fault: Fault, function: str | None, times: int) -> None:
        self.fault = fault
        self.function = function
        self._lock = threading.Lock()
        self._used = 0
        self._remaining = times

    @property
    def used(self) -> int:
        """How many invocations met it."""
        with self._lock:
            return self._used

    @property
    def remaining(self) -> int:
        """How many more will."""
        with self._lock:
            return self._remaining

    def take(self) -> bool:
        """Use it once; False when it is used up."""
        with self._lock:
            if not self._remaining:
                return False
            self._remaining -= 1
            self._used += 1
            return True

    def cancel(self) -> None:
        """Have no more invocations meet it."""
        with self._lock:
            self._remaining = 0

    def __repr__(self) -> str:
        of = "any function" if self.function is None else repr(self.function)
        return f"Injection({self.fault!r} for {of}, used {self.used}, remaining {self.remaining})"


class Injections:
    """The faults ordered from one endpoint, in their order. Used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[Injection] = []

    def add(self, fault: Fault, function: str | None, times: int) -> Injection:
        """Order a fault for the next ``times`` invocations.

        Raises:
            ValueError: ``times`` is less than 1.
        """
        if times < 1:
            raise ValueError(f"times must be 1 or more, not {times!r}")
        injection = Injection(fault, function, times)
        with self._lock:
            self._ordered.append(injection)
        return injection

    def clear(self) -> None:
        """Forget what is left."""
        with self._lock:
            for injection in self._ordered:
                injection.cancel()
            self._ordered.clear()

    def take(self, function: str) -> Fault | None:
        """The fault that an invocation of the function meets now."""
        if not self._ordered:
            return None
        with self._lock:
            for injection in self._ordered:
                if injection.function in (None, function) and injection.take():
                    self._ordered = [each for each in self._ordered if each.remaining]
                    return injection.fault
        return None


async def apply(fault: Fault, answer: Callable[[], Awaitable[HttpResponse]], request_id: str) -> HttpResponse:
    """The reply to an invocation that meets the fault; ``answer`` runs it."""
    if fault.refusal is not None:
        response = fault.refusal.response(request_id)
        return attrs.evolve(response, headers={**response.headers, **fault.headers})
    if not fault.executes:
        return HttpResponse(500, delivery=fault.delivery)
    if not fault.after_executing:
        await asyncio.sleep(fault.seconds)
    try:
        response = await answer()
    except ServiceFault as refusal:
        response = refusal.response(request_id)
    if fault.after_executing:
        await asyncio.sleep(fault.seconds)
    return attrs.evolve(response, delivery=fault.delivery)
