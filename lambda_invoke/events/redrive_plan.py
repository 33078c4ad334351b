"""What is in a dead-letter queue or failure destination: a redrive's dry run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.events.redrive_journal import may_have_run
from lambda_invoke.events.redrive_messages import Kind
from lambda_invoke.events.redrive_table import ages_text, short_function, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lambda_invoke.events.redrive_messages import ReadMessage
    from lambda_invoke.fanout.journal_state import Known

SAMPLES = 3
"""Request ids that are shown of a group."""
AGE_BOUNDS = (3_600.0, 86_400.0, 4 * 86_400.0)
"""Seconds: where the counts by age are cut. SQS keeps a message for 4 days by default, 14 at most."""
_AGE_NAMES = ("under 1 h", "1 h to 1 d", "1 d to 4 d", "over 4 d")


@attrs.frozen
class RedriveGroup:
    """Messages alike: of one kind, error type and function.

    ``chosen`` are those that the filters take. Ages are in seconds; ``by_age`` counts them under an hour,
    to a day, to four days, and beyond. ``request_ids`` are samples. ``may_have_run`` were sent by an
    earlier redrive that never learned what became of them; ``done`` succeeded there and are yet to be
    deleted.
    """

    kind: Kind
    error_type: str
    function: str
    count: int
    chosen: int
    newest: float | None
    oldest: float | None
    by_age: tuple[int, int, int, int]
    request_ids: tuple[str, ...] = ()
    may_have_run: int = 0
    done: int = 0


@attrs.frozen(repr=False)
class RedrivePlan:
    """What is in the queue, and what a redrive would send again; ``str`` of it is a table.

    ``looked_at`` messages were read, of about ``approximate`` that could be (``in_flight`` more are with
    somebody else); ``complete`` is False where there were more than the limit. ``chosen`` would be sent;
    of them ``unnamed`` do not say to which function, so that ``redrive`` must be told.
    ``copies`` are messages of an Event that another message tells of as well. ``journal`` is the file
    that knows what earlier runs sent, ``warnings`` are sentences.
    """

    queue_url: str
    groups: tuple[RedriveGroup, ...]
    looked_at: int
    approximate: int
    in_flight: int
    complete: bool
    unnamed: int
    copies: int
    journal: str
    warnings: tuple[str, ...] = ()

    @property
    def chosen(self) -> int:
        """How many of them the filters take; those that may have run are left out."""
        return sum(group.chosen for group in self.groups)

    @property
    def may_have_run(self) -> int:
        """How many were sent by an earlier redrive that never learned what became of them."""
        return sum(group.may_have_run for group in self.groups)

    @property
    def foreign(self) -> int:
        """How many are no failed Events: of event source mappings, of other queues, successes."""
        left_alone = (Kind.BATCH, Kind.SOURCE_MESSAGE, Kind.SUCCESS)
        return sum(group.count for group in self.groups if group.kind in left_alone)

    @property
    def unreadable(self) -> int:
        """How many are no records of Lambda's."""
        return sum(group.count for group in self.groups if group.kind is Kind.UNREADABLE)

    def by_error_type(self) -> Mapping[str, int]:
        """How many failed Events of each error type, most first."""
        counts: Counter[str] = Counter()
        for group in self.groups:
            if group.kind is Kind.FAILED_EVENT:
                counts[group.error_type] += group.count
        return dict(counts.most_common())

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        plain = attrs.asdict(self, value_serializer=_plain)
        return {
            **plain,
            "chosen": self.chosen,
            "may_have_run": self.may_have_run,
            "foreign": self.foreign,
            "unreadable": self.unreadable,
        }

    def __str__(self) -> str:
        lines = [self._headline()]
        if self.groups:
            heads = ("messages", "chosen", "error type", "function", "age", "request ids")
            lines += ["", table(heads, map(_row, self.groups), right=2), "", self._by_age()]
        lines += self._notes()
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<RedrivePlan of {self.queue_url}: {self.looked_at:,} looked at, {self.chosen:,} chosen>"

    def _headline(self) -> str:
        of = "" if self.complete else f" of about {max(self.approximate, self.looked_at):,}"
        busy = f", {self.in_flight:,} more with other readers" if self.in_flight else ""
        return f"{self.queue_url}: {self.looked_at:,}{of} messages{busy}; {self.chosen:,} to be sent again"

    def _by_age(self) -> str:
        sums = [sum(column) for column in zip(*(group.by_age for group in self.groups), strict=True)]
        named = [f"{count:,} {name}" for count, name in zip(sums, _AGE_NAMES, strict=True) if count]
        return f"by age: {', '.join(named) or 'not known'}"

    def _notes(self) -> list[str]:
        notes = []
        if self.unnamed:
            notes.append(f"{self.unnamed:,} do not name their function (dead letters): say which it is")
        if self.may_have_run:
            notes.append(
                f"{self.may_have_run:,} may have run: an earlier redrive sent them and did not learn what "
                f"became of them ({self.journal})"
            )
        done = sum(group.done for group in self.groups)
        if done:
            notes.append(f"{done:,} succeeded in an earlier redrive, and only have to be deleted")
        if self.copies:
            notes.append(f"{self.copies:,} are further messages of an Event that another one tells of")
        return [*notes, *self.warnings]


def _plain(_owner: object, _field: object, value: Any) -> Any:
    return value.value if isinstance(value, Kind) else value


def _row(group: RedriveGroup) -> tuple[str, ...]:
    one = group.request_ids[0] if group.request_ids else "-"
    kind = "" if group.kind is Kind.FAILED_EVENT else f"({group.kind.value})"
    return (
        f"{group.count:,}",
        f"{group.chosen:,}",
        kind or group.error_type,
        short_function(group.function) if not kind or group.function else "-",
        ages_text(group.newest, group.oldest),
        one if group.count == 1 or one == "-" else f"{one}, ...",
    )


class Survey:
    """Counts messages, and keeps of each only what makes the counts; ``limit`` bounds its memory."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._groups: dict[tuple[Kind, str, str], _Growing] = {}
        self._events: set[str] = set()
        self._chosen: dict[str, tuple[Kind, str, str]] = {}
        self.looked_at = 0
        self.unnamed = 0
        self.copies = 0

    def add(self, message: ReadMessage, refusal: str | None) -> None:
        """Count one message; ``refusal`` is why the filters leave it alone."""
        self.looked_at += 1
        if message.request_id is not None:
            self.copies += message.request_id in self._events
            self._events.add(message.request_id)
        where = message.kind, message.error_type, message.function
        growing = self._groups.setdefault(where, _Growing())
        age = None if message.since is None else (self._now - message.since).total_seconds()
        growing.add(message.request_id, age)
        if refusal is None:
            growing.chosen += 1
            self.unnamed += not message.function
            self._chosen[message.message_id] = where

    @property
    def chosen(self) -> list[str]:
        """The message ids of what the filters take."""
        return list(self._chosen)

    def note_past(self, known: Mapping[str, Known]) -> None:
        """Take what earlier runs are done with, or do not know the outcome of, from what is chosen."""
        for message_id, past in known.items():
            if not past.ok and not may_have_run(past):
                continue
            where = self._chosen[message_id]
            growing = self._groups[where]
            growing.chosen -= 1
            growing.done += past.ok
            growing.may_have_run += not past.ok
            self.unnamed -= not where[-1]

    def groups(self) -> tuple[RedriveGroup, ...]:
        """What was counted: failed Events first, the largest group first."""
        found = [growing.group(*where) for where, growing in self._groups.items()]
        order = list(Kind)
        return tuple(sorted(found, key=lambda one: (order.index(one.kind), -one.count, one.error_type)))


@attrs.define
class _Growing:
    count: int = 0
    chosen: int = 0
    may_have_run: int = 0
    done: int = 0
    newest: float | None = None
    oldest: float | None = None
    by_age: list[int] = attrs.field(factory=lambda: [0, 0, 0, 0])
    request_ids: list[str] = attrs.field(factory=list)

    def add(self, request_id: str | None, age: float | None) -> None:
        self.count += 1
        if age is not None:
            self.newest = age if self.newest is None else min(self.newest, age)
            self.oldest = age if self.oldest is None else max(self.oldest, age)
            self.by_age[sum(age >= bound for bound in AGE_BOUNDS)] += 1
        if request_id is not None and len(self.request_ids) < SAMPLES and request_id not in self.request_ids:
            self.request_ids.append(request_id)

    def group(self, kind: Kind, error_type: str, function: str) -> RedriveGroup:
        under, hours, days, over = self.by_age
        return RedriveGroup(
            kind,
            error_type,
            function,
            self.count,
            self.chosen,
            self.newest,
            self.oldest,
            (under, hours, days, over),
            tuple(self.request_ids),
            self.may_have_run,
            self.done,
        )
