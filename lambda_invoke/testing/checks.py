"""What a fake's calls are checked for, and the words in which a check fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.core.target import parse_target
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.testing.matching import ANYTHING, Having, describe, diff, matches
from lambda_invoke.testing.rules import is_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambda_invoke.testing.records import CallRecord

_MOST_SHOWN = 10


def selected(
    calls: Sequence[CallRecord],
    function: str,
    *,
    payload: object = ANYTHING,
    qualifier: str | None = None,
    invocation_type: InvocationType | str | None = None,
    client_context: object = ANYTHING,
    tenant_id: str | None = None,
) -> list[CallRecord]:
    """The calls that are so; arguments as of ``FakeLambda.assert_invoked``."""
    target = parse_target(function, qualifier)
    kind = None if invocation_type is None else InvocationType(invocation_type)
    return [
        call
        for call in calls
        if is_about(target, call)
        and matches(call.payload, payload)
        and kind in {None, call.invocation_type}
        and matches(call.client_context, client_context)
        and tenant_id in {None, call.tenant_id}
    ]


def check_invoked(
    calls: Sequence[CallRecord],
    found: Sequence[CallRecord],
    function: str,
    payload: object,
    times: int | None,
) -> None:
    """Check the number of the calls that were found among all.

    Raises:
        AssertionError: there are none, or not ``times``.
    """
    if found if times is None else len(found) == times:
        return
    what = function if payload is ANYTHING else f"{function} with {describe(payload)}"
    wanted = "at least once" if times is None else _times(times)
    lines = [f"{what} was to be invoked {wanted} and was invoked {_times(len(found))}"]
    others = [call for call in selected(calls, function) if call not in found]
    if found:
        lines += ["these calls were so:", *_listed(found)]
    if others:
        lines += ["calls of it that were not so:", *_listed(others)]
        if not callable(payload) or isinstance(payload, Having):
            lines += _nearest(others, payload)
    elif not found:
        lines += ["calls that came:", *_listed(calls)] if calls else ["nothing was invoked"]
    raise AssertionError("\n".join(lines))


def check_not_invoked(calls: Sequence[CallRecord], function: str | None, payload: object) -> None:
    """Check that there are no such calls.

    Raises:
        AssertionError: there are.
    """
    found = calls if function is None else selected(calls, function, payload=payload)
    if found:
        what = "nothing" if function is None else function
        if payload is not ANYTHING:
            what += f" with {describe(payload)}"
        verb = "was to be invoked" if function is None else "was not to be invoked"
        raise AssertionError("\n".join([f"{what} {verb}, and these calls came:", *_listed(found)]))


def _nearest(calls: Sequence[CallRecord], payload: object) -> list[str]:
    """How the payload that comes nearest differs from what is wanted."""
    if payload is ANYTHING:
        return []
    differences = [diff(payload, call.payload) for call in calls if not matches(call.payload, payload)]
    if not differences:
        return []
    nearest = min(differences, key=lambda lines: sum(not line.startswith(" ") for line in lines))
    return ["the nearest payload differs (- wanted, + sent):", *(f"  {line}" for line in nearest)]


def _listed(calls: Sequence[CallRecord]) -> list[str]:
    lines = [f"  {number}. {call.line()}" for number, call in enumerate(calls[:_MOST_SHOWN], start=1)]
    more = len(calls) - _MOST_SHOWN
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _times(count: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")
