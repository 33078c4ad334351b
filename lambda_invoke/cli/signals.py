"""Ctrl-C and SIGTERM: an orderly end the first time, the usual one the second.

A library installs no signal handler; a program may.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 - a signal, not an error
    """A signal came while input was being waited for."""


class Stopping:
    """``requested`` is set at the first signal, ``signal`` says which it was."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.signal: signal.Signals | None = None
        self._waiting = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler. Raises only where nothing can be lost: while waiting for input."""
        self.signal = signal.Signals(number)
        self.requested.set()
        for each in _SIGNALS:
            signal.signal(each, signal.default_int_handler if each is signal.SIGINT else signal.SIG_DFL)
        if self._waiting:
            raise Interrupted

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A read that a signal may break off: Python would otherwise begin it again."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False


@contextlib.contextmanager
def stopping() -> Iterator[Stopping]:
    """Handle SIGINT and SIGTERM meanwhile."""
    state = Stopping()
    before = {each: signal.signal(each, state.handle) for each in _SIGNALS}
    try:
        yield state
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
