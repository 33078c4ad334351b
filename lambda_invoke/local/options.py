"""What the endpoint's options may be; units as of ``LocalLambda``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PORT = 65_535

_REGION = re.compile(r"(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-\d")
_ACCOUNT = re.compile(r"\d{12}")

_RULES: dict[str, tuple[Callable[[Any], object], str]] = {
    "region_name": (_REGION.fullmatch, "a region such as eu-west-1"),
    "account_id": (_ACCOUNT.fullmatch, "12 digits"),
    "port": (lambda value: 0 <= value <= MAX_PORT, f"from 0 to {MAX_PORT}"),
    "concurrency_limit": (lambda value: value >= 1, "1 or more"),
    "scaling_rate": (lambda value: value >= 1, "1 or more"),
    "init_timeout": (lambda value: value > 0, "over 0 seconds"),
    "idle_timeout": (lambda value: value >= 0, "0 seconds or more"),
    "time_scale": (lambda value: 0 < value < math.inf, "over 0 and finite"),
}


def check_option(name: str, value: Any, shown: str | None = None) -> None:
    """Check one option; others than those with a rule are let through.

    ``shown`` is what the caller calls it, if that is not ``name``.

    Raises:
        ValueError: it is out of bounds; the message has its name, what it may be and what it is.
    """
    if name not in _RULES:
        return
    allowed, words = _RULES[name]
    if not allowed(value):
        raise ValueError(f"{shown or name} must be {words}, not {value!r}")
