"""``invoke_batch`` of both clients and both handles, over FakeLambda: what the function saw counts."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import (
    BatchError,
    BatchItemError,
    BatchReport,
    DeadlineExceededError,
    Executed,
    FunctionNotFoundError,
    HandlerError,
    KinesisSource,
    LambdaClient,
    Limits,
    NotSentError,
    OutcomeUnknownError,
    PayloadTooLargeError,
    RequestError,
    ResponseTimeoutError,
    RetryPolicy,
    SqsMessage,
    SqsSource,
    ThrottledError,
)
from lambda_invoke.testing import FakeLambda

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE = SqsSource("arn:aws:sqs:us-east-1:123456789012:orders")
FIFO = SqsSource("arn:aws:sqs:us-east-1:123456789012:orders.fifo")
STREAM = KinesisSource("arn:aws:kinesis:us-east-1:123456789012:stream/orders")


class Consumer:
    """A function that fails the messages whose body says so, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, event: dict[str, Any]) -> Any:
        self.batches.append([record["body"] for record in event["Records"]])
        named = [record["messageId"] for record in event["Records"] if "bad" in record["body"]]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in named]}


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def fake(consumer: Consumer) -> FakeLambda:
    return FakeLambda({"consume": consumer})


def blocking(fake: FakeLambda, records: Any, **options: Any) -> BatchReport:
    return fake.client().invoke_batch("consume", records, **options)


def of_handle(fake: FakeLambda, records: Any, **options: Any) -> BatchReport:
    return fake.client().function("consume", request=int, response=str).invoke_batch(records, **options)


def awaited(fake: FakeLambda, records: Any, **options: Any) -> BatchReport:
    return asyncio.run(fake.async_client().invoke_batch("consume", records, **options))


def awaited_of_handle(fake: FakeLambda, records: Any, **options: Any) -> BatchReport:
    return asyncio.run(fake.async_client().function("consume").invoke_batch(records, **options))


@pytest.mark.parametrize("invoke_batch", [blocking, of_handle, awaited, awaited_of_handle])
def test_only_what_failed_is_delivered_again(
    fake: FakeLambda, consumer: Consumer, invoke_batch: Callable[..., BatchReport]
) -> None:
    """The four ways to call it do the same; the types of a handle do not get in the way."""
    given = ["a", "bad", {"c": 1}, SqsMessage("bad too", "id-3")]
    report = invoke_batch(fake, iter(given), source=QUEUE, attempts=2, retry_delay=3.0)
    assert consumer.batches == [["a", "bad", '{"c":1}', "bad too"], ["bad", "bad too"]]
    assert [record.index for record in report.succeeded] == [0, 2]
    assert [record.record for record in report.failed] == [given[1], given[3]]
    assert report.failed[1].identifier == "id-3"
    assert [len(one.indexes) for one in report.deliveries] == [4, 2]
    assert len({one.request_id for one in report.invocations} - {None}) == len(fake.calls) == 2
    assert report.invocations[1].value["batchItemFailures"][1] == {"itemIdentifier": "id-3"}
    assert repr(report) == "<BatchReport consume: 2 of 4 records succeeded, 2 deliveries>"
    assert (len(report), [record.ok for record in report]) == (4, [True, False, True, False])
    assert report.executed is Executed.YES


def test_raise_for_failures(fake: FakeLambda) -> None:
    """It raises what the report says, pickled too, and nothing when all is well; no body is in the text."""
    report = blocking(fake, ["good", "bad SECRET"], source=QUEUE)
    with pytest.raises(BatchError, match=r"consume: 1 of 2 records failed \(1\)") as caught:
        report.raise_for_failures()
    assert caught.value.report is report
    assert isinstance(caught.value.__cause__, BatchItemError)
    assert caught.value.__cause__.index == 1
    assert caught.value.__cause__.request_id == report.invocations[0].request_id
    again = pickle.loads(pickle.dumps(caught.value))
    assert [record.ok for record in again.report] == [True, False]
    for text in (
        str(caught.value),
        repr(caught.value),
        repr(report),
        repr(report.records),
        repr(report.deliveries),
    ):
        assert "SECRET" not in text
    blocking(fake, ["good"], source=QUEUE).raise_for_failures()
    with pytest.raises(BatchError, match=r"5 of 5 records failed \(0, 1, 2, ...\)"):
        blocking(fake, ["bad"] * 5, source=QUEUE).raise_for_failures()


def test_a_function_error_is_every_records(fake: FakeLambda) -> None:
    """The whole batch failed, with the remote error; it is delivered again as a whole."""
    fake.on("consume").raises("Oops", "broken", times=1)
    report = blocking(fake, ["a", "b"], source=QUEUE, attempts=2)
    assert report.ok
    assert isinstance(report.deliveries[0].error, HandlerError)
    fake.on("consume").raises("Oops", "broken")
    report = blocking(fake, ["a", "b"], source=STREAM)
    assert [type(record.error) for record in report] == [HandlerError, HandlerError]
    assert report.checkpoint == report.records[0].identifier
    assert f"checkpoint {report.checkpoint}" in repr(report)


def test_an_unknown_outcome_is_sent_again_only_if_idempotent(fake: FakeLambda, consumer: Consumer) -> None:
    """Attempts are of records that failed; whether to send again what may have run is the caller's word."""
    fake.on("consume").drops(times=1)
    report = blocking(fake, ["a"], source=STREAM, attempts=5)
    assert isinstance(report.records[0].error, OutcomeUnknownError)
    assert report.executed is Executed.UNKNOWN
    assert fake.requests == 1
    fake.on("consume").drops(times=1)
    report = blocking(fake, ["a"], source=QUEUE, idempotent=True)
    assert report.ok
    assert fake.requests == 3
    assert report.records[0].deliveries == 1  # one delivery, of two attempts
    assert len(report.invocations[0].attempts) == 2


def test_throttles_are_waited_out_as_ever(fake: FakeLambda, consumer: Consumer) -> None:
    """The client's policy retries each delivery; what lasts ends the batch."""
    fake.on("consume").throttles(times=2)
    assert blocking(fake, ["a", "b"], source=FIFO, batch_size=1).ok
    assert len(consumer.batches) == 2
    fake.on("consume").throttles()
    report = blocking(fake, ["a", "b"], source=FIFO, batch_size=1, retry=RetryPolicy.never(), attempts=3)
    assert [type(record.error) for record in report] == [ThrottledError, NotSentError]
    assert report.executed is Executed.NO


def test_the_deadline_is_for_all_of_it(fake: FakeLambda, consumer: Consumer) -> None:
    """What was not sent by then says so, and that nothing of it ran."""
    fake.on("consume").takes(20.0)
    report = blocking(fake, list("abcd"), source=FIFO, batch_size=1, deadline=50.0)
    kinds = [type(record.error) for record in report]
    assert kinds == [type(None), type(None), ResponseTimeoutError, NotSentError]
    client = fake.client(deadline=30.0)
    report = client.invoke_batch("consume", list("abcd"), source=QUEUE, batch_size=1)
    kinds = [type(record.error) for record in report]
    assert kinds == [type(None), ResponseTimeoutError, DeadlineExceededError, NotSentError]
    assert [record.executed.value for record in report] == ["yes", "unknown", "no", "no"]


@pytest.mark.parametrize("invoke", [blocking, awaited])
def test_the_deadline_bounds_the_wait_before_another_delivery(fake: FakeLambda, invoke: Any) -> None:
    """Nobody waits for a delivery that would not be made; the record keeps how it failed."""
    fake.on("consume").raises("Busy", "try later")
    report = invoke(fake, ["a"], source=QUEUE, attempts=2, retry_delay=600.0, deadline=50.0)
    assert fake.clock.sleeps == [pytest.approx(50.0)]
    assert [type(record.error) for record in report] == [HandlerError]
    assert [record.deliveries for record in report] == [1]


def test_what_was_reported_and_then_lost_is_not_reported(fake: FakeLambda) -> None:
    """``reported`` is of the last delivery, and nobody knows what came of that."""

    def fails_all(event: Any) -> Any:
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in event["Records"]]}

    fake.on("consume").runs(fails_all, times=1).drops()
    (record,) = blocking(fake, ["a"], source=QUEUE, attempts=2)
    assert (record.executed, record.reported, record.deliveries) == (Executed.UNKNOWN, False, 2)


def test_a_function_that_is_not_there(fake: FakeLambda) -> None:
    """The report says so for the first batch, and that the others were not sent."""
    fake.on("consume").fails(404, "ResourceNotFoundException")
    report = blocking(fake, ["a", "b"], source=QUEUE, batch_size=1)
    assert [type(record.error) for record in report] == [FunctionNotFoundError, NotSentError]
    with pytest.raises(BatchError) as caught:
        report.raise_for_failures()
    assert caught.value.executed is Executed.NO


@pytest.mark.parametrize("invoke_batch", [blocking, awaited])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "arn:aws:sqs:us-east-1:123456789012:orders"}, "source is an SqsSource"),
        ({"source": QUEUE, "attempts": 0}, "attempts"),
        ({"source": QUEUE, "bisect": True}, "bisect"),
        ({"source": QUEUE, "tenant_id": "\n"}, "tenant_id"),
        ({"source": QUEUE, "qualifier": "no such!"}, "qualifier"),
        ({"source": QUEUE, "deadline": -1}, "deadline"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    fake: FakeLambda,
    invoke_batch: Callable[..., BatchReport],
    options: dict[str, Any],
    message: str,
) -> None:
    """Before anything is sent."""
    with pytest.raises(RequestError, match=message):
        invoke_batch(fake, ["a"], **options)
    assert fake.requests == 0


def test_the_clients_limit_counts(consumer: Consumer) -> None:
    """``limits`` of the client are what an event may have."""
    fake = FakeLambda({"consume": consumer})
    client: LambdaClient = fake.client(limits=Limits(request_bytes=1200))
    assert client.invoke_batch("consume", ["x" * 100] * 4, source=QUEUE).ok
    assert [len(batch) for batch in consumer.batches] == [2, 2]
    with pytest.raises(PayloadTooLargeError, match="record 0"):
        client.invoke_batch("consume", ["x" * 1200], source=QUEUE)
    assert len(consumer.batches) == 2
