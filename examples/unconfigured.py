"""A function that cannot start: its table is configured nowhere."""

from __future__ import annotations

import os
from typing import Any

TABLE = os.environ["ORDERS_TABLE"]


def handler(event: Any, context: Any) -> str:
    return TABLE
