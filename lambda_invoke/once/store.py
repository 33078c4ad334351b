"""The records of ``once`` over a persistence layer of AWS Powertools.

What is asked of a layer is what Powertools asks of one: ``_put_record`` (only if there is none, or an
expired one), ``_get_record``, ``_update_record`` and ``_delete_record``. The last two do not ask whose
record it is; :class:`Store` does, so that a call that outlived its lock harms nobody else's.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import attrs
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS, DataRecord

from lambda_invoke.errors import IdempotencyStoreError, LambdaInvokeError
from lambda_invoke.once.envelope import Envelope, read_envelope

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer

IN_PROGRESS = STATUS_CONSTANTS["INPROGRESS"]
COMPLETED = STATUS_CONSTANTS["COMPLETED"]


@attrs.frozen
class Name:
    """A record's key in the store, and the hash of the payload that belongs to it."""

    record: str
    payload_hash: str


@attrs.frozen
class Lock:
    """A key that is held, or to be held: until ``until``, in seconds since the epoch.

    The token of its envelope tells one owner from the next. A layer that keeps no data with a key that
    is put has ``until`` for that: a key can be taken over only after it, so that the next owner's is
    later, unless somebody released the key.
    """

    name: Name
    envelope: Envelope
    until: float
    expires: int
    """When the record goes, in seconds since the epoch; not before ``until``."""

    @property
    def until_ms(self) -> int:
        """``until`` as the store has it."""
        return math.ceil(self.until * 1000)

    def data_record(self) -> DataRecord:
        """The record that is put."""
        return DataRecord(
            self.name.record,
            IN_PROGRESS,
            expiry_timestamp=self.expires,
            in_progress_expiry_timestamp=self.until_ms,
            response_data=self.envelope.text(),
            payload_hash=self.name.payload_hash,
        )


@attrs.frozen
class Found:
    """A record that is there, and is not expired."""

    completed: bool
    payload_hash: str
    envelope: Envelope | None
    until: float | None
    """Until when the key is held, if it is."""
    conflict: bool = False
    """Whether the layer has found that it belongs to another payload."""

    def belongs_to(self, name: Name) -> bool:
        """Whether it is of this payload, as far as the layer has kept of which it is."""
        kept = self.payload_hash if self.envelope is None else self.envelope.payload_hash
        return not self.conflict and kept in {"", name.payload_hash}


class Store:
    """The records of ``once`` in a persistence layer, whichever it is.

    The layer is used as a copy with a configuration of its own: a handler of this process may have
    another. Between looking whose a record is and writing it, another process may come in; stores that
    can do both at once do, see the subclasses.
    """

    doubtful = True
    """Whether a key may have been taken although the store failed to say so."""

    def __init__(self, layer: BasePersistenceLayer, scope: str) -> None:
        self.layer = copy.copy(layer)
        self.layer.configured = False
        self.layer.configure(
            IdempotencyConfig(payload_validation_jmespath="@", hash_function="sha256"), key_prefix=scope
        )

    def __str__(self) -> str:
        return type(self.layer).__name__

    def name(self, key: dict[str, str], payload: dict[str, Any]) -> Name:
        """The key's and the payload's hashes, made as Powertools makes its own."""
        record = self.layer._get_hashed_idempotency_key(data=key)
        assert record is not None
        return Name(record, self.layer._get_hashed_payload(data=payload))

    def take(self, lock: Lock) -> Found | None:
        """Take the key; None: it is held now. Otherwise what is there.

        Raises:
            IdempotencyStoreError: the store did not do it.
        """
        while True:
            try:
                self._put(lock)
            except IdempotencyValidationError:
                return Found(completed=False, payload_hash="", envelope=None, until=None, conflict=True)
            except IdempotencyItemAlreadyExistsError as error:
                there = error.old_data_record
                found = self.read(lock.name.record) if there is None else _found(there)
                if found is None:
                    continue  # it went meanwhile
                # The store carried it out and its answer was lost on the way: boto3 sent it again.
                held = found.envelope is not None and found.envelope.token == lock.envelope.token
                return None if held else found
            except Exception as error:
                raise self.failed("take a key", error) from error
            else:
                return None

    def read(self, record: str) -> Found | None:
        """What is there, if there is anything that counts.

        Raises:
            IdempotencyStoreError: the store cannot be read.
        """
        try:
            there = self.layer._get_record(record)
        except IdempotencyItemNotFoundError:
            return None
        except Exception as error:
            raise self.failed("read a key", error) from error
        return _found(there)

    def finish(self, lock: Lock, envelope: Envelope, *, expires: int) -> bool:
        """Store what became of the call; False: the key is not this call's any more, and nothing was stored.

        Raises:
            IdempotencyStoreError: the store did not do it.
        """
        return self._write(lock, COMPLETED, envelope, expires)

    def note(self, lock: Lock, envelope: Envelope) -> bool:
        """Say of a key that stays locked why it does; False as for :meth:`finish`."""
        return self._write(lock, IN_PROGRESS, envelope, lock.expires)

    def release(self, lock: Lock) -> bool:
        """Free the key; False: it is not this call's any more.

        Raises:
            IdempotencyStoreError: the store did not do it.
        """
        try:
            return self._delete_held(lock, DataRecord(lock.name.record))
        except Exception as error:
            raise self.failed("release a key", error) from error

    def forget(self, record: str) -> bool:
        """Free a key whoever holds it; whether it was there."""
        there = self.read(record) is not None
        try:
            self.layer._delete_record(DataRecord(record))
        except Exception as error:
            raise self.failed("release a key", error) from error
        return there

    def failed(self, what: str, error: Exception) -> LambdaInvokeError:
        """The error for a store that did not do as asked."""
        if isinstance(error, LambdaInvokeError):
            return error
        return IdempotencyStoreError(f"{self} could not {what}: {type(error).__name__}: {error}")

    def _write(self, lock: Lock, status: str, envelope: Envelope, expires: int) -> bool:
        record = DataRecord(
            lock.name.record,
            status,
            expiry_timestamp=expires,
            in_progress_expiry_timestamp=lock.until_ms,
            response_data=envelope.text(),
            payload_hash=lock.name.payload_hash,
        )
        try:
            return self._update_held(lock, record)
        except Exception as error:
            raise self.failed("store a result", error) from error

    # What a subclass does better.

    def _put(self, lock: Lock) -> None:
        self.layer._put_record(lock.data_record())

    def _update_held(self, lock: Lock, record: DataRecord) -> bool:
        if record.status == IN_PROGRESS or not self._holds(lock):
            return False  # not every layer keeps until when a record that it updates is locked
        self.layer._update_record(record)
        return True

    def _delete_held(self, lock: Lock, record: DataRecord) -> bool:
        if not self._holds(lock):
            return False
        self.layer._delete_record(record)
        return True

    def _holds(self, lock: Lock) -> bool:
        try:
            there = self.layer._get_record(lock.name.record)
        except IdempotencyItemNotFoundError:
            return False
        until = there.in_progress_expiry_timestamp
        kept = read_envelope(there.response_data)
        return (
            there._status == IN_PROGRESS
            and until is not None
            and int(until) == lock.until_ms
            and (kept is None or kept.token == lock.envelope.token)
        )


def _found(record: DataRecord) -> Found | None:
    if record.is_expired:
        return None
    until = record.in_progress_expiry_timestamp
    return Found(
        completed=record.status == COMPLETED,
        payload_hash=record.payload_hash or "",
        envelope=read_envelope(record.response_data),
        until=None if until is None else float(until) / 1000,
    )
