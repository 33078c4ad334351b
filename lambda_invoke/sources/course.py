"""What has become of the records of ``invoke_batch`` so far, and the making of each delivery."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import BatchItemError, Executed, FunctionError, LambdaInvokeError, NotSentError
from lambda_invoke.sources.batches import Encoder
from lambda_invoke.sources.report import BatchRecord, BatchReport, Delivery
from lambda_invoke.sources.verdict import ALL_WELL, Verdict, read_reply, whole_batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lambda_invoke.results import Invocation
    from lambda_invoke.sources.record import Source, SourceRecord
    from lambda_invoke.sources.rules import BatchRules


@attrs.frozen
class Judged:
    """A delivery of these records with its verdict; ``error`` is the function's, if it failed."""

    batch: tuple[int, ...]
    verdict: Verdict
    error: FunctionError | None = None


class Course:
    """What has become of each record so far. Places in its lists are the records' indexes."""

    def __init__(
        self,
        function: str,
        source: Source,
        records: Sequence[SourceRecord],
        rules: BatchRules,
        *,
        limit_bytes: int,
    ) -> None:
        self.size = rules.size_for(source)
        self.ended: LambdaInvokeError | None = None
        """Why nothing more is sent: the function cannot be reached, or no time is left."""
        self._function = function
        self._source = source
        self._records = records
        self._rules = rules
        self._encoder = Encoder(source, records, limit_bytes=limit_bytes, most=rules.attempts)
        self._delivered = [0] * len(records)
        self._tried = [0] * len(records)  # without the deliveries after which a batch was split
        self._errors: list[LambdaInvokeError | None] = [None] * len(records)
        self._reported = [False] * len(records)
        self._deliveries: list[Delivery] = []

    def next_batch(self, waiting: Sequence[int]) -> tuple[tuple[int, ...], bytes]:
        """As many of the first records that wait as fit into a batch, and its payload."""
        batch, payload = self._encoder.first_of(waiting[: self.size], self._delivered)
        for index in batch:
            self._delivered[index] += 1
            self._tried[index] += 1
        return batch, payload

    def judge(self, batch: tuple[int, ...], answer: Invocation[bytes] | LambdaInvokeError) -> Judged | None:
        """Note a delivery; None: nobody can say what became of its records, or they were not sent."""
        if isinstance(answer, LambdaInvokeError):
            if not isinstance(answer, FunctionError):
                self._unanswered(batch, answer)
                return None
            judged = Judged(batch, whole_batch(len(batch), "the function failed"), answer)
            invocation = None
        else:
            verdict = ALL_WELL
            if self._rules.report_batch_item_failures:
                verdict = read_reply(answer.payload, [self._records[index].identifier for index in batch])
            judged = Judged(batch, verdict)
            invocation = attrs.evolve(answer, value=_as_json(answer.payload))
        failed = tuple(batch[place] for place in judged.verdict.failed)
        number = len(self._deliveries) + 1
        self._deliveries.append(
            Delivery(number, batch, invocation, judged.error, failed, judged.verdict.whole)
        )
        return judged

    def _unanswered(self, batch: tuple[int, ...], error: LambdaInvokeError) -> None:
        self._deliveries.append(Delivery(len(self._deliveries) + 1, batch, None, error, batch))
        if error.executed is not Executed.NO:
            for index in batch:
                self._errors[index] = error
                self._reported[index] = False
            return
        self.ended = error
        for index in batch:
            self._delivered[index] -= 1
            # of one that was delivered before it cannot be said that nothing ran
            if self._errors[index] is None:
                self._errors[index] = error

    def settle(self, judged: Judged, again: Iterable[int]) -> list[int]:
        """Note what became of a batch; ``again`` are the places of what has to be delivered again.

        Returns:
            The indexes of those that still may be.
        """
        reported = set() if judged.verdict.whole is not None else set(judged.verdict.failed)
        for index in judged.batch:
            self._errors[index] = None
            self._reported[index] = False
        left = []
        for place in again:
            index = judged.batch[place]
            self._reported[index] = place in reported
            self._errors[index] = self._failure(index, judged)
            if self._tried[index] < self._rules.attempts:
                left.append(index)
        return left

    def left_for(self) -> LambdaInvokeError:
        """The error of the last delivery, which was not answered: why the rest is left."""
        error = self._deliveries[-1].error
        assert error is not None
        return error

    def uncount(self, indexes: Iterable[int]) -> None:
        """The last delivery of these ended in a split, which does not count as a retry."""
        for index in indexes:
            self._tried[index] -= 1

    def leave(self, indexes: Iterable[int], why: LambdaInvokeError) -> None:
        """Nothing more is sent of these; those that were delivered before failed as they did then."""
        for index in indexes:
            if self._delivered[index] == 0 and self._errors[index] is None:
                self._errors[index] = error = NotSentError(
                    f"not sent: {type(why).__name__} of a batch before it", function=self._function
                )
                error.__cause__ = why

    def report(self) -> BatchReport:
        """What became of all of them."""
        records = tuple(
            BatchRecord(
                record.index,
                record.given,
                record.identifier,
                self._errors[record.index],
                self._reported[record.index],
                self._delivered[record.index],
                record.lane or None,
            )
            for record in self._records
        )
        return BatchReport(self._function, self._source, records, tuple(self._deliveries))

    def _failure(self, index: int, judged: Judged) -> LambdaInvokeError:
        if judged.error is not None:
            return judged.error
        if judged.verdict.whole is not None:
            why = f"its whole batch failed: {judged.verdict.whole}"
        elif self._reported[index]:
            why = "the handler reported it as failed"
        else:
            why = "it stands behind the checkpoint: a record before it failed"
        invocation = self._deliveries[-1].invocation
        return BatchItemError(
            f"record {index}: {why}",
            index=index,
            item_identifier=self._records[index].identifier,
            function=self._function,
            request_id=None if invocation is None else invocation.request_id,
        )


def _as_json(reply: bytes) -> Any:
    """The reply as JSON has it; as bytes where it is none."""
    if not reply:
        return None
    try:
        return json.loads(reply)
    except (ValueError, RecursionError):
        return reply
