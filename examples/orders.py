"""What an order costs: a function with two published versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

PRICES = {"tea": Decimal("4.20"), "coffee": Decimal("6.50"), "cocoa": Decimal("5.10")}
MANY = 10
STOCK = {"tea": 40, "coffee": 12, "cocoa": 0}


class OutOfStockError(Exception):
    """There are not so many."""


def version_1(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The price, and when it will be there."""
    item, quantity = event["item"], event["quantity"]
    print(f"quoting {quantity} of {item}")
    check_stock(item, quantity)
    return quoted(item, quantity, PRICES[item] * quantity)


def version_2(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The same, with a tenth off from ten pieces."""
    quote = version_1(event, context)
    if event["quantity"] >= MANY:
        quote["total"] = str(Decimal(quote["total"]) * Decimal("0.9"))
    return quote


def check_stock(item: str, quantity: int) -> None:
    if quantity > STOCK[item]:
        raise OutOfStockError(f"{quantity} of {item} wanted, {STOCK[item]} there")


def quoted(item: str, quantity: int, total: Decimal) -> dict[str, Any]:
    # Money travels as text: JSON's numbers are binary fractions to most who read them.
    ready = datetime.now(UTC).date() + timedelta(days=2)
    return {"item": item, "quantity": quantity, "total": str(total), "ready_on": ready.isoformat()}
