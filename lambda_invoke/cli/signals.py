"""Ctrl-C and SIGTERM: an orderly end the first time, the usual one when that takes too long.

A library installs no signal handler; a program may.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STANDARD_ERROR = 2


class Stopping:
    """What a job is told of signals: ``is_set()`` once the first one came, ``signal`` says which.

    With ``drain`` the first one lets what is in flight finish, and the second calls ``give_up``. Any
    further one does what it does to any program. No locks: a handler may run in the midst of anything,
    of another handler too.
    """

    def __init__(self, *, drain: bool = False) -> None:
        self.signal: signal.Signals | None = None
        self.give_up: Callable[[], object] = lambda: None
        self._drain = drain

    def is_set(self) -> bool:
        """Whether the job is to end."""
        return self.signal is not None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        first = self.signal is None
        if first:
            self.signal = signal.Signals(number)
            if self._drain:
                _say(f"{self.signal.name}: waiting for what is in flight; once more gives it up\n")
                return
        for each in _SIGNALS:
            signal.signal(each, signal.default_int_handler if each is signal.SIGINT else signal.SIG_DFL)
        if not first:
            self.give_up()


@contextlib.contextmanager
def stopping(*, drain: bool = False) -> Iterator[Stopping]:
    """Handle SIGINT and SIGTERM meanwhile."""
    state = Stopping(drain=drain)
    before = {each: signal.signal(each, state.handle) for each in _SIGNALS}
    try:
        yield state
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _say(text: str) -> None:
    """Past ``sys.stderr``, which may be in the midst of a write itself."""
    with contextlib.suppress(OSError):
        os.write(_STANDARD_ERROR, text.encode())
