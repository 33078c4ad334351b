"""What a fake is told to do with calls: rules, keyed by function and payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs

from lambda_invoke.core.codec import encode_payload
from lambda_invoke.core.target import Target, parse_target
from lambda_invoke.core.transport import FailureKind, Refusal
from lambda_invoke.errors import Executed
from lambda_invoke.testing.hold import Hold
from lambda_invoke.testing.matching import describe, matches
from lambda_invoke.testing.running import Behaviour, Crashes, Raises, Returns, Runs, TimesOut

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from lambda_invoke.testing.records import CallRecord

THROTTLE_REASON = "ReservedFunctionConcurrentInvocationLimitExceeded"
"""The ``Reason`` of a 429 for the function's own concurrency limit."""


@attrs.frozen
class Break:
    """No whole answer comes. ``executes``: the function ran all the same."""

    kind: FailureKind
    executed: Executed
    executes: bool
    message: str


Service = Refusal | Break


@attrs.define
class Step:
    """One thing that a rule does, for so many calls (None: see :class:`Rule`)."""

    does: Service | Behaviour | Hold
    says: str
    times: int | None
    used: int = 0


class Rule:
    """What becomes of the calls of one function, with one kind of payload.

    Each method adds a step, and returns the rule. Steps come in their order: one with ``times`` stands
    for so many calls, one without for a single call, and the last one, without ``times``, for all that
    come after. A rule whose steps are all used up counts no more: the rules made before it, and then
    the function's handler, have the call. A rule of no steps but ``takes`` only slows them down.
    """

    def __init__(self, target: Target, payload: object, lock: threading.RLock) -> None:
        self.target = target
        self._payload = payload
        self._lock = lock
        self._steps: list[Step] = []
        self._matched = 0
        self.latency: float | None = None

    # What the function does.

    def returns(self, value: object = None, *, times: int | None = None) -> Self:
        """Answer with ``value``: anything that a payload may be; bytes go as they are.

        Raises:
            PayloadEncodingError: it has no JSON form.
        """
        body = encode_payload(value)
        return self._add(Returns(b"" if body is None else body), "returns", times)

    def runs(self, handler: Callable[..., Any], *, times: int | None = None) -> Self:
        """Call ``handler(event)`` or ``handler(event, context)``, in the thread of the call."""
        return self._add(Runs(checked_handler(handler)), f"runs {handler!r}", times)

    def raises(self, error: str | Exception, message: str = "", *, times: int | None = None) -> Self:
        """Fail as a handler does that raises: ``raises(ValueError("no"))`` or ``raises("ValueError", "no")``.

        The client raises a ``HandlerError``. Types of Lambda's own ("Runtime.ImportModuleError") give
        the errors that they give on AWS.
        """
        if isinstance(error, Exception):
            error, message = type(error).__name__, str(error)
        stack = () if "." in error else ('  File "/var/task/app.py", line 1, in handler\n    ...\n',)
        return self._add(Raises(error, message, stack), f"raises {error}", times)

    def times_out(self, after: float | None = None, *, times: int | None = None) -> Self:
        """The function runs into its own timeout, ``after`` seconds: a ``FunctionTimeoutError``."""
        return self._add(TimesOut(after), "times out", times)

    def crashes(self, code: int = 1, *, times: int | None = None) -> Self:
        """The function's process ends with this exit code (negative: a signal): a ``FunctionExitError``."""
        return self._add(Crashes(code), f"exits with {code}", times)

    def runs_out_of_memory(self, *, times: int | None = None) -> Self:
        """The function is killed for its memory."""
        return self._add(Crashes(None), "runs out of memory", times)

    # What Lambda does.

    def throttles(
        self,
        times: int | None = None,
        *,
        reason: str | None = THROTTLE_REASON,
        retry_after: float | None = None,
    ) -> Self:
        """Answer 429; nothing runs. ``retry_after`` is in seconds."""
        code = "TooManyRequestsException"
        refusal = Refusal(429, code, "Rate Exceeded.", reason=reason, retry_after=retry_after)
        return self._add(refusal, "throttles", times)

    def fails(
        self,
        status_code: int,
        code: str,
        message: str = "",
        *,
        retry_after: float | None = None,
        times: int | None = None,
    ) -> Self:
        """Answer with an error of the service, such as 404 ``ResourceNotFoundException``; nothing runs."""
        refusal = Refusal(status_code, code, message, retry_after=retry_after)
        return self._add(refusal, f"fails with {status_code} {code}", times)

    # What the network does.

    def drops(self, *, after_executing: bool = True, times: int | None = None) -> Self:
        """Lose the connection, before or after the function ran: the caller cannot tell which."""
        when = "after" if after_executing else "before"
        message = "the connection was lost before a reply came"
        step = Break(FailureKind.LOST, Executed.UNKNOWN, after_executing, message)
        return self._add(step, f"drops the connection {when} executing", times)

    def truncates(self, *, times: int | None = None) -> Self:
        """Run the function, and break its reply off."""
        step = Break(FailureKind.TRUNCATED, Executed.UNKNOWN, executes=True, message="the reply broke off")
        return self._add(step, "truncates the reply", times)

    def hangs(self, *, times: int | None = None) -> Self:
        """Run the function, and never answer: the caller's ``timeout`` or ``deadline`` passes."""
        step = Break(FailureKind.TIMEOUT, Executed.UNKNOWN, executes=True, message="no whole reply within ")
        return self._add(step, "hangs", times)

    def refuses_connections(self, *, times: int | None = None) -> Self:
        """There is no connection: nothing is sent."""
        message = "the connection was refused"
        step = Break(FailureKind.CONNECT, Executed.NO, executes=False, message=message)
        return self._add(step, "refuses connections", times)

    def holds(self, *, times: int | None = None) -> Hold:
        """Keep the calls in flight, their function begun, until the returned :class:`Hold` is released.

        Then the rules that were made before this one, or the function's handler, have the call.
        """
        hold = Hold()
        self._add(hold, "holds", times)
        return hold

    def takes(self, seconds: float) -> Self:
        """Let each call of this rule take so long, on the fake's clock.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if not seconds >= 0:
            raise ValueError(f"a call takes 0 or more seconds, not {seconds!r}")
        self.latency = seconds
        return self

    # What the fake asks.

    def _add(self, does: Service | Behaviour | Hold, says: str, times: int | None) -> Self:
        if times is not None and times < 1:
            raise ValueError(f"times is 1 or more, not {times!r}")
        with self._lock:
            self._steps.append(Step(does, says, times))
        return self

    def about(self, call: CallRecord) -> bool:
        """Whether the rule is about the function that is called."""
        return is_about(self.target, call)

    def matches(self, call: CallRecord) -> bool:
        """Whether the rule is about this call."""
        return self.about(call) and matches(call.payload, self._payload)

    def matched(self) -> None:
        """One more call came by."""
        self._matched += 1

    def current(self) -> Step | None:
        """What the rule does with the next call; None: nothing any more."""
        last = len(self._steps) - 1
        for place, step in enumerate(self._steps):
            limit = step.times if step.times is not None else (1 if place < last else None)
            if limit is None or step.used < limit:
                return step
        return None

    @property
    def has_steps(self) -> bool:
        """Whether it does more than slow calls down."""
        return bool(self._steps)

    @property
    def payload(self) -> object:
        """What payloads are compared with."""
        return self._payload

    @property
    def used(self) -> int:
        """How many calls it has had."""
        return sum(step.used for step in self._steps) if self._steps else self._matched

    def unused(self) -> list[str]:
        """Its steps that were to be used, and were not."""
        if not self._steps:
            return [] if self._matched else ["never matched"]
        return [
            f"{step.says}: used {step.used} of {step.times or 1} times"
            for step in self._steps
            if step.used < (step.times or 1)
        ]

    def __str__(self) -> str:
        """The rule with its payload, for failing checks."""
        does = ", then ".join(
            step.says if step.times is None else f"{step.says} {step.times} times" for step in self._steps
        )
        slow = f"takes {self.latency:g} s" if self.latency is not None else ""
        what = ", ".join(part for part in (slow, does) if part) or "does nothing yet"
        return f"{self.target.display}, {describe(self._payload)}: {what} (used {self.used} times)"

    def __repr__(self) -> str:
        steps = ", ".join(step.says for step in self._steps)
        return f"<Rule for {self.target.display}: {steps or 'no steps'}; used {self.used} times>"


def is_about(target: Target, call: CallRecord) -> bool:
    """Whether a call is one of ``target``, which may leave out qualifier, region and account."""
    called = parse_target(call.request.function, call.request.qualifier)
    if target.name != called.name:
        return False
    # A name alone does not say which account it is in; where both say, they must say the same.
    pairs = ((target.account, called.account), (target.region, called.region))
    if any(one is not None and other is not None and one != other for one, other in pairs):
        return False
    return target.qualifier is None or target.qualifier == (called.qualifier or "$LATEST")


def checked_handler(handler: object) -> Callable[..., Any]:
    """A handler, once it is known to be one.

    Raises:
        TypeError: it is no plain callable.
    """
    import inspect

    if not callable(handler):
        raise TypeError(
            f"a handler of FakeLambda is a callable, not {type(handler).__name__}; LocalLambda runs handlers "
            "by file or module"
        )
    if inspect.iscoroutinefunction(handler):
        raise TypeError("a Lambda handler is a plain function: Lambda's Python runtime awaits nothing")
    return handler
