"""A queue as SQS behaves and its readers, each with a clock of its own, which no real time moves."""

from __future__ import annotations

import random

import attrs

from lambda_invoke.events.queue import QueueMessage
from lambda_invoke.events.tracker_matching import Looked, Matching

CALL = 0.015
"""Seconds that a call to SQS takes."""
VISIBILITY = 30
LONG_POLL = 20


@attrs.define(eq=False)
class SimulatedQueue:
    """Messages by id: their request id, and when they can be seen; read by chance, or in order."""

    in_order: bool = False
    request_ids: dict[str, str | None] = attrs.field(factory=dict)
    visible_at: dict[str, float] = attrs.field(factory=dict)
    random: random.Random = attrs.field(factory=lambda: random.Random(7))

    def send(self, message_id: str, request_id: str | None, now: float = 0.0) -> None:
        self.request_ids[message_id] = request_id
        self.visible_at[message_id] = now

    def receive(self, now: float) -> list[QueueMessage]:
        """Up to ten of those that can be seen."""
        seen = [one for one, at in self.visible_at.items() if at <= now]
        if not self.in_order:
            self.random.shuffle(seen)
        for one in seen[:10]:
            self.visible_at[one] = now + VISIBILITY
        return [QueueMessage(one, f"receipt of {one}", {"Body": one}) for one in seen[:10]]

    def next_visible(self) -> float:
        """When the next message can be seen; who of several waits for it gets it is chance."""
        return min(self.visible_at.values(), default=float("inf")) + self.random.random() / 200


@attrs.define(eq=False)
class Reader:
    """A tracker's looks, without its thread: who is wanted, and what came."""

    queue: SimulatedQueue
    wanted: set[str]
    now: float = 0.0
    matching: Matching = attrs.field(factory=Matching)
    got: list[str] = attrs.field(factory=list)
    foreign: int = 0
    calls: int = 0
    polling_until: float | None = None

    def look(self) -> Looked | None:
        """Ask once; None: a long poll goes on."""
        messages = self.queue.receive(self.now)
        if not messages:
            if self.polling_until is None or self.now >= self.polling_until:
                self.calls += 1
                self.polling_until = self.now + LONG_POLL
            self.now = min(self.polling_until, max(self.now, self.queue.next_visible()))
            return None
        if self.polling_until is None:
            self.calls += 1
        self.polling_until = None
        self.now += CALL
        received = [(one, self.queue.request_ids[one.message_id]) for one in messages]
        looked = self.matching.look(received, self.wanted.__contains__, self.now)
        self.got += looked.resolved
        self.wanted -= looked.resolved.keys()
        self.foreign += looked.foreign
        if looked.delete:
            self._call()
            for one in looked.delete:
                del self.queue.visible_at[one.message_id]
        if looked.hold:
            self._call()
        for seconds, held in looked.hold.items():
            for one in held:
                self.queue.visible_at[one.message_id] = self.now + seconds
        self.now += looked.pause
        return looked

    def _call(self) -> None:
        self.calls += 1
        self.now += CALL


def read(readers: list[Reader], until: float) -> None:
    """Let readers look, each when its time has come, until all have what they want."""
    while waiting := [one for one in readers if one.wanted]:
        reader = min(waiting, key=lambda one: one.now)
        assert reader.now < until, f"{len(reader.wanted)} did not come"
        reader.look()
