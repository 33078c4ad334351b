"""How long a test waits for what must come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0
"""Seconds after which what a test waits for counts as never coming.

A busy machine may stop a process for seconds, so a bound near the expected time fails by chance. What a
test takes for a hang must last longer than this, or for ever.
"""


def soon(holds: Callable[[], object]) -> None:
    """Wait until something holds, which another thread or process brings about."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)
