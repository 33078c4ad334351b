"""Calls that stay in flight until a test lets them go."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0
"""Real seconds after which a call that nobody releases fails its test rather than hang it."""


class Hold:
    """Keeps calls in flight, really, until :meth:`release`. From any thread and any loop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entered = 0
        self._released = False
        self._wake: list[Callable[[], object]] = []

    @property
    def entered(self) -> int:
        """How many calls have come here so far."""
        with self._changed:
            return self._entered

    def wait_entered(self, count: int = 1, timeout: float = PATIENCE) -> None:
        """Wait until so many calls have come; ``timeout`` in real seconds.

        Raises:
            TimeoutError: they did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._entered >= count, timeout):
                raise TimeoutError(f"{self._entered} of {count} calls came within {timeout:g} s")

    def release(self) -> None:
        """Let go those that are here, and those that come."""
        with self._changed:
            self._released = True
            wake, self._wake = self._wake, []
            self._changed.notify_all()
        for one in wake:
            one()

    def _enter(self) -> None:
        with self._changed:
            self._entered += 1
            self._changed.notify_all()

    def pass_through(self) -> None:
        """Stay until the release, blocking.

        Raises:
            TimeoutError: nobody released it.
        """
        self._enter()
        with self._changed:
            if not self._changed.wait_for(lambda: self._released, PATIENCE):
                raise TimeoutError(f"a call was held for {PATIENCE:g} s, and nobody released it")

    async def pass_through_async(self) -> None:
        """The same, awaited.

        Raises:
            TimeoutError: nobody released it.
        """
        loop, turn = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            if not self._released:
                self._wake.append(lambda: loop.call_soon_threadsafe(turn.set))
            else:
                turn.set()
        self._enter()
        try:
            async with asyncio.timeout(PATIENCE):
                await turn.wait()
        except TimeoutError:
            raise TimeoutError(f"a call was held for {PATIENCE:g} s, and nobody released it") from None

    def __repr__(self) -> str:
        return f"<Hold: {self.entered} entered, {'released' if self._released else 'held'}>"
