"""Versions and aliases, and listing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambda_invoke.cli.demo.tour import Tour


def versions(tour: Tour) -> None:
    """The same order, quoted by two versions; the reply says which one ran."""
    stage = tour.stage
    stage.heading("Versions and aliases")
    order = {"item": "tea", "quantity": 10}
    ran = {}
    for function in ("orders:prod", "orders:next", "orders:2"):
        stage.code(f'client.invoke("{function}", {order})')
        invocation = tour.client.invoke(function, order)
        ran[function] = (invocation.executed_version, invocation.value["total"])
        stage.result(f"version {invocation.executed_version} says {invocation.value['total']}")
    stage.expect(
        "alias and version decide which code runs",
        ran == {"orders:prod": ("1", "42.00"), "orders:next": ("2", "37.800"), "orders:2": ("2", "37.800")},
    )


def listing(tour: Tour) -> None:
    """What there is, typed and page by page."""
    stage = tour.stage
    stage.heading("Listing functions, versions and aliases")
    stage.code("client.list_functions()")
    functions = list(tour.client.list_functions())
    stage.result(
        *(
            f"{each.name:<13} {each.timeout:>4} s {each.memory_size:>4} MB  {each.runtime}"
            for each in functions
        )
    )
    stage.code('client.list_versions("orders"), client.list_aliases("orders")')
    found = [each.version for each in tour.client.list_versions("orders")]
    aliases = {each.name: each.function_version for each in tour.client.list_aliases("orders")}
    stage.result(f"versions {', '.join(map(str, found))}; aliases {aliases}")
    stage.expect("every function is listed", [each.name for each in functions] == list(tour.functions))
    stage.expect("so is every version and alias", found == ["$LATEST", "1", "2"])
    stage.expect("aliases point where they point", aliases == {"next": "2", "prod": "1"})
