"""Which of the received messages are ours, and what is to be done with each: plain state, no I/O, no clock.

A queue shows its messages to whoever asks. Of those that nobody here waits for it is not known whether
another process does, or whether a record came before its Event was tracked: they have to go back. Given
back at once they come straight again, for ever; kept hidden they are withheld from whom they belong to.
So each message is given back at once or after a second, by turns, and only when it has come often, after
2, 4, 8... seconds, up to :data:`LONGEST_HOLD`: what another tracker waits for reaches it soon, and what
nobody wants costs ever less.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from lambda_invoke.events.queue import QueueMessage

_V = TypeVar("_V")

LONGEST_HOLD = 20
"""Seconds for which a message of others is hidden from them at most."""
REMEMBERED = 10_000
"""Messages of others, and request ids of ours, that are remembered."""
IDLE_PAUSE = 1.0
"""Seconds to wait after a look that brought only messages of others, all known: they come together then."""
_FULL = 10
"""Messages of one look at most: after a full one there may be more at once."""
_GONE_AFTER = 3.0 * LONGEST_HOLD
"""Seconds after which a message of others that did not come again is taken for read by them."""
_BY_TURNS = 16
"""Sightings of a message of others that somebody may be about to read."""
_OFTEN = _BY_TURNS + 5
"""Sightings from which on it is hidden for the longest time."""
_KNOWN = 3
"""Sightings from which on a message of others is nothing new."""


def hold_seconds(sightings: int) -> int:
    """For how long a message of others, seen that often, is hidden: 0, 1, 0, 1... then 2, 4, 8, 16, 20.

    Every second is for what lies behind it, where a queue is read in order; the zeros between keep two
    readers from hiding each other's messages by turns for ever longer.
    """
    if sightings <= _BY_TURNS:
        return (sightings + 1) % 2
    return min(LONGEST_HOLD, 1 << min(sightings - _BY_TURNS, 8))


@attrs.frozen
class Looked:
    """What is to be done after a look at the queue.

    ``resolved`` are records by their request id, to be handed over first; then ``delete`` is deleted, and
    each of ``hold`` hidden for that many seconds (0: given back). ``foreign`` is how many were of others,
    ``pause`` the seconds to wait before the next look.
    """

    resolved: dict[str, QueueMessage]
    delete: list[QueueMessage]
    hold: dict[int, list[QueueMessage]]
    foreign: int
    pause: float


@attrs.frozen
class _Held:
    message: QueueMessage
    request_id: str | None
    until: float


class Matching:
    """What was seen of a queue: whose messages were whose.

    ``keep``: records of ours are not deleted, but given back as those of others are.
    """

    def __init__(self, *, keep: bool = False, remembered: int = REMEMBERED) -> None:
        self._keep = keep
        self._remembered = remembered
        self._done: OrderedDict[str, None] = OrderedDict()
        self._sightings: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._crowded_until = float("-inf")
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def look(
        self,
        received: Iterable[tuple[QueueMessage, str | None]],
        wanted: Callable[[str], bool],
        now: float,
    ) -> Looked:
        """Sort one look's messages.

        Args:
            received: the messages, each with the request id that its record names, if it is one.
            wanted: whether somebody here waits for the record of a request id, and has none yet.
            now: the time in seconds, of any clock that goes forward.
        """
        resolved: dict[str, QueueMessage] = {}
        delete: list[QueueMessage] = []
        hold: dict[int, list[QueueMessage]] = {}
        foreign = seen = 0
        nothing_new = True
        for message, request_id in received:
            seen += 1
            self._held.pop(message.message_id, None)
            if request_id is not None and request_id not in resolved and wanted(request_id):
                resolved[request_id] = message
                _remember(self._done, request_id, None, self._remembered)
                nothing_new = False
            elif request_id is None or request_id not in self._done:
                foreign += 1
            if not self._keep and request_id is not None and request_id in self._done:
                self._sightings.pop(message.message_id, None)
                delete.append(message)
                continue
            sightings = self._sighted(message.message_id, now)
            nothing_new = nothing_new and sightings >= _KNOWN
            seconds = hold_seconds(sightings)
            hold.setdefault(seconds, []).append(message)
            if seconds:
                held = _Held(attrs.evolve(message, raw={}), request_id, now + seconds)
                _remember(self._held, message.message_id, held, self._remembered)
        pause = IDLE_PAUSE if 0 < seen < _FULL and nothing_new and not delete else 0.0
        return Looked(resolved, delete, hold, foreign, pause)

    def recall(self, request_ids: AbstractSet[str], now: float) -> list[QueueMessage]:
        """What is hidden of these, which somebody waits for since: to be given back."""
        found = [one for one in self._held.values() if one.request_id in request_ids and one.until > now]
        for one in found:
            del self._held[one.message.message_id]
            self._sightings.pop(one.message.message_id, None)
        return [one.message for one in found]

    def release(self, now: float) -> list[QueueMessage]:
        """All that is still hidden from others: to be given back when nobody looks any more."""
        held = [one.message for one in self._held.values() if one.until > now]
        self._held.clear()
        return held

    def is_done(self, request_id: str) -> bool:
        """Whether a record of that request id was handed over, as far as it is remembered."""
        return request_id in self._done

    def _sighted(self, message_id: str, now: float) -> int:
        known, _when = self._sightings.pop(message_id, (0, now))
        # A queue that holds more than is remembered would seem new for ever, and be asked without end.
        sightings = known + 1 if known or now >= self._crowded_until else _OFTEN
        forgotten = _remember(self._sightings, message_id, (sightings, now), self._remembered)
        if forgotten is not None and now - forgotten[1] < _GONE_AFTER:
            self._crowded_until = now + _GONE_AFTER
        return sightings


def _remember(memory: OrderedDict[str, _V], key: str, value: _V, most: int) -> _V | None:
    """Keep a value as the newest; returns the oldest if it had to go."""
    memory[key] = value
    memory.move_to_end(key)
    return memory.popitem(last=False)[1] if len(memory) > most else None
