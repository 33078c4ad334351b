"""The one background event loop on which blocking ``map`` and ``fan_out`` run their engine."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop's when that is installed (the extra ``speed``), of asyncio's otherwise."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class BackgroundLoop:
    """An event loop in a daemon thread, started at first use and stopped at exit."""

    def __init__(self) -> None:
        self.make: Callable[[], asyncio.AbstractEventLoop] = new_event_loop
        self.forget()

    def forget(self) -> None:
        """Start anew: in a forked child the parent's thread is not there."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Callable[..., None]:
        """Start the loop if need be; what is returned runs a function on it, soon."""
        with self._lock:
            if self._loop is None:
                loop = self.make()
                thread = threading.Thread(
                    target=self._run, args=(loop,), name="lambda_invoke-loop", daemon=True
                )
                thread.start()
                self._loop, self._thread = loop, thread
        return self.call

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Run ``function`` on the loop, soon; where no loop runs, at exit for one, nobody waits for it."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it is being closed
                loop.call_soon_threadsafe(function, *args)

    def is_current(self) -> bool:
        """Whether this is the loop's own thread."""
        return threading.current_thread() is self._thread

    def settle(self, seconds: float) -> bool:
        """Wait until what was called so far, and the tasks it cancelled, had their turn; whether they had."""
        loop = self._loop
        if loop is None:
            return True
        if threading.current_thread() is self._thread:
            return False  # called back on the loop itself, waiting would wait for oneself
        settled: queue.SimpleQueue[None] = queue.SimpleQueue()  # not an Event: see Mailbox
        # A cancelled task is woken one turn after the cancel, and may take another to unwind.
        self.call(lambda: loop.call_later(0, lambda: loop.call_later(0, settled.put, None)))
        try:
            settled.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    def stop(self) -> None:
        """Stop the loop and close it; started anew if used again."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=1.0)
        if not thread.is_alive():
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


BACKGROUND = BackgroundLoop()

atexit.register(BACKGROUND.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=BACKGROUND.forget)
