"""The states of functions, and what Lambda answers to who invokes one that is not active.

Source: "Lambda function states", AWS Lambda developer guide, 2026-11: only an active function can be
invoked; an invocation of an inactive one fails and makes it pending until its resources are there again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from lambda_invoke.local.faults import ServiceFault, conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambda_invoke.local.function import Function


@attrs.frozen
class State:
    """What GetFunction shows of it; ``reason`` and ``reason_code`` are None while it is active."""

    name: str
    reason: str | None = None
    reason_code: str | None = None

    def shown(self) -> dict[str, Any]:
        """The members of a FunctionConfiguration."""
        shown: dict[str, Any] = {"State": self.name}
        if self.reason_code is not None:
            shown |= {"StateReason": self.reason, "StateReasonCode": self.reason_code}
        return shown


ACTIVE: Final = State("Active")
_STATES: Final = {
    "Active": ACTIVE,
    "Pending": State("Pending", "The function is being created.", "Creating"),
    "Inactive": State("Inactive", "The function is currently idle.", "Idle"),
    "Failed": State("Failed", "The function could not be created.", "InternalError"),
}
_RESTORING: Final = State("Pending", "The function is being restored.", "Restoring")


class FunctionStates:
    """The state of each function since the endpoint was started; ``now`` is a clock in seconds."""

    def __init__(self, functions: Mapping[str, Function], now: Callable[[], float] = time.monotonic) -> None:
        self._functions = functions
        self._now = now
        self._states: dict[str, State] = {}
        self._pending_since: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """Put each function into the state that it was given, from now."""
        self._states = {name: _STATES[function.state] for name, function in self._functions.items()}
        self._pending_since = dict.fromkeys(self._functions, self._now())

    def of(self, name: str) -> State:
        """The state of a function now."""
        state = self._states[name]
        if (
            state.name == "Pending"
            and self._now() - self._pending_since[name] >= self._functions[name].pending_seconds
        ):
            state = self._states[name] = ACTIVE
        return state

    def check_invocable(self, name: str) -> None:
        """Let an invocation pass, or say why not; an inactive function becomes pending by it.

        Raises:
            ServiceFault: ResourceConflictException (409) while it is pending or when it has failed,
                ResourceNotReadyException (502) when it was inactive.
        """
        state = self.of(name)
        if state is ACTIVE:
            return
        if state.name == "Inactive":
            self._states[name], self._pending_since[name] = _RESTORING, self._now()
            raise ServiceFault(
                502,
                "ResourceNotReadyException",
                "The function is inactive and its VPC connection is no longer available. Wait for the VPC "
                "connection to reestablish and try again.",
            )
        raise conflict(
            "The operation cannot be performed at this time. The function is currently in the following "
            f"state: {state.name}"
        )

    def check_changeable(self, name: str, arn: str) -> None:
        """Let a change of the function pass unless it is pending.

        Raises:
            ServiceFault: ResourceConflictException (409).
        """
        state = self.of(name)
        if state.name == "Pending":
            raise conflict(
                f"The operation cannot be performed at this time. The resource {arn} is currently in the "
                f"following state: 'Pending'. StateReasonCode: '{state.reason_code}'"
            )
