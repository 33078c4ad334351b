"""Listings, page by page."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_invoke.local.faults import fails_constraint, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

MAX_PAGE_ITEMS = 50
"""AWS, ListFunctions, 2026-11: "returns a maximum of 50 items in each response"."""
_MAX_ITEMS = 10_000


def page(
    member: str,
    items: Sequence[T],
    query: Mapping[str, str],
    render: Callable[[T], dict[str, Any]],
    max_items: int = _MAX_ITEMS,
) -> dict[str, Any]:
    """One page of a listing; the marker is opaque to the caller.

    Raises:
        ServiceFault: ``MaxItems`` is out of bounds, or ``Marker`` is not one of this listing.
    """
    text = query.get("MaxItems", str(MAX_PAGE_ITEMS))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= max_items):
        raise fails_constraint(text, "maxItems", f"Member must be between 1 and {max_items}")
    first = _offset(member, query["Marker"]) if "Marker" in query else 0
    last = first + min(int(text), MAX_PAGE_ITEMS)
    document: dict[str, Any] = {member: [render(item) for item in items[first:last]]}
    if last < len(items):
        document["NextMarker"] = base64.b64encode(json.dumps([member, last]).encode()).decode("ascii")
    return document


def _offset(member: str, marker: str) -> int:
    try:
        of, offset = json.loads(base64.b64decode(marker, validate=True))
    except (ValueError, TypeError) as error:
        raise invalid_parameter("Invalid Pagination Token") from error
    if of != member or not isinstance(offset, int) or offset < 0:
        raise invalid_parameter("Invalid Pagination Token")
    return offset
