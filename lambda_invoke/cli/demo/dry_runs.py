"""Dry run: may it be invoked?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.errors import Executed, FunctionNotFoundError

if TYPE_CHECKING:
    from lambda_invoke.cli.demo.tour import Tour


def dry_runs(tour: Tour) -> None:
    """Nothing runs, whatever the answer."""
    stage = tour.stage
    stage.heading("Dry run: may it be invoked, without running it")
    before = tour.local.stats("orders").started
    stage.code('client.dry_run("orders:prod")')
    answer = tour.client.dry_run("orders:prod")
    stage.result(answer)
    stage.expect("an existing function is allowed", answer.allowed)
    stage.code('client.dry_run("ordres")')
    try:
        tour.client.dry_run("ordres")
    except FunctionNotFoundError as error:
        stage.error(error)
        stage.expect("a missing one is a FunctionNotFoundError, nothing ran", error.executed is Executed.NO)
    else:
        stage.expect("a missing one is a FunctionNotFoundError", held=False)
    stage.expect("no handler was called", tour.local.stats("orders").started == before)
