"""The two drivers of ``once``: they differ by ``await``."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_invoke.once.run import Do, Invoke
from lambda_invoke.transports.threads import DaemonThreads, begin_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambda_invoke.core.plan import Call
    from lambda_invoke.once.run import Steps
    from lambda_invoke.results import Invocation

T = TypeVar("T")

_THREADS = DaemonThreads(4)
"""For what asyncio clients do with stores; waiting for a key is done on the loop."""


def drive_once(
    steps: Steps[T],
    invoke: Callable[[Call[Invocation[Any]]], Invocation[Any]],
    sleep: Callable[[float], object],
) -> T:
    """Carry out the steps, blocking."""
    try:
        return _drive_from(steps, None, invoke, sleep)
    except BaseException as error:
        if inspect.getgeneratorstate(steps) == inspect.GEN_CLOSED:
            raise
        return _drive_from(steps, error, invoke, sleep)  # Ctrl-C between two of them


def _drive_from(
    steps: Steps[T],
    error: BaseException | None,
    invoke: Callable[[Call[Invocation[Any]]], Invocation[Any]],
    sleep: Callable[[float], object],
) -> T:
    value: Any = None
    while True:
        try:
            step = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        value = error = None
        try:
            if isinstance(step, Do):
                value = step.operation()
            elif isinstance(step, Invoke):
                value = invoke(step.call)
            else:
                sleep(step.seconds)
        except BaseException as raised:  # noqa: BLE001 - the steps decide, and raise it again
            error = raised


async def drive_once_async(
    steps: Steps[T],
    invoke: Callable[[Call[Invocation[Any]]], Awaitable[Invocation[Any]]],
    sleep: Callable[[float], Awaitable[object]],
) -> T:
    """Carry out the steps, awaiting; operations of the store in threads."""
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        value = error = None
        try:
            if isinstance(step, Do):
                value = await to_its_end(step.operation)
            elif isinstance(step, Invoke):
                value = await invoke(step.call)
            else:
                await sleep(step.seconds)
        except GeneratorExit:  # this coroutine is thrown away: nothing can be awaited any more
            steps.close()
            raise
        except BaseException as raised:  # noqa: BLE001 - as above
            error = raised


async def to_its_end(operation: Callable[[], T]) -> T:
    """Run an operation in a thread; a cancellation waits until it is done, and then counts."""
    running = begin_in_thread(_THREADS, operation)  # no task: asyncio.run cancels every task as it ends
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # fetched, so that asyncio does not report it
        raise
