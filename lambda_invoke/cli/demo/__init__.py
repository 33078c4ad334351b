"""The demo: every pattern against a local Lambda, checking its own expectations."""

from __future__ import annotations

import platform
import sys
import time
from typing import TYPE_CHECKING

from lambda_invoke.cli.demo.dry_runs import dry_runs
from lambda_invoke.cli.demo.events import events
from lambda_invoke.cli.demo.failures import failed_init, handler_errors, other_failures
from lambda_invoke.cli.demo.fan_out import fan_out
from lambda_invoke.cli.demo.logs import logs
from lambda_invoke.cli.demo.stage import Stage
from lambda_invoke.cli.demo.synchronous import synchronous
from lambda_invoke.cli.demo.throttling import throttling
from lambda_invoke.cli.demo.tour import Tour, find_examples, functions
from lambda_invoke.cli.demo.versions import listing, versions
from lambda_invoke.cli.exit_codes import OK, UNAVAILABLE, CommandError
from lambda_invoke.errors import LambdaInvokeError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

PATTERNS: tuple[Callable[[Tour], None], ...] = (
    synchronous,
    events,
    dry_runs,
    versions,
    logs,
    handler_errors,
    other_failures,
    failed_init,
    listing,
    throttling,
    fan_out,
)

_NOT_AS_EXPECTED = 1


def run(_: argparse.Namespace) -> int:
    """Go through every pattern; the exit code is 0 only if all came out as expected.

    Raises:
        CommandError: the local endpoint cannot be started here.
    """
    from lambda_invoke.local import LocalLambda, LocalLambdaError

    stage = Stage(sys.stdout)
    begun = time.monotonic()
    examples = find_examples()
    served = functions(examples)
    try:
        local = LocalLambda(served)
        local.start()
    except LocalLambdaError as error:
        raise CommandError(str(error), UNAVAILABLE) from error
    try:
        stage.text(
            f"A Lambda on this machine, {local.endpoint_url}, Python {platform.python_version()}: no AWS "
            f"account, real handlers in worker processes, from {examples}."
        )
        with local.client() as client:
            tour = Tour(client, local, stage, served, examples)
            for pattern in PATTERNS:
                _show(pattern, tour)
    finally:
        local.stop()
    held = stage.summary(time.monotonic() - begun)
    return OK if held else _NOT_AS_EXPECTED


def _show(pattern: Callable[[Tour], None], tour: Tour) -> None:
    """One pattern. An error that it does not expect is its failure, and not the end of the demo."""
    try:
        pattern(tour)
    except LambdaInvokeError as error:
        tour.stage.error(error)
        tour.stage.expect(f"no {type(error).__name__}", held=False)
