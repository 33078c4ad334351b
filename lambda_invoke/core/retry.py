"""When a call is sent again: the policy, the backoff and the budget.

The policy is built of tenacity's own ``stop`` and ``wait`` objects, so a caller composes them as
everywhere else. tenacity's loops are not used; the plan (:mod:`lambda_invoke.core.plan`) consults
these objects.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeGuard

import attrs
from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_random_exponential

from lambda_invoke.errors import FunctionError, LambdaInvokeError

if TYPE_CHECKING:
    from tenacity.stop import stop_base

Random = Callable[[], float]
"""Gives a float in [0, 1), as ``random.random`` does."""


class FullJitter(wait_base):
    """Exponential backoff with full jitter: a random share of ``initial * 2**retries``.

    ``initial`` and ``maximum`` are seconds. The plan hands it the client's own ``random``; used as
    a tenacity wait (``FullJitter() + wait_fixed(1)``) it draws as ``wait_random_exponential`` does.

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter"; the SDK reference guide's
    standard mode caps the delay at 20 seconds.
    """

    def __init__(self, initial: float = 0.1, maximum: float = 20.0) -> None:
        if not (0 <= initial <= maximum) or math.isinf(maximum):
            raise ValueError(f"FullJitter needs 0 <= initial <= maximum, got {initial!r} and {maximum!r}")
        self.initial = initial
        self.maximum = maximum

    def bound(self, retries: int) -> float:
        """The longest wait before retry number ``retries`` (from 1), in seconds."""
        # Past 2**64 the power says nothing more, and floats overflow at 2**1024.
        return min(self.maximum, self.initial * 2.0 ** min(retries - 1, 64))

    def delay(self, retries: int, random: Random) -> float:
        """The wait before retry number ``retries`` (from 1), in seconds."""
        return random() * self.bound(retries)

    def __call__(self, retry_state: RetryCallState) -> float:
        """The wait, as tenacity asks for it."""
        return wait_random_exponential(multiplier=self.initial, max=self.maximum)(retry_state)

    def __repr__(self) -> str:
        return f"FullJitter(initial={self.initial!r}, maximum={self.maximum!r})"


def _at_least_one(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{field.name} counts the first try, so it is an int of at least 1, not {value!r}")


AGES = 1e8
"""Seconds; longer bounds mean the same, and clocks and sockets do not take them."""


def not_ages(value: float | None) -> float | None:
    """A bound, cut down to :data:`AGES`; what is no number is left to the check that follows."""
    return AGES if _is_number(value) and value > AGES and value != math.inf else value


def check_seconds(name: str, value: float | None) -> None:
    """Refuse what cannot be a length of time.

    Raises:
        ValueError: not a positive, finite number of seconds.
    """
    if value is None:
        return
    if not _is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"{name} is a positive number of seconds or None, not {value!r}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _seconds(_: object, field: attrs.Attribute[Any], value: float | None) -> None:
    check_seconds(field.name, value)


def _not_negative(_: object, field: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not (_is_number(value) and 0 <= value < math.inf):
        raise ValueError(f"{field.name} is a number of seconds, zero or more, or None, not {value!r}")


def _names(value: Collection[str | type[FunctionError]]) -> tuple[str | type[FunctionError], ...]:
    return (value,) if isinstance(value, str | type) else tuple(value)


@attrs.frozen
class RetryPolicy:
    """When a failed call is sent again. Frozen; share it freely.

    Only an error whose ``executed`` is ``NO`` is retried, and an ``UNKNOWN`` one if the call is
    declared idempotent.

    - 429 and "not ready yet" are bounded by time: ``throttle_timeout`` seconds from the first of
      them (default 60; None: by the deadline alone). Inside ``map`` and ``fan_out`` the job's
      deadline alone bounds them.
    - Everything else is bounded by ``max_attempts`` (default 3, the first try included, throttled
      tries not counted) or-ed with ``stop`` (a tenacity stop), and draws on the client's budget.
    - ``wait`` is a tenacity wait, by default :class:`FullJitter`. A wait that the service asks for
      (``Retry-After``) is honoured up to ``max_retry_after`` seconds (default 60), with the backoff
      added on top so that waiters do not wake together.
    - ``timeout`` and ``deadline`` are seconds per attempt and for the whole call, when neither the
      call nor the handle says otherwise.
    - ``retry_on`` names remote error types (or FunctionError classes) that are sent again although
      the function ran; bounded like everything else.
    """

    max_attempts: int = attrs.field(default=3, validator=_at_least_one)
    stop: stop_base | Callable[[RetryCallState], bool] | None = None
    wait: wait_base | Callable[[RetryCallState], float] = attrs.field(factory=FullJitter)
    throttle_timeout: float | None = attrs.field(default=60.0, validator=_not_negative)
    max_retry_after: float = attrs.field(default=60.0, validator=_not_negative)
    timeout: float | None = attrs.field(default=None, converter=not_ages, validator=_seconds)
    deadline: float | None = attrs.field(default=None, converter=not_ages, validator=_seconds)
    retry_on: tuple[str | type[FunctionError], ...] = attrs.field(default=(), converter=_names)
    enabled: bool = True

    @classmethod
    def never(cls) -> RetryPolicy:
        """One attempt, whatever comes; also inside ``map`` and ``fan_out``."""
        return cls(max_attempts=1, throttle_timeout=0.0, enabled=False)

    def opted_in(self, error: LambdaInvokeError) -> bool:
        """Whether ``retry_on`` names this error."""
        return isinstance(error, FunctionError) and any(
            error.error_type == name if isinstance(name, str) else isinstance(error, name)
            for name in self.retry_on
        )


_RETRYING = Retrying()


def backoff(
    policy: RetryPolicy,
    state: RetryCallState,
    *,
    retries: int,
    retry_after: float | None,
    random: Random,
) -> float:
    """Seconds to wait before retry number ``retries``; never negative.

    With a ``Retry-After`` it is that (capped) plus the backoff, so that those who were told the
    same second do not come back together.
    """
    wait = policy.wait
    delay = wait.delay(retries, random) if isinstance(wait, FullJitter) else float(wait(state))
    if retry_after is not None:
        delay += min(retry_after, policy.max_retry_after)
    return max(0.0, delay)


def retry_state(
    *, started: float, ended: float, attempts: int, slept: float, error: Exception
) -> RetryCallState:
    """What tenacity's stop and wait objects look at, filled from the plan's own clock."""
    state = RetryCallState(_RETRYING, None, (), {})
    state.start_time = started
    state.attempt_number = attempts
    state.set_exception((type(error), error, error.__traceback__))
    state.outcome_timestamp = ended
    state.idle_for = slept
    return state


class RetryBudget:
    """Tokens that retries draw on, so that they cannot multiply an outage.

    One per client. A retry takes ``cost`` tokens, a success gives ``refund`` back, and with none
    left a failed call is not retried. 429s and "not ready yet" never draw on it. The defaults are
    those of the AWS SDKs' standard mode (500 tokens, 5 a retry, 1 back a success).
    """

    def __init__(self, capacity: int = 500, cost: int = 5, refund: int = 1) -> None:
        self.capacity = capacity
        self.cost = cost
        self.refund = refund
        self._tokens = capacity
        self._lock = threading.Lock()

    @property
    def tokens(self) -> int:
        """What is left."""
        return self._tokens

    def withdraw(self) -> bool:
        """Take the cost of one retry; False when there is too little left."""
        with self._lock:
            if self._tokens < self.cost:
                return False
            self._tokens -= self.cost
            return True

    def deposit(self) -> None:
        """Give back for a success."""
        if self._tokens < self.capacity:  # the common case takes no lock
            with self._lock:
                self._tokens = min(self.capacity, self._tokens + self.refund)

    def renew_lock(self) -> None:
        """After a fork: the lock may have been held by a thread that is not here."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"RetryBudget({self._tokens} of {self.capacity} tokens)"
