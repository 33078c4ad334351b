"""What a fake's calls are checked for, and the words in which a check fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from lambda_invoke.core.target import Target, parse_target
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.testing.differences import nearest
from lambda_invoke.testing.matching import ANYTHING, Having, describe, matches, show
from lambda_invoke.testing.rules import is_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambda_invoke.testing.records import CallRecord

_MOST_SHOWN = 10


@attrs.frozen
class Wanted:
    """What a call is to be; arguments as of ``FakeLambda.assert_invoked``."""

    target: Target
    payload: object = attrs.field(default=ANYTHING, repr=False)
    invocation_type: InvocationType | None = None
    client_context: object = attrs.field(default=ANYTHING, repr=False)
    tenant_id: str | None = None

    @classmethod
    def of(
        cls,
        function: str,
        *,
        payload: object = ANYTHING,
        qualifier: str | None = None,
        invocation_type: InvocationType | str | None = None,
        client_context: object = ANYTHING,
        tenant_id: str | None = None,
    ) -> Wanted:
        """From what a caller gives."""
        kind = None if invocation_type is None else InvocationType(invocation_type)
        return cls(parse_target(function, qualifier), payload, kind, client_context, tenant_id)

    def among(self, calls: Sequence[CallRecord]) -> list[CallRecord]:
        """The calls that are so."""
        return [
            call
            for call in calls
            if is_about(self.target, call) and matches(call.payload, self.payload) and not self.lacks(call)
        ]

    def lacks(self, call: CallRecord) -> list[str]:
        """In what a call is another one, but for its function and its payload."""
        lacks = []
        if self.invocation_type not in {None, call.invocation_type}:
            lacks.append(f"it is of type {call.invocation_type.value}")
        if not matches(call.client_context, self.client_context):
            lacks.append(f"its client context is {show(call.client_context)}")
        if self.tenant_id not in {None, call.tenant_id}:
            lacks.append(f"its tenant id is {call.tenant_id!r}")
        if self.target.qualifier is not None and not is_about(self.target, call):
            lacks.append(f"its qualifier is {call.qualifier!r}")
        return lacks

    def any_qualifier(self) -> Wanted:
        """All calls of the function."""
        return Wanted(attrs.evolve(self.target, qualifier=None))

    def __str__(self) -> str:
        parts = []
        if self.payload is not ANYTHING:
            parts.append(describe(self.payload))
        if self.client_context is not ANYTHING:
            parts.append(describe(self.client_context, "client context"))
        if self.tenant_id is not None:
            parts.append(f"tenant id {self.tenant_id!r}")
        kind = "" if self.invocation_type is None else f" of type {self.invocation_type.value}"
        return f"{self.target.display}{kind}{' with ' if parts else ''}{' and '.join(parts)}"


def check_invoked(
    calls: Sequence[CallRecord], found: Sequence[CallRecord], wanted: Wanted, times: int | None
) -> None:
    """Check the number of the calls that were found among all.

    Raises:
        AssertionError: there are none, or not ``times``.
    """
    if found if times is None else len(found) == times:
        return
    number = "at least once" if times is None else _times(times)
    lines = [f"{wanted} was to be invoked {number} and was invoked {_times(len(found))}"]
    others = [call for call in wanted.any_qualifier().among(calls) if call not in found]
    if found:
        lines += ["these calls were so:", *_listed(found)]
    if others:
        lines += ["calls of it that were not so:", *_listed(others, wanted)]
        lines += _nearest(others, wanted.payload)
    elif not found:
        lines += ["calls that came:", *_listed(calls)] if calls else ["nothing was invoked"]
    raise AssertionError("\n".join(lines))


def check_not_invoked(calls: Sequence[CallRecord], function: str | None, payload: object) -> None:
    """Check that there are no such calls.

    Raises:
        AssertionError: there are.
    """
    wanted = None if function is None else Wanted.of(function, payload=payload)
    if wanted is not None:
        found = wanted.among(calls)
    else:
        found = [call for call in calls if matches(call.payload, payload)]
    if found:
        what = "nothing" if wanted is None else str(wanted)
        if wanted is None and payload is not ANYTHING:
            what += f" with {describe(payload)}"
        verb = "was to be invoked" if wanted is None else "was not to be invoked"
        raise AssertionError("\n".join([f"{what} {verb}, and these calls came:", *_listed(found)]))


def _nearest(calls: Sequence[CallRecord], payload: object) -> list[str]:
    """How the payload that comes nearest differs from what is wanted."""
    if payload is ANYTHING or (callable(payload) and not isinstance(payload, Having)):
        return []
    differs = nearest((payload, call.payload) for call in calls if not matches(call.payload, payload))
    head = ["the nearest payload differs (- wanted, + sent):"] if differs else []
    return [*head, *(f"  {line}" for line in differs)]


def _listed(calls: Sequence[CallRecord], wanted: Wanted | None = None) -> list[str]:
    lines = []
    for number, call in enumerate(calls[:_MOST_SHOWN], start=1):
        lacks = [] if wanted is None else wanted.lacks(call)
        lines.append(f"  {number}. {call.line()}{', but ' if lacks else ''}{' and '.join(lacks)}")
    more = len(calls) - _MOST_SHOWN
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _times(count: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")
