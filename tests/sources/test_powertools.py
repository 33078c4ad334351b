"""A handler written with AWS Powertools' batch processors and ``invoke_batch`` agree on every record.

The handler is Powertools', and says what it did in a file of its own; the verdicts are ours, of its
replies alone.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke import (
    BatchReport,
    DynamoDBChange,
    DynamoDBSource,
    FunctionError,
    KinesisRecord,
    KinesisSource,
    SqsMessage,
    SqsSource,
)
from lambda_invoke.local import Function, LocalLambda
from lambda_invoke.testing import FakeLambda
from tests.sources import powertools_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_invoke import LambdaClient

HANDLER = Path(powertools_handler.__file__)
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
SOURCES: dict[str, Any] = {
    "standard": SqsSource(QUEUE),
    "fifo": SqsSource(f"{QUEUE}.fifo"),
    "fifo by group": SqsSource(f"{QUEUE}.fifo"),
    "kinesis": KinesisSource("arn:aws:kinesis:us-east-1:123456789012:stream/orders"),
    "dynamodb": DynamoDBSource("arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026"),
}


@attrs.frozen
class Subject:
    """The function on one of the two Lambdas, and the file that it writes to."""

    client: LambdaClient
    ledger: Path

    def told(self) -> dict[str, bool]:
        """What the handler did since the last look: by record, whether it succeeded."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        self.ledger.write_text("")
        told = dict(line.split() for line in lines)
        assert len(told) == len(lines), "a record was handled twice"
        return {key: said == "ok" for key, said in told.items()}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The handler in a worker process of the local endpoint, over HTTP."""
    ledger = tmp_path_factory.mktemp("local") / "ledger"
    function = Function(
        f"{HANDLER}:consume",
        timeout=60,
        memory_size=512,
        environment={"LEDGER": str(ledger), "POWERTOOLS_SERVICE_NAME": "orders"},
    )
    with LocalLambda({"consume": function}, init_timeout=60) as running, running.client() as client:
        yield Subject(client, ledger)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """The handler in this process, on the fake."""
    ledger = tmp_path / "ledger"
    monkeypatch.setenv("LEDGER", str(ledger))
    return Subject(FakeLambda({"consume": powertools_handler.consume}).client(), ledger)


def records_of(kind: str, chance: random.Random) -> list[Any]:
    """A batch of up to ten records, with ids of their own; how many are bad is different each time."""
    share = chance.choice([0.0, 0.1, 0.3, 0.6, 1.0])
    contents = [
        {"id": f"{number}", "bad": chance.random() < share} for number in range(chance.randint(1, 10))
    ]
    make: dict[str, Callable[[dict[str, Any]], Any]] = {
        "kinesis": lambda content: chance.choice([content, KinesisRecord(content, content["id"])]),
        "dynamodb": lambda content: chance.choice([content, DynamoDBChange(content, {"id": content["id"]})]),
    }
    if kind in make:
        return [make[kind](content) for content in contents]
    grouped = kind != "standard"
    return [
        SqsMessage(
            content,
            message_attributes={"processor": kind},
            group_id=chance.choice("ABC") if grouped else None,
        )
        for content in contents
    ]


def check_agreement(kind: str, report: BatchReport, told: dict[str, bool]) -> None:
    """Every record is what the handler made of it, by the rules of its source."""
    keys = [str(record.index) for record in report]
    handled_well = {key for key in keys if told.get(key)}
    if report.ok:
        assert handled_well == set(keys)
        return
    first_bad = next(record.index for record in report if not told.get(str(record.index)))
    if not handled_well:  # Powertools raises
        assert {record.executed.value for record in report} == {"yes"}
        assert all(isinstance(record.error, FunctionError) for record in report)
        assert not any(record.reported for record in report)
    elif kind in {"kinesis", "dynamodb"}:
        assert {str(record.index) for record in report if not record.reported} == handled_well
        assert report.checkpoint == report.records[first_bad].identifier
    else:
        assert {str(record.index) for record in report if not record.reported} == handled_well
    if kind in {"kinesis", "dynamodb"}:
        assert [record.index for record in report.failed] == list(range(first_bad, len(report)))
    else:
        assert {str(record.index) for record in report.succeeded} == handled_well


@pytest.mark.parametrize("batches", [60, pytest.param(1000, marks=pytest.mark.soak, id="soak")])
@pytest.mark.parametrize("where", ["local", "fake"])
def test_they_agree_on_every_record(where: str, batches: int, request: pytest.FixtureRequest) -> None:
    """Random batches, so many for each kind of source: what the handler noted is what the report says."""
    function: Subject = request.getfixturevalue(where)
    for kind, source in SOURCES.items():
        chance = random.Random(kind)
        seen = {"all": 0, "some": 0, "none": 0}
        for _ in range(batches):
            records = records_of(kind, chance)
            report = function.client.invoke_batch("consume", records, source=source)
            assert len(report.deliveries) == 1
            check_agreement(kind, report, function.told())
            well = len(report.succeeded)
            seen["all" if well == len(records) else "some" if well else "none"] += 1
        assert min(seen.values()) > batches / 20, (kind, seen)  # each case came up, often


def test_what_failed_alone_is_handled_again(fake: Subject) -> None:
    """With three attempts, a bad record is handled thrice; a good one once, unless behind a checkpoint."""
    contents = [{"id": f"{number}", "bad": number == 2} for number in range(5)]
    behind = {"standard": 1, "fifo": 0, "fifo by group": 0, "kinesis": 3, "dynamodb": 3}
    for kind, source in SOURCES.items():
        records: list[Any] = contents
        if isinstance(source, SqsSource):
            group = None if kind == "standard" else "A"
            records = [
                SqsMessage(content, group_id=group, message_attributes={"processor": kind})
                for content in contents
            ]
        report = fake.client.invoke_batch("consume", records, source=source, attempts=3)
        handled = [line.split()[0] for line in fake.ledger.read_text().splitlines()]
        fake.ledger.write_text("")
        assert [handled.count(key) for key in "01234"] == [1, 1, 3, behind[kind], behind[kind]]
        assert [record.index for record in report.failed] == ([2] if kind == "standard" else [2, 3, 4])
