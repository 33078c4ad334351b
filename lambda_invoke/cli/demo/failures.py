"""Failures of the function itself: a 200 from Lambda, an exception here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_invoke.cli.demo.orders import Order, OutOfStock, Quote
from lambda_invoke.errors import (
    Executed,
    FunctionError,
    FunctionExitError,
    FunctionInitError,
    FunctionOutOfMemoryError,
    FunctionTimeoutError,
    HandlerError,
)

if TYPE_CHECKING:
    from lambda_invoke.cli.demo.tour import Tour

_STACK_LINES = 8
_KINDS = (
    ("slow", FunctionTimeoutError, "its own timeout passed"),
    ("hungry", FunctionOutOfMemoryError, "it took more memory than it has"),
    ("crashing", FunctionExitError, "its process ended"),
)


def handler_errors(tour: Tour) -> None:
    """The handler raised: with its stack, and as a class of the caller's own."""
    stage = tour.stage
    stage.heading("The handler raises")
    stage.code('client.invoke("orders", {"item": "cocoa", "quantity": 3})')
    try:
        tour.client.invoke("orders", {"item": "cocoa", "quantity": 3})
    except HandlerError as error:
        stage.error(error, lines=_STACK_LINES)
        stage.expect("it has the remote type", error.error_type == "OutOfStockError")
        innermost = error.stack_trace[-1]
        stage.expect("and the remote stack", innermost.function == "check_stock" and innermost.line)
        stage.expect("it says that the function ran", error.executed is Executed.YES)
        stage.expect("and it was not sent again", len(error.attempts) == 1)
    else:
        stage.expect("it is a HandlerError", held=False)

    stage.text("Or as an exception class of the caller's own:")
    stage.code(
        'quote = client.function("orders", response=Quote, error_types={"OutOfStockError": OutOfStock})',
        'quote(Order("coffee", 100))',
    )
    quote = tour.client.function("orders", response=Quote, error_types={"OutOfStockError": OutOfStock})
    try:
        quote(Order("coffee", 100))
    except OutOfStock as error:
        stage.error(error)
        stage.expect("error_types raises the caller's own class", isinstance(error, FunctionError))
    else:
        stage.expect("error_types raises the caller's own class", held=False)


def other_failures(tour: Tour) -> None:
    """Timeout, memory, crash."""
    stage = tour.stage
    stage.heading("It times out, runs out of memory, crashes")
    for name, kind, what in _KINDS:
        stage.code(f'client.invoke("{name}")')
        try:
            tour.client.invoke(name)
        except FunctionError as error:
            stage.error(error)
            stage.expect(f"{kind.__name__}: {what}", type(error) is kind)
        else:
            stage.expect(f"{kind.__name__}: {what}", held=False)
    ran = [tour.local.stats(name).started for name, _, _ in _KINDS]
    stage.expect("each of them ran once only", ran == [1, 1, 1])


def failed_init(tour: Tour) -> None:
    """It fails before its handler is called."""
    stage = tour.stage
    stage.heading("It cannot start")
    stage.code('client.invoke("unconfigured")')
    try:
        tour.client.invoke("unconfigured")
    except FunctionInitError as error:
        stage.error(error)
        stage.result(*(frame for frame in error.stack_trace if str(frame.file).endswith("unconfigured.py")))
        stage.expect("a failing import is a FunctionInitError", error.error_type == "KeyError")
        stage.expect("its init code ran", error.executed is Executed.YES)
    else:
        stage.expect("a failing import is a FunctionInitError", held=False)
