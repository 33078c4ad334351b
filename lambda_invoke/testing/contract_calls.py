"""The contract's tests of what a client over the transport returns and raises, and what that ran."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from lambda_invoke.core.retry import FullJitter, RetryPolicy
from lambda_invoke.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    Executed,
    FunctionNotFoundError,
    HandlerError,
    InvalidRequestError,
    LambdaInvokeError,
    ResponseTimeoutError,
    ServiceFaultError,
    ThrottledError,
    TruncatedResponseError,
)
from lambda_invoke.testing.contract_answers import LONG, SHORT
from lambda_invoke.testing.contract_cases import ERROR_MESSAGE, ERROR_TYPE, PATIENCE, Case, Suite, soon

QUICK = RetryPolicy(max_attempts=3, wait=FullJitter(initial=0.001, maximum=0.005))

ERRORS: dict[Case, tuple[type[LambdaInvokeError], Executed, int]] = {
    Case.HANDLER_ERROR: (HandlerError, Executed.YES, 1),
    Case.THROTTLED: (ThrottledError, Executed.NO, 0),
    Case.NOT_FOUND: (FunctionNotFoundError, Executed.NO, 0),
    Case.DENIED: (AccessDeniedError, Executed.NO, 0),
    Case.BAD_REQUEST: (InvalidRequestError, Executed.NO, 0),
    Case.FAULT: (ServiceFaultError, Executed.UNKNOWN, 0),
    Case.UNREACHABLE: (ConnectError, Executed.NO, 0),
    Case.DROPPED_BEFORE: (ConnectionLostError, Executed.UNKNOWN, 0),
    Case.DROPPED_AFTER: (ConnectionLostError, Executed.UNKNOWN, 1),
    Case.TRUNCATED: (TruncatedResponseError, Executed.UNKNOWN, 1),
    Case.HANGS: (ResponseTimeoutError, Executed.UNKNOWN, 1),
}
"""The error of each case, whether it says that the function ran, and how often it did."""


def _dry_run(function: str, client: Any) -> Any:
    return client.dry_run(function)


class CallTests(Suite):
    """Part of the contract."""

    def test_a_client_gets_the_result(self) -> None:
        """The value, with version and request id."""
        with self.made(Case.ECHO) as other:
            done = self.calls(other, lambda client: client.invoke(other.function, {"a": ["\u00e9", 1]}))
            assert done.value == {"a": ["\u00e9", 1]}
            assert done.request_id
            assert done.executed_version
            assert other.executions() == 1

    @pytest.mark.parametrize("case", list(ERRORS), ids=lambda case: str(case.value))
    def test_each_failure_has_its_error(self, case: Case) -> None:
        """Its class and ``executed`` are true of what the other side counted; one attempt is one request."""
        kind, executed, executions = ERRORS[case]
        timeout = SHORT if case is Case.HANGS else LONG
        with self.made(case) as other:
            error = self._fails(other, retry=RetryPolicy.never(), timeout=timeout)
            assert type(error) is kind
            assert error.executed is executed
            assert error.function == other.function
            assert len(error.attempts) == 1
            soon(lambda: other.executions() == executions)
            assert other.requests is None or other.requests() <= 1

    def test_a_handlers_error_has_its_type_and_message(self) -> None:
        """What the handler raised, as its runtime words it."""
        with self.made(Case.HANDLER_ERROR) as other:
            error = self._fails(other)
            assert isinstance(error, HandlerError)
            assert (error.error_type, error.error_message) == (ERROR_TYPE, ERROR_MESSAGE)

    @pytest.mark.parametrize("case", [Case.DROPPED_AFTER, Case.TRUNCATED], ids=lambda case: str(case.value))
    def test_what_may_have_run_is_not_sent_again(self, case: Case) -> None:
        """Three attempts are allowed, and one is made; an idempotent call makes them all."""
        with self.made(case) as other:
            error = self._fails(other, retry=QUICK)
            assert len(error.attempts) == other.executions() == 1
        with self.made(case) as other:
            error = self._fails(other, retry=QUICK, idempotent=True)
            assert len(error.attempts) == other.executions() == QUICK.max_attempts

    def test_what_did_not_run_is_sent_again(self) -> None:
        """A throttled call is tried until its time is up; nothing ran, and every attempt is one request."""
        policy = RetryPolicy(wait=FullJitter(initial=0.01, maximum=0.02), throttle_timeout=0.2)
        with self.made(Case.THROTTLED) as other:
            if other.retry_after is not None:
                policy = RetryPolicy(wait=policy.wait, throttle_timeout=2 * other.retry_after + 0.2)
            error = self._fails(other, retry=policy)
            assert isinstance(error, ThrottledError)
            assert len(error.attempts) > 1
            assert other.executions() == 0
            assert other.requests is None or other.requests() == len(error.attempts)

    def test_a_deadline_bounds_the_call(self) -> None:
        """It passes in flight: the attempt says UNKNOWN, and nothing follows it."""
        with self.made(Case.HANGS) as other:
            deadline = SHORT
            error = self._fails(other, retry=QUICK, deadline=deadline, idempotent=True)
            while error.executed is Executed.NO and deadline < PATIENCE:
                deadline *= 2  # a busy machine: it passed before anything was sent
                error = self._fails(other, retry=QUICK, deadline=deadline, idempotent=True)
            assert isinstance(error, ResponseTimeoutError | DeadlineExceededError)
            assert error.executed is Executed.UNKNOWN
            assert len(error.attempts) == 1
            assert error.attempts[0].duration < deadline + PATIENCE  # on the client's clock
            soon(lambda: other.executions() == 1)

    def test_an_event_is_handed_over(self) -> None:
        """Accepted, with the id that its outcome will name."""
        with self.made(Case.ECHO) as other:
            accepted = self.calls(other, lambda client: client.invoke_event(other.function, {"n": 1}))
            assert accepted.request_id
            assert accepted.executed is Executed.UNKNOWN
            soon(lambda: other.executions() == 1)

    def test_a_dry_run_is_allowed_or_not(self) -> None:
        """An answer either way, and nothing runs."""
        for case, allowed in ((Case.ECHO, True), (Case.DENIED, False)):
            with self.made(case) as other:
                answer = self.calls(other, partial(_dry_run, other.function))
                assert answer.allowed is allowed
                assert other.executions() == 0

    def test_many_items_each_have_an_outcome(self) -> None:
        """``fan_out`` over the transport runs each item once."""
        count = 40
        with self.made(Case.ECHO) as other:
            report = self.calls(
                other, lambda client: client.fan_out(other.function, range(count), concurrency=8)
            )
            assert sorted(report.values()) == list(range(count))
            assert other.executions() == count

    def _fails(self, other: Any, **options: Any) -> LambdaInvokeError:
        with pytest.raises(LambdaInvokeError) as caught:
            self.calls(other, lambda client: client.invoke(other.function, other.payload, **options))
        return caught.value
