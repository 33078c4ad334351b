"""What every pattern of the demo gets, and the functions that the local endpoint serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

import lambda_invoke
from lambda_invoke.cli.exit_codes import UNAVAILABLE, CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke import LambdaClient
    from lambda_invoke.cli.demo.stage import Stage
    from lambda_invoke.local import Function, LocalLambda

TIMEOUT = 1.0
"""Seconds that the function which never ends may take."""
AT_ONCE = 2
"""The reserved concurrency of the function whose callers are throttled."""


@attrs.frozen
class Tour:
    """The client and the endpoint to show things with, and the stage to show them on."""

    client: LambdaClient
    local: LocalLambda
    stage: Stage
    functions: Mapping[str, Function]
    examples: Path


def find_examples() -> Path:
    """The directory of the handlers: in the wheel, or beside the package in a checkout.

    Raises:
        CommandError: it is in neither place.
    """
    package = Path(lambda_invoke.__file__).parent
    for place in (package / "_examples", package.parent / "examples"):
        if (place / "orders.py").is_file():
            return place
    raise CommandError("the demo's handlers are not where the package is: install it again", UNAVAILABLE)


def functions(examples: Path) -> dict[str, Function]:
    """The functions to serve: example handlers under the names that the demo calls them by."""
    from lambda_invoke.local import Function

    def handler(name: str) -> str:
        return f"{examples}/{name}"

    return {
        "orders": Function(
            handler("orders.py:version_2"),
            versions={"1": handler("orders.py:version_1"), "2": handler("orders.py:version_2")},
            aliases={"prod": "1", "next": "2"},
        ),
        "receipts": Function(handler("receipts.py:send_receipt")),
        "warehouse": Function(handler("warehouse.py:pick"), reserved_concurrency=AT_ONCE),
        "slow": Function(handler("failing.py:sleep_too_long"), timeout=TIMEOUT),
        "hungry": Function(handler("failing.py:hoard")),
        "crashing": Function(handler("failing.py:crash")),
        "unconfigured": Function(handler("unconfigured.py:handler")),
        "sonnets": Function(handler("sonnets.py:count_words")),
    }
