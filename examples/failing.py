"""The ways in which a running function fails without raising."""

from __future__ import annotations

import os
import time
from typing import Any


def sleep_too_long(event: Any, context: Any) -> None:
    """Does not end within its timeout."""
    time.sleep(60)


def hoard(event: Any, context: Any) -> None:
    """Takes more memory than it has."""
    hoarded = []
    while True:
        hoarded.append(bytearray(8 * 1024 * 1024))


def crash(event: Any, context: Any) -> None:
    """Ends its own process."""
    os._exit(3)
