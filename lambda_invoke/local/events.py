"""Asynchronous invocations: answered 202, run in the background, retried, and reported, as Lambda does.

The rules are in ``event_state``, the records in ``event_records``, the sending in ``deliveries``.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING

import attrs

from lambda_invoke.local import lineage
from lambda_invoke.local.api import MAX_EVENT_BYTES
from lambda_invoke.local.destination_services import UndeliverableError
from lambda_invoke.local.event_records import dead_letter, invocation_record
from lambda_invoke.local.event_state import (
    RECURSIVE_INVOCATION,
    SUCCESS,
    ZERO_RESERVED_CONCURRENCY,
    EventClock,
    QueuedEvent,
    Response,
    ended,
    executed,
    put_back,
)
from lambda_invoke.local.faults import ServiceFault, Throttled
from lambda_invoke.local.outcome import Invocation
from lambda_invoke.local.stats import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.local.deliveries import Deliveries
    from lambda_invoke.local.destinations import FunctionRoute
    from lambda_invoke.local.event_records import Message
    from lambda_invoke.local.event_store import EventStore
    from lambda_invoke.local.executor import Executor
    from lambda_invoke.local.function import Destination, EventInvokeConfig
    from lambda_invoke.local.registry import Registry, Target

logger = logging.getLogger("lambda_invoke.local")


class EventQueue:
    """The Events that were accepted and are not done with. Used on one event loop."""

    def __init__(
        self,
        registry: Registry,
        executor: Executor,
        deliveries: Deliveries,
        store: EventStore,
        clock: EventClock,
    ) -> None:
        self._registry = registry
        self._executor = executor
        self._deliveries = deliveries
        self._store = store
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self, events: list[QueuedEvent]) -> None:
        """Take up the Events that another endpoint left; those of functions that are gone stay kept."""
        gone = Counter(event.function_name for event in events if event.function_name not in self._registry)
        for name, count in gone.items():
            logger.warning("%s: no such function; %d of its events are kept and wait for it", name, count)
        for event in events:
            if event.function_name in gone:
                continue
            self._tally(event).count(resumed_events=1, queued_events=1)
            self._begin(event)

    def submit(self, target: Target, invocation: Invocation) -> None:
        """Accept one. It is kept once this returns.

        Raises:
            sqlite3.Error: it could not be kept, and is not accepted.
        """
        name = target.deployment.function_name
        trace_id, count = lineage.advance(invocation.trace_id, self._registry.arn(name))
        now = self._clock.now()
        event = QueuedEvent(name, target.qualifier, attrs.evolve(invocation, trace_id=trace_id), now, now)
        if count > lineage.MAX_INVOCATIONS:
            logger.warning("%s: stopped a recursive loop of events", name)
            event = ended(event, RECURSIVE_INVOCATION)
        self._store.add(event, now)
        self._tally(event).count(accepted_events=1, queued_events=1)
        self._begin(event)

    def _begin(self, event: QueuedEvent) -> None:
        task = asyncio.create_task(self._process(event), name="lambda-invoke-local-event")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tally(self, event: QueuedEvent) -> Tally:
        return self._executor.tallies.setdefault(event.function_name, Tally())

    async def _process(self, event: QueuedEvent) -> None:
        try:
            end = await self._run(event)
            if end is None:
                logger.warning("%s: the function is gone, and its event with it", event.function_name)
                arrived, succeeded = False, False
            else:
                arrived, succeeded = await self._tell(end), end.condition == SUCCESS
            self._store.remove(event, self._clock.now())
        except Exception:
            logger.exception("%s: lost track of event %s", event.function_name, event.request_id)
            return
        counts = {"succeeded_events" if succeeded else "failed_events": 1}
        if not succeeded and not arrived:
            counts["dropped_events"] = 1
            logger.warning("%s: dropped event %s", event.function_name, event.request_id)
        self._tally(event).count(queued_events=-1, **counts)

    async def _run(self, event: QueuedEvent) -> QueuedEvent | None:
        """Run it until it has ended; None when its function is gone."""
        while event.condition is None:
            await self._clock.sleep(event.due_at - self._clock.now())
            after = await self._attempt(event)
            if after is None:
                return None
            if after.condition is None or self._told(after):
                self._store.update(after, self._clock.now())
            event = after
        return event

    async def _attempt(self, event: QueuedEvent) -> QueuedEvent | None:
        """Run it once, or be turned away; what it is then. None when its function is gone."""
        invocation = attrs.evolve(event.invocation, attempt=event.attempts + 1)
        try:
            target = self._registry.resolve(event.function_name, event.qualifier)
            execution = await self._executor.execute(target.deployment, invocation)
        except ServiceFault as fault:
            if fault.status == HTTPStatus.NOT_FOUND:
                return None
            reserved = self._registry.function(event.function_name).reserved_concurrency
            if isinstance(fault, Throttled) and reserved == 0:
                return ended(event, ZERO_RESERVED_CONCURRENCY)
            return put_back(event, self._config(event), self._clock.now())
        except Exception:
            logger.exception("%s: the endpoint failed; the event is put back", event.function_name)
            return put_back(event, self._config(event), self._clock.now())
        if event.attempts:
            self._tally(event).count(retried=1)
        verdict = execution.verdict
        response = Response(target.deployment.version, verdict.payload, failed=verdict.failed)
        return executed(event, response, self._config(event), self._clock.now())

    def _config(self, event: QueuedEvent) -> EventInvokeConfig:
        return self._registry.event_config(event.function_name, event.qualifier)

    def _told(self, event: QueuedEvent) -> list[tuple[str, Destination]]:
        """Who is told of the end."""
        config = self._config(event)
        succeeded = event.condition == SUCCESS
        told = [
            ("on_success", config.on_success) if succeeded else ("on_failure", config.on_failure),
            ("dead_letter", None if succeeded else self._registry.function(event.function_name).dead_letter),
        ]
        return [(kind, destination) for kind, destination in told if destination is not None]

    async def _tell(self, event: QueuedEvent) -> bool:
        """Tell everyone; whether it arrived anywhere."""
        told = self._told(event)
        arrived = await asyncio.gather(*(self._deliver(event, *each) for each in told))
        tally = self._tally(event)
        for (kind, _), came in zip(told, arrived, strict=True):
            if not came:
                tally.count(delivery_failures=1)
            elif kind == "dead_letter":
                tally.count(dead_lettered=1)
            else:
                tally.count(delivered=1)
        return any(arrived)

    async def _deliver(self, event: QueuedEvent, kind: str, destination: Destination) -> bool:
        arn = self._registry.arn(event.function_name)
        message = dead_letter(event, arn) if kind == "dead_letter" else invocation_record(event, arn)
        return await self._deliveries.deliver(
            kind, destination, message, event.ended_at, self._sender_to_function(event)
        )

    def _sender_to_function(self, event: QueuedEvent) -> Callable[[FunctionRoute, Message], None]:
        """A record that goes to a function is an Event of its own, of the same chain."""

        def send(route: FunctionRoute, message: Message) -> None:
            name, trace_id = route.function_name, event.invocation.trace_id
            stopped = event.condition == RECURSIVE_INVOCATION
            if stopped and lineage.next_count(trace_id, self._registry.arn(name)) > lineage.MAX_INVOCATIONS:
                raise UndeliverableError(f"function {name} is part of the loop that was stopped")
            payload = message.body.encode()
            if len(payload) > MAX_EVENT_BYTES:
                raise UndeliverableError(
                    f"the record has {len(payload)} bytes, an Event at most {MAX_EVENT_BYTES}"
                )
            target = self._registry.find(name, route.qualifier)
            invocation = Invocation(str(uuid.uuid4()), target.invoked_arn, payload, "Event", trace_id)
            self.submit(target, invocation)

        return send

    async def wait(self) -> None:
        """Wait until every Event accepted so far, and each that comes meanwhile, is done with."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop. What is left is taken up again by the next endpoint, if it was kept."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._deliveries.close()
        self._store.close(self._clock.now())
