"""Destinations of a template's functions that are functions which are not served here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local.faults import ServiceFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.local.function import Destination, Function
    from lambda_invoke.local.names import Names

_LAMBDA = "arn:aws:lambda:"


def leave_out_unserved(
    places: Mapping[str, str], functions: dict[str, Function], names: Names, warnings: list[str]
) -> None:
    """Take them away, each with a warning; ``places`` says where a function stands.

    Such a function may be of another runtime, stack, region or account: its template is right, and there is
    nothing here to deliver to.
    """
    for name, function in functions.items():
        events = function.events
        kept: dict[str, Destination | None] = {}
        for kind, destination in (("on_success", events.on_success), ("on_failure", events.on_failure)):
            elsewhere = _is_elsewhere(destination, functions, names)
            kept[kind] = None if elsewhere else destination
            if elsewhere:
                warnings.append(
                    f"{places[name]}: EventInvokeConfig: {kind} is left out: {destination} is not served here"
                )
        events = attrs.evolve(events, on_success=kept["on_success"], on_failure=kept["on_failure"])
        functions[name] = attrs.evolve(function, events=events)


def _is_elsewhere(destination: Destination | None, functions: Mapping[str, Function], names: Names) -> bool:
    if not isinstance(destination, str) or not destination.startswith(_LAMBDA):
        return False
    try:
        return names.split(destination)[0] not in functions
    except ServiceFault:
        return True
