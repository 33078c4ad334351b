"""What the tests of Events and of their destinations share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lambda_invoke.local import EventInvokeConfig
from tests.local.conftest import invoke

SCALE = 0.002
HANDLERS = str(Path(__file__).parent / "event_handlers.py")
ADDS = f"{HANDLERS}:adds_a_line"
ACCOUNT = "123456789012"
NO_RETRY = EventInvokeConfig(maximum_retry_attempts=0)


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


def event(client: Any, name: str, payload: Any, **options: Any) -> str:
    """Send an Event; its request id."""
    reply = invoke(client, name, payload, InvocationType="Event", **options)
    return reply.headers["x-amzn-requestid"]


def lines(file: Path) -> list[list[str]]:
    """What handlers wrote, word by word."""
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []
