"""What the scripted server answers and counts, with no sockets in it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from tests.support.steps import Call, Script, Step, callable_of, error, throttle

ControlPlane = Mapping[str, Any] | Callable[[Call], Step]


@attrs.define
class Counts:
    """What was counted of invocations. ``executions`` are bodies begun: Events too, dry runs never."""

    requests: int = 0
    executions: int = 0
    throttled: int = 0
    in_flight: int = 0
    max_in_flight: int = 0


class Endpoint:
    """The script, the limits, the control plane and the counters of a Lambda endpoint.

    Its state changes on one thread and may be read from any.
    """

    def __init__(
        self,
        script: Script,
        *,
        limit: int | None,
        limits: Mapping[str, int] | None,
        control_plane: ControlPlane | None,
        record: bool,
    ) -> None:
        self.limit = limit
        self.limits = dict(limits or {})
        self.counts = Counts()
        self.by_function: defaultdict[str, Counts] = defaultdict(Counts)
        self.calls: list[Call] = []
        self.control_calls: list[Call] = []
        self.control_requests = 0
        self.script_errors: list[Exception] = []
        self._script = callable_of(script)
        self._control_plane = control_plane
        self._record = record

    @property
    def requests(self) -> int:
        """Invocations read whole, whatever became of them."""
        return self.counts.requests

    @property
    def executions(self) -> int:
        """Function bodies begun."""
        return self.counts.executions

    @property
    def throttled(self) -> int:
        """Invocations refused by ``limit`` and ``limits`` (not those that a script throttled)."""
        return self.counts.throttled

    @property
    def in_flight(self) -> int:
        """Functions that execute now."""
        return self.counts.in_flight

    @property
    def max_in_flight(self) -> int:
        """The most functions that executed at a time."""
        return self.counts.max_in_flight

    def begin(self, call: Call) -> tuple[Call, Step]:
        if not call.function:
            return self._control(call)
        counts = self.by_function[call.function]
        for count in (self.counts, counts):
            count.requests += 1
        call = attrs.evolve(call, number=self.counts.requests)
        if self._record:
            self.calls.append(call)
        step = self._over_limit(call, counts) or self._ask(self._script, call)
        if call.invocation_type == "DryRun":
            step = attrs.evolve(step, executes=False)
        if step.executes:
            for count in (self.counts, counts):
                count.executions += 1
                count.in_flight += 1
                count.max_in_flight = max(count.max_in_flight, count.in_flight)
        return call, step

    def end(self, call: Call, step: Step) -> None:
        if call.function and step.executes:
            self.counts.in_flight -= 1
            self.by_function[call.function].in_flight -= 1

    def _over_limit(self, call: Call, counts: Counts) -> Step | None:
        reserved = self.limits.get(call.function)
        if reserved is not None and counts.in_flight >= reserved:
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
        elif self.limit is not None and self.counts.in_flight >= self.limit:
            reason = "ConcurrentInvocationLimitExceeded"
        else:
            return None
        self.counts.throttled += 1
        counts.throttled += 1
        return throttle(reason)

    def _control(self, call: Call) -> tuple[Call, Step]:
        self.control_requests += 1
        call = attrs.evolve(call, number=self.control_requests)
        if self._record:
            self.control_calls.append(call)
        answer: Any = self._control_plane
        if isinstance(answer, Mapping):
            by_path = {path.rstrip("/"): value for path, value in answer.items()}
            answer = by_path.get(call.path.rstrip("/"))
        if answer is None:
            return call, error(404, "ResourceNotFoundException", f"Nothing is scripted for {call.path}")
        if callable(answer):
            answer = self._ask(answer, call)
        if not isinstance(answer, Step):
            answer = Step(status=200, body=json.dumps(answer).encode())
        return call, answer

    def _ask(self, script: Callable[[Call], Step], call: Call) -> Step:
        try:
            return script(call)
        except Exception as exc:  # raised again by stop(), where the test sees it
            self.script_errors.append(exc)
            return error(500, "ServiceException", "the test's script raised")
