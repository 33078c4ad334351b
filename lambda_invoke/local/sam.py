"""Definitions in an AWS SAM or CloudFormation template: its functions that can run here.

Source: "AWS::Serverless::Function" and "Globals section of the AWS SAM template", AWS SAM developer
guide, 2026-11.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_invoke.local.definition import (
    ACCOUNT,
    REGION,
    Definition,
    DefinitionError,
    check_destinations,
    check_function,
)
from lambda_invoke.local.intrinsics import MalformedTemplate, Unresolvable, function_of
from lambda_invoke.local.references import (
    ALIAS_TYPE,
    EVENTS_TYPE,
    FUNCTION_TYPES,
    LAYER_TYPES,
    VERSION_TYPE,
    References,
)
from lambda_invoke.local.sam_destinations import leave_out_unserved
from lambda_invoke.local.sam_function import FunctionReader, SkippedFunction
from lambda_invoke.local.sam_published import publish
from lambda_invoke.local.template_text import read_template

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from lambda_invoke.local.function import Function

_UNRESERVED = 64
"""As ``LocalLambda`` has it: what is there for functions that reserve nothing."""


def load_sam(
    path: str | os.PathLike[str],
    *,
    parameters: Mapping[str, str] | None = None,
    region_name: str = REGION,
    account_id: str = ACCOUNT,
) -> dict[str, Function]:
    """The functions of an AWS SAM or CloudFormation template, by FunctionName, else by logical id.

    ``parameters`` are values for the template's parameters, and for pseudo parameters
    (``AWS::StackName`` is ``local``). Code is taken from CodeUri as it lies there, relative to the
    template, and run by this Python. Each function that cannot run here, and each value that is known
    only after a deployment, is left out with a :class:`DefinitionWarning`.

    Raises:
        DefinitionError: the template is wrong; the message names the resource, the property and the fix.
        LocalLambdaError: a handler is not where the template says, or PyYAML is not installed.
        OSError: it cannot be read.
    """
    definition = read_sam(
        Path(path), parameters=parameters or {}, region_name=region_name, account_id=account_id
    )
    definition.warn()
    return dict(definition.functions)


def read_sam(path: Path, *, parameters: Mapping[str, str], region_name: str, account_id: str) -> Definition:
    """The functions, and what was left out; raises as :func:`load_sam` does."""
    template = read_template(path)
    references = References(str(path), template, parameters, region_name, account_id)
    try:
        return _Template(path, template, references).read()
    except RecursionError:
        raise DefinitionError(f"{path}: its references lead back to themselves") from None


class _Template:
    def __init__(self, path: Path, template: Mapping[str, Any], references: References) -> None:
        self._path = path
        self._resources: dict[str, Any] = template["Resources"]
        self._references = references
        shared = template.get("Globals")
        self._globals = _table(
            f"{path}: Globals: Function", (_table(f"{path}: Globals", shared)).get("Function")
        )
        self._warnings: list[str] = []

    def read(self) -> Definition:
        layers = dict(self._layers())
        functions: dict[str, Function] = {}
        places: dict[str, str] = {}
        for logical_id, resource in self._of(FUNCTION_TYPES):
            place = f"{self._path}: {logical_id}"
            reader = FunctionReader(
                place,
                self._path.resolve().parent,
                self._properties(place, resource),
                self._references.resolver,
                layers,
                self._warnings,
                is_sam=resource["Type"] == FUNCTION_TYPES[0],
            )
            try:
                name = self._references.name(logical_id)
                function = reader.function()
            except SkippedFunction as reason:
                self._warnings.append(f"{place} is not served: {reason}")
                continue
            except Unresolvable as reason:
                raise DefinitionError(f"{place}: FunctionName: {reason}") from reason
            except MalformedTemplate as error:
                raise DefinitionError(f"{place}: {error}") from error
            if name in functions:
                raise DefinitionError(f"{place}: FunctionName: {name!r} is the name of {places[name]} too")
            check_function(place, name, function)
            functions[name], places[name] = function, place
        if not functions:
            reasons = "; ".join(self._warnings)
            raise DefinitionError(
                f"{self._path}: it defines no function that can run here. {reasons}".rstrip()
            )
        published = self._of((VERSION_TYPE, ALIAS_TYPE, EVENTS_TYPE))
        publish(str(self._path), published, functions, self._references, self._warnings)
        leave_out_unserved(places, functions, self._references.names, self._warnings)
        check_destinations(places, functions)
        return Definition(self._path, functions, _options(functions), tuple(self._warnings))

    def _of(self, types: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The resources of these types that the template's conditions have."""
        for logical_id, resource in self._resources.items():
            if str(logical_id).startswith("Fn::"):
                raise DefinitionError(
                    f"{self._path}: {logical_id}: what CloudFormation's language extensions make of it is "
                    "not known here: write the resources out"
                )
            if not isinstance(resource, dict):
                raise DefinitionError(f"{self._path}: {logical_id}: a resource is a table with a Type")
            if resource.get("Type") in types and self._is_there(logical_id, resource):
                yield logical_id, resource

    def _is_there(self, logical_id: str, resource: dict[str, Any]) -> bool:
        if "Condition" not in resource:
            return True
        try:
            return self._references.resolver.condition(str(resource["Condition"]))
        except MalformedTemplate as error:
            raise DefinitionError(f"{self._path}: {logical_id}: Condition: {error}") from error
        except Unresolvable as reason:
            self._warnings.append(
                f"{self._path}: {logical_id} is taken to be there: of its condition, {reason}"
            )
            return True

    def _properties(self, place: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Those of the resource over the Globals, unless it ignores them."""
        own = _table(f"{place}: Properties", resource.get("Properties"))
        ignored = resource.get("IgnoreGlobals") or []
        if resource["Type"] != FUNCTION_TYPES[0] or ignored == "*":
            return own
        if not isinstance(ignored, list):
            raise DefinitionError(f"{place}: IgnoreGlobals: must be '*' or a list of properties")
        merged: dict[str, Any] = merge({k: v for k, v in self._globals.items() if k not in ignored}, own)
        return merged

    def _layers(self) -> Iterator[tuple[str, list[str]]]:
        """The directories of each layer that lies here, by its ARN."""
        for logical_id, resource in self._of(LAYER_TYPES):
            properties = _table(f"{self._path}: {logical_id}: Properties", resource.get("Properties"))
            content = properties.get("ContentUri", properties.get("Content"))
            directory = self._path.resolve().parent / content if isinstance(content, str) else None
            if directory is None or not directory.is_dir():
                continue  # who uses it is warned
            built = isinstance(resource.get("Metadata"), dict) and "BuildMethod" in resource["Metadata"]
            try:
                arn = str(self._references.ref(logical_id))
            except Unresolvable:  # its name is not known, and so nobody's layer
                continue
            except MalformedTemplate as error:
                raise DefinitionError(f"{self._path}: {logical_id}: LayerName: {error}") from error
            yield arn, layer_path(directory, built=built)


def _table(place: str, value: Any) -> dict[str, Any]:
    """A table, which may be absent."""
    if value is None:
        return {}
    if not isinstance(value, dict) or function_of(value):
        raise DefinitionError(f"{place}: must be a table")
    return value


def layer_path(directory: Path, *, built: bool) -> list[str]:
    """What of a layer goes on ``sys.path``; ``built``: ``sam build`` would make its ``python`` directory.

    Source: "Packaging your layer content", AWS Lambda developer guide, 2026-11: ``python`` and
    ``python/lib/python3.x/site-packages``.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = [directory / "python" / "lib" / version / "site-packages", directory / "python"]
    found = [str(place) for place in places if place.is_dir()]
    return [*found, str(directory)] if built or not found else found


def merge(shared: Any, own: Any) -> Any:
    """Globals and a resource's own: tables are merged, lists are joined, anything else is replaced."""
    if isinstance(shared, list) and isinstance(own, list):
        return [*shared, *own]
    both_tables = isinstance(shared, dict) and isinstance(own, dict)
    if not both_tables or function_of(shared) or function_of(own):
        return own
    merged = dict(shared)
    for key, value in own.items():
        merged[key] = merge(shared[key], value) if key in shared else value
    return merged


def _options(functions: Mapping[str, Function]) -> dict[str, Any]:
    """Room for what the functions reserve: on AWS that is taken out of 1,000."""
    reserved = sum(function.reserved_concurrency or 0 for function in functions.values())
    return {"concurrency_limit": reserved + _UNRESERVED} if reserved else {}
