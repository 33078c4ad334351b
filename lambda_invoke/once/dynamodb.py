"""Records of ``once`` in DynamoDB: AWS Powertools' own layer, whose writes ask whose record it is."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import attrs
from botocore.exceptions import ClientError

from lambda_invoke.once.store import IN_PROGRESS, Lock, Store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

_NOT_HELD = "ConditionalCheckFailedException"


@attrs.frozen
class _Client:
    """boto3's DynamoDB client, as the layer calls it for one lock.

    The layer makes the requests, with its conditions; this adds the owner to what it puts, and to what
    it updates and deletes that the lock must still be this one.
    """

    client: Any
    layer: DynamoDBPersistenceLayer
    lock: Lock

    def put_item(self, *, Item: dict[str, Any], **request: Any) -> Any:  # noqa: N803 - boto3's name
        """Put the record, with the owner in its data."""
        item = {**Item, self.layer.data_attr: {"S": self.lock.envelope.text()}}
        return self.client.put_item(Item=item, **request)

    def update_item(self, **request: Any) -> Any:
        """Update the record if the lock is still held."""
        return self.client.update_item(**self._held(request))

    def delete_item(self, **request: Any) -> Any:
        """Delete the record if the lock is still held."""
        return self.client.delete_item(**self._held(request))

    def get_item(self, **request: Any) -> Any:
        """Read the record."""
        return self.client.get_item(**request)

    def _held(self, request: dict[str, Any]) -> dict[str, Any]:
        names = {"#held_status": self.layer.status_attr, "#held_data": self.layer.data_attr}
        values = {":held_status": {"S": IN_PROGRESS}, ":held_mark": {"S": self.lock.envelope.mark}}
        return {
            **request,
            "ConditionExpression": "#held_status = :held_status AND contains(#held_data, :held_mark)",
            "ExpressionAttributeNames": {**request.get("ExpressionAttributeNames", {}), **names},
            "ExpressionAttributeValues": {**request.get("ExpressionAttributeValues", {}), **values},
        }


class DynamoDBStore(Store):
    """Over a ``DynamoDBPersistenceLayer``: looking whose a record is and writing it are one request."""

    layer: DynamoDBPersistenceLayer

    def __str__(self) -> str:
        return f"DynamoDB table {self.layer.table_name!r}"

    def _for(self, lock: Lock) -> DynamoDBPersistenceLayer:
        layer = copy.copy(self.layer)
        layer.client = _Client(self.layer.client, self.layer, lock)
        return layer

    def _put(self, lock: Lock) -> None:
        self._for(lock)._put_record(lock.data_record())

    def _update_held(self, lock: Lock, record: DataRecord) -> bool:
        try:
            self._for(lock)._update_record(record)
        except ClientError as error:
            if error.response["Error"]["Code"] != _NOT_HELD:
                raise
            # Perhaps by this very request, whose answer was lost and which boto3 sent again.
            found = self.read(record.idempotency_key)
            return (
                found is not None
                and found.envelope is not None
                and found.envelope.text() == record.response_data
            )
        return True

    def _delete_held(self, lock: Lock, record: DataRecord) -> bool:
        try:
            self._for(lock)._delete_record(record)
        except ClientError as error:
            if error.response["Error"]["Code"] != _NOT_HELD:
                raise
            return False
        return True
