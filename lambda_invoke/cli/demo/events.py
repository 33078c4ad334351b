"""Event: handed over, run later."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from lambda_invoke.errors import Executed

if TYPE_CHECKING:
    from lambda_invoke.cli.demo.tour import Tour

_SECONDS = 15.0


def events(tour: Tour) -> None:
    """A 202 is all that the caller learns; the endpoint shows that it ran afterwards."""
    stage = tour.stage
    stage.heading("Event: handed over, run later")
    stage.code('client.invoke_event("receipts", {"order": 17})')
    accepted = tour.client.invoke_event("receipts", {"order": 17})
    stage.result(accepted)
    stage.text("Accepted is all that is known, so executed is UNKNOWN. Afterwards, in the function's log:")
    stage.expect("it was accepted", accepted.status_code == HTTPStatus.ACCEPTED)
    stage.expect("its outcome is unknown", accepted.executed is Executed.UNKNOWN)
    tour.local.wait_for_events(_SECONDS)
    log = tour.local.logs("receipts")
    stage.result(*(line for line in log.splitlines() if "receipt" in line))
    stage.expect(
        "the function ran once, with the request id of the 202",
        log.count(f"receipt 17 sent, request {accepted.request_id}") == 1,
    )
