"""Redriving a dead-letter queue or failure destination: how a client's call becomes a run."""

from __future__ import annotations

import asyncio
import contextvars
import queue as queues
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from lambda_invoke.core.calls import Options, Terms
from lambda_invoke.core.cancelled import mark_redrive
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import RedriveError, RedriveInterrupted, RequestError
from lambda_invoke.events.queue import MAX_VISIBILITY_SECONDS, Queue, checked_queue_url
from lambda_invoke.events.redrive_choice import choice_of
from lambda_invoke.events.redrive_journal import RedriveJournal
from lambda_invoke.events.redrive_order import RedriveOrder
from lambda_invoke.events.redrive_run import RedriveRun
from lambda_invoke.events.redrive_sending import event_caller
from lambda_invoke.events.redrive_survey import survey
from lambda_invoke.fanout.job import DEFAULT_CONCURRENCY, Job
from lambda_invoke.fanout.loop import BACKGROUND
from lambda_invoke.fanout.progress import Progress, meter_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.base import ClientBase
    from lambda_invoke.events.redrive_plan import RedrivePlan
    from lambda_invoke.events.redrive_report import RedriveReport
    from lambda_invoke.fanout.progress import Meter

T = TypeVar("T")

VISIBILITY_SECONDS = 300
"""For so long a message is hidden, and for so long again each third of it, while a redrive has it."""
_LEAST_VISIBILITY_SECONDS = 3


def order_of(client: ClientBase, queue_url: str, function: str | None, **options: Any) -> RedriveOrder:
    """What a client's ``redrive`` was asked, checked.

    Raises:
        RequestError: an argument is none.
    """
    given = _Given(**options)
    checked_queue_url(queue_url)
    if function is not None:
        parse_target(function, given.qualifier)
    elif given.qualifier is not None:
        raise RequestError("qualifier is of a function, which is not given: records name theirs")
    if given.limit is not None and (isinstance(given.limit, bool) or given.limit < 1):
        raise RequestError(f"limit is an int of at least 1, not {given.limit!r}")
    visibility = given.visibility_timeout
    if (
        not isinstance(visibility, int)
        or not _LEAST_VISIBILITY_SECONDS <= visibility <= MAX_VISIBILITY_SECONDS
    ):
        raise RequestError(
            f"visibility_timeout is whole seconds, {_LEAST_VISIBILITY_SECONDS} to {MAX_VISIBILITY_SECONDS}, "
            f"not {visibility!r}"
        )
    choice = choice_of(
        error_type=given.error_type,
        older_than=given.older_than,
        newer_than=given.newer_than,
        from_function=given.from_function,
        request_ids=given.request_ids,
        where=given.where,
    )
    journal = RedriveJournal(
        queue_url, given.journal, given.may_have_run, idempotent=given.idempotent, durable=given.durable
    )
    caller = client._caller  # noqa: SLF001 - the client's own method
    job = Job(
        event_caller(caller) if given.as_events else caller,
        client._sender,  # noqa: SLF001
        client._admission,  # noqa: SLF001
        client._clock,  # noqa: SLF001
        None,
        given.qualifier,
        Options(idempotent=given.idempotent),
        Terms(given.retry, given.timeout, None),
        given.concurrency,
        given.deadline,
    )
    job.map_async(())  # refuses what no message could be sent with, and warns, in the caller's own thread
    slots = min(job.concurrency or DEFAULT_CONCURRENCY, client._sender.slots)  # noqa: SLF001
    return RedriveOrder(
        Queue(client._sender.service("sqs"), queue_url),  # noqa: SLF001
        journal,
        choice,
        attrs.evolve(job, concurrency=slots),
        function,
        given.as_events,
        given.limit,
        visibility,
        given.stop,
        given.drain,
    )


@attrs.frozen(kw_only=True)
class _Given:
    """The options by their names."""

    as_events: bool = False
    error_type: Any = None
    older_than: Any = None
    newer_than: Any = None
    from_function: Any = None
    request_ids: Any = None
    where: Any = None
    limit: Any = None
    idempotent: bool = False
    may_have_run: Any = "keep"
    journal: Any = None
    durable: bool = False
    visibility_timeout: Any = VISIBILITY_SECONDS
    concurrency: Any = None
    qualifier: Any = None
    timeout: Any = None
    deadline: Any = None
    retry: Any = None
    stop: Any = None
    drain: bool = False


class _Looking:
    """A dry run, as what can be interrupted."""

    def __init__(self, order: RedriveOrder) -> None:
        self._order = order
        self.interrupted = False

    def interrupt(self) -> None:
        self.interrupted = True

    async def run(self) -> RedrivePlan:
        order = self._order

        def halted() -> bool:
            return self.interrupted or (order.stop is not None and order.stop.is_set())

        return await survey(
            order.queue,
            order.choice,
            order.journal,
            function=order.function,
            limit=order.limit,
            visibility_timeout=order.visibility_timeout,
            halted=halted,
        )


def look(order: RedriveOrder) -> RedrivePlan:
    """The dry run, blocking; raises as ``survey``, and KeyboardInterrupt when everything is given back."""
    waiter: _Waiter[RedrivePlan] = _Waiter(lambda _tell: _Looking(order))
    plan = waiter.wait(lambda _progress: None)
    if waiter.interrupted:
        raise KeyboardInterrupt
    return plan


async def look_async(order: RedriveOrder) -> RedrivePlan:
    """The same for asyncio."""
    looking = _Looking(order)
    task = asyncio.ensure_future(looking.run())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        looking.interrupt()
        await asyncio.wait([task])
        _ = task.cancelled() or task.exception()  # nobody waits for either any more
        raise


def send(order: RedriveOrder, progress: Any) -> RedriveReport:
    """The run, blocking.

    Raises:
        RedriveInterrupted: Ctrl-C; its ``report`` has what is known.
        RequestError, QueueError, RedriveError: as of ``RedriveRun.run``.
    """
    meter = _meter(order, progress)
    waiter: _Waiter[RedriveReport] = _Waiter(lambda tell: RedriveRun(order, tell))
    try:
        report = waiter.wait(meter.update)
    except RedriveError as error:
        if not waiter.interrupted:
            raise
        raise RedriveInterrupted("interrupted; .report has what is known", error.report) from error
    finally:
        meter.close()
    if waiter.interrupted:
        raise RedriveInterrupted("interrupted; .report has what is known", report)
    return report


async def send_async(order: RedriveOrder, progress: Any) -> RedriveReport:
    """The same for asyncio; a CancelledError has the report."""
    meter = _meter(order, progress)
    run = RedriveRun(order, meter.update)
    task = asyncio.ensure_future(run.run())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancelled:
        run.interrupt()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            mark_redrive(cancelled, task.result())
        raise
    finally:
        meter.close()


def _meter(order: RedriveOrder, progress: Any) -> Meter:
    return meter_for(progress, f"redrive of {order.queue.name}", None)


class _Waiter(Generic[T]):
    """Has a run on the background loop, and waits for it on the caller's thread, where progress is told."""

    def __init__(self, make: Callable[[Callable[[Progress], object]], Any]) -> None:
        self._make = make
        self._run: Any = None
        self._box: queues.SimpleQueue[Progress | asyncio.Task[T]] = queues.SimpleQueue()
        self.interrupted = False

    def wait(self, tell: Callable[[Progress], object]) -> T:
        """The run's result. Ctrl-C interrupts the run and waits for its end; a second one does not.

        Raises:
            KeyboardInterrupt: the second Ctrl-C.
            Exception: what the progress callback raised, or a signal handler meanwhile (SystemExit too),
                and what the run did.
        """
        if BACKGROUND.is_current():
            raise RuntimeError("redrive cannot be used on the loop that runs it: in on_attempt, say")
        context = contextvars.copy_context()
        started = False
        failure: BaseException | None = None
        while True:
            try:
                if not started:  # in here: a Ctrl-C at any point finds a run that it can end
                    BACKGROUND.start()(self._begin, context)
                    started = True
                came = self._box.get()
                if not isinstance(came, Progress):
                    break
                if failure is None:
                    tell(came)
            except KeyboardInterrupt:
                if self.interrupted:
                    raise
                self.interrupted = True
                BACKGROUND.call(self._interrupt)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the caller's own, raised when all is put away
                failure = error
                BACKGROUND.call(self._interrupt)
        if failure is not None:
            raise failure
        return came.result()

    def _begin(self, context: contextvars.Context) -> None:
        if self._run is not None:
            return  # the Ctrl-C came just when it had been started
        self._run = self._make(self._box.put)
        if self.interrupted:
            self._run.interrupt()
        task = asyncio.get_running_loop().create_task(self._run.run(), context=context)
        task.add_done_callback(self._box.put)
        self._task = task

    def _interrupt(self) -> None:
        if self._run is not None:
            self._run.interrupt()
