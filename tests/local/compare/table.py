"""The table: a row for each behaviour, a column for each emulator."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import attrs

from tests.local.compare import parameters  # noqa: F401 - more rows
from tests.local.compare.behaviours import BEHAVIOURS
from tests.local.compare.worlds import local_lambda, ministack, moto_without_docker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.local.compare.worlds import World

Start = Callable[[], AbstractContextManager["World"]]

WORLDS: Mapping[str, Start] = {
    "lambda_invoke.local": local_lambda,
    "moto, no Docker": moto_without_docker,
    "MiniStack": ministack,
}


def failures(
    start: Start, folder: Path, only: Collection[str] | None = None, hopeless: Collection[str] = ()
) -> dict[str, BaseException]:
    """What kept each behaviour from holding, by its title; those that hold are not there.

    Those that are ``hopeless`` are not waited for as long.
    """
    failed: dict[str, BaseException] = {}
    with start() as world:
        for behaviour in BEHAVIOURS:
            if only is not None and behaviour.title not in only:
                continue
            place = attrs.evolve(world, event_seconds=1.0) if behaviour.title in hopeless else world
            try:
                behaviour.check(place, folder)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt | SystemExit):
                    raise
                failed[behaviour.title] = error
    return failed


def columns(folder: Path) -> dict[str, set[str]]:
    """The titles of what holds, for each emulator."""
    every = {behaviour.title for behaviour in BEHAVIOURS}
    return {name: every - failures(start, folder).keys() for name, start in WORLDS.items()}


def rendered(holds: Mapping[str, set[str]]) -> str:
    """In Markdown."""
    lines = [f"| {' | '.join(['', *holds])} |", "| --- " * (len(holds) + 1) + "|"]
    for behaviour in BEHAVIOURS:
        cells = ["yes" if behaviour.title in titles else "" for titles in holds.values()]
        lines.append(f"| {' | '.join([behaviour.title, *cells])} |")
    return "\n".join(lines)
