"""The plan as tables: answers in, steps out. No client, no mock, no sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState, stop_after_attempt, stop_after_delay, stop_before_delay, wait_fixed

from lambda_invoke.core.plan import Call, Course, Send, Sleep, given_up, plan
from lambda_invoke.core.retry import FullJitter, RetryBudget, RetryPolicy
from lambda_invoke.core.transport import (
    Answer,
    Failure,
    FailureKind,
    InvocationType,
    Refusal,
    Reply,
    Request,
)
from lambda_invoke.errors import (
    AbandonedError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    Executed,
    FunctionNotReadyError,
    HandlerError,
    LambdaInvokeError,
    NotSentError,
    ResponseTimeoutError,
    ServiceFaultError,
    ThrottledError,
)
from lambda_invoke.results import Attempt, RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = Reply(200, b"{}", "id")
REFUSED = Failure(FailureKind.CONNECT, Executed.NO, "refused")
LOST = Failure(FailureKind.LOST, Executed.UNKNOWN, "reset")
TIMED_OUT = Failure(FailureKind.TIMEOUT, Executed.UNKNOWN, "no reply")
THROTTLED = Refusal(429, "TooManyRequestsException", "Rate Exceeded.", reason="CallerRateLimitExceeded")
NOT_READY = Refusal(409, "SnapStartNotReadyException")
FAULT = Refusal(500, "ServiceException")
BROKEN_ZIP = Refusal(502, "InvalidZipFileException")


@attrs.define
class Ran:
    """What came of a plan that was fed with answers."""

    steps: list[Send | Sleep]
    result: Any = None
    error: LambdaInvokeError | None = None
    clock: float = 0.0

    @property
    def sends(self) -> int:
        return sum(isinstance(step, Send) for step in self.steps)

    @property
    def sleeps(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Sleep)]


def run(
    answers: Iterable[Answer],
    *,
    policy: RetryPolicy | None = None,
    took: float = 0.0,
    random: float = 0.5,
    deadline: float | None = None,
    most: int = 10_000,
    **options: Any,
) -> Ran:
    """Feed a plan until it ends; every send takes ``took`` seconds, the last answer repeats."""
    ran = Ran([])
    request = options.pop("request", Request("reports", "reports:prod"))
    call: Call[Any] = Call(
        request,
        RetryPolicy() if policy is None else policy,
        options.pop("build", lambda reply, attempts: (reply, attempts)),
        started=0.0,
        expires=deadline,
        **options,
    )
    steps = plan(call, now=lambda: ran.clock, random=lambda: random)
    given_answers = list(answers)
    answer: Answer | None = None
    for _ in range(most):
        try:
            step = steps.send(answer)
        except StopIteration as done:
            ran.result = done.value
            return ran
        except LambdaInvokeError as error:
            ran.error = error
            return ran
        ran.steps.append(step)
        if isinstance(step, Send):
            ran.clock += took if step.remaining is None else min(took, step.remaining)
            answer = given_answers.pop(0) if len(given_answers) > 1 else given_answers[0]
        else:
            ran.clock += step.seconds
            answer = None
    raise AssertionError("the plan does not end")


def test_a_reply_is_the_result() -> None:
    """One send, no sleep; the result is what build makes of reply and history."""
    ran = run([OK], timeout=3.0)
    assert ran.steps == [Send(3.0, None)]
    reply, attempts = ran.result
    assert reply is OK
    assert [(a.number, a.outcome, a.executed, a.delay) for a in attempts] == [(1, "ok", Executed.YES, None)]


@pytest.mark.parametrize(
    ("answer", "error", "executed", "sends", "idempotent_sends"),
    [
        (REFUSED, ConnectError, Executed.NO, 3, 3),
        (LOST, ConnectionLostError, Executed.UNKNOWN, 1, 3),
        (TIMED_OUT, ResponseTimeoutError, Executed.UNKNOWN, 1, 3),
        (FAULT, ServiceFaultError, Executed.UNKNOWN, 1, 3),
        (BROKEN_ZIP, LambdaInvokeError, Executed.NO, 1, 1),
        (Refusal(599, "NobodyListedThis"), ServiceFaultError, Executed.UNKNOWN, 1, 3),
    ],
)
def test_what_is_sent_again(
    answer: Answer,
    error: type[LambdaInvokeError],
    executed: Executed,
    sends: int,
    idempotent_sends: int,
) -> None:
    """NO is retried, UNKNOWN only if idempotent, what is permanent never."""
    ran = run([answer])
    assert isinstance(ran.error, error)
    assert (ran.error.executed, ran.sends) == (executed, sends)
    assert len(ran.error.attempts) == sends
    assert run([answer], idempotent=True).sends == idempotent_sends


@pytest.mark.parametrize("answer", [THROTTLED, NOT_READY])
def test_throttles_are_bounded_by_time_and_not_by_count(answer: Answer) -> None:
    """They outlast max_attempts, and end when the next wait would pass throttle_timeout."""
    policy = RetryPolicy(max_attempts=1, wait=wait_fixed(1), throttle_timeout=10)
    ran = run([answer], policy=policy)
    assert isinstance(ran.error, ThrottledError | FunctionNotReadyError)
    assert ran.sleeps == [1.0] * 10
    assert ran.error.executed is Executed.NO


def test_throttle_time_runs_from_the_first_throttle() -> None:
    """A long attempt before the first throttle does not use the time up."""
    policy = RetryPolicy(wait=wait_fixed(1), throttle_timeout=3)
    ran = run([TIMED_OUT, THROTTLED], policy=policy, took=100.0, idempotent=True)
    assert ran.sends == 3  # the first throttle is waited out; the second came 100 s later
    quick = run([TIMED_OUT, THROTTLED], policy=policy, took=0.0, idempotent=True)
    assert quick.sends == 1 + 4


def test_throttled_attempts_do_not_count_towards_max_attempts() -> None:
    """Three throttles and two refused connections leave a third counted attempt."""
    ran = run([THROTTLED, THROTTLED, THROTTLED, REFUSED, REFUSED, OK])
    assert ran.result is not None
    assert ran.sends == 6


def test_never_overrides_all() -> None:
    """One attempt, for throttles too, idempotent or not, opted in or not."""
    never = RetryPolicy.never()
    for answer in (THROTTLED, NOT_READY, REFUSED, FAULT):
        assert run([answer], policy=never, idempotent=True).sends == 1
    assert run([THROTTLED], policy=attrs.evolve(never, throttle_timeout=None)).sends == 1


@pytest.mark.parametrize(
    ("stop", "sends"),
    [
        (stop_after_attempt(2), 2),
        (stop_after_delay(3), 4),
        (stop_before_delay(3), 3),
        (stop_after_delay(100) | stop_after_attempt(4), 4),
        (None, 6),
    ],
)
def test_stop_is_ored_with_max_attempts(stop: Any, sends: int) -> None:
    """Tenacity's own stops work, on the plan's clock, composed as everywhere else."""
    policy = RetryPolicy(max_attempts=6, stop=stop, wait=wait_fixed(1))
    assert run([REFUSED], policy=policy).sends == sends


def test_stop_and_wait_see_what_tenacity_promises() -> None:
    """attempt_number, outcome, seconds_since_start, idle_for and upcoming_sleep are filled in."""
    seen: list[tuple[int, float | None, float, str]] = []

    def wait(state: RetryCallState) -> float:
        assert state.outcome is not None
        seen.append(
            (
                state.attempt_number,
                state.seconds_since_start,
                state.idle_for,
                type(state.outcome.exception()).__name__,
            )
        )
        return 2.0

    run([REFUSED], policy=RetryPolicy(max_attempts=3, wait=wait), took=1.0)
    assert seen == [
        (1, 1.0, 0.0, "ConnectError"),
        (2, 4.0, 2.0, "ConnectError"),
        (3, 7.0, 4.0, "ConnectError"),
    ]


@pytest.mark.parametrize(
    ("retry_after", "random", "expected"),
    [(None, 0.5, 0.05), (2.0, 0.0, 2.0), (2.0, 0.5, 2.05), (5000.0, 0.5, 60.05)],
)
def test_retry_after_is_honoured_capped_and_spread(
    retry_after: float | None, random: float, expected: float
) -> None:
    """The service's wait, capped, plus the backoff: those told the same second do not wake together."""
    policy = RetryPolicy(throttle_timeout=None, wait=FullJitter(0.1, 20))
    throttled = attrs.evolve(THROTTLED, retry_after=retry_after)
    assert run([throttled, OK], policy=policy, random=random).sleeps == [pytest.approx(expected)]


def test_a_retry_after_beyond_the_throttle_timeout_ends_the_call() -> None:
    """Nothing is gained by waiting for an answer that will be refused to wait for."""
    throttled = attrs.evolve(THROTTLED, retry_after=30.0)
    ran = run([throttled], policy=RetryPolicy(throttle_timeout=5))
    assert ran.steps == [Send(None, None)]
    assert isinstance(ran.error, ThrottledError)
    assert ran.error.retry_after == 30.0


def test_full_jitter_grows_and_is_capped() -> None:
    """Delays are a random share of initial * 2**n up to the maximum."""
    jitter = FullJitter(initial=0.1, maximum=1.0)
    assert [jitter.delay(n, lambda: 1.0) for n in range(1, 7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert jitter.delay(10_000, lambda: 1.0) == 1.0
    assert [jitter.delay(n, lambda: 0.0) for n in (1, 5)] == [0.0, 0.0]


def test_the_deadline_is_told_to_every_send_and_never_passed() -> None:
    """Remaining shrinks; when the next wait would pass the deadline the call ends at once."""
    policy = RetryPolicy(wait=wait_fixed(2), throttle_timeout=None)
    ran = run([THROTTLED], policy=policy, deadline=7.5, took=1.0)
    assert [step.remaining for step in ran.steps if isinstance(step, Send)] == [7.5, 4.5, 1.5]
    assert isinstance(ran.error, DeadlineExceededError)
    assert ran.error.executed is Executed.NO
    assert isinstance(ran.error.__cause__, ThrottledError)
    assert [a.delay for a in ran.error.attempts] == [2.0, 2.0, None]


def test_a_deadline_that_passed_while_queueing_sends_nothing() -> None:
    """A job's item whose turn came too late: executed NO, no attempt."""
    ran = run([OK], deadline=-1.0)
    assert ran.steps == []
    assert isinstance(ran.error, DeadlineExceededError)
    assert (ran.error.executed, ran.error.attempts) == (Executed.NO, ())


def test_an_attempt_cut_by_the_deadline_is_a_timeout_with_unknown_outcome() -> None:
    """It was sent: the error says so, and an idempotent call is not sent beyond its deadline."""
    ran = run([TIMED_OUT], deadline=5.0, took=10.0, idempotent=True)
    assert isinstance(ran.error, ResponseTimeoutError)
    assert (ran.error.executed, ran.sends) == (Executed.UNKNOWN, 1)


def test_queueing_past_the_deadline_is_not_a_connect_error() -> None:
    """A transport that found no free connection in time: DeadlineExceededError, NO, not retried."""
    ran = run([Failure(FailureKind.QUEUE, Executed.NO, "no free connection")], deadline=5.0, took=5.0)
    assert type(ran.error) is DeadlineExceededError
    assert (ran.error.executed, ran.sends) == (Executed.NO, 1)


def test_an_earlier_unknown_attempt_makes_the_whole_call_unknown() -> None:
    """A refused last attempt does not unsay that the first may have run."""
    ran = run([TIMED_OUT, REFUSED], idempotent=True)
    assert isinstance(ran.error, ConnectError)
    assert ran.error.executed is Executed.UNKNOWN
    assert [a.executed for a in ran.error.attempts] == [Executed.UNKNOWN, Executed.NO, Executed.NO]


def _fails_with(error_type: str) -> Any:
    def build(reply: Reply, attempts: tuple[Attempt, ...]) -> Any:
        raise HandlerError(remote=RemoteError(error_type, "m"), function="reports:prod")

    return build


def test_function_errors_are_sent_again_only_when_opted_in_by_type() -> None:
    """retry_on names remote types or classes; nothing else that ran is sent again."""
    build = _fails_with("Flaky")
    assert run([OK], build=build).sends == 1
    assert run([OK], build=build, idempotent=True).sends == 1
    assert run([OK], build=build, policy=RetryPolicy(retry_on=["Other"])).sends == 1
    ran = run([OK], build=build, policy=RetryPolicy(retry_on="Flaky"))
    assert ran.sends == 3
    assert run([OK], build=build, policy=RetryPolicy(retry_on=[HandlerError])).sends == 3
    assert ran.error is not None
    assert ran.error.executed is Executed.YES


def test_the_budget_ends_retries_and_successes_refill_it() -> None:
    """With too few tokens a failed call is raised after one attempt; throttles never draw on it."""
    budget = RetryBudget(capacity=10, cost=5, refund=1)
    assert run([REFUSED], budget=budget).sends == 3
    assert budget.tokens == 0
    assert run([REFUSED], budget=budget).sends == 1
    assert run([THROTTLED, THROTTLED, OK], budget=budget).sends == 3
    assert budget.tokens == 1
    for _ in range(20):
        run([OK], budget=budget)
    assert budget.tokens == 10


def test_every_attempt_is_observed_with_the_wait_that_follows() -> None:
    """The hook sees each attempt once, in order, with its outcome, code, reason and delay."""
    seen: list[Attempt] = []
    run([THROTTLED, REFUSED, OK], observe=seen.append, policy=RetryPolicy(wait=wait_fixed(1)))
    assert [(a.number, a.outcome, a.code, a.reason, a.delay) for a in seen] == [
        (1, "ThrottledError", "TooManyRequestsException", "CallerRateLimitExceeded", 1.0),
        (2, "ConnectError", None, None, 1.0),
        (3, "ok", None, None, None),
    ]


@pytest.mark.parametrize(
    ("kind", "executed"),
    [
        (InvocationType.REQUEST_RESPONSE, Executed.YES),
        (InvocationType.EVENT, Executed.UNKNOWN),
        (InvocationType.DRY_RUN, Executed.NO),
    ],
)
def test_an_accepted_attempt_says_what_its_kind_can(kind: InvocationType, executed: Executed) -> None:
    """A 202 is acceptance, a 204 runs nothing."""
    ran = run([OK], request=Request("f", "f", invocation_type=kind))
    assert ran.result[1][0].executed is executed


def test_a_dry_run_never_ran_whatever_happens() -> None:
    """A reset in mid-reply of a dry run: executed NO."""
    ran = run([LOST], request=Request("f", "f", invocation_type=InvocationType.DRY_RUN))
    assert ran.error is not None
    assert ran.error.executed is Executed.NO


def test_giving_up_says_where_the_call_stood() -> None:
    """Not sent: NO. In flight: UNKNOWN. Backing off after a throttle: NO, with the history."""
    call: Call[Any] = Call(Request("f", "f"), RetryPolicy(), lambda reply, attempts: reply, started=0.0)
    error = given_up(call, 1.0)
    assert (type(error), error.executed) == (NotSentError, Executed.NO)
    steps = plan(call, now=lambda: 0.0, random=lambda: 0.5)
    next(steps)
    error = given_up(call, 1.0)
    assert (type(error), error.executed) == (AbandonedError, Executed.UNKNOWN)
    assert [(made.outcome, made.duration) for made in error.attempts] == [("AbandonedError", 1.0)]
    unsent = given_up(call, 1.0, unsent=True)
    assert (type(unsent), unsent.executed, unsent.attempts) == (NotSentError, Executed.NO, ())
    assert isinstance(steps.send(THROTTLED), Sleep)
    error = given_up(call, 1.0)
    assert (type(error), error.executed, len(error.attempts)) == (NotSentError, Executed.NO, 1)


ANSWERS = st.sampled_from([OK, REFUSED, LOST, TIMED_OUT, THROTTLED, NOT_READY, FAULT, BROKEN_ZIP])


@given(
    answers=st.lists(ANSWERS, min_size=1, max_size=30),
    random=st.floats(0, 1, exclude_max=True),
    took=st.floats(0, 5),
    deadline=st.none() | st.floats(0.01, 30),
    max_attempts=st.integers(1, 5),
    idempotent=st.booleans(),
)
def test_laws(
    answers: list[Answer],
    random: float,
    took: float,
    deadline: float | None,
    max_attempts: int,
    idempotent: bool,
) -> None:
    """Whatever comes, the promises hold.

    Delay ≤ cap; counted attempts ≤ max; nothing sent after the deadline; UNKNOWN never retried
    unless idempotent; the history is whole.
    """
    course = Course()
    policy = RetryPolicy(max_attempts=max_attempts, throttle_timeout=20, wait=FullJitter(0.1, 3))
    ran = run(
        [*answers, OK],
        policy=policy,
        random=random,
        took=took,
        deadline=deadline,
        idempotent=idempotent,
        course=course,
    )
    assert all(0 <= delay <= 3 for delay in ran.sleeps)
    made = course.attempts if ran.error is not None else list(ran.result[1])
    assert len(made) == ran.sends
    assert [a.number for a in made] == list(range(1, len(made) + 1))
    by_time = {"ThrottledError", "FunctionNotReadyError"}
    assert sum(a.outcome not in by_time for a in made) <= max_attempts
    for step in ran.steps:
        assert not isinstance(step, Send) or step.remaining is None or step.remaining > 0
    for attempt in made[:-1]:
        assert attempt.executed is Executed.NO or idempotent
    if deadline is not None and ran.error is None:
        assert ran.clock <= deadline + 1e-9
