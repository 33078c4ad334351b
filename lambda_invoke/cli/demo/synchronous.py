"""Synchronous, typed both ways."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lambda_invoke.cli.demo.orders import Order, Quote
from lambda_invoke.errors import Executed, PayloadDecodingError

if TYPE_CHECKING:
    from lambda_invoke.cli.demo.tour import Tour


def synchronous(tour: Tour) -> None:
    """A typed handle; and a reply that is not what was asked for."""
    stage = tour.stage
    stage.heading("Synchronous, typed both ways")
    quote = tour.client.function("orders", request=Order, response=Quote)
    stage.code('quote = client.function("orders", request=Order, response=Quote)', 'quote(Order("tea", 12))')
    answer = quote(Order("tea", 12))
    stage.result(answer)
    stage.expect("the reply is a Quote with a Decimal and a date", isinstance(answer, Quote))
    stage.expect("the price is right", answer.total == Decimal("45.36"))

    stage.code('quote.invoke(Order("coffee", 1))')
    invocation = quote.invoke(Order("coffee", 1))
    stage.result(
        f"value {invocation.value.total}, status {invocation.status_code}, "
        f"version {invocation.executed_version}, request {invocation.request_id}"
    )
    stage.expect(
        "$LATEST ran, in one attempt", _ran_once(invocation.executed_version, len(invocation.attempts))
    )

    stage.code('client.invoke("orders", {"item": "tea", "quantity": 1}, response=list[Quote])')
    try:
        tour.client.invoke("orders", {"item": "tea", "quantity": 1}, response=list[Quote])
    except PayloadDecodingError as error:
        stage.error(error)
        stage.expect("a reply of another type says that the function ran", error.executed is Executed.YES)
    else:
        stage.expect("a reply of another type is an error", held=False)


def _ran_once(version: str | None, attempts: int) -> bool:
    return version == "$LATEST" and attempts == 1
