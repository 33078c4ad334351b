"""What the process says with its exit code; ``docs/cli.md`` has the tables for people."""

from __future__ import annotations

from typing import Final

from lambda_invoke.errors import Executed, FunctionError, LambdaInvokeError, RequestError, ServiceError

OK: Final = 0

SOME_FAILED: Final = 1
ALL_FAILED: Final = 2
TOO_MANY_FAILED: Final = 3

FUNCTION_FAILED: Final = 1
REFUSED: Final = 2
MAY_HAVE_RUN: Final = 3
NOT_SENT: Final = 4

DOCTOR_WARNING: Final = 1
DOCTOR_ERROR: Final = 2
DOCTOR_UNKNOWN: Final = 3
NO_DIAGNOSIS: Final = 4

# From sysexits.h, so that they stay clear of what map and invoke mean by 1 to 4; argparse's own
# code for a usage error is 2.
USAGE: Final = 64
BAD_DATA: Final = 65
NO_INPUT: Final = 66
UNAVAILABLE: Final = 69
NO_JOURNAL: Final = 73
CANNOT_WRITE: Final = 74

SIGNALLED: Final = 128
"""Plus the signal's number, as a shell has it: 130 for Ctrl-C, 143 for SIGTERM."""


class CommandError(Exception):
    """An end that was to be expected: one line for the user, and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def code_for(error: LambdaInvokeError) -> int:
    """The exit code of a call that failed: by whether the function ran, first of all."""
    if isinstance(error, RequestError):
        return USAGE
    if error.executed is Executed.UNKNOWN:
        return MAY_HAVE_RUN
    if isinstance(error, FunctionError) or error.executed is Executed.YES:
        return FUNCTION_FAILED
    return REFUSED if isinstance(error, ServiceError) else NOT_SENT
