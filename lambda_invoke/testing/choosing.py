"""Which rule or handler has a call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.target import Target, parse_target
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.testing.differences import nearest
from lambda_invoke.testing.errors import UnscriptedCallError
from lambda_invoke.testing.hold import Hold
from lambda_invoke.testing.matching import ANYTHING
from lambda_invoke.testing.rules import Rule, Service, checked_handler, is_about
from lambda_invoke.testing.running import Behaviour, Runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.testing.records import CallRecord

MAX_TIMEOUT = 900.0
"""Seconds. AWS quota, 2026-11: a function runs for at most 15 minutes."""


@attrs.frozen
class Registered:
    """A function with a handler. ``timeout`` and ``takes`` are in seconds."""

    target: Target
    runs: Runs
    timeout: float
    takes: float
    version: str | None


@attrs.frozen
class Choice:
    """What becomes of one attempt: what holds it up, and then what it meets.

    ``service`` is what Lambda or the network does with it, ``function`` what runs if it gets that far.
    """

    takes: float
    holds: tuple[Hold, ...] = ()
    service: Service | None = None
    function: Behaviour | None = None
    registered: Registered | None = None

    @property
    def timeout(self) -> float:
        """The function's own timeout."""
        return MAX_TIMEOUT if self.registered is None else self.registered.timeout


class Script:
    """The rules and handlers of one fake. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rules: list[Rule] = []
        self._functions: list[Registered] = []
        self.unscripted: list[UnscriptedCallError] = []

    def add_rule(self, function: str, payload: object, qualifier: str | None) -> Rule:
        """A new rule, which comes before the older ones."""
        rule = Rule(parse_target(function, qualifier), payload, self._lock)
        with self._lock:
            self._rules.append(rule)
        return rule

    def add_function(
        self, function: str, handler: Callable[..., Any], timeout: float, takes: float, version: str | None
    ) -> None:
        """A handler, in the place of an older one of the same name and qualifier."""
        if not 0 < timeout <= MAX_TIMEOUT:
            raise ValueError(f"timeout must be over 0 and at most {MAX_TIMEOUT:g} seconds, not {timeout!r}")
        if not takes >= 0:
            raise ValueError(f"a call takes 0 or more seconds, not {takes!r}")
        made = Registered(parse_target(function), Runs(checked_handler(handler)), timeout, takes, version)
        with self._lock:
            self._functions = [one for one in self._functions if one.target != made.target]
            self._functions.append(made)
            # a handler of one qualifier comes before the one of all
            self._functions.sort(key=lambda one: one.target.qualifier is None)

    def choose(self, call: CallRecord, *, running: bool = False) -> Choice:
        """What becomes of an attempt, or (``running``) of a run of an Event that was accepted.

        Events and dry runs use up no step that is about the function's own doing.

        Raises:
            UnscriptedCallError: nothing is scripted for the call.
        """
        runs_now = running or call.invocation_type is InvocationType.REQUEST_RESPONSE
        with self._lock:
            registered = next((one for one in self._functions if is_about(one.target, call)), None)
            takes: float | None = None
            holds: list[Hold] = []
            for rule in [rule for rule in reversed(self._rules) if rule.matches(call)]:
                step = rule.current()
                if step is None and rule.has_steps:
                    continue  # used up
                takes = rule.latency if takes is None else takes
                if step is None:
                    rule.matched()
                    continue
                does = step.does
                if isinstance(does, Behaviour):
                    step.used += runs_now
                    return _chosen(takes, holds, registered, function=does)
                if running:
                    continue
                step.used += 1
                if isinstance(does, Hold):
                    holds.append(does)
                    continue
                return _chosen(takes, holds, registered, service=does)
            if registered is None and not running:
                raise self._unscripted(call)
        return _chosen(takes, holds, registered)

    def _unscripted(self, call: CallRecord) -> UnscriptedCallError:
        about = [rule for rule in self._rules if rule.about(call)]
        lines = [f"FakeLambda knows no answer to {call.line().rpartition(' -> ')[0]}"]
        if about:
            lines += ["scripted for this function:", *(f"  {rule}" for rule in about)]
        else:
            names = [one.target.display for one in self._functions] + [str(rule) for rule in self._rules]
            lines += ["scripted:", *(f"  {name}" for name in names)] if names else ["nothing is scripted"]
        near = [rule for rule in about if not (callable(rule.payload) or rule.payload is ANYTHING)]
        differs = nearest((rule.payload, call.payload) for rule in near if not rule.matches(call))
        if differs:
            lines += ["the nearest payload differs (- scripted, + sent):", *(f"  {line}" for line in differs)]
        error = UnscriptedCallError("\n".join(lines))
        self.unscripted.append(error)
        return error

    def unused(self) -> list[str]:
        """The rules, or parts of them, that nothing has used."""
        with self._lock:
            return [f"{rule}: {', '.join(left)}" for rule in self._rules if (left := rule.unused())]

    @property
    def names(self) -> list[str]:
        """The functions that it knows, as they were named."""
        with self._lock:
            targets = [one.target for one in self._functions] + [rule.target for rule in self._rules]
            return list(dict.fromkeys(target.display for target in targets))


def _chosen(
    takes: float | None,
    holds: list[Hold],
    registered: Registered | None,
    *,
    service: Service | None = None,
    function: Behaviour | None = None,
) -> Choice:
    """A choice; what nothing is scripted for is the registered function's."""
    if registered is not None:
        takes = registered.takes if takes is None else takes
        function = function or registered.runs
    return Choice(takes or 0.0, tuple(holds), service, function, registered)
