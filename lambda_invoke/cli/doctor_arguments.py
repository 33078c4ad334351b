"""What ``doctor`` takes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lambda_invoke.cli.argument_types import count, seconds

if TYPE_CHECKING:
    from typing import Any

_DESCRIPTION = """\
Look for what is set up wrongly around a function: who may invoke it, timeouts, concurrency, what becomes
of Events, event source mappings and their queues, and what went wrong in the last hours. Nothing runs and
nothing is changed. What may not be looked at is said, with the IAM action that would allow it."""

_CODES = """\
exit codes:
  0   nothing that matters was found
  1   a warning
  2   an error; the worst finding counts
  3   nothing worse, but something could not be looked at
  4   no diagnosis: no such function, no connection, no credentials
  64  the command line is wrong
  130 Ctrl-C"""


def add_doctor(commands: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the command; where the function is comes on top."""
    doctor: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="look for what is set up wrongly around a function",
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument("function", metavar="FUNCTION", help="a name, name:qualifier or ARN")
    doctor.add_argument("--qualifier", metavar="VERSION|ALIAS", help="the version or alias that is called")
    doctor.add_argument("--json", action="store_true", help="print the diagnosis as JSON")
    doctor.add_argument(
        "--fail-on",
        choices=("unknown", "warning", "error"),
        default="unknown",
        help="exit with 0 unless something as bad as this was found; 'unknown' is what could not be looked "
        "at (default: unknown)",
    )
    doctor.add_argument(
        "--hours", type=float, default=24.0, metavar="N", help="how far back metrics go (default: 24)"
    )
    intended = doctor.add_argument_group("how you mean to call it")
    intended.add_argument(
        "-c", "--concurrency", type=count, metavar="N", help="in flight at most (default: 50, as of map)"
    )
    intended.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="seconds per attempt (default: 915)"
    )
    intended.add_argument(
        "--deadline", type=seconds, metavar="SECONDS", help="seconds for a whole call (default: none)"
    )
    return doctor
