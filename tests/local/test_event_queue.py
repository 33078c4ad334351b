"""The queue of Events over a scripted executor: what is put back, what is given up, what is counted."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke.local import EventInvokeConfig, Function, Outbox
from lambda_invoke.local.deliveries import Deliveries
from lambda_invoke.local.event_state import EventClock, QueuedEvent
from lambda_invoke.local.event_store import NoStore
from lambda_invoke.local.events import EventQueue
from lambda_invoke.local.executor import Execution
from lambda_invoke.local.faults import ServiceFault, Throttled
from lambda_invoke.local.outcome import Invocation, Verdict
from lambda_invoke.local.registry import Deployment, Registry
from tests.local.conftest import handler

if TYPE_CHECKING:
    from lambda_invoke.local.stats import Tally

SCALE = 1e-3
"""A minute in 60 milliseconds, the maximum age in 21 seconds."""


class ScriptedExecutor:
    """Does as its script says, step by step: a fault is raised, a payload answered."""

    def __init__(self, *script: Exception | bytes) -> None:
        self.script = list(script)
        self.ran: list[Invocation] = []
        self.began = asyncio.Event()
        self.tallies: dict[str, Tally] = {}

    async def execute(self, deployment: Deployment, invocation: Invocation) -> Execution:
        self.ran.append(invocation)
        self.began.set()
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return Execution(Verdict(step, failed=step.startswith(b"error")), b"", 0.0, None, 0)


def run(
    executor: ScriptedExecutor,
    function: Function,
    store: Any = None,
    before: Callable[[EventQueue, Registry], Awaitable[None]] | None = None,
) -> Any:
    """Submit one Event of the function "f", and wait for its end; its stats."""
    registry = Registry({"f": function}, "us-east-1", "000000000000")

    async def main() -> None:
        clock = EventClock(SCALE)
        kept: Any = store or NoStore()
        given: Any = executor
        queue = EventQueue(registry, given, Deliveries(registry, clock, None), kept, clock)
        target = registry.resolve("f")
        queue.submit(target, Invocation("id", target.invoked_arn, b"{}", "Event", "Root=1"))
        if before is not None:
            await before(queue, registry)
        await queue.wait()
        await queue.close()

    asyncio.run(main())
    return executor.tallies["f"].read()


def told(box: Outbox) -> tuple[str, int]:
    (record,) = box.records
    context = record["requestContext"]
    return context["condition"], context["approximateInvokeCount"]


@pytest.mark.parametrize(
    "refusal", [Throttled("ConcurrentInvocationLimitExceeded"), ServiceFault(500, "ServiceException", "?")]
)
def test_refusals_are_no_attempts(refusal: Exception) -> None:
    """Throttles and 5xx are put back; the attempt that then runs is the first."""
    box = Outbox()
    executor = ScriptedExecutor(refusal, refusal, b"1")
    stats = run(executor, Function(handler("echo"), events=EventInvokeConfig(on_success=box)))
    assert [invocation.attempt for invocation in executor.ran] == [1, 1, 1]
    assert told(box) == ("Success", 1)
    assert (stats.retried, stats.succeeded_events) == (0, 1)


def test_throttles_between_retries_use_none_up() -> None:
    """Three executions, whatever came between them."""
    box = Outbox()
    busy = Throttled("ConcurrentInvocationLimitExceeded")
    executor = ScriptedExecutor(b"error", busy, b"error", busy, busy, b"error")
    stats = run(executor, Function(handler("echo"), events=EventInvokeConfig(on_failure=box)))
    assert [invocation.attempt for invocation in executor.ran] == [1, 2, 2, 3, 3, 3]
    assert told(box) == ("RetriesExhausted", 3)
    assert (stats.retried, stats.failed_events) == (2, 1)


def test_an_event_that_is_never_let_in_gets_too_old() -> None:
    """Its minute passes with put-backs; it has no response, and is told of as throttled."""
    box, letters = Outbox(), Outbox()
    config = EventInvokeConfig(maximum_event_age=60, on_failure=box)
    executor = ScriptedExecutor(*[Throttled("ConcurrentInvocationLimitExceeded")] * 9)
    run(executor, Function(handler("echo"), events=config, dead_letter=letters))
    assert told(box) == ("EventAgeExceeded", 0)
    assert "responseContext" not in box.records[0]
    assert letters.records[0]["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"


def test_reserved_zero_after_a_failure_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    """A function that was switched off meanwhile gets no retry."""
    box = Outbox()
    config = EventInvokeConfig(on_failure=box)
    off = Function(handler("echo"), reserved_concurrency=0, events=config)
    executor = ScriptedExecutor(b"error", Throttled("ReservedFunctionConcurrentInvocationLimitExceeded"))
    run(executor, off)
    assert told(box) == ("ZeroReservedConcurrency", 1)


def test_a_failure_of_the_endpoint_is_put_back(caplog: pytest.LogCaptureFixture) -> None:
    """As one of the service is; its traceback is in the log."""
    stats = run(ScriptedExecutor(OSError("no processes"), b"1"), Function(handler("echo")))
    assert (stats.succeeded_events, stats.failed_events) == (1, 0)
    assert "no processes" in caplog.text


def test_a_function_that_is_gone_takes_its_events_along(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is told, and it is counted as dropped."""
    stats = run(
        ScriptedExecutor(ServiceFault(404, "ResourceNotFoundException", "gone")), Function(handler("echo"))
    )
    assert (stats.failed_events, stats.dropped_events, stats.queued_events) == (1, 1, 0)
    assert "the function is gone" in caplog.text


def test_a_failure_that_nobody_is_told_of_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """By its id."""
    stats = run(ScriptedExecutor(b"error", b"error", b"error"), Function(handler("echo")))
    assert stats.dropped_events == 1
    assert "f: dropped event id" in caplog.text


def test_a_success_that_nobody_is_told_of_is_not() -> None:
    """That is the ordinary case."""
    stats = run(ScriptedExecutor(b"1"), Function(handler("echo")))
    assert (stats.succeeded_events, stats.dropped_events, stats.delivered) == (1, 0, 0)


@attrs.define
class FailingStore(NoStore):
    """Fails at what it is told to."""

    at: str
    removed: list[str] = attrs.field(factory=list)

    def add(self, event: QueuedEvent, now: float) -> None:
        if self.at == "add":
            raise sqlite3.OperationalError("disk full")

    def update(self, event: QueuedEvent, now: float) -> None:
        if self.at == "update":
            raise sqlite3.OperationalError("disk full")

    def remove(self, event: QueuedEvent, now: float) -> None:
        self.removed.append(event.request_id)


def test_what_cannot_be_kept_is_not_accepted() -> None:
    """The caller gets an error instead of a 202, and nothing runs."""
    executor = ScriptedExecutor(b"1")
    with pytest.raises(sqlite3.OperationalError, match="disk full"):
        run(executor, Function(handler("echo")), store=FailingStore("add"))
    assert (executor.ran, executor.tallies) == ([], {})


def test_an_event_whose_outcome_cannot_be_kept_is_not_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """It is left as it was kept, for the next start, and the log says so."""
    store = FailingStore("update")
    stats = run(ScriptedExecutor(b"error"), Function(handler("echo")), store=store)
    assert (stats.queued_events, store.removed) == (1, [])
    assert "f: lost track of event id" in caplog.text


def test_waiting_includes_what_comes_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    """An Event that is submitted while another is waited for is waited for as well."""
    caplog.set_level(logging.CRITICAL)
    executor = ScriptedExecutor(b"error", b"1", b"1")

    async def another(queue: EventQueue, registry: Registry) -> None:
        await executor.began.wait()
        target = registry.resolve("f")
        queue.submit(target, Invocation("id2", target.invoked_arn, b"{}", "Event", "Root=1"))

    stats = run(executor, Function(handler("echo")), before=another)
    assert (stats.accepted_events, stats.succeeded_events) == (2, 2)
