"""What a function's reply says of a batch, by the rules of ``ReportBatchItemFailures``. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.frozen
class Verdict:
    """What became of each record of one batch.

    ``failed`` are the places of the records that failed, ascending: those that the reply names, or
    all of them. ``whole`` is why the whole batch counts as failed, None when it does not.
    """

    failed: tuple[int, ...] = ()
    whole: str | None = None

    @property
    def checkpoint(self) -> int | None:
        """The place from which on a stream's records are delivered again; None: all succeeded."""
        return self.failed[0] if self.failed else None


ALL_WELL = Verdict()


def read_reply(reply: bytes, identifiers: Sequence[str]) -> Verdict:
    """The verdict of a reply on the records of these identifiers, which all differ.

    All succeeded: no reply at all, ``null``, ``""``, ``[]``, ``{}``, an object without
    ``batchItemFailures``, or with null or an empty list there. The whole batch failed: a reply that is
    not JSON, or no object; ``batchItemFailures`` that is no list; in it an entry that is no object or
    has no ``itemIdentifier``, or one that is not text, empty, or of no record in the batch. Otherwise
    those failed that it names. Never raises.

    Source: Success and failure conditions (of Amazon SQS, Kinesis and DynamoDB streams), AWS Lambda
    developer guide, 2026-11. It does not say what becomes of other replies that are JSON (``"done"``,
    ``true``); here they fail the batch, since records that are delivered again are not lost.
    """
    if not reply:
        return ALL_WELL
    try:
        return _read_json(json.loads(reply), identifiers)
    except (ValueError, RecursionError):
        return _whole(identifiers, "the reply is not JSON")


def _read_json(answer: Any, identifiers: Sequence[str]) -> Verdict:
    if answer in (None, "", [], {}):
        return ALL_WELL
    if not isinstance(answer, dict):
        return _whole(identifiers, f"the reply is {_kind(answer)}, not an object")
    named = answer.get("batchItemFailures")
    if named is None:
        return ALL_WELL
    if not isinstance(named, list):
        return _whole(identifiers, f"batchItemFailures is {_kind(named)}, not a list")
    return _read_list(named, identifiers)


def _read_list(named: list[Any], identifiers: Sequence[str]) -> Verdict:
    places = {identifier: place for place, identifier in enumerate(identifiers)}
    failed = set()
    for position, entry in enumerate(named):
        problem = _problem(entry, places)
        if problem is not None:
            return _whole(identifiers, f"batchItemFailures[{position}] {problem}")
        failed.add(places[entry["itemIdentifier"]])
    return Verdict(tuple(sorted(failed)))


def whole_batch(size: int, reason: str) -> Verdict:
    """The verdict on a batch of that size which failed as a whole."""
    return Verdict(tuple(range(size)), reason)


def _whole(identifiers: Sequence[str], reason: str) -> Verdict:
    return whole_batch(len(identifiers), reason)


def _problem(entry: Any, places: dict[str, int]) -> str | None:
    if not isinstance(entry, dict):
        return f"is {_kind(entry)}, not an object"
    if "itemIdentifier" not in entry:
        return "has no itemIdentifier"
    identifier = entry["itemIdentifier"]
    if not isinstance(identifier, str):
        return f"has {_kind(identifier)} as itemIdentifier, not text"
    if not identifier:
        return "has an empty itemIdentifier"
    return None if identifier in places else "names no record of the batch"


def _kind(value: object) -> str:
    """What JSON calls it; never the value itself."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")
