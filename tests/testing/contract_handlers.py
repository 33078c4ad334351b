"""Handlers of the contract's cases, for LocalLambda's workers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def echo(event: Any, context: Any) -> Any:
    return event


def fail(event: Any, context: Any) -> Any:
    raise ValueError("there is no such order")


def hang(event: Any, context: Any) -> Any:
    time.sleep(600)


def held(event: Any, context: Any) -> Any:
    while not Path(os.environ["RELEASED"]).exists():
        time.sleep(0.005)
    return event
