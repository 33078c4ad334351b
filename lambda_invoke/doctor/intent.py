"""How a client means to call, read off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.core.calls import DEFAULT_TIMEOUT
from lambda_invoke.doctor.facts import Intent

if TYPE_CHECKING:
    from lambda_invoke.core.calls import Terms
    from lambda_invoke.transports.sender import Sender


def intent_of(sender: Sender, terms: Terms, concurrency: int | None) -> Intent:
    """The intent of a client. ``concurrency`` is None for as many as it lets through."""
    wanted = sender.slots if concurrency is None else concurrency
    if sender.boto_client is None:
        return Intent(wanted, DEFAULT_TIMEOUT if terms.timeout is None else terms.timeout, terms.deadline)
    config = getattr(getattr(sender.boto_client, "meta", None), "config", None)
    # Whatever its tcp_keepalive: botocore cannot say after how long a connection is probed.
    return Intent(
        wanted, getattr(config, "read_timeout", None), terms.deadline, handed_over=True, keep_alive=False
    )
