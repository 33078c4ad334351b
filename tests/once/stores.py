"""The stores that the tests of ``once`` run over, and what stands in them."""

from __future__ import annotations

import copy
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer

from lambda_invoke import DynamoDBTable

if TYPE_CHECKING:
    from pathlib import Path

    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

    from tests.support.moto import Moto


class MemoryLayer(BasePersistenceLayer):
    """A layer as a user might write one: Powertools' four methods and no more, over a dict."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.records: dict[str, DataRecord] = {}
        self.lock = threading.Lock()
        self.fails: Exception | None = None
        self.broken: list[Exception] = []
        """Raised by updates; shared with the copies of the layer that are made meanwhile."""

    def _get_record(self, idempotency_key: str) -> DataRecord:
        with self.lock:
            if idempotency_key not in self.records:
                raise IdempotencyItemNotFoundError
            return copy.copy(self.records[idempotency_key])

    def _put_record(self, data_record: DataRecord) -> None:
        if self.fails is not None:
            raise self.fails
        with self.lock:
            there = self.records.get(data_record.idempotency_key)
            if there is not None and not there.is_expired:
                until = there.in_progress_expiry_timestamp
                if there.status != "INPROGRESS" or until is None or until >= int(time.time() * 1000):
                    raise IdempotencyItemAlreadyExistsError
            self.records[data_record.idempotency_key] = there = copy.copy(data_record)
            there.response_data = ""  # as Powertools' own layers: data comes with the result

    def _update_record(self, data_record: DataRecord) -> None:
        for error in self.broken:
            raise error
        with self.lock:
            self.records[data_record.idempotency_key] = copy.copy(data_record)

    def _delete_record(self, data_record: DataRecord) -> None:
        with self.lock:
            self.records.pop(data_record.idempotency_key, None)


@attrs.frozen
class Place:
    """A store under test: what a caller gives as ``store``, and its records seen past the library."""

    store: Any
    kind: str
    moto: Moto | None = None

    def records(self) -> dict[str, dict[str, Any]]:
        """The records by their keys; each with Powertools' names for what it has."""
        if self.kind == "sqlite":
            connection = sqlite3.connect(self.store)
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute("SELECT * FROM idempotency")]
            connection.close()
        elif self.kind == "dynamodb":
            client = self._client()
            items = client.scan(TableName=self.store.table_name)["Items"]
            rows = [{name: next(iter(value.values())) for name, value in item.items()} for item in items]
            client.close()
        else:
            rows = [
                {
                    "id": record.idempotency_key,
                    "status": record._status,
                    "data": record.response_data,
                    "validation": record.payload_hash,
                }
                for record in self.store.records.values()
            ]
        return {row["id"]: row for row in rows}

    def age(self, seconds: float) -> None:
        """Let time pass for every record: what they say of times is set back."""
        for key, row in self.records().items():
            if self.kind == "memory":
                record = self.store.records[key]
                record.expiry_timestamp -= int(seconds)
                if record.in_progress_expiry_timestamp is not None:
                    record.in_progress_expiry_timestamp -= int(seconds * 1000)
                continue
            expiration = int(row["expiration"]) - int(seconds)
            until = int(row["in_progress_expiration"]) - int(seconds * 1000)
            if self.kind == "sqlite":
                connection = sqlite3.connect(self.store)
                connection.execute(
                    "UPDATE idempotency SET expiration = ?, in_progress_expiration = ? WHERE id = ?",
                    (expiration, until, key),
                )
                connection.commit()
                connection.close()
            else:
                client = self._client()
                client.update_item(
                    TableName=self.store.table_name,
                    Key={"id": {"S": key}},
                    UpdateExpression="SET expiration = :e, in_progress_expiration = :u",
                    ExpressionAttributeValues={":e": {"N": str(expiration)}, ":u": {"N": str(until)}},
                )
                client.close()

    def _client(self) -> Any:
        assert self.moto is not None
        return self.moto.client("dynamodb")


def make_place(kind: str, folder: Path, moto: Moto | None) -> Place:
    """An empty store of a kind."""
    if kind == "sqlite":
        return Place(folder / "keys.sqlite3", kind)
    if kind == "memory":
        return Place(MemoryLayer(), kind)
    assert moto is not None
    name = f"keys-{time.time_ns()}"
    client = moto.client("dynamodb")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.close()
    return Place(DynamoDBTable(name), kind, moto)
