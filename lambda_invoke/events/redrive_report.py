"""What a redrive came to."""

from __future__ import annotations

import enum
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.plan import worst
from lambda_invoke.errors import Executed, RedriveError
from lambda_invoke.events.redrive_table import short_function, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_invoke.errors import LambdaInvokeError

SHOWN = 10
"""Failures that ``str`` of a report names."""


class RedriveEnd(enum.Enum):
    """Why a redrive ended."""

    DRAINED = "drained"
    """Nothing more was in the queue that this run had not looked at."""
    LIMIT = "limit"
    """As many messages as ``limit`` were sent."""
    STOPPED = "stopped"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    IN_FLIGHT_LIMIT = "in-flight limit"
    """So many messages stay in the queue that SQS gives no more: run it again, with a narrower choice."""
    FAILED = "failed"
    """The queue or the journal failed."""


@attrs.frozen
class RedrivenMessage:
    """One message that is not done with, and why.

    ``request_id`` is that of the Event that failed, ``function`` where it was sent, or would be;
    ``error_type`` what it had failed with, ``error`` what it failed with now. ``reason`` is a sentence
    where nothing was sent.
    """

    message_id: str
    request_id: str | None
    function: str
    error_type: str
    reason: str = ""
    error: LambdaInvokeError | None = None


@attrs.frozen(repr=False)
class RedriveReport:
    """What became of a queue's messages; ``str`` of it is a summary.

    ``failed`` ran again and failed, or could not be sent: they are in the queue. ``may_have_run`` were
    sent, in this run or an earlier one, and nobody knows what became of them: in the queue too, and not
    sent again unless the call is declared idempotent or ``may_have_run="send"`` says so. ``skipped`` were
    left alone, ``reason`` says why. ``undeleted`` succeeded and could not be deleted (their receipt handle
    had expired, for one): the next run with the same journal deletes them, and does not send them.

    ``succeeded_count`` succeeded in this run (with ``as_events``: were accepted), ``deleted_count`` were
    deleted, those that an earlier run had brought to an end included. ``lapsed`` messages became visible
    to others while this run had them. About ``in_flight`` messages were with other readers when the run
    began, or with an earlier run that was killed: they come back when their time is up, and this run did
    not see them. ``duration`` is in seconds.
    """

    queue_url: str
    as_events: bool
    journal: str
    ended: RedriveEnd
    duration: float
    succeeded_count: int
    deleted_count: int
    failed: tuple[RedrivenMessage, ...] = ()
    may_have_run: tuple[RedrivenMessage, ...] = ()
    skipped: tuple[RedrivenMessage, ...] = ()
    undeleted: tuple[RedrivenMessage, ...] = ()
    lapsed: int = 0
    in_flight: int = 0

    @property
    def failed_count(self) -> int:
        """How many were sent and failed, or could not be sent."""
        return len(self.failed)

    @property
    def may_have_run_count(self) -> int:
        """How many may have run, and stay in the queue."""
        return len(self.may_have_run)

    @property
    def skipped_count(self) -> int:
        """How many were left alone."""
        return len(self.skipped)

    @property
    def left_in_queue(self) -> int:
        """How many of the messages that this run looked at are still in the queue."""
        return self.failed_count + self.may_have_run_count + self.skipped_count + len(self.undeleted)

    @property
    def ok(self) -> bool:
        """Whether everything chosen is done with: nothing failed, is in doubt or ended early."""
        as_asked = self.ended in {RedriveEnd.DRAINED, RedriveEnd.LIMIT}
        return as_asked and not (self.failed or self.may_have_run or self.undeleted)

    def raise_for_failures(self) -> None:
        """Do nothing if everything chosen is done with.

        Raises:
            RedriveError: something failed, may have run, could not be deleted, or the run ended early;
                its cause is the first error.
        """
        if self.ok:
            return
        errors = [one.error for one in (*self.failed, *self.may_have_run) if one.error is not None]
        raise RedriveError(
            self._headline(),
            report=self,
            executed=self.executed,
        ) from (errors[0] if errors else None)

    @property
    def executed(self) -> Executed:
        """The worst of all that was not done with: whether it ran in the redrive."""
        if self.may_have_run:
            return Executed.UNKNOWN
        return worst([one.error.executed for one in self.failed if one.error is not None] or [Executed.NO])

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        facts = {
            "queue_url": self.queue_url,
            "as_events": self.as_events,
            "journal": self.journal,
            "ended": self.ended.value,
            "duration": self.duration,
            "succeeded": self.succeeded_count,
            "deleted": self.deleted_count,
            "left_in_queue": self.left_in_queue,
            "lapsed": self.lapsed,
            "in_flight": self.in_flight,
        }
        for name in ("failed", "may_have_run", "skipped", "undeleted"):
            facts[name] = [_facts(one) for one in getattr(self, name)]
        return facts

    def __str__(self) -> str:
        lines = [self._headline()]
        if self.failed:
            lines += ["", "failed again:", _shown(self.failed)]
        if self.may_have_run:
            lines += ["", "may have run:", _shown(self.may_have_run)]
            lines.append(f"  they stay in the queue; what was sent stands in {self.journal}")
        if self.skipped:
            counts = Counter(one.reason for one in self.skipped)
            lines += ["", *(f"{count:,} left alone: {reason}" for reason, count in counts.most_common(SHOWN))]
        if self.undeleted:
            lines.append(f"{len(self.undeleted):,} succeeded and are not deleted yet: run it again")
        if self.lapsed:
            lines.append(f"{self.lapsed:,} became visible to other readers while they were in work")
        if self.in_flight:
            lines.append(
                f"about {self.in_flight:,} more were hidden, with other readers or a run that was killed: "
                "run it again when their time is up"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<RedriveReport of {self.queue_url}: {self._counts()}>"

    def _headline(self) -> str:
        why = "" if self.ended is RedriveEnd.DRAINED else f"; ended: {self.ended.value}"
        return f"{self.queue_url}: {self._counts()} in {self.duration:.1f} s{why}"

    def _counts(self) -> str:
        done = "accepted" if self.as_events else "succeeded"
        parts = [
            f"{self.succeeded_count:,} {done}",
            f"{self.failed_count:,} failed",
            *([f"{self.may_have_run_count:,} may have run"] if self.may_have_run else []),
            *([f"{self.skipped_count:,} left alone"] if self.skipped else []),
            f"{self.deleted_count:,} deleted",
        ]
        return ", ".join(parts)


def _shown(messages: Iterable[RedrivenMessage]) -> str:
    counts: Counter[tuple[str, str]] = Counter()
    samples: dict[tuple[str, str], RedrivenMessage] = {}
    for one in messages:
        what = one.reason if one.error is None else type(one.error).__name__
        key = what if one.error is None else _error_name(one.error), short_function(one.function)
        counts[key] += 1
        samples.setdefault(key, one)
    rows = [
        (f"{count:,}", *key, f"{samples[key].request_id or samples[key].message_id}")
        for key, count in counts.most_common(SHOWN)
    ]
    return table(("messages", "error", "function", "for one"), rows)


def _error_name(error: LambdaInvokeError) -> str:
    kind, remote = type(error).__name__, getattr(error, "error_type", None) or getattr(error, "code", None)
    return f"{kind} ({remote})" if remote and remote != kind else kind


def _facts(one: RedrivenMessage) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "message_id": one.message_id,
        "request_id": one.request_id,
        "function": one.function,
        "error_type": one.error_type,
    }
    if one.reason:
        facts["reason"] = one.reason
    if one.error is not None:
        facts["error"] = {
            "class": type(one.error).__name__,
            "type": getattr(one.error, "error_type", None) or getattr(one.error, "code", None),
            "message": getattr(one.error, "error_message", None) or one.error.message,
            "executed": one.error.executed.value,
        }
    return facts
