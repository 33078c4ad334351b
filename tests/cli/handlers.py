"""Handlers of the command line's tests."""

from __future__ import annotations

from typing import Any


class OddError(Exception):
    pass


def halve(event: Any, context: Any) -> int:
    print("halving")
    if event % 2:
        raise OddError(f"{event} is odd")
    half: int = event // 2
    return half


class Nested:
    @staticmethod
    def echo(event: Any, context: Any) -> Any:
        return event
