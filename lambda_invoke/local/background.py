"""The background thread on which an endpoint serves: it works beside any code, a notebook's loop included."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from typing import TYPE_CHECKING

from lambda_invoke.fanout.loop import new_event_loop
from lambda_invoke.local.function import LocalLambdaError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lambda_invoke.local.events import EventQueue

_STOP_SECONDS = 5.0


class BackgroundServer:
    """One start of an endpoint: a daemon thread with an event loop of its own, on which ``serve`` runs."""

    def __init__(self, serve: Callable[[BackgroundServer], Coroutine[object, object, None]]) -> None:
        self._serve = serve
        self._started: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="lambda-invoke-local", daemon=True)
        self._owner = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._events: EventQueue | None = None
        self.port = 0

    def start(self) -> None:
        """Start the thread; returns when it serves, and raises what kept it from that."""
        self._thread.start()
        self.port = self._started.result()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._serve(self))
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def serve(self, port: int, events: EventQueue) -> None:
        """Tell the starter, and wait until it wants the end."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._events = events
        self._started.set_result(port)
        await self._stopping.wait()

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._owner != os.getpid():
            return  # a fork: the thread and the workers are the parent's
        assert self._loop is not None
        assert self._stopping is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise LocalLambdaError(f"the local endpoint did not stop within {_STOP_SECONDS:g} seconds")

    def wait_for_events(self, timeout: float | None) -> None:
        """Wait for the event queue, from another thread."""
        assert self._loop is not None
        assert self._events is not None
        waiting = asyncio.run_coroutine_threadsafe(self._events.wait(), self._loop)
        try:
            waiting.result(timeout)
        except concurrent.futures.TimeoutError as error:
            waiting.cancel()
            raise TimeoutError(f"there were still events after {timeout} seconds") from error
