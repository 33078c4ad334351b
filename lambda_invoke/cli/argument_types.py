"""What the values of options are: each function reads one, or says what it should be."""

from __future__ import annotations

import argparse
import math

_WHOLE = 100.0
"""Percent."""
_MAX_PORT = 65_535
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
"""Seconds."""


def seconds(text: str) -> float:
    """A positive number of seconds, or of times."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"a positive number of seconds, not {text!r}")
    return value


def age(text: str) -> float:
    """Seconds, or a number with its unit: 90s, 15m, 2h, 3d."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    try:
        value = float(number) * _UNITS[unit]
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"an age such as 90s, 15m, 2h or 3d, not {text!r}")
    return value


def count(text: str) -> int:
    """A whole number, 1 or more."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number, 1 or more, not {text!r}")
    return value


def port(text: str) -> int:
    """A port; 0 is one that is free."""
    value = int(text) if text.isdecimal() else -1
    if not 0 <= value <= _MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port, 0 to {_MAX_PORT}, not {text!r}")
    return value


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"NAME=VALUE, not {text!r}")
    return name, value


def tolerated(text: str) -> int | float:
    """A count as an int, a share as a float: as ``tolerate`` of ``fan_out`` has it."""
    if text.isdecimal():
        return int(text)
    number = text.removesuffix("%")
    try:
        percent = float(number) if number != text else math.nan
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= _WHOLE:
        raise argparse.ArgumentTypeError(f"a whole number, or a share such as 2.5%, not {text!r}")
    return percent / _WHOLE
