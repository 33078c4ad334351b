"""The course of one ``once``: a generator that says what to do next, and drivers that do it.

It takes the key, has the function invoked, and stores what came of it; or it finds the key taken, and
waits, gives the stored result or raises. It does no I/O itself: it yields :class:`Do` (something of the
store's), :class:`Invoke` and :class:`Sleep`, so that the blocking and the asyncio client differ by
``await`` alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lambda_invoke.core.cancelled import marked_call
from lambda_invoke.core.plan import Course, given_up
from lambda_invoke.core.warn import warn_caller
from lambda_invoke.errors import (
    DeadlineExceededError,
    Executed,
    FunctionError,
    IdempotencyStoreError,
    IdempotencyWarning,
    LambdaInvokeError,
    PayloadDecodingError,
)
from lambda_invoke.once import envelope as kinds
from lambda_invoke.once.replay import conflict, in_progress, replay, time_of
from lambda_invoke.once.results import OnceResult

if TYPE_CHECKING:
    from lambda_invoke.core.plan import Call
    from lambda_invoke.once.envelope import Envelope
    from lambda_invoke.once.prepare import Job
    from lambda_invoke.once.store import Found, Lock, Name, Store
    from lambda_invoke.results import Invocation

T = TypeVar("T")

_FIRST_POLL = 0.05
_POLL_GROWTH = 1.6
_LONGEST_POLL = 2.0
_NOT_HELD = "its lock had expired or was released, so that another call may have run the function as well"


@attrs.frozen
class Do:
    """Carry out an operation of the store's, to its end, even if the caller gives up meanwhile."""

    operation: Callable[[], Any]


@attrs.frozen
class Invoke:
    """Carry out a call."""

    call: Call[Invocation[Any]]


@attrs.frozen
class Sleep:
    """Wait, in seconds."""

    seconds: float


Steps = Generator[Do | Invoke | Sleep, Any, T]


def once(
    job: Job, *, now: Callable[[], float], wall: Callable[[], float], random: Callable[[], float]
) -> Steps[OnceResult[Any]]:
    """Have a function run once for a key.

    Args:
        job: what to do.
        now: a monotonic clock, of the deadline.
        wall: seconds since the epoch, of what is stored.
        random: for the pauses between looks at a key that another call holds.

    Raises:
        LambdaInvokeError: as :meth:`LambdaClient.once`.
    """
    started = now()
    store: Store = yield Do(job.open)
    name: Name = yield Do(job.name_in(store))
    while True:
        begun = now()
        _check_time(job, started, begun)
        lock = job.lock(name, wall())
        call = _call(job, begun=begun, started=started)
        held = False
        invocation: Invocation[Any] | None = None
        try:
            found: Found | None = yield Do(partial(store.take, lock))
            held = found is None
            if held:
                invocation = yield Invoke(call)
                assert invocation is not None
                stored = yield from _store(job, store, lock, job.result(lock, invocation), wall)
                return OnceResult(invocation, stored=stored)
        except GeneratorExit:
            raise
        except BaseException as error:
            if invocation is not None:  # Ctrl-C: that it ran must not be forgotten
                result = job.result(lock, invocation)
                yield from _attempt(partial(store.finish, lock, result, expires=job.expires(wall())))
            elif held:
                yield from _failed(job, store, lock, error, _known(error, call, now()), wall)
            elif store.doubtful or not isinstance(error, IdempotencyStoreError):
                # Perhaps it was taken all the same; what is another's is not touched.
                yield from _attempt(partial(store.release, lock))
            raise
        assert found is not None
        replayed = yield from _other(
            job, store, name, found, started=started, now=now, wall=wall, random=random
        )
        if replayed is not None:
            return replayed


def _call(job: Job, *, begun: float, started: float) -> Call[Invocation[Any]]:
    """The call, bounded so that its lock outlasts it however long taking the key takes."""
    ends = begun + job.call_seconds
    if job.deadline is not None:
        ends = min(ends, started + job.deadline)
    return attrs.evolve(job.call, started=begun, expires=ends, course=Course())


def _known(error: BaseException, call: Call[Invocation[Any]], now: float) -> LambdaInvokeError:
    """What is known of the call that failed so."""
    if isinstance(error, LambdaInvokeError):
        return error
    # Of this error alone: those that it was raised in the handling of broke off other calls.
    return marked_call(error) or given_up(call, now)


def _other(
    job: Job,
    store: Store,
    name: Name,
    found: Found,
    *,
    started: float,
    now: Callable[[], float],
    wall: Callable[[], float],
    random: Callable[[], float],
) -> Steps[OnceResult[Any] | None]:
    """What another call made of the key; None: it is free now."""
    pause = _FIRST_POLL
    while True:
        if not found.belongs_to(name):
            raise conflict(job, name, found)
        if found.completed:
            return replay(job, name, found.envelope, store)
        held = in_progress(job, name, found)
        if held.executed is not Executed.NO or job.settings.concurrent == "raise":
            raise held
        _check_time(job, started, now(), held)
        seconds = pause * (0.5 + random() / 2)
        if found.until is not None:
            seconds = min(seconds, max(found.until - wall(), 0.0) + 0.002)  # the store counts milliseconds
        if job.deadline is not None:
            seconds = min(seconds, max(started + job.deadline - now(), 0.0))
        yield Sleep(seconds)
        pause = min(pause * _POLL_GROWTH, _LONGEST_POLL)
        there: Found | None = yield Do(partial(store.read, name.record))
        if there is None or (not there.completed and there.until is not None and there.until < wall()):
            return None
        found = there


def _failed(
    job: Job,
    store: Store,
    lock: Lock,
    error: BaseException,
    known: LambdaInvokeError,
    wall: Callable[[], float],
) -> Steps[None]:
    """Settle the key of a call that failed, by what is known of its run."""
    if isinstance(known, PayloadDecodingError):  # the function did its work: never again for this key
        yield from _store(job, store, lock, job.undecoded(lock, known), wall)
        return
    unknown = Executed.UNKNOWN in {known.executed, *(made.executed for made in known.attempts)}
    if unknown and not job.idempotent:
        until = time_of(lock.until)
        error.add_note(
            f"Its idempotency key (record {lock.name.record}) stays locked until {until.isoformat()}, "
            "since nobody knows whether the function ran."
        )
        known.locked_until = until
        note = attrs.evolve(lock.envelope, kind=kinds.UNKNOWN, request_id=known.request_id)
        yield from _attempt(partial(store.note, lock, note))
        return
    if isinstance(known, FunctionError) and job.settings.on_error == "keep":
        yield from _store(job, store, lock, job.failure(lock, known), wall)
        return
    if not (yield from _attempt(partial(store.release, lock))):
        error.add_note(
            f"Its idempotency key (record {lock.name.record}) could not be released; it is locked until "
            f"{time_of(lock.until).isoformat()}."
        )


def _store(job: Job, store: Store, lock: Lock, envelope: Envelope, wall: Callable[[], float]) -> Steps[bool]:
    """Store what a function did. It ran: whatever happens here, its result is given."""
    expires = job.expires(wall())
    try:
        kept = yield Do(partial(store.finish, lock, envelope, expires=expires))
        why = None if kept else _NOT_HELD
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not take the result with it
        why = error.message if isinstance(error, LambdaInvokeError) else repr(error)
        marker = attrs.evolve(envelope, kind=kinds.UNSTORED, payload=None, why=why)
        marked = yield from _attempt(partial(store.finish, lock, marker, expires=expires))
        why += (
            "; later calls with its key raise ResultNotStoredError"
            if marked
            else f"; its key is locked until {time_of(lock.until).isoformat()} and may run the function then"
        )
    if why is None:
        return True
    message = f"{job.display}: the function ran and its result is not stored under its key: {why}"
    logging.getLogger("lambda_invoke").warning(
        "%s: the function ran and its result is not stored under its key (record %s)",
        job.display,
        lock.name.record,
    )
    with contextlib.suppress(IdempotencyWarning):  # as an error it would take the result with it
        warn_caller(message, IdempotencyWarning)
    return False


def _attempt(operation: Callable[[], bool]) -> Steps[bool]:
    """Do what may fail: something else is told to the caller already."""
    try:
        done: bool = yield Do(operation)
    except LambdaInvokeError:
        return False
    return done


def _check_time(job: Job, started: float, now: float, held: LambdaInvokeError | None = None) -> None:
    if job.deadline is not None and now - started >= job.deadline:
        where = "before the key was taken" if held is None else "while another call held the key"
        raise DeadlineExceededError(
            f"the deadline of {job.deadline:.3g} s passed {where}",
            function=job.display,
        ) from held
