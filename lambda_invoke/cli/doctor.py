"""``doctor``: what is set up wrongly around a function."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import TYPE_CHECKING

from lambda_invoke.cli import endpoint
from lambda_invoke.cli.exit_codes import (
    DOCTOR_ERROR,
    DOCTOR_UNKNOWN,
    DOCTOR_WARNING,
    NO_DIAGNOSIS,
    OK,
    CommandError,
)
from lambda_invoke.cli.json_text import json_bytes
from lambda_invoke.doctor.findings import Severity
from lambda_invoke.doctor.table import WIDTH, plain_table
from lambda_invoke.errors import LambdaInvokeError, RequestError

if TYPE_CHECKING:
    import argparse

    from lambda_invoke.doctor.findings import Diagnosis

_NARROWEST = 60

_CODES = {
    Severity.ERROR: DOCTOR_ERROR,
    Severity.WARNING: DOCTOR_WARNING,
    Severity.UNKNOWN: DOCTOR_UNKNOWN,
    Severity.INFO: OK,
}


def run(args: argparse.Namespace) -> int:
    """Diagnose, print, and say the worst finding by the exit code.

    Raises:
        CommandError: there is no such function, or Lambda cannot be reached.
        RequestError: a bad name.
    """
    try:
        with endpoint.aws_client(args, timeout=args.timeout, deadline=args.deadline) as client:
            diagnosis = client.diagnose(
                args.function,
                qualifier=args.qualifier,
                concurrency=args.concurrency or endpoint.CONCURRENCY,
                hours=args.hours,
            )
    except RequestError:
        raise
    except LambdaInvokeError as error:
        raise CommandError(str(error), NO_DIAGNOSIS) from error
    if args.json:
        sys.stdout.buffer.write(json_bytes(diagnosis.to_dict(), indent=2) + b"\n")
        sys.stdout.buffer.flush()
    else:
        _show(diagnosis)
    return exit_code(diagnosis, Severity(args.fail_on))


def exit_code(diagnosis: Diagnosis, least: Severity) -> int:
    """By the worst finding; OK when it is less than ``least``."""
    worst = diagnosis.worst
    return OK if worst is None or worst.rank > least.rank else _CODES[worst]


def _show(diagnosis: Diagnosis) -> None:
    if sys.stdout.isatty() and importlib.util.find_spec("rich") is not None:
        from lambda_invoke.cli.doctor_table import print_table

        print_table(diagnosis)
    else:
        sys.stdout.write(f"{plain_text(diagnosis, on_terminal=sys.stdout.isatty())}\n")
        sys.stdout.flush()


def plain_text(diagnosis: Diagnosis, *, on_terminal: bool) -> str:
    """The diagnosis without rich, wrapped to a terminal's width."""
    columns = shutil.get_terminal_size().columns if on_terminal else WIDTH
    return plain_table(diagnosis, width=min(WIDTH, max(columns, _NARROWEST)))
