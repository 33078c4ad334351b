"""Versions, aliases and event configurations that a template has as resources of their own.

Source: "AWS::Lambda::Version", "AWS::Lambda::Alias" and "AWS::Lambda::EventInvokeConfig", AWS
CloudFormation template reference, 2026-11. Versions are numbered in the template's order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.local.definition import DefinitionError
from lambda_invoke.local.function import Alias
from lambda_invoke.local.intrinsics import MalformedTemplate, Unresolvable, as_text
from lambda_invoke.local.references import ALIAS_TYPE, EVENTS_TYPE, VERSION_TYPE
from lambda_invoke.local.sam_properties import Properties

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_invoke.local.function import Function
    from lambda_invoke.local.references import References


def publish(
    file: str,
    resources: Iterable[tuple[str, dict[str, Any]]],
    functions: dict[str, Function],
    references: References,
    warnings: list[str],
) -> None:
    """Give the functions what these resources say; those of functions that are not served are passed over.

    Raises:
        DefinitionError: one that is wrong.
    """
    of_type: dict[str, list[tuple[str, dict[str, Any]]]] = {VERSION_TYPE: [], ALIAS_TYPE: [], EVENTS_TYPE: []}
    for logical_id, resource in resources:
        of_type[resource["Type"]].append((logical_id, resource))
    for kind, found in of_type.items():  # an alias needs its version
        for logical_id, resource in found:
            place = f"{file}: {logical_id}"
            try:
                name = references.function_of(logical_id)
                if name in functions:
                    properties = resource["Properties"]
                    functions[name] = _with(
                        kind, logical_id, properties, functions[name], references, place, warnings
                    )
            except Unresolvable as reason:
                warnings.append(f"{place} is left out: {reason}")
            except (MalformedTemplate, ValueError) as error:
                raise DefinitionError(f"{place}: {error}") from error


def _with(
    kind: str,
    logical_id: str,
    properties: dict[str, Any],
    function: Function,
    references: References,
    place: str,
    warnings: list[str],
) -> Function:
    if kind == VERSION_TYPE:
        number = references.attribute(logical_id, "Version")
        return attrs.evolve(function, versions={**function.versions, number: function.handler})
    if kind == ALIAS_TYPE:
        resolved = references.resolver.resolve(properties)
        name = as_text(resolved.get("Name"))
        return attrs.evolve(function, aliases={**function.aliases, name: _alias(resolved)})
    events = Properties(place, properties, references.resolver, warnings).events()
    return attrs.evolve(function, events=events)


def _alias(properties: dict[str, Any]) -> Alias:
    routing = properties.get("RoutingConfig") or {}
    weights = routing.get("AdditionalVersionWeights", []) if isinstance(routing, dict) else None
    if not isinstance(weights, list) or not all(isinstance(each, dict) for each in weights):
        raise MalformedTemplate("RoutingConfig: AdditionalVersionWeights must be a list of tables")
    shares = {
        as_text(each.get("FunctionVersion")): float(as_text(each.get("FunctionWeight"))) for each in weights
    }
    description = as_text(properties.get("Description", ""))
    return Alias(as_text(properties.get("FunctionVersion")), weights=shares, description=description)
