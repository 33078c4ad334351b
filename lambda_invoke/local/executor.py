"""Runs one invocation from admission to Lambda's verdict: cold or warm, with both phases of an init."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local import log
from lambda_invoke.local.faults import Throttled
from lambda_invoke.local.function import InvocationRecord
from lambda_invoke.local.outcome import (
    Answered,
    Exited,
    InitOutcome,
    Ready,
    TimedOut,
    Verdict,
    judge,
    remote_error_type,
)
from lambda_invoke.local.stats import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.environment import Environment
    from lambda_invoke.local.outcome import Invocation, Outcome
    from lambda_invoke.local.pool import Pool
    from lambda_invoke.local.registry import Deployment, Registry

logger = logging.getLogger("lambda_invoke.local")

_KEPT_LOGS = 200
"""Invocations of a function whose logs are kept for ``LocalLambda.logs``."""


@attrs.frozen
class Execution:
    """What an invocation came to. Durations in seconds, memory in MB."""

    verdict: Verdict
    log: bytes = attrs.field(repr=False)
    duration: float
    init_duration: float | None
    max_memory_used: int


@attrs.frozen
class _Started:
    """An environment for one invocation. ``spent`` is what its init took of the function's timeout."""

    environment: Environment
    init: InitOutcome = attrs.field(factory=Ready)
    init_duration: float | None = None
    spent: float = 0.0


@attrs.frozen
class Begun:
    """An invocation that was admitted. ``warm`` has been handed it; None: it needs a cold start."""

    deployment: Deployment
    invocation: Invocation
    warm: Environment | None


class Executor:
    """Executes invocations on a pool's environments. Used on one event loop."""

    def __init__(
        self,
        registry: Registry,
        pool: Pool,
        *,
        init_timeout: float,
        on_invocation: Callable[[InvocationRecord], object] | None,
    ) -> None:
        self._pool = pool
        self._init_timeout = init_timeout
        self._on_invocation = on_invocation
        self.tallies = {name: Tally() for name in registry}
        self.logs: dict[str, deque[bytes]] = {name: deque(maxlen=_KEPT_LOGS) for name in registry}

    async def execute(self, deployment: Deployment, invocation: Invocation) -> Execution:
        """Run it.

        Raises:
            Throttled: as for ``begin``.
        """
        return await self.finish(self.begin(deployment, invocation))

    def begin(self, deployment: Deployment, invocation: Invocation) -> Begun:
        """Admit it, and hand it to a worker that is warm, where there is one. It is to be finished.

        Raises:
            Throttled: a concurrency limit is reached, or the function scales too fast; it does not run.
        """
        name = deployment.function_name
        admission = self._pool.admission
        warm = None
        try:
            admission.enter(name)
            try:
                warm = self._pool.take(deployment, invocation.tenant_id)
                if warm is None:
                    admission.start(name)
                else:
                    warm.begin(invocation, deployment.function.timeout)
            except BaseException:
                admission.leave(name)
                if warm is not None:
                    self._pool.retire(warm)
                raise
        except Throttled:
            self._throttled(deployment, invocation)
            raise
        self.tallies[name].began()
        return Begun(deployment, invocation, warm)

    def _throttled(self, deployment: Deployment, invocation: Invocation) -> None:
        name = deployment.function_name
        self.tallies[name].throttled()
        self._observe(
            InvocationRecord(
                name,
                deployment.version,
                invocation.request_id,
                invocation.invocation_type,
                "throttled",
                invocation.attempt,
                "TooManyRequestsException",
            )
        )

    async def finish(self, begun: Begun) -> Execution:
        """Run it to its end."""
        name = begun.deployment.function_name
        failed = True
        try:
            execution = await self._run(begun.deployment, begun.invocation, begun.warm)
            failed = execution.verdict.failed
        finally:
            self._pool.admission.leave(name)
            self.tallies[name].ended(failed=failed)
        self.logs[name].append(execution.log)
        if self._on_invocation is not None:
            self._observe(_record(begun.deployment, begun.invocation, execution))
        return execution

    def _observe(self, record: InvocationRecord) -> None:
        if self._on_invocation is None:
            return
        try:
            self._on_invocation(record)
        except Exception:
            logger.exception("on_invocation raised")

    async def _run(
        self, deployment: Deployment, invocation: Invocation, warm: Environment | None
    ) -> Execution:
        """``warm`` has been handed it already."""
        while True:
            if warm is not None:
                started = _Started(warm)
            else:
                started = await self._cold_start(deployment, invocation)
                if not isinstance(started.init, Ready):
                    return self._failed_init(started, started.init, invocation)
                started.environment.begin(invocation, max(deployment.function.timeout - started.spent, 0.0))
            outcome = await started.environment.outcome()
            await self._pool.release(started.environment)
            if warm is None or not isinstance(outcome, Exited) or outcome.delivered:
                return self._finish(started, outcome, invocation)
            # An idle worker had ended; the invocation did not run, so that it goes to another.
            warm = self._pool.take(deployment, invocation.tenant_id)
            if warm is not None:
                warm.begin(invocation, deployment.function.timeout)

    async def _cold_start(self, deployment: Deployment, invocation: Invocation) -> _Started:
        """Start an environment; an init that fails is done once more, as part of the invocation.

        Source: "Lambda execution environment lifecycle", AWS Lambda developer guide, 2026-11: the
        init phase has 10 seconds; when it fails, Lambda runs it again at the invocation, within
        the function's own timeout.
        """
        earlier = b""
        timeout = deployment.function.timeout
        for phase, limit in (("init", self._init_timeout), ("invoke", timeout)):
            self.tallies[deployment.function_name].cold_start()
            environment, outcome = await self._pool.launch(
                deployment, invocation.tenant_id, limit, earlier, phase=phase
            )
            if isinstance(outcome, Ready):
                if phase == "init":
                    return _Started(environment, outcome, init_duration=environment.duration)
                return _Started(environment, outcome, spent=environment.duration)
            status = "timeout" if isinstance(outcome, TimedOut) else "error"
            kind = _init_error_type(outcome, invocation)
            lines = environment.platform_lines.init_report(environment.duration, phase, status, kind)
            environment.log.lines(lines)
            earlier = environment.log.take()
        environment.log.write(earlier)
        return _Started(environment, outcome, spent=environment.duration)

    def _failed_init(self, started: _Started, outcome: Outcome, invocation: Invocation) -> Execution:
        environment = started.environment
        verdict = judge(outcome, invocation.request_id)
        if verdict.status is None:
            verdict = attrs.evolve(verdict, status="error", error_type=_init_error_type(outcome, invocation))
        environment.log.lines(environment.platform_lines.start(invocation.request_id))
        return self._execution(started, verdict, started.spent, invocation)

    def _finish(self, started: _Started, outcome: Outcome, invocation: Invocation) -> Execution:
        timeout = started.environment.deployment.function.timeout
        duration = started.spent + started.environment.duration
        if isinstance(outcome, TimedOut):
            outcome, duration = TimedOut(timeout), timeout
        return self._execution(started, judge(outcome, invocation.request_id), duration, invocation)

    def _execution(
        self, started: _Started, verdict: Verdict, duration: float, invocation: Invocation
    ) -> Execution:
        environment = started.environment
        function = environment.deployment.function
        memory = (
            function.memory_size
            if verdict.error_type == "Runtime.OutOfMemory"
            else environment.max_memory_used
        )
        ended = log.Ended(
            invocation.request_id,
            duration,
            memory,
            verdict.failed,
            started.init_duration,
            verdict.status,
            verdict.error_type,
            verdict.log_lines,
            len(verdict.payload),
        )
        environment.log.lines(environment.platform_lines.ended(ended))
        return Execution(verdict, environment.log.take(), duration, started.init_duration, memory)


def _init_error_type(outcome: InitOutcome, invocation: Invocation) -> str | None:
    match outcome:
        case Answered(payload=payload):
            return remote_error_type(payload)
        case Ready():
            return None
        case _:
            return judge(outcome, invocation.request_id).error_type


def _record(deployment: Deployment, invocation: Invocation, execution: Execution) -> InvocationRecord:
    failed = execution.verdict.failed
    return InvocationRecord(
        deployment.function_name,
        deployment.version,
        invocation.request_id,
        invocation.invocation_type,
        "failed" if failed else "succeeded",
        invocation.attempt,
        (remote_error_type(execution.verdict.payload) or execution.verdict.error_type) if failed else None,
        execution.duration,
        execution.init_duration,
        execution.max_memory_used,
        execution.log.decode("utf-8", "replace"),
    )
