"""A queue as SQS behaves, with a clock that the test moves: what is received is hidden, then comes again."""

from __future__ import annotations

import random

import attrs

from lambda_invoke.events.queue import QueueMessage
from lambda_invoke.events.tracker_matching import Looked, Matching

CALL = 0.02
"""Seconds that a call to SQS takes."""
VISIBILITY = 30


@attrs.define
class SimulatedQueue:
    """Messages by id: their request id, and when they can be seen."""

    now: float = 0.0
    request_ids: dict[str, str | None] = attrs.field(factory=dict)
    visible_at: dict[str, float] = attrs.field(factory=dict)
    random: random.Random = attrs.field(factory=lambda: random.Random(7))
    calls: int = 0

    def send(self, message_id: str, request_id: str | None) -> None:
        self.request_ids[message_id] = request_id
        self.visible_at[message_id] = self.now

    def receive(self, wait: float = 20) -> list[QueueMessage]:
        """A long poll: up to ten of those that can be seen, or the time passes."""
        self.calls += 1
        self.now += CALL
        first = min(self.visible_at.values(), default=self.now + wait)
        if first > self.now:
            self.now += min(wait, first - self.now)
        seen = [one for one, at in self.visible_at.items() if at <= self.now]
        self.random.shuffle(seen)
        for one in seen[:10]:
            self.visible_at[one] = self.now + VISIBILITY
        return [QueueMessage(one, f"receipt of {one}", {"Body": one}) for one in seen[:10]]

    def delete(self, messages: list[QueueMessage]) -> None:
        for one in messages:
            self.visible_at.pop(one.message_id, None)

    def hide(self, messages: list[QueueMessage], seconds: int) -> None:
        for one in messages:
            if one.message_id in self.visible_at:
                self.visible_at[one.message_id] = self.now + seconds


@attrs.define
class Reader:
    """A tracker's looks, without its thread: who is wanted, and what came."""

    queue: SimulatedQueue
    wanted: set[str]
    matching: Matching = attrs.field(factory=Matching)
    got: list[str] = attrs.field(factory=list)
    foreign: int = 0

    def look(self, wait: float = 20) -> Looked:
        received = [(one, self.queue.request_ids[one.message_id]) for one in self.queue.receive(wait)]
        looked = self.matching.look(received, self.wanted.__contains__, self.queue.now)
        self.got += looked.resolved
        self.wanted -= looked.resolved.keys()
        self.foreign += looked.foreign
        self.queue.delete(looked.delete)
        if looked.delete:
            self.queue.calls += 1
            self.queue.now += CALL
        if looked.hold:
            self.queue.calls += 1
            self.queue.now += CALL
        for seconds, messages in looked.hold.items():
            self.queue.hide(messages, seconds)
        self.queue.now += looked.pause
        return looked
