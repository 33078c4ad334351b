"""The one thread that asks a queue while somebody waits, and hands what comes to who waits for it."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import Executed, LambdaInvokeError, RequestError
from lambda_invoke.events.queue import MAX_WAIT_SECONDS, Queue, QueueMessage
from lambda_invoke.events.tracker_matching import Looked, Matching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LINGER_SECONDS = 1.0
"""For which the thread stays, without asking, when nobody waits any more: somebody may again."""
CLOSE_SECONDS = 2.0
"""For which a close waits for what is on its way. A long poll may take longer; its thread is a daemon's."""


class Entry:
    """One Event that is waited for; ``record`` is the message that told of it, as boto3 has it."""

    __slots__ = ("__weakref__", "record", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.record: Any = None


@attrs.define(eq=False)
class Waiter:
    """Somebody who waits for entries. ``wake`` is called from the poller's thread, under its lock."""

    left: dict[str, Entry]
    until: float
    wake: Callable[[], object]
    quiet: Callable[[], object]
    arrived: deque[Entry] = attrs.field(factory=deque)
    error: Exception | None = None


class Poller:
    """The entries that are waited for, who waits, and the thread that asks.

    An entry that nobody holds any more is not waited for: its record stays in the queue.

    Args:
        open_queue: gives the queue; called in the thread, each time it starts.
        request_id_of: which Event a message tells of, or None.
        visibility_timeout: seconds after which what was received and not dealt with comes again.
        keep: records are not deleted.
    """

    def __init__(
        self,
        open_queue: Callable[[], Queue],
        request_id_of: Callable[[QueueMessage], str | None],
        *,
        visibility_timeout: int,
        keep: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_queue = open_queue
        self._request_id_of = request_id_of
        self._visibility_timeout = visibility_timeout
        self.now = now
        self._keep = keep
        self._matching = Matching(keep=keep)
        self._entries: weakref.WeakValueDictionary[str, Entry] = weakref.WeakValueDictionary()
        self.closed = False
        self.resolved = 0
        self.foreign = 0
        self._start_anew()
        _POLLERS.add(self)

    def _start_anew(self) -> None:
        """Also in a forked child, where the parent's thread, its waiters and its messages are not."""
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._waiters: set[Waiter] = set()
        self._new: set[str] = set()
        self._matching.release(math.inf)

    def entry(self, request_id: str) -> Entry:
        """The entry of an Event: the one that somebody holds, or a new one.

        Raises:
            RequestError: its record was handed over to one that nobody holds any more.
        """
        with self._lock:
            found = self._entries.get(request_id)
            if found is None:
                if self._matching.is_done(request_id) and not self._keep:
                    raise RequestError(
                        "the record of this Event was handed over before and deleted, and its handle "
                        "is gone: hold on to the handle, or open the tracker with keep=True",
                        request_id=request_id,
                        executed=Executed.UNKNOWN,
                    )
                found = self._entries[request_id] = Entry(request_id)
                if self._thread is not None:  # else nothing is hidden
                    self._new.add(request_id)
                    self._lock.notify_all()
            return found

    @property
    def waited_for(self) -> int:
        """How many Events have handles and no record yet."""
        with self._lock:
            return sum(entry.record is None for entry in self._entries.values())

    @property
    def polling(self) -> bool:
        """Whether the queue is being asked."""
        with self._lock:
            return self._thread is not None and bool(self._waiters)

    @contextlib.contextmanager
    def waiting(
        self,
        entries: Iterable[Entry],
        timeout: float | None,
        wake: Callable[[], object],
        quiet: Callable[[], object],
    ) -> Iterator[Waiter]:
        """Wait for entries, for ``timeout`` seconds: the queue is asked meanwhile.

        ``wake`` is called when there is something to :meth:`take`, ``quiet`` when there is nothing.
        """
        until = math.inf if timeout is None else self.now() + timeout
        left = {entry.request_id: entry for entry in entries}
        waiter = Waiter(left, until, wake, quiet)
        with self._lock:
            waiter.arrived.extend(entry for entry in left.values() if entry.record is not None)
            self._waiters.add(waiter)
            if len(waiter.arrived) < len(left):
                self._start()
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def take(self, waiter: Waiter) -> Entry | None:
        """The next of a waiter's entries that has its record; None: none has yet.

        Raises:
            LambdaInvokeError: the queue cannot be read, or the tracker is closed.
        """
        with self._lock:
            if waiter.arrived:
                entry = waiter.arrived.popleft()
                del waiter.left[entry.request_id]
                return entry
            if waiter.error is not None:
                raise waiter.error
            if self.closed:
                raise _closed()
            waiter.quiet()
            return None

    def close(self) -> None:
        """Ask no more; who waits gets a RequestError. What is hidden from others is given back."""
        with self._lock:
            self.closed = True
            thread = self._thread
            for waiter in self._waiters:
                waiter.wake()
            self._lock.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)

    # What follows runs in the thread, but for _start.

    def _start(self) -> None:
        """Called under the lock."""
        if self._thread is None and not self.closed:
            self._thread = threading.Thread(target=self._run, name="lambda_invoke-outcomes", daemon=True)
            self._thread.start()
        else:
            self._lock.notify_all()

    def _run(self) -> None:
        queue: Queue | None = None
        hidden: list[QueueMessage] | None = None
        try:
            queue = self._open_queue()
            while (hidden := self._ended()) is None:
                self._look(queue)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits
            hidden = self._fail(error)
        if queue is not None:
            with contextlib.suppress(LambdaInvokeError):  # they come back by themselves
                queue.change_visibility(hidden, 0)

    def _ended(self) -> list[QueueMessage] | None:
        """None while somebody waits; at the end what is still hidden. Stays a while for who may come."""
        with self._lock:
            lingers_until = self.now() + LINGER_SECONDS
            while not self.closed:
                if self._longest_wait() > 0:
                    return None
                if (left := lingers_until - self.now()) <= 0:
                    break
                self._lock.wait(left)
            return self._end()

    def _longest_wait(self) -> float:
        """Called under the lock: the seconds that somebody still waits at most."""
        now = self.now()
        waits = (
            one.until - now for one in self._waiters if one.error is None and len(one.left) > len(one.arrived)
        )
        return max(waits, default=0.0)

    def _end(self) -> list[QueueMessage]:
        """Called under the lock: the thread that runs is no longer the one that asks."""
        self._thread = None
        return self._matching.release(self.now())

    def _fail(self, error: Exception) -> list[QueueMessage]:
        with self._lock:
            for waiter in self._waiters:
                waiter.error = _again(error)
                waiter.wake()
            return self._end()

    def _look(self, queue: Queue) -> None:
        with self._lock:
            recalled = self._matching.recall(self._new, self.now())
            self._new.clear()
            wait = max(1, math.ceil(min(self._longest_wait(), MAX_WAIT_SECONDS)))
        queue.change_visibility(recalled, 0)
        messages = queue.receive(wait=wait, visibility_timeout=self._visibility_timeout)
        received = [(message, self._request_id_of(message)) for message in messages]
        looked = self._matched(received)
        if looked is None:
            queue.change_visibility(messages, 0)
            return
        queue.delete(looked.delete)
        queue.change_visibilities(
            (message, seconds) for seconds, held in looked.hold.items() for message in held
        )
        if looked.pause:
            with self._lock:
                self._lock.wait_for(lambda: self.closed or self._new, looked.pause)

    def _matched(self, received: list[tuple[QueueMessage, str | None]]) -> Looked | None:
        """Hand over what is ours; None: closed meanwhile, so that nobody takes it."""
        wanted: dict[str, Entry] = {}  # an entry that is found here does not go before it has its record

        def is_wanted(request_id: str) -> bool:
            entry = self._entries.get(request_id)
            if entry is None or entry.record is not None:
                return False
            wanted[request_id] = entry
            return True

        with self._lock:
            if self.closed:
                return None
            looked = self._matching.look(received, is_wanted, self.now())
            for request_id, message in looked.resolved.items():
                self._hand_over(wanted[request_id], message)
            self.foreign += looked.foreign
        return looked

    def _hand_over(self, entry: Entry, message: QueueMessage) -> None:
        """Called under the lock."""
        entry.record = message.raw
        self.resolved += 1
        for waiter in self._waiters:
            if entry.request_id in waiter.left:
                waiter.arrived.append(entry)
                waiter.wake()


def _closed() -> RequestError:
    return RequestError("the tracker is closed; the track of an open one takes its handles")


def _again(error: Exception) -> Exception:
    """An error for one of several who get it: raised in several threads, one would gather their stacks."""
    return copy.copy(error) if isinstance(error, LambdaInvokeError) else error


_POLLERS: weakref.WeakSet[Poller] = weakref.WeakSet()


def _after_fork() -> None:
    for poller in list(_POLLERS):
        poller._start_anew()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
