"""A function that is meant for Event invocations: nobody waits for it."""

from __future__ import annotations

from typing import Any


def send_receipt(event: dict[str, Any], context: Any) -> None:
    print(f"receipt {event['order']} sent, request {context.aws_request_id}")
