"""JSON in and out of the command line."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def check_json(text: bytes) -> None:
    """Refuse what Lambda would not take as JSON. The bytes then travel as they are, digits and all.

    Raises:
        ValueError: says what is wrong and where, without what the payload holds.
    """
    try:
        json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from None
    except RecursionError:
        raise ValueError("not JSON that can be read: nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"not JSON: {name} is a number to Python only")


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """A value as UTF-8 JSON, with no line feed of its own unless indented."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write and UTF-8 cannot
        return json.dumps(value, indent=indent).encode("ascii")
