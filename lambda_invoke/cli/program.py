"""``main``: reads the command line, runs the command, and turns what may go wrong into one line."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from lambda_invoke.cli import arguments
from lambda_invoke.cli.exit_codes import CANNOT_WRITE, SIGNALLED, CommandError, code_for
from lambda_invoke.errors import LambdaInvokeError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_SIGINT = 2
_MODULES = {
    "demo": "demo",
    "doctor": "doctor",
    "invoke": "invoke",
    "list": "listing",
    "local": "local",
    "map": "mapping",
    "redrive": "redrive",
}
"""Which of this package's modules has a command's ``run``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. ``argv`` is without the program's name; default: the process's own.

    Returns:
        The exit code; ``docs/cli.md`` says what each means. A usage error exits with 64.
    """
    args = arguments.parse(argv)
    if args.verbose:
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        logging.getLogger("lambda_invoke").setLevel(logging.INFO)
    try:
        return _run(args)
    except CommandError as error:
        _complain(str(error))
        return error.code
    except LambdaInvokeError as error:
        _complain(str(error))
        return code_for(error)
    except KeyboardInterrupt:
        _complain("interrupted")
        return SIGNALLED + _SIGINT
    except BrokenPipeError:
        # Who read standard output has gone. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_WRITE


def _run(args: argparse.Namespace) -> int:
    # Each command's own imports wait until it is asked for, so that --help is quick.
    module = importlib.import_module(f"lambda_invoke.cli.{_MODULES[args.command]}")
    code: int = module.run(args)
    return code


def _complain(message: str) -> None:
    sys.stderr.write(f"lambda_invoke: {message}\n")
