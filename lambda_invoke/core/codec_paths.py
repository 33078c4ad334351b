"""Paths into a JSON document, as messages show them: ``$.orders[3].total``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Step = str | int
"""An object's key, or an array's index."""

_MOST_STEPS = 40
_LONGEST_KEY = 80


def render_path(steps: Sequence[Step]) -> str:
    """The path of ``steps`` from the root ``$``; a very deep one is cut short and ends in ``…``."""
    cut = "…" if len(steps) > _MOST_STEPS else ""
    return "$" + "".join(map(_render_step, steps[:_MOST_STEPS])) + cut


def _render_step(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if len(step) > _LONGEST_KEY:
        step = step[:_LONGEST_KEY] + "…"
    if step.isidentifier():
        return f".{step}"
    # Escaped when it could not be printed: a lone surrogate, a line break.
    return f"[{json.dumps(step, ensure_ascii=not step.isprintable())}]"
