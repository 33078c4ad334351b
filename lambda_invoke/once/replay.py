"""What a key that was used before gives: its result again, or an error that says how it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambda_invoke.core.codec import decode_payload
from lambda_invoke.core.function_errors import build_function_error
from lambda_invoke.errors import (
    IdempotencyStoreError,
    KeyConflictError,
    KeyInProgressError,
    KeyOutcomeUnknownError,
    PayloadDecodingError,
    ResultNotStoredError,
)
from lambda_invoke.once import envelope as kinds
from lambda_invoke.once.results import OnceResult
from lambda_invoke.results import Invocation

if TYPE_CHECKING:
    from lambda_invoke.once.envelope import Envelope
    from lambda_invoke.once.prepare import Job
    from lambda_invoke.once.store import Found, Name, Store


def time_of(seconds: float) -> datetime:
    """Seconds since the epoch as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def replay(job: Job, name: Name, stored: Envelope | None, store: Store) -> OnceResult[Any]:
    """The result that is stored.

    Raises:
        FunctionError: what is stored is a function's error (``on_error="keep"``).
        PayloadDecodingError: it is not a ``response``.
        ResultNotStoredError: the function ran, and its result could not be stored.
        IdempotencyStoreError: the record is none of this library's.
    """
    if stored is None:
        raise IdempotencyStoreError(
            f"record {name.record} in {store} has a content that is not of lambda_invoke.once",
            function=job.display,
            record=name.record,
        )
    if stored.kind == kinds.UNSTORED:
        raise ResultNotStoredError(
            f"the function ran for this key at {time_of(stored.since).isoformat()} (record {name.record}), "
            f"and its result could not be stored: {stored.why}",
            function=job.display,
            request_id=stored.request_id,
            record=name.record,
        )
    payload = stored.payload or b""
    if stored.kind == kinds.ERROR:
        error = build_function_error(
            function=job.display,
            payload=payload,
            function_error=stored.function_error or "Unhandled",
            request_id=stored.request_id,
            log=None,
            executed_version=stored.executed_version,
            error_types=job.error_types,
            redact=job.redact_remote,
        )
        error.add_note(
            f"Stored under its idempotency key (record {name.record}) by the call of "
            f"{time_of(stored.since).isoformat()}; the function did not run again."
        )
        raise error
    try:
        value = decode_payload(payload, job.response)
    except PayloadDecodingError as error:
        error.function = job.display
        error.request_id = stored.request_id
        raise
    return OnceResult(
        Invocation(
            value,
            payload,
            job.display,
            stored.status_code,
            stored.executed_version,
            stored.request_id,
            durable_execution_arn=stored.durable_execution_arn,
        ),
        replayed=True,
    )


def conflict(job: Job, name: Name, found: Found) -> KeyConflictError:
    """The error for a key that belongs to another payload."""
    used = "" if found.envelope is None else f" at {time_of(found.envelope.since).isoformat()}"
    return KeyConflictError(
        f"the key was used{used} with another payload (record {name.record}); nothing was sent",
        function=job.display,
        record=name.record,
    )


def in_progress(job: Job, name: Name, found: Found) -> KeyInProgressError:
    """The error for a key that another call holds."""
    there = found.envelope
    until = None if found.until is None else time_of(found.until)
    by = "" if there is None else f" by {there.owner} since {time_of(there.since).isoformat()}"
    locked = f"the key is held{by}" + ("" if until is None else f", locked until {until.isoformat()}")
    unknown = there is not None and there.kind == kinds.UNKNOWN
    kind = KeyOutcomeUnknownError if unknown else KeyInProgressError
    return kind(
        f"{locked} (record {name.record})" + ("; nobody knows whether its function ran" if unknown else ""),
        function=job.display,
        request_id=there.request_id if there is not None else None,
        record=name.record,
        since=None if there is None else time_of(there.since),
        owner=None if there is None else there.owner,
        locked_until=until,
    )
