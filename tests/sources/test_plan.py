"""What is delivered, and how often: answers in, batches out; no client, no function, no waiting."""

from __future__ import annotations

import base64
import itertools
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_invoke import (
    BatchItemError,
    BatchReport,
    ConnectionLostError,
    DynamoDBSource,
    HandlerError,
    Invocation,
    KinesisRecord,
    KinesisSource,
    LambdaInvokeError,
    NotSentError,
    PayloadTooLargeError,
    RequestError,
    SqsMessage,
    SqsSource,
    ThrottledError,
)
from lambda_invoke.sources.plan import Deliver, Wait, plan
from lambda_invoke.sources.record import Stamp
from lambda_invoke.sources.rules import BatchRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUEUE = SqsSource("arn:aws:sqs:us-east-1:123456789012:orders")
FIFO = SqsSource("arn:aws:sqs:us-east-1:123456789012:orders.fifo")
STREAM = KinesisSource("arn:aws:kinesis:us-east-1:123456789012:stream/orders")
TABLE = DynamoDBSource("arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026")
LIMIT = 6_291_456

Answer = Invocation[bytes] | LambdaInvokeError


class Run:
    """A plan carried out: ``answer`` sees each batch as a list of record contents."""

    def __init__(
        self,
        source: Any,
        records: list[Any],
        answer: Callable[[list[Any]], Any],
        *,
        limit_bytes: int = LIMIT,
        **rules: Any,
    ) -> None:
        self.batches: list[list[Any]] = []
        self.events: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.waits: list[float] = []
        built = source.build(records, Stamp())
        steps = plan("f", source, built, BatchRules(**rules), limit_bytes=limit_bytes)
        sent: Answer | None = None
        try:
            while True:
                step = steps.send(sent)
                if isinstance(step, Wait):
                    self.waits.append(step.seconds)
                    sent = None
                else:
                    sent = self._answered(step, answer)
        except StopIteration as done:
            self.report: BatchReport = done.value

    def _answered(self, step: Deliver, answer: Callable[[list[Any]], Any]) -> Answer:
        event = json.loads(step.payload)
        self.events.append(event)
        self.sizes.append(len(step.payload))
        self.batches.append([content(record) for record in event["Records"]])
        said = answer(self.batches[-1])
        if isinstance(said, LambdaInvokeError):
            return said
        if isinstance(said, set):
            named = [name(record) for record in event["Records"] if content(record) in said]
            said = {"batchItemFailures": [{"itemIdentifier": one} for one in named]}
        return Invocation(b"", said if isinstance(said, bytes) else json.dumps(said).encode(), "f")


def content(record: dict[str, Any]) -> Any:
    if "body" in record:
        return record["body"]
    if "kinesis" in record:
        return base64.b64decode(record["kinesis"]["data"]).decode()
    return record["dynamodb"]["NewImage"]["id"]["S"]


def name(record: dict[str, Any]) -> str:
    found: str = (
        record.get("messageId")
        or record.get("kinesis", {}).get("sequenceNumber")
        or record.get("dynamodb", {}).get("SequenceNumber")
    )
    return found


def failing(*bad: str) -> Callable[[list[Any]], Any]:
    return lambda batch: set(bad)


def in_turn(answers: Iterator[Any]) -> Callable[[list[Any]], Any]:
    return lambda batch: next(answers)


def failed(run: Run) -> list[int]:
    return [record.index for record in run.report.failed]


def test_a_queue_delivers_again_what_failed_last_of_all() -> None:
    """Only that, after everything else, with its receive count raised."""
    run = Run(QUEUE, list("abcd"), failing("b", "d"), attempts=3, batch_size=2)
    assert run.batches == [["a", "b"], ["c", "d"], ["b", "d"], ["b", "d"]]
    counts = [
        [record["attributes"]["ApproximateReceiveCount"] for record in event["Records"]]
        for event in run.events
    ]
    assert counts == [["1", "1"], ["1", "1"], ["2", "2"], ["3", "3"]]
    assert failed(run) == [1, 3]
    assert [record.deliveries for record in run.report] == [1, 3, 1, 3]
    assert all(isinstance(record.error, BatchItemError) for record in run.report.failed)


def test_a_fifo_queue_delivers_again_before_what_follows() -> None:
    """What failed stands first in the next batch, so that its group keeps its order."""
    tries: dict[str, int] = defaultdict(int)

    def answer(batch: list[Any]) -> set[str]:
        for one in batch:
            tries[one] += 1
        return {"b"} if tries["b"] < 3 else set()

    run = Run(FIFO, list("abcdef"), answer, attempts=5, batch_size=2)
    assert run.batches == [["a", "b"], ["b", "c"], ["b", "d"], ["e", "f"]]
    assert run.report.ok


def test_a_stream_goes_on_from_its_checkpoint() -> None:
    """The lowest that failed and everything behind it come again; what succeeded behind it too."""
    run = Run(STREAM, list("abcde"), failing("c", "d"), attempts=2, batch_size=4)
    assert run.batches == [["a", "b", "c", "d"], ["c", "d"], ["e"]]
    assert failed(run) == [2, 3]
    run = Run(STREAM, list("abcd"), failing("b"), attempts=2)
    assert run.batches == [["a", "b", "c", "d"], ["b", "c", "d"]]
    assert failed(run) == [1, 2, 3]
    assert [record.reported for record in run.report] == [False, True, False, False]
    assert run.report.checkpoint == run.report.records[1].identifier
    assert "stands behind the checkpoint" in str(run.report.records[2].error)
    assert "reported it" in str(run.report.records[1].error)


def test_each_shard_is_a_stream_of_its_own() -> None:
    """No batch holds records of two, and a failure in one does not hold up the other."""
    records = [KinesisRecord(one, shard_id=f"shardId-{number % 2}") for number, one in enumerate("abcdef")]
    run = Run(STREAM, records, failing("c", "f"), attempts=2)
    assert run.batches == [["a", "c", "e"], ["c", "e"], ["b", "d", "f"], ["f"]]
    assert dict(run.report.checkpoints) == {
        "shardId-0": run.report.records[2].identifier,
        "shardId-1": run.report.records[5].identifier,
    }
    assert run.report.records[5].shard == "shardId-1"


def test_a_batch_that_failed_is_bisected() -> None:
    """Halves until the bad record stands alone, which uses up no attempts; then it is tried so often."""
    broken = HandlerError("no", function="f")
    run = Run(
        STREAM, list("abcdefgh"), lambda batch: broken if "c" in batch else None, attempts=2, bisect=True
    )
    assert ["".join(batch) for batch in run.batches] == [
        "abcdefgh",
        "abcd",
        "ab",
        "cd",
        "c",
        "c",
        "d",
        "efgh",
    ]
    assert failed(run) == [2]
    assert run.report.records[2].error is broken


def test_a_batch_that_failed_in_part_is_split_at_its_checkpoint() -> None:
    """With bisect too, only what is behind it goes on."""
    run = Run(TABLE, [{"id": one} for one in "abcd"], failing("c"), attempts=1, bisect=True)
    assert ["".join(batch) for batch in run.batches] == ["abcd", "cd"]
    assert failed(run) == [2, 3]


def test_without_bisect_the_whole_batch_comes_again() -> None:
    """The function's error is every record's, and none was reported."""
    broken = HandlerError("no", function="f")
    run = Run(STREAM, list("abc"), lambda batch: broken, attempts=2)
    assert run.batches == [["a", "b", "c"]] * 2
    assert {id(record.error) for record in run.report} == {id(broken)}
    assert not any(record.reported for record in run.report)
    assert run.report.invocations == ()
    assert [one.error for one in run.report.deliveries] == [broken, broken]


def test_a_malformed_reply_fails_the_whole_batch() -> None:
    """The error says what was malformed; the reply is there as it came."""
    run = Run(QUEUE, list("ab"), lambda batch: b"oops")
    assert failed(run) == [0, 1]
    assert "its whole batch failed: the reply is not JSON" in str(run.report.records[0].error)
    (delivery,) = run.report.deliveries
    assert delivery.whole == "the reply is not JSON"
    assert delivery.invocation is not None
    assert delivery.invocation.value == b"oops"


def test_a_mapping_without_reports_reads_no_reply() -> None:
    """Everything succeeds unless the function fails."""
    run = Run(QUEUE, list("ab"), failing("a"), report_batch_item_failures=False)
    assert run.report.ok
    run = Run(QUEUE, list("ab"), lambda batch: b"not json", report_batch_item_failures=False)
    assert run.report.ok
    run = Run(QUEUE, list("ab"), lambda batch: HandlerError(""), report_batch_item_failures=False)
    assert failed(run) == [0, 1]


def test_batches_are_cut_by_count() -> None:
    """As AWS has it: 10 of a FIFO queue, 10,000 of the others, or fewer if asked for."""
    assert [len(batch) for batch in Run(FIFO, ["a"] * 25, failing()).batches] == [10, 10, 5]
    assert [len(batch) for batch in Run(QUEUE, ["a"] * 10_001, failing()).batches] == [10_000, 1]
    assert [len(batch) for batch in Run(STREAM, ["a"] * 5, failing(), batch_size=2).batches] == [2, 2, 1]


def test_batches_are_cut_by_the_bytes_of_the_event() -> None:
    """As many as fit to the byte, measured on what is sent; one byte less, and one record less."""
    whole = Run(QUEUE, ["x" * 100] * 4, failing())
    (size,) = whole.sizes
    assert [len(batch) for batch in Run(QUEUE, ["x" * 100] * 4, failing(), limit_bytes=size).batches] == [4]
    cut = Run(QUEUE, ["x" * 100] * 4, failing(), limit_bytes=size - 1)
    assert [len(batch) for batch in cut.batches] == [3, 1]


def test_a_record_that_fits_into_no_event_is_refused_before_anything_is_sent() -> None:
    """By its place, with its size; to the byte, unless its receive count may grow."""
    (size,) = Run(QUEUE, ["b" * 3000], failing()).sizes
    assert len(Run(QUEUE, ["b" * 3000, "a"], failing(), limit_bytes=size).batches) == 2
    for limit, rules in ((size - 1, BatchRules()), (size, BatchRules(attempts=2))):
        steps = plan("f", QUEUE, QUEUE.build(["a", "b" * 3000], Stamp()), rules, limit_bytes=limit)
        with pytest.raises(PayloadTooLargeError, match="record 1 makes an event of 3,"):
            next(steps)
    assert Run(
        STREAM, ["a"], failing(), limit_bytes=Run(STREAM, ["a"], failing()).sizes[0], attempts=9
    ).report.ok


def test_a_throttle_that_lasts_ends_everything() -> None:
    """Nothing ran and nothing more is sent: what is left says so, of every kind of source."""
    throttled = ThrottledError("slow down", function="f")
    for source in (QUEUE, FIFO, STREAM):
        answers: Iterator[Any] = itertools.chain([set()], itertools.repeat(throttled))
        run = Run(source, list("abcdef"), in_turn(answers), batch_size=2, attempts=9)
        assert run.batches == [["a", "b"], ["c", "d"]]
        assert [record.error for record in run.report.records[2:4]] == [throttled, throttled]
        assert all(isinstance(record.error, NotSentError) for record in run.report.records[4:])
        last = run.report.records[5].error
        assert last is not None
        assert last.__cause__ is throttled
        assert [record.deliveries for record in run.report] == [1, 1, 0, 0, 0, 0]
        assert {record.executed.value for record in run.report.failed} == {"no"}


def test_an_unknown_outcome_is_not_sent_again() -> None:
    """A queue goes on with its other messages; what is ordered ends there."""
    lost = ConnectionLostError("gone", function="f")
    for source, expected in ((QUEUE, "ab cd ef"), (FIFO, "ab cd"), (STREAM, "ab cd")):
        run = Run(
            source, list("abcdef"), lambda batch: lost if "c" in batch else set(), batch_size=2, attempts=9
        )
        assert " ".join("".join(batch) for batch in run.batches) == expected
        assert [record.executed.value for record in run.report.records[2:4]] == ["unknown", "unknown"]
        assert run.report.executed.value == "unknown"


def test_another_shard_goes_on_after_an_unknown_outcome() -> None:
    """It has its own order."""
    records = [KinesisRecord(one, shard_id=f"shardId-{number % 2}") for number, one in enumerate("abcd")]
    run = Run(STREAM, records, lambda batch: ConnectionLostError("") if "a" in batch else set(), batch_size=1)
    assert run.batches == [["a"], ["b"], ["d"]]
    run = Run(STREAM, records, lambda batch: ThrottledError(""), batch_size=1)
    assert run.batches == [["a"]]
    assert [type(record.error) for record in run.report] == [ThrottledError, *[NotSentError] * 3]


def test_what_had_failed_before_the_end_keeps_its_error() -> None:
    """A record that failed by the reply and was to come again says that: the function ran for it."""
    answers: Iterator[Any] = iter([{"a"}, ThrottledError("")])
    run = Run(FIFO, list("abc"), in_turn(answers), batch_size=1, attempts=2)
    assert run.batches == [["a"], ["a"]]
    assert [type(record.error) for record in run.report] == [BatchItemError, NotSentError, NotSentError]
    assert [record.executed.value for record in run.report] == ["yes", "no", "no"]
    assert isinstance(run.report.deliveries[-1].error, ThrottledError)
    answers = iter([{"a", "b"}, ThrottledError("")])
    run = Run(STREAM, list("abc"), in_turn(answers), batch_size=2, attempts=2)
    assert [type(record.error) for record in run.report] == [BatchItemError, BatchItemError, NotSentError]
    assert [record.deliveries for record in run.report] == [1, 1, 0]


def test_what_was_halved_and_then_not_sent_keeps_its_error() -> None:
    """Both halves failed with the whole batch, and nothing more became of them."""
    broken = HandlerError("no", function="f")
    answers = iter([broken, ThrottledError("")])
    run = Run(STREAM, list("ab"), in_turn(answers), bisect=True)
    assert run.batches == [["a", "b"], ["a"]]
    assert [record.error for record in run.report] == [broken, broken]


def test_an_empty_reply_has_no_value() -> None:
    """A runtime may send none; all is well then."""
    run = Run(QUEUE, ["a"], lambda batch: b"")
    assert run.report.ok
    assert run.report.invocations[0].value is None


def test_waits_stand_before_what_is_delivered_again() -> None:
    """And nowhere else; without a delay there are none."""
    for source in (QUEUE, FIFO, STREAM):
        run = Run(source, list("ab"), failing("b"), attempts=3, retry_delay=2.5)
        assert run.waits == [2.5, 2.5]
        assert Run(source, list("ab"), failing("b"), attempts=3).waits == []


@pytest.mark.parametrize("source", [QUEUE, FIFO, STREAM, TABLE])
def test_no_records_are_delivered_without_a_call(source: Any) -> None:
    """An empty list is an empty report."""
    run = Run(source, [], failing())
    assert (run.batches, run.report.ok, len(run.report)) == ([], True, 0)


@pytest.mark.parametrize(
    ("source", "rules", "message"),
    [
        (QUEUE, {"attempts": 0}, "attempts is an int of at least 1"),
        (QUEUE, {"attempts": True}, "attempts"),
        (QUEUE, {"batch_size": 10_001}, "from 1 to 10,000"),
        (FIFO, {"batch_size": 11}, "from 1 to 10 for arn:aws:sqs"),
        (STREAM, {"batch_size": 0}, "batch_size"),
        (QUEUE, {"bisect": True}, "bisect is for streams"),
        (QUEUE, {"retry_delay": -1}, "retry_delay"),
        (QUEUE, {"retry_delay": float("nan")}, "retry_delay"),
    ],
)
def test_rules_that_are_not_possible_are_refused(source: Any, rules: dict[str, Any], message: str) -> None:
    """As Lambda would refuse the mapping."""
    with pytest.raises(RequestError, match=message):
        Run(source, ["a"], failing(), **rules)


@settings(max_examples=150, deadline=None)
@given(
    source=st.sampled_from([QUEUE, FIFO, STREAM]),
    fails=st.lists(st.integers(0, 4), max_size=12),
    lanes=st.lists(st.integers(0, 2), min_size=12, max_size=12),
    attempts=st.integers(1, 4),
    batch_size=st.integers(1, 5),
    raises=st.booleans(),
    bisect=st.booleans(),
)
def test_every_record_ends_as_its_handler_left_it(
    source: Any,
    fails: list[int],
    lanes: list[int],
    attempts: int,
    batch_size: int,
    raises: bool,
    bisect: bool,
) -> None:
    """Against a handler that fails record n its first ``fails[n]`` times, by name or by raising.

    Each record is delivered, and as often as it may be at most; batches are within their size, in
    order, of one shard; a record succeeded if its handler last succeeded with it, and behind no
    checkpoint; within a group or shard none is delivered while one before it is to be delivered again.
    """
    make: dict[Any, Callable[[int], Any]] = {
        QUEUE: lambda number: SqsMessage(str(number)),
        FIFO: lambda number: SqsMessage(str(number), group_id=f"group-{lanes[number]}"),
        STREAM: lambda number: KinesisRecord(str(number), shard_id=f"shard-{lanes[number]}"),
    }
    records = [make[source](number) for number in range(len(fails))]
    tries = [0] * len(fails)
    last: dict[int, bool] = {}
    done: set[int] = set()

    def answer(batch: list[Any]) -> Any:
        numbers = [int(one) for one in batch]
        assert len(numbers) <= batch_size
        assert numbers == sorted(set(numbers))
        if source is STREAM:
            assert len({lanes[number] for number in numbers}) == 1
        if source is not QUEUE:
            for number in numbers:
                before = [one for one in range(number) if lanes[one] == lanes[number] and one not in numbers]
                assert all(last.get(one) or tries[one] >= attempts for one in before)
        bad = set()
        for number in numbers:
            tries[number] += 1
            last[number] = tries[number] > fails[number]
            if not last[number]:
                bad.add(str(number))
        done.update(numbers)
        return HandlerError("", function="f") if raises and bad else bad

    bisects = bisect and source is STREAM
    run = Run(source, records, answer, attempts=attempts, batch_size=batch_size, bisect=bisects)
    assert done == set(range(len(fails)))
    assert [record.deliveries for record in run.report] == tries
    # a batch of five is split three times at most, and once for each checkpoint in it
    assert all(count <= attempts + (batch_size + 3 if bisects else 0) for count in tries)
    for record in run.report:
        if record.ok:
            assert last[record.index]
        elif record.reported:
            assert not last[record.index]
        else:  # of a batch that failed as a whole, or behind a checkpoint
            assert raises or source is STREAM
    if source is not STREAM and not raises:
        assert failed(run) == [number for number, often in enumerate(fails) if often >= attempts]


def test_a_batch_that_grew_is_cut_again_in_order() -> None:
    """A receive count of two digits is a byte more: what does not fit any more waits, before what follows."""
    (size,) = Run(FIFO, list("ab"), failing()).sizes
    run = Run(FIFO, list("abc"), failing("a", "b"), limit_bytes=size, attempts=11)
    assert run.batches == [["a", "b"]] * 9 + [["a"], ["a"], ["b"], ["b"], ["c"]]
    assert failed(run) == [0, 1]


@settings(max_examples=150, deadline=None)
@given(
    source=st.sampled_from([QUEUE, FIFO, STREAM]),
    answers=st.lists(
        st.sampled_from(["well", "some", "raises", "malformed", "throttled", "lost"]), max_size=12
    ),
    attempts=st.integers(1, 3),
    bisect=st.booleans(),
)
def test_no_record_says_that_nothing_ran_when_something_did(
    source: Any, answers: list[str], attempts: int, bisect: bool
) -> None:
    """Whatever comes back: NO is said of those alone that no execution had, and of all of them."""
    ran: set[str] = set()
    may_have: set[str] = set()
    turns = iter(answers)

    def answer(batch: list[Any]) -> Any:
        how = next(turns, "well")
        if how == "throttled":
            return ThrottledError("")
        if how == "lost":
            may_have.update(batch)
            return ConnectionLostError("")
        ran.update(batch)
        return {"well": set(), "some": set(batch[1:]), "raises": HandlerError(""), "malformed": b"?"}[how]

    bisects = bisect and source is STREAM
    run = Run(source, list("abcdefg"), answer, attempts=attempts, batch_size=3, bisect=bisects)
    for record in run.report:
        assert (record.executed.value == "no") is (record.record not in ran | may_have)
        assert record.ok is (record.error is None)
        assert record.record in may_have or record.executed.value != "unknown"
    assert len(run.batches) == len(run.report.deliveries)
