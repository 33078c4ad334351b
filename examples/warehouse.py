"""A function that can do only a little at once."""

from __future__ import annotations

import time
from typing import Any


def pick(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fetch an item from its shelf, which takes a while."""
    time.sleep(0.1)
    return {"picked": event["shelf"]}
