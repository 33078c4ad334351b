"""The plan of ``invoke_batch``: what is delivered next, by the rules of each kind of source.

Pure, as the plan of a call is: a generator that yields :class:`Deliver` and :class:`Wait`, receives an
Invocation or the error of the call, and returns a :class:`BatchReport`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeAlias

import attrs

from lambda_invoke.errors import LambdaInvokeError
from lambda_invoke.results import Invocation
from lambda_invoke.sources.course import Course, Judged
from lambda_invoke.sources.report import BatchReport

if TYPE_CHECKING:
    from lambda_invoke.sources.record import Source, SourceRecord
    from lambda_invoke.sources.rules import BatchRules


@attrs.frozen
class Deliver:
    """Invoke the function with this payload; the answer is an Invocation or the call's error."""

    payload: bytes = attrs.field(repr=False)


@attrs.frozen
class Wait:
    """Wait so many seconds; the answer is None."""

    seconds: float


Answer: TypeAlias = Invocation[bytes] | LambdaInvokeError | None
Steps: TypeAlias = Generator[Deliver | Wait, Answer, None]
BatchPlan: TypeAlias = Generator[Deliver | Wait, Answer, BatchReport]


def plan(
    function: str, source: Source, records: list[SourceRecord], rules: BatchRules, *, limit_bytes: int
) -> BatchPlan:
    """Deliver the records until each has succeeded or failed for good.

    Args:
        function: as errors and the report name it.
        source: where the records come from.
        records: as the source built them.
        rules: how they are delivered.
        limit_bytes: of a synchronous payload.

    Raises:
        RequestError: the rules are not possible with the source, or a record does not fit into an
            event on its own (:class:`PayloadTooLargeError`); from the first ``next()``.
    """
    course = Course(function, source, records, rules, limit_bytes=limit_bytes)
    lanes: dict[str, list[int]] = {}
    for record in records:
        lanes.setdefault(record.lane, []).append(record.index)
    of_kind = _shard if source.is_stream else _fifo_queue if source.is_fifo else _queue
    for lane in lanes.values():
        if course.ended is not None:
            course.leave(lane, course.ended)
        else:
            yield from of_kind(course, lane, rules)
    return course.report()


def _queue(course: Course, waiting: list[int], rules: BatchRules) -> Steps:
    """A standard queue: what failed comes again when everything else was delivered."""
    while waiting:
        later: list[int] = []
        start = 0
        while start < len(waiting):
            batch, judged = yield from _deliver(course, waiting[start : start + course.size])
            start += len(batch)
            if judged is not None:
                later += course.settle(judged, judged.verdict.failed)
            elif course.ended is not None:
                course.leave(waiting[start:], course.ended)
                return
        waiting = later
        if waiting:
            yield from _wait(rules)


def _fifo_queue(course: Course, fresh: list[int], rules: BatchRules) -> Steps:
    """A FIFO queue: what failed comes again before what follows it, so that each group keeps its order."""
    again: list[int] = []
    start = 0
    while again or start < len(fresh):
        if again:
            yield from _wait(rules)
        # what comes again stands before everything fresh
        waiting = [*again, *fresh[start : start + course.size]]
        batch, judged = yield from _deliver(course, waiting)
        rest = again[len(batch) :]
        start += max(0, len(batch) - len(again))
        if judged is None:
            course.leave([*rest, *fresh[start:]], course.left_for())
            return
        again = [*course.settle(judged, judged.verdict.failed), *rest]


def _shard(course: Course, fresh: list[int], rules: BatchRules) -> Steps:
    """A shard: from the first record that failed on, everything in its batch comes again, in order."""
    pieces: list[list[int]] = []  # of batches that failed; the last one is next
    start = 0
    while pieces or start < len(fresh):
        if pieces:
            yield from _wait(rules)
            batch, judged = yield from _deliver(course, pieces.pop())
        else:
            batch, judged = yield from _deliver(course, fresh[start : start + course.size])
            start += len(batch)
        if judged is None:
            waiting = [index for piece in reversed(pieces) for index in piece]
            course.leave([*waiting, *fresh[start:]], course.left_for())
            return
        checkpoint = judged.verdict.checkpoint
        if checkpoint is None:
            course.settle(judged, ())
        elif rules.bisect and (split := _split(judged, checkpoint)):
            course.settle(judged, range(checkpoint, len(batch)))
            course.uncount(index for piece in split for index in piece)
            pieces += reversed(split)
        elif left := course.settle(judged, range(checkpoint, len(batch))):
            pieces.append(left)


def _split(judged: Judged, checkpoint: int) -> list[list[int]]:
    """The pieces that a mapping with BisectBatchOnFunctionError goes on with; none: it cannot be split.

    A batch that failed as a whole is halved; one that failed in part is split at its checkpoint, and
    only what is behind it goes on. Splitting does not count as a retry. Source: Bisecting a batch
    (partial batch response), and error handling, of Kinesis, AWS Lambda developer guide, 2026-11.
    """
    batch = list(judged.batch)
    middle = len(batch) // 2 if judged.verdict.whole is not None else checkpoint
    if middle == 0:
        return []
    return [batch[:middle], batch[middle:]] if judged.verdict.whole is not None else [batch[middle:]]


def _deliver(
    course: Course, waiting: list[int]
) -> Generator[Deliver | Wait, Answer, tuple[tuple[int, ...], Judged | None]]:
    batch, payload = course.next_batch(waiting)
    answer = yield Deliver(payload)
    assert answer is not None
    return batch, course.judge(batch, answer)


def _wait(rules: BatchRules) -> Steps:
    if rules.retry_delay > 0:
        yield Wait(rules.retry_delay)
