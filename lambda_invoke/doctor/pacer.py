"""Keeps calls to a rate, in whatever threads they are made."""

from __future__ import annotations

import collections
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.transports.sender import Sender

CALLS_A_SECOND = 10
"""Of the doctor. Lambda's control plane takes 15 a second in all, of everybody in the account and region
(AWS quota, 2026-11): a third is left to others."""


class Pacer:
    """At most ``calls`` begin within any second. A burst goes at once; who is over it waits its turn."""

    def __init__(
        self, now: Callable[[], float], sleep: Callable[[float], object], *, calls: int = CALLS_A_SECOND
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._begun: collections.deque[float] = collections.deque(maxlen=calls)
        self.renew()

    def renew(self) -> None:
        """In a forked child: the parent's lock may be held for ever."""
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the next call may begin."""
        with self._lock:
            now = self._now()
            full = len(self._begun) == self._begun.maxlen
            begins = max(now, self._begun[0] + 1.0) if full else now
            self._begun.append(begins)
        if begins > now:
            self._sleep(begins - now)


_PACERS: weakref.WeakKeyDictionary[Sender, Pacer] = weakref.WeakKeyDictionary()


def pacer_of(sender: Sender, now: Callable[[], float], sleep: Callable[[float], object]) -> Pacer:
    """The one of a client: all its diagnoses together keep the rate."""
    made = Pacer(now, sleep)
    pacer = _PACERS.setdefault(sender, made)
    if pacer is made:
        sender.also_after_fork.append(pacer.renew)
    return pacer
