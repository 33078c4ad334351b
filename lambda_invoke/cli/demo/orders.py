"""The caller's own types for the ``orders`` function. Whoever deployed it knows nothing of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - the codec reads the annotations
from decimal import Decimal  # noqa: TC003

import attrs

from lambda_invoke.errors import HandlerError


@dataclass
class Order:
    """What is asked for."""

    item: str
    quantity: int


@attrs.frozen
class Quote:
    """What it costs, and when it is there."""

    item: str
    quantity: int
    total: Decimal
    ready_on: date


class OutOfStock(HandlerError):  # noqa: N818 - a caller's word
    """What the caller wants raised for the handler's ``OutOfStockError``."""
