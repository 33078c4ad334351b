"""Which functions the command ``local`` serves: those of a definition file, and of the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.cli.endpoint import LOCAL_MEMORY_MB, LOCAL_TIMEOUT
from lambda_invoke.cli.exit_codes import BAD_DATA, NO_INPUT, UNAVAILABLE, USAGE, CommandError
from lambda_invoke.local import DefinitionError, Function, LocalLambdaError
from lambda_invoke.local.definition import (
    TEMPLATE_SUFFIXES,
    TOML_SUFFIXES,
    Definition,
    check_function,
    load_definition,
)

if TYPE_CHECKING:
    import argparse

DEFAULT_FILES = ("lambda_invoke.toml", "template.yaml", "template.yml")
"""Looked for in the current directory, in this order, when nothing is named."""

_NAMED = re.compile(r"(?P<name>[a-zA-Z0-9-_]+)=(?P<handler>.+)")


def define(args: argparse.Namespace) -> Definition:
    """What is to be served.

    Raises:
        CommandError: nothing is named, or what is named is wrong or not there.
    """
    what: list[str] = args.what or _default()
    files = [each for each in what if Path(each).suffix in (*TOML_SUFFIXES, *TEMPLATE_SUFFIXES)]
    given = [each for each in what if each not in files]
    if len(files) > 1:
        raise CommandError(f"one definition file at a time, not {' and '.join(files)}", USAGE)
    if not given:
        for option in ("timeout", "memory"):
            if getattr(args, option) is not None:
                raise CommandError(f"--{option} is for NAME=HANDLER; a file says it itself", USAGE)
    definition = _load(files[0], args) if files else Definition(Path(), {})
    if not files and args.parameter:
        raise CommandError("--parameter is for an AWS SAM template", USAGE)
    functions = dict(definition.functions)
    for text in given:
        name, function = _given(text, args)
        if name in functions:
            raise CommandError(f"there are two functions {name!r}; name one as NAME=HANDLER", USAGE)
        functions[name] = function
    return attrs.evolve(definition, functions=functions)


def _default() -> list[str]:
    for name in DEFAULT_FILES:
        if Path(name).is_file():
            return [name]
    looked_for = " and no ".join(DEFAULT_FILES)
    raise CommandError(
        f"nothing to serve: name a definition file or NAME=HANDLER; there is no {looked_for} here", USAGE
    )


def _load(file: str, args: argparse.Namespace) -> Definition:
    try:
        return load_definition(file, parameters=dict(args.parameter), region_name=args.region)
    except DefinitionError as error:
        raise CommandError(str(error), BAD_DATA) from error
    except LocalLambdaError as error:
        raise CommandError(str(error), UNAVAILABLE) from error
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", NO_INPUT) from error


def _given(text: str, args: argparse.Namespace) -> tuple[str, Function]:
    """A function that is named on the command line; without a name of its own it has the handler's."""
    named = _NAMED.fullmatch(text)
    handler = named["handler"] if named else text
    if not named and ":" not in handler:
        raise CommandError(f"neither a definition file nor NAME=HANDLER nor FILE.py:HANDLER: {text}", USAGE)
    name = named["name"] if named else handler.rpartition(":")[2].replace(".", "-")
    try:
        function = Function(
            handler,
            timeout=LOCAL_TIMEOUT if args.timeout is None else args.timeout,
            memory_size=LOCAL_MEMORY_MB if args.memory is None else args.memory,
        )
        check_function(name, name, function)
    except (ValueError, DefinitionError) as error:
        raise CommandError(str(error), USAGE) from error
    except LocalLambdaError as error:
        raise CommandError(str(error), UNAVAILABLE) from error
    return name, function
