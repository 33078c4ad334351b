"""The way of one call, as a generator that does no I/O and reads no clock.

It yields :class:`Send` and :class:`Sleep`, is sent what the transport brought, and returns the
result or raises. It owns attempts, deadline, backoff and history; the two drivers
(:mod:`lambda_invoke.transports.drive`) only carry out what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

import attrs

from lambda_invoke.core.classify import classify
from lambda_invoke.core.retry import Random, RetryBudget, RetryPolicy, backoff, retry_state
from lambda_invoke.core.service_errors import RetryKind, retry_kind
from lambda_invoke.core.transport import Answer, Failure, InvocationType, Refusal, Reply, Request
from lambda_invoke.errors import (
    AbandonedError,
    DeadlineExceededError,
    Executed,
    LambdaInvokeError,
    NotSentError,
    ServiceError,
    ThrottledError,
)
from lambda_invoke.results import Attempt

R = TypeVar("R")


@attrs.frozen
class Send:
    """Send the request once. ``timeout`` and ``remaining`` as in Transport.send, in seconds."""

    timeout: float | None
    remaining: float | None


@attrs.frozen
class Sleep:
    """Wait that many seconds."""

    seconds: float


Step = Send | Sleep
Plan = Generator[Step, Answer | None, R]


@attrs.define
class Course:
    """How far a call has come, for whoever has to give it up: see :func:`given_up`."""

    attempts: list[Attempt] = attrs.field(factory=list)
    sending_since: float | None = None


@attrs.frozen
class Call(Generic[R]):
    """One call: what to send, its terms, and how a reply becomes a result.

    ``started`` is when the caller asked, ``expires`` when the deadline passes, both on the clock
    of ``now``. ``build`` makes the result of a reply and the history, or raises. ``observe`` is
    told each attempt as it ends.
    """

    request: Request
    policy: RetryPolicy
    build: Callable[[Reply, tuple[Attempt, ...]], R]
    started: float
    expires: float | None = None
    timeout: float | None = None
    idempotent: bool = False
    budget: RetryBudget | None = None
    observe: Callable[[Attempt], None] | None = None
    course: Course = attrs.field(factory=Course)


def plan(call: Call[R], *, now: Callable[[], float], random: Random) -> Plan[R]:
    """Carry out a call.

    Returns:
        What ``call.build`` made of the reply.

    Raises:
        LambdaInvokeError: the call failed; ``attempts`` holds the history.
    """
    history = call.course.attempts
    retries: _Retries | None = None  # most calls need none
    last: LambdaInvokeError | None = None
    while True:
        begun = now()
        remaining = None if call.expires is None else call.expires - begun
        if remaining is not None and remaining <= 0:
            raise _deadline_exceeded(call, last) from last
        call.course.sending_since = begun
        answer = yield Send(call.timeout, remaining)
        assert answer is not None
        ended = now()
        attempt = _attempt(call, answer, begun, ended)
        try:
            if not isinstance(answer, Reply):
                raise classify(answer, call.request)
            result = call.build(answer, (*history, attempt))
        except LambdaInvokeError as error:
            retries = retries or _Retries(call, random)
            delay = retries.delay(error, answer, len(history) + 1, ended)
            _record_failure(call, attempt, error, delay)
            if retries.out_of_time:
                raise _deadline_exceeded(call, error) from error
            if delay is None:
                raise
            last = error
        else:
            if call.budget is not None:
                call.budget.deposit()
            if call.observe is not None:
                call.observe(attempt)
            return result
        yield Sleep(delay)


_RAN = {
    InvocationType.REQUEST_RESPONSE: Executed.YES,
    InvocationType.EVENT: Executed.UNKNOWN,  # accepted, which is all that a 202 says
    InvocationType.DRY_RUN: Executed.NO,
}


def _attempt(call: Call[R], answer: Answer, begun: float, ended: float) -> Attempt:
    """The record of an attempt, as if it had brought the result."""
    answered = None if isinstance(answer, Failure) else answer
    return Attempt(
        function=call.request.display,
        number=len(call.course.attempts) + 1,
        started=begun - call.started,
        duration=ended - begun,
        outcome="ok",
        executed=_RAN[call.request.invocation_type],
        request_id=None if answered is None else answered.request_id,
        status_code=None if answered is None else answered.status_code,
    )


def _record_failure(call: Call[R], attempt: Attempt, error: LambdaInvokeError, delay: float | None) -> None:
    """Add a failed attempt to the history, the history to its error, and tell the observer."""
    attempt = attrs.evolve(
        attempt,
        outcome=type(error).__name__,
        executed=error.executed,
        code=error.code if isinstance(error, ServiceError) else None,
        reason=error.reason if isinstance(error, ThrottledError) else None,
        delay=delay,
    )
    history = call.course.attempts
    history.append(attempt)
    call.course.sending_since = None  # not before: who gives the call up now must find the one or the other
    error.attempts = tuple(history)
    # An earlier attempt of an idempotent call may have run although the last one did not.
    error.executed = worst(made.executed for made in history)
    if call.observe is not None:
        call.observe(attempt)


def given_up(
    call: Call[R], now: float, *, unsent: bool = False, doubt: bool = False, why: str | None = None
) -> LambdaInvokeError:
    """The error of a call that was given up, wherever it stood at ``now``.

    ``unsent``: it stood in a send, of which the transport says that nothing was sent. ``why`` is said
    in place of where it stood, when it was not its caller that gave it up. ``doubt``: it may have been
    sent since anybody looked.
    """
    begun = now if doubt and call.course.sending_since is None else call.course.sending_since
    attempts = list(call.course.attempts)
    if begun is not None and not unsent:
        attempts.append(
            Attempt(
                function=call.request.display,
                number=len(attempts) + 1,
                started=begun - call.started,
                duration=now - begun,
                outcome=AbandonedError.__name__,
                executed=Executed.UNKNOWN,
            )
        )
    executed = worst(made.executed for made in attempts)
    kind: type[LambdaInvokeError] = AbandonedError
    if len(attempts) > len(call.course.attempts):
        message = "given up while in flight"
    elif attempts:
        message = f"given up while backing off after {attempts[-1].outcome}"
    else:
        message = "given up before it was sent"
    if executed is Executed.NO:
        kind = NotSentError
    return kind(
        message if why is None else why,
        function=call.request.display,
        request_id=attempts[-1].request_id if attempts else None,
        executed=executed,
        attempts=attempts,
    )


def worst(executed: Iterable[Executed]) -> Executed:
    """What is to be said of several attempts together: YES over UNKNOWN over NO."""
    seen = set(executed)
    return next((one for one in (Executed.YES, Executed.UNKNOWN) if one in seen), Executed.NO)


class _Retries:
    """Decides, after each failed attempt of one call, whether and when it is sent again."""

    def __init__(self, call: Call[Any], random: Random) -> None:
        self._call = call
        self._random = random
        self._counted = 0
        self._slept = 0.0
        self._throttled_since: float | None = None
        self.out_of_time = False
        """Whether there would have been another attempt, but for the deadline."""

    def delay(self, error: LambdaInvokeError, answer: Answer, attempts: int, ended: float) -> float | None:
        """Seconds until the next attempt, or None: no further one."""
        call, policy = self._call, self._call.policy
        kind = RetryKind.TRANSIENT if policy.opted_in(error) else retry_kind(error)
        by_time = kind in {RetryKind.THROTTLED, RetryKind.NOT_READY}
        if not by_time:
            self._counted += 1
        retryable = (
            by_time or kind is RetryKind.TRANSIENT or (kind is RetryKind.UNKNOWN_OUTCOME and call.idempotent)
        )
        if not retryable or not policy.enabled:
            return None
        if call.expires is not None and ended >= call.expires:
            self.out_of_time = by_time
            return None
        state = retry_state(
            started=call.started, ended=ended, attempts=attempts, slept=self._slept, error=error
        )
        retry_after = answer.retry_after if isinstance(answer, Refusal) else None
        delay = backoff(policy, state, retries=attempts, retry_after=retry_after, random=self._random)
        if by_time:
            allowed = self._throttle_allows(ended, delay)
        else:
            state.attempt_number = self._counted
            state.upcoming_sleep = delay
            allowed = self._counted < policy.max_attempts and not (policy.stop and policy.stop(state))
        if not allowed:
            return None
        if call.expires is not None and ended + delay >= call.expires:
            self.out_of_time = True
            return None
        if not by_time and call.budget is not None and not call.budget.withdraw():
            return None
        self._slept += delay
        return delay

    def _throttle_allows(self, ended: float, delay: float) -> bool:
        timeout = self._call.policy.throttle_timeout
        if self._throttled_since is None:
            self._throttled_since = ended
        return timeout is None or ended + delay - self._throttled_since <= timeout


def _deadline_exceeded(call: Call[R], last: LambdaInvokeError | None) -> DeadlineExceededError:
    assert call.expires is not None
    allowed = call.expires - call.started
    if last is None:
        message = f"the deadline of {allowed:.3g} s passed before anything was sent"
    else:
        message = (
            f"the deadline of {allowed:.3g} s leaves no time for another attempt after {type(last).__name__}"
        )
    return DeadlineExceededError(
        message,
        function=call.request.display,
        request_id=None if last is None else last.request_id,
        executed=Executed.NO if last is None else last.executed,
        attempts=call.course.attempts,
    )
