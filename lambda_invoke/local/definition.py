"""What a definition file comes to: functions, options of the endpoint, and what could not be had."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.warn import warn_caller
from lambda_invoke.local.destinations import check_service
from lambda_invoke.local.function import Function, LocalLambdaError
from lambda_invoke.local.registry import Registry

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from lambda_invoke.local.function import Destination

REGION = "us-east-1"
ACCOUNT = "000000000000"
"""What ARNs name where nothing else is said, as in ``LocalLambda``."""

TOML_SUFFIXES = (".toml",)
TEMPLATE_SUFFIXES = (".yaml", ".yml", ".json", ".template")


_SERVICE = re.compile(r"arn:[^:]*:(?!lambda:)")


class DefinitionError(LocalLambdaError):
    """A definition file is wrong; the message names the file, the place in it and the fix."""


class DefinitionWarning(UserWarning):
    """Something of a definition file cannot be had here and was left out."""


@attrs.frozen
class Definition:
    """The functions of one file by name, and what it says of the endpoint.

    ``options`` are arguments of ``LocalLambda``. ``warnings`` say what was left out, and why.
    """

    path: Path
    functions: Mapping[str, Function]
    options: Mapping[str, Any] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()

    def within_reach(self) -> Definition:
        """The same without destinations in real services, for an endpoint that has no ``services``.

        A template names what its deployment has; that it cannot be had here is a warning, not an error.
        """
        functions, warnings = {}, list(self.warnings)
        for name, function in self.functions.items():
            events = function.events
            settings = _destinations(function)
            kept = {kind: None if _is_service(to) else to for kind, to in settings.items()}
            functions[name] = attrs.evolve(
                function,
                events=attrs.evolve(events, on_success=kept["on_success"], on_failure=kept["on_failure"]),
                dead_letter=kept["dead_letter"],
            )
            warnings += [
                f"{self.path}: {kind} of function {name!r} is left out: {to} is a real service's, which this "
                "endpoint was not told how to reach (services=, or --services-endpoint)"
                for kind, to in settings.items()
                if kept[kind] is not to
            ]
        return attrs.evolve(self, functions=functions, warnings=tuple(warnings))

    def warn(self) -> None:
        """Give each of ``warnings`` as a :class:`DefinitionWarning` at the caller's line."""
        for text in self.warnings:
            warn_caller(text, DefinitionWarning)


def load_definition(
    path: str | os.PathLike[str],
    *,
    parameters: Mapping[str, str] | None = None,
    region_name: str | None = None,
    account_id: str | None = None,
) -> Definition:
    """Read a TOML file, or an AWS SAM or CloudFormation template, told apart by the file's suffix.

    ``parameters``, ``region_name`` and ``account_id`` are what a template's references resolve to.

    Raises:
        DefinitionError: the file is wrong, or of neither kind.
        LocalLambdaError: a handler that it names is not there.
        OSError: it cannot be read.
    """
    path = Path(path)
    if path.suffix in TOML_SUFFIXES:
        from lambda_invoke.local.toml_file import read_toml

        if parameters:
            raise DefinitionError(f"{path}: parameters are for an AWS SAM template; a TOML file has none")
        return read_toml(path)
    if path.suffix in TEMPLATE_SUFFIXES:
        from lambda_invoke.local.sam import read_sam

        return read_sam(
            path,
            parameters=parameters or {},
            region_name=REGION if region_name is None else region_name,
            account_id=ACCOUNT if account_id is None else account_id,
        )
    known = ", ".join([*TOML_SUFFIXES, *TEMPLATE_SUFFIXES])
    raise DefinitionError(f"{path}: a definition file ends in one of {known}")


def _destinations(function: Function) -> dict[str, Destination | None]:
    events = function.events
    return {
        "on_success": events.on_success,
        "on_failure": events.on_failure,
        "dead_letter": function.dead_letter,
    }


def _is_service(destination: Destination | None) -> bool:
    return isinstance(destination, str) and _SERVICE.match(destination) is not None


def suggestion(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, as the end of a message; else all of them."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(known)}" if known else "there is none"


def check_function(place: str, name: str, function: Function) -> None:
    """Check a function's name, and that a worker will find its handlers; nothing is imported.

    Raises:
        DefinitionError: the name is none of Lambda's.
        LocalLambdaError: there is no such file or module.
    """
    try:
        registry = Registry({name: function}, REGION, ACCOUNT)
    except ValueError as error:
        raise DefinitionError(f"{place}: {error}") from error
    except LocalLambdaError as error:
        raise LocalLambdaError(f"{place}: {error}") from error
    for deployment in registry.deployments():
        source = deployment.source
        if source.command is not None:
            continue  # its handler's name is its own affair
        module = source.nested[0] if source.nested else source.name.rpartition(".")[0]
        missing = _missing_module(module, [source.task_root, *function.layers, *sys.path])
        if missing is not None:
            raise LocalLambdaError(
                f"{place}: handler {source.display!r}: there is no module {missing} in {source.task_root}"
            )


def _missing_module(module: str, directories: list[str]) -> str | None:
    """The first part of a dotted name that no import would find."""
    importlib.invalidate_caches()  # the file may be newer than the finder's listing
    parts = module.split(".")
    where: Iterable[str] | None = directories
    for index, part in enumerate(parts):
        spec = None if where is None else PathFinder.find_spec(part, list(where))
        if spec is None:
            return ".".join(parts[: index + 1])
        where = spec.submodule_search_locations
    return None


def check_destinations(places: Mapping[str, str], functions: Mapping[str, Function]) -> None:
    """Check that plain names are functions of the file, and ARNs of services such as Lambda delivers to.

    ``places`` says for each function where it stands.

    Raises:
        DefinitionError: one that does not.
    """
    for name, function in functions.items():
        for key in ("on_success", "on_failure"):
            target = getattr(function.events, key)
            plain = target.partition(":")[0] if isinstance(target, str) else None
            if plain not in (None, "arn", *functions):
                raise DefinitionError(
                    f"{places[name]}: {key} is neither an ARN nor a function of this file: {target!r}; "
                    f"{suggestion(plain or '', functions)}"
                )
        letters = function.dead_letter
        if isinstance(letters, str) and not letters.startswith("arn:"):
            raise DefinitionError(
                f"{places[name]}: dead_letter must be the ARN of an SQS queue or an SNS topic, "
                f"not {letters!r}"
            )
        for key, given in _destinations(function).items():
            if isinstance(given, str) and _is_service(given):
                try:
                    check_service(given, kind=key)
                except LocalLambdaError as error:
                    raise DefinitionError(f"{places[name]}: {key}: {error}") from error
