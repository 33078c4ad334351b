"""A blocking transport, awaited: its sends run in the library's own daemon threads.

Never the loop's default executor: that is the caller's, small, and joined at exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import queue
import threading
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_invoke.core.transport import Failure, FailureKind
from lambda_invoke.errors import Executed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.core.transport import Answer, Request, Transport

T = TypeVar("T")

_IDLE_SECONDS = 10.0
"""A thread without work for that long ends."""


def mark_unsent(cancelled: asyncio.CancelledError) -> None:
    """Note on a cancelled send that nothing was sent, and nothing will be.

    A note and not a class: ``asyncio.timeout`` of Python 3.11 knows CancelledError itself only.
    """
    cancelled.__dict__["lambda_invoke_unsent"] = True


def mark_sent(cancelled: asyncio.CancelledError) -> None:
    """Note on a cancelled send that something was written."""
    cancelled.__dict__["lambda_invoke_sent"] = True


def was_sent(cancelled: asyncio.CancelledError) -> bool:
    """Whether a cancelled send was marked so."""
    return "lambda_invoke_sent" in cancelled.__dict__


def was_unsent(cancelled: asyncio.CancelledError) -> bool:
    """Whether a cancelled send was marked so."""
    return "lambda_invoke_unsent" in cancelled.__dict__


class Sending:
    """A blocking send in another thread, that can be given up.

    A transport that queues says so with :meth:`queue` and asks with :meth:`begin` before it sends;
    of one that says neither it cannot be known, once it was called, whether it has sent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queueing = True
        self._given_up = False
        self._abort: Callable[[], None] | None = None

    def start(self) -> bool:
        """A thread is about to call the transport; False: it was given up already."""
        with self._lock:
            self._queueing = False
            return not self._given_up

    def queue(self) -> None:
        """The send waits for its turn; nothing is sent before ``begin``."""
        with self._lock:
            self._queueing = self._abort is None

    def begin(self, abort: Callable[[], None]) -> bool:
        """It is about to send, and ``abort`` gives it up; False: it was given up already."""
        with self._lock:
            self._queueing = False
            self._abort = abort
            return not self._given_up

    def give_up(self) -> bool:
        """Nobody waits for the answer any more; True: it had not begun, and will not."""
        with self._lock:
            self._given_up = True
            unsent, abort = self._queueing, self._abort
        if abort is not None:
            abort()
        return unsent


SENDING: ContextVar[Sending | None] = ContextVar("lambda_invoke_sending", default=None)


_POOLS: weakref.WeakSet[DaemonThreads] = weakref.WeakSet()


class DaemonThreads:
    """Up to ``most`` daemon threads, started as work needs them and ended when idle."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._start_anew()
        _POOLS.add(self)

    def _start_anew(self) -> None:
        """Also in a forked child, where the parent's threads are not."""
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = 0
        self._spare = 0

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` in a thread, soon."""
        with self._lock:
            start = self._spare <= 0 and self._threads < self._most
            if start:
                self._threads += 1
            else:
                self._spare -= 1
        if start:
            try:
                threading.Thread(target=self._run, name="lambda_invoke-send", daemon=True).start()
            except RuntimeError:  # the system gives no more threads: those that run take turns
                with self._lock:
                    self._threads -= 1
                    if self._threads == 0:
                        raise
                    self._spare -= 1
        self._work.put(job)

    def _run(self) -> None:
        while True:
            try:
                job = self._work.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._spare <= 0:
                        continue  # a job was promised to a spare thread: it is on its way
                    self._spare -= 1
                    self._threads -= 1
                return
            job()
            del job
            with self._lock:
                self._spare += 1


def _after_fork() -> None:
    for pool in list(_POOLS):
        pool._start_anew()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


CONTROL_PLANE = DaemonThreads(4)
"""For what boto3 carries on behalf of asyncio clients, sending aside."""


async def in_thread(
    threads: DaemonThreads, function: Callable[[], T], *, start: Callable[[], bool] | None = None
) -> T:
    """Run ``function`` in a thread and wait for it; arguments as for :func:`begin_in_thread`."""
    return await begin_in_thread(threads, function, start=start)


def begin_in_thread(
    threads: DaemonThreads, function: Callable[[], T], *, start: Callable[[], bool] | None = None
) -> asyncio.Future[T]:
    """Run ``function`` in a thread: the future of its result, which is no task.

    ``start`` is asked in the thread before it runs; where it says no, nobody waits any more.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def job() -> None:
        if start is not None and not start():
            return
        result: Any = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - carried to the task that awaits it
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(settle, result, failure)

    threads.submit(job)
    return future


class ThreadedTransport:
    """An AsyncTransport over a blocking one."""

    def __init__(self, transport: Transport, *, most: int) -> None:
        self._transport = transport
        self._threads = DaemonThreads(most)

    async def send(self, request: Request, timeout: float | None, remaining: float | None) -> Answer:
        """Send once, in a thread and in the awaiting task's context."""
        sending = Sending()
        context = contextvars.copy_context()
        context.run(SENDING.set, sending)
        expires = None if remaining is None else time.monotonic() + remaining

        def send() -> Answer:
            # What is left once a thread was free for it.
            left = None if expires is None else expires - time.monotonic()
            if left is not None and left <= 0:
                return Failure(
                    FailureKind.QUEUE, Executed.NO, "the deadline passed while waiting for a thread"
                )
            return context.run(self._transport.send, request, timeout, left)

        try:
            return await in_thread(self._threads, send, start=sending.start)
        except asyncio.CancelledError as cancelled:
            if sending.give_up():
                mark_unsent(cancelled)
            raise

    async def aclose(self) -> None:
        """Close the blocking transport; idle threads end by themselves."""
        self._transport.close()
