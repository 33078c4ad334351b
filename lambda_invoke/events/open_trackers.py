"""Which trackers are open on a client, so that its Events find theirs without being told."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lambda_invoke.transports.sender import Sender

_WRITING = threading.Lock()
# Read without the lock: what is written is a new tuple.
_OPEN: weakref.WeakKeyDictionary[Sender, tuple[weakref.ref[Any], ...]] = weakref.WeakKeyDictionary()


def add_tracker(sender: Sender, tracker: object) -> None:
    """A tracker was opened on the client that has this sender."""
    with _WRITING:
        others = tuple(one for one in _OPEN.get(sender, ()) if one() is not None)
        _OPEN[sender] = (*others, weakref.ref(tracker))


def remove_tracker(sender: Sender, tracker: object) -> None:
    """It was closed."""
    with _WRITING:
        _OPEN[sender] = tuple(one for one in _OPEN.get(sender, ()) if one() not in {None, tracker})


def tracker_of(sender: Sender) -> Any:
    """The client's tracker, if it has exactly one open; else None."""
    trackers = [found for one in _OPEN.get(sender, ()) if (found := one()) is not None]
    return trackers[0] if len(trackers) == 1 else None


def _after_fork() -> None:
    global _WRITING  # noqa: PLW0603 - another thread of the parent may have held it
    _WRITING = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
