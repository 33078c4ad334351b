"""Handlers whose Events end in every way."""

import os
from typing import Any


class RefusedError(Exception):
    pass


def ends(event: Any, context: Any) -> Any:
    """By what the event says: a value, an error of two classes, an exit, a reply that is no JSON."""
    how = event["how"]
    if how == "refuse":
        raise RefusedError(str(event["n"]))
    if how == "raise":
        raise ValueError(str(event["n"]))
    if how == "exit":
        os._exit(3)
    if how == "unserialisable":
        return {1, 2}
    return {"n": event["n"]}
