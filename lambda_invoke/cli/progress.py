"""How far ``map`` is, on standard error: a line that is rewritten, or a line now and then."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.fanout.progress import Progress

_WIDTH = 24
_PLAIN_EVERY_SECONDS = 5.0


def shower(*, wanted: bool | None, results_on_terminal: bool) -> Callable[[Progress], None] | None:
    """What to tell of progress, or None for silence. ``wanted`` is None when nobody said."""
    terminal = sys.stderr.isatty()
    if wanted is False or (wanted is None and (not terminal or results_on_terminal)):
        return None
    return rewrite_line if terminal else PlainLines()


def rewrite_line(progress: Progress) -> None:
    """Show a bar in place of what stood on the line."""
    bar = ""
    if progress.total:
        filled = min(_WIDTH, progress.done * _WIDTH // progress.total)
        bar = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] "
    columns = _columns()
    sys.stderr.write(f"\r\x1b[2K{(bar + str(progress))[: columns - 1]}" + ("\n" if progress.finished else ""))
    sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


class PlainLines:
    """For files and pipes."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PLAIN_EVERY_SECONDS

    def __call__(self, progress: Progress) -> None:
        """Say it, if it is time."""
        now = time.monotonic()
        if now >= self._next and not progress.finished:
            self._next = now + _PLAIN_EVERY_SECONDS
            sys.stderr.write(f"{progress}\n")
