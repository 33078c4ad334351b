"""What Lambda does with a request, in this process."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.core.classify import classify
from lambda_invoke.core.codec_limits import DEFAULT_LIMITS
from lambda_invoke.core.function_errors import build_function_error
from lambda_invoke.core.transport import Answer, Failure, FailureKind, InvocationType, Refusal, Reply
from lambda_invoke.errors import AbandonedError, Executed
from lambda_invoke.local import log
from lambda_invoke.local.function import LATEST
from lambda_invoke.local.outcome import Answered
from lambda_invoke.testing.errors import FakeLambdaError, UnscriptedCallError
from lambda_invoke.testing.rules import Break
from lambda_invoke.testing.running import MEMORY_MB, Behaviour, Execution, FakeContext, execute

if TYPE_CHECKING:
    from collections.abc import Generator

    from lambda_invoke.core.transport import Request
    from lambda_invoke.testing.choosing import Choice, Script
    from lambda_invoke.testing.clock import VirtualClock
    from lambda_invoke.testing.hold import Hold
    from lambda_invoke.testing.records import AttemptRecord, CallRecord, Ledger

_EVENT_RETRY_DELAYS = (60.0, 120.0)
"""Seconds before each retry of a failed Event. Source: "Asynchronous invocation error handling", AWS
Lambda developer guide, 2026-11."""


class Service:
    """Answers requests by its script, and writes them down."""

    def __init__(
        self, script: Script, ledger: Ledger, clock: VirtualClock, *, defer_events: bool, event_retries: int
    ) -> None:
        self._script = script
        self._ledger = ledger
        self._clock = clock
        self._defer_events = defer_events
        self._event_retries = event_retries
        self._lock = threading.Lock()
        self._events: deque[tuple[CallRecord, str]] = deque()

    def exchange(
        self, request: Request, timeout: float | None, remaining: float | None, key: object = None
    ) -> Generator[Hold | None, None, Answer]:
        """One request; yields what it is held by, or None where others may have their turn.

        ``key`` is the same for the attempts of one call; default: the request itself.
        """
        clock = self._clock
        call, attempt = self._ledger.begin(request, id(request) if key is None else key, clock.now())
        outcome = AbandonedError.__name__
        try:
            answer = yield from self._answer(call, attempt, _nearest(timeout, remaining))
            outcome = outcome_of(answer, call)
        except UnscriptedCallError:
            outcome = "unscripted"
            raise
        finally:
            self._ledger.end(attempt, outcome, clock.now())
        return answer

    def _answer(
        self, call: CallRecord, attempt: AttemptRecord, bound: float | None
    ) -> Generator[Hold | None, None, Answer]:
        refusal = _refused_at_the_door(call, attempt.request_id)
        if refusal is not None:
            yield None
            return refusal
        clock = self._clock
        begun = clock.now()
        choice = self._script.choose(call)
        yield None
        if choice.holds and choice.service is None:
            attempt.executed = call.invocation_type is InvocationType.REQUEST_RESPONSE  # begun, and held
        yield from choice.holds
        answer = self._met(call, attempt, choice, bound)
        took = clock.now() - begun
        if bound is not None and took > bound and not _unreachable(choice):
            clock.set(begun + bound)
            return _late(bound)
        return answer

    def _met(self, call: CallRecord, attempt: AttemptRecord, choice: Choice, bound: float | None) -> Answer:
        service, clock = choice.service, self._clock
        if isinstance(service, Refusal):
            clock.advance(choice.takes)
            return _with_request_id(service, attempt.request_id)
        if isinstance(service, Break):
            if service.executes and call.invocation_type is not InvocationType.DRY_RUN:
                self._reached(call, attempt, choice)
            elif service.kind is not FailureKind.CONNECT:
                clock.advance(choice.takes)
            if service.kind is FailureKind.TIMEOUT:
                if bound is None:
                    raise FakeLambdaError(
                        f"{call.target} hangs, and its caller has neither timeout nor deadline"
                    )
                clock.advance(bound)
                return _late(bound)
            return Failure(service.kind, service.executed, service.message)
        return self._reached(call, attempt, choice)

    def _reached(self, call: CallRecord, attempt: AttemptRecord, choice: Choice) -> Reply:
        """The function is reached: it runs, or its Event is accepted."""
        version = _version(call, choice)
        if call.invocation_type is InvocationType.DRY_RUN:
            self._clock.advance(choice.takes)
            return Reply(204, request_id=attempt.request_id, executed_version=version)
        if call.invocation_type is InvocationType.EVENT:
            with self._lock:
                self._events.append((call, attempt.request_id))
            if not self._defer_events:
                self.run_events()
            return Reply(202, request_id=attempt.request_id)
        attempt.executed = True
        execution, context = self._run(call, attempt.request_id, choice, version)
        verdict = execution.verdict
        return Reply(
            200,
            verdict.payload,
            attempt.request_id,
            version,
            "Unhandled" if verdict.failed else None,
            log_result=log.tail(_log(execution, context).encode()) if call.log_tail else None,
        )

    def _run(
        self, call: CallRecord, request_id: str, choice: Choice, version: str
    ) -> tuple[Execution, FakeContext]:
        context = FakeContext(
            call.function,
            version,
            call.qualifier,
            request_id,
            self._clock,
            choice.timeout,
            call.client_context,
            call.tenant_id,
        )
        behaviour = choice.function or _NOTHING
        execution = execute(behaviour, call.body, context, takes=choice.takes, timeout=choice.timeout)
        return execution, context

    def run_events(self) -> int:
        """Run what was accepted, until nothing waits; how many Events there were."""
        count, clock = 0, self._clock
        while True:
            with self._lock:
                if not self._events:
                    return count
                call, request_id = self._events.popleft()
            count += 1
            here = clock.now()
            self._run_event(call, request_id)
            clock.set(here)  # Lambda runs it beside its caller

    def _run_event(self, call: CallRecord, request_id: str) -> None:
        for retry in range(self._event_retries + 1):
            choice = self._script.choose(call, running=True)
            execution, _ = self._run(call, request_id, choice, _version(call, choice))
            verdict = execution.verdict
            failed = verdict.failed
            call.runs.append(_error_name(call, verdict.payload, request_id) if failed else "ok")
            if not failed:
                return
            self._clock.advance(_EVENT_RETRY_DELAYS[min(retry, len(_EVENT_RETRY_DELAYS) - 1)])


class _Nothing(Behaviour):
    """A function of which only what Lambda or the network does is scripted."""

    def run(self, body: bytes | None, context: FakeContext) -> Answered:  # noqa: ARG002 - it is scripted
        """Lambda's reply to a handler that returns nothing."""
        return Answered(b"null", is_error=False, size=len(b"null"))


_NOTHING = _Nothing()


def _nearest(timeout: float | None, remaining: float | None) -> float | None:
    bounds = [bound for bound in (timeout, remaining) if bound is not None]
    return min(bounds, default=None)


def _late(bound: float) -> Failure:
    return Failure(FailureKind.TIMEOUT, Executed.UNKNOWN, f"no whole reply within {bound:.3g} s")


def _unreachable(choice: Choice) -> bool:
    return isinstance(choice.service, Break) and choice.service.kind is FailureKind.CONNECT


def _with_request_id(refusal: Refusal, request_id: str) -> Refusal:
    return attrs.evolve(refusal, request_id=request_id)


def _refused_at_the_door(call: CallRecord, request_id: str) -> Refusal | None:
    """What Lambda refuses of itself: payloads that are too large, or no JSON."""
    size, limit = len(call.body or b""), DEFAULT_LIMITS.of(call.invocation_type)
    if size > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        return Refusal(413, "RequestEntityTooLargeException", message, request_id)
    if isinstance(call.payload, bytes):
        message = "Could not parse request body into json: Could not parse payload into json"
        return Refusal(400, "InvalidRequestContentException", message, request_id)
    return None


def _version(call: CallRecord, choice: Choice) -> str:
    if choice.registered is not None and choice.registered.version is not None:
        return choice.registered.version
    return call.qualifier if call.qualifier is not None and call.qualifier.isdigit() else LATEST


def _log(execution: Execution, context: FakeContext) -> str:
    verdict, request_id = execution.verdict, context.aws_request_id
    arn = context.invoked_function_arn
    lines = log.TextLines(log.Origin(context.function_name, context.function_version, arn, "", MEMORY_MB))
    end = log.Ended(
        request_id,
        execution.duration,
        MEMORY_MB // 2,
        status=verdict.status,
        error_type=verdict.error_type,
        lines=verdict.log_lines,
    )
    return "\n".join([*lines.start(request_id), *context.logged, *lines.ended(end)]) + "\n"


def _error_name(call: CallRecord, payload: bytes, request_id: str) -> str:
    error = build_function_error(
        function=call.target,
        payload=payload,
        function_error="Unhandled",
        request_id=request_id,
        log=None,
        executed_version=None,
    )
    return type(error).__name__


def outcome_of(answer: Answer, call: CallRecord) -> str:
    """What the client makes of an answer: "ok", or the name of its error's class."""
    if not isinstance(answer, Reply):
        return type(classify(answer, call.request)).__name__
    if answer.function_error is None:
        return "ok"
    return _error_name(call, answer.body, answer.request_id or "")
