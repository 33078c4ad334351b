"""Which environment variables a function may be given.

Source: "Defined runtime environment variables", AWS Lambda developer guide, and ``EnvironmentVariableName``
of Lambda's service model, botocore 1.44.5, 2026-11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_PATTERN = "[a-zA-Z]([a-zA-Z0-9_])+"
_NAME = re.compile("[a-zA-Z][a-zA-Z0-9_]*")
"""Names of one letter, too, which Lambda refuses and many an example has."""

RESERVED = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME"),
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE"),
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API"),
        *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    )
)
"""What Lambda sets itself and refuses from others. It also refuses its region, its credentials and TZ, which
a function here may be given: it has no role to get any from."""


def reserved_among(names: Iterable[str]) -> list[str]:
    """Those that the endpoint sets itself."""
    return sorted(RESERVED.intersection(names))


def misnamed_among(names: Iterable[str]) -> list[str]:
    """Those that are no names to Lambda: letters, digits and '_', a letter first."""
    return sorted(name for name in names if not _NAME.fullmatch(name) and name not in RESERVED)


def check_variables(names: Iterable[str]) -> None:
    """Check a function's environment.

    Raises:
        ValueError: Lambda would refuse one of the names; the message has the names, and no values.
    """
    names = list(names)
    if reserved := reserved_among(names):
        raise ValueError(f"environment: Lambda sets {', '.join(reserved)} itself")
    if misnamed := misnamed_among(names):
        raise ValueError(
            "environment: a variable's name is letters, digits and '_', a letter first, not "
            f"{', '.join(map(repr, misnamed))}"
        )
