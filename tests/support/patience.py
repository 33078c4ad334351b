"""How long a test waits for what must come."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@contextlib.contextmanager
def upon(event: threading.Event, act: Callable[[], object]) -> Iterator[None]:
    """Have another thread act when the event comes; by the end of the block it has."""

    def wait() -> None:
        assert event.wait(PATIENCE)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()
