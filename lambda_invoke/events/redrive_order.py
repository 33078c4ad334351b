"""What a redrive was asked, and what it is about to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from lambda_invoke.core.options import Stop
    from lambda_invoke.events.queue import Queue
    from lambda_invoke.events.redrive_choice import Choice
    from lambda_invoke.events.redrive_holding import Held
    from lambda_invoke.events.redrive_journal import RedriveJournal
    from lambda_invoke.fanout.job import Job
    from lambda_invoke.fanout.journal_state import Known


@attrs.frozen
class RedriveOrder:
    """What a caller asked for. ``job`` makes the calls, of ``(function, payload)`` pairs."""

    queue: Queue
    journal: RedriveJournal
    choice: Choice
    job: Job
    function: str | None
    as_events: bool
    limit: int | None
    visibility_timeout: int
    stop: Stop | None
    drain: bool


@attrs.frozen
class Ready:
    """A message that is in the journal and may be sent; ``row`` is its place there.

    ``known`` is what earlier runs left of it.
    """

    held: Held
    row: int
    known: Known | None
    function: str
    payload: bytes = attrs.field(repr=False)
