"""``map``: a function once per line of a JSON Lines file."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from lambda_invoke.cli import endpoint
from lambda_invoke.cli.exit_codes import (
    ALL_FAILED,
    CANNOT_WRITE,
    NO_JOURNAL,
    OK,
    SIGNALLED,
    SOME_FAILED,
    TOO_MANY_FAILED,
    USAGE,
    CommandError,
)
from lambda_invoke.cli.items import count_items, key_in, opened
from lambda_invoke.cli.outcomes import Outcomes
from lambda_invoke.cli.progress import shower
from lambda_invoke.cli.reader import Reader
from lambda_invoke.cli.results import Writer, check_apart, record, writer
from lambda_invoke.cli.signals import Stopping, stopping
from lambda_invoke.errors import DeadlineExceededError, JournalError, RequestError
from lambda_invoke.fanout.journaled import Journal
from lambda_invoke.fanout.progress import CallbackMeter, Meter, Progress, SilentMeter
from lambda_invoke.fanout.tally import Tally
from lambda_invoke.fanout.tolerance import tolerance

if TYPE_CHECKING:
    import argparse

    from lambda_invoke.results import Attempt, Outcome


def run(args: argparse.Namespace) -> int:
    """Fan out, write each outcome as it comes, sum up on standard error.

    Raises:
        CommandError: a bad line (after what was in flight), results or a journal that cannot be
            written, a journal that is refused.
        LambdaInvokeError: what no item could be sent with.
    """
    check_apart(args.items, args.output, args.journal)
    journal = _journal(args)
    answered = _Answered()
    with opened(args.items) as items, stopping(drain=args.drain) as stop, endpoint.reach(args) as reached:
        client = reached.async_client(on_attempt=None if journal is None else answered.count)
        mapping = client.map(
            reached.function,
            Reader(items) if items.may_block else items,
            concurrency=reached.concurrency,
            ordered=args.ordered,
            qualifier=args.qualifier,
            log_tail=args.log_tail,
            timeout=args.timeout,
            deadline=args.deadline,
            idempotent=args.idempotent,
            stop=stop,
            drain=args.drain,
            journal=journal,
        )
        meter = _meter(args)
        total = _total(args, shown=not isinstance(meter, SilentMeter))
        bears = tolerance(args.tolerate, None, total)
        with Outcomes(client, mapping, bears) as outcomes, writer(args.output) as output:
            stop.give_up = outcomes.give_up
            return _Job(args, outcomes, output, stop, answered, meter, total).run()


def _journal(args: argparse.Namespace) -> Journal | None:
    if args.journal is None:
        for name in ("key", "resend_unknown", "retry_failed", "durable"):
            if getattr(args, name):
                raise CommandError(f"--{name.replace('_', '-')} is for a job with a --journal", USAGE)
        return None
    return Journal(
        args.journal,
        key=None if args.key is None else key_in(args.key),
        durable=args.durable,
        resend_unknown=args.resend_unknown,
        retry_failed=args.retry_failed,
    )


def _meter(args: argparse.Namespace) -> Meter:
    on_terminal = args.output is None and sys.stdout.isatty()
    show = shower(wanted=args.progress, results_on_terminal=on_terminal)
    return SilentMeter() if show is None else CallbackMeter(show)


def _total(args: argparse.Namespace, *, shown: bool) -> int | None:
    """How many items there are, if anybody wants to know and it can be known."""
    share = isinstance(args.tolerate, float)
    return count_items(args.items, however_large=share) if share or shown else None


class _Answered:
    """How many items this run sent with success: other successes come from the journal."""

    def __init__(self) -> None:
        self.successes = 0

    def count(self, attempt: Attempt) -> None:
        """Note one attempt."""
        self.successes += attempt.ok


class _Job:
    """One run: what was counted, and how it ended."""

    def __init__(
        self,
        args: argparse.Namespace,
        outcomes: Outcomes,
        output: Writer,
        stop: Stopping,
        answered: _Answered,
        meter: Meter,
        total: int | None,
    ) -> None:
        self._args = args
        self._outcomes = outcomes
        self._output = output
        self._stop = stop
        self._answered = answered
        self._meter = meter
        self._total = total
        self._tally = Tally()
        self._begun = time.monotonic()

    def run(self) -> int:
        """To the end of the input, or until a signal, the deadline, a bad line or too many failures."""
        early: Exception | None = None
        try:
            for outcome in self._outcomes:
                self._took(outcome)
        except (CommandError, DeadlineExceededError, JournalError) as error:
            early = error
        except RequestError as error:
            if self._args.journal is not None and error.message.startswith("journal "):
                raise CommandError(error.message, NO_JOURNAL) from error
            raise
        self._output.begin()
        self._meter.update(self._progress(finished=True))
        self._sum_up()
        return self._verdict(early)

    def _took(self, outcome: Outcome[Any]) -> None:
        self._tally.add(outcome)
        self._meter.update(self._progress())
        self._output.write(record(outcome, log_tail=self._args.log_tail))

    def _progress(self, *, finished: bool = False) -> Progress:
        in_flight = 0 if finished else self._outcomes.in_flight
        elapsed = time.monotonic() - self._begun
        return Progress(self._tally.done, self._tally.failed, in_flight, self._total, elapsed, finished)

    def _sum_up(self) -> None:
        lines = [self._tally.summary(time.monotonic() - self._begun)]
        if self._args.journal is not None:
            known = self._tally.done - self._tally.failed - self._answered.successes
            lines.append(f"{known:,} of the successes were in the journal already")
        sys.stderr.write("\n".join(lines) + "\n")

    def _verdict(self, early: Exception | None) -> int:
        """The exit code, and a line for an early end."""
        if isinstance(early, CommandError):
            raise early
        if isinstance(early, JournalError):
            raise CommandError(f"{early.message}; nothing more was sent", CANNOT_WRITE) from early
        if self._stop.signal is not None:
            sys.stderr.write(f"stopped by {self._stop.signal.name}; the rest of the input was not taken\n")
            return SIGNALLED + self._stop.signal
        if self._outcomes.too_many_failed:
            sys.stderr.write("more items failed than --tolerate allows; nothing more was sent\n")
            return TOO_MANY_FAILED
        if early is not None:
            sys.stderr.write("the deadline passed; the rest of the input was not taken\n")
        done, failed = self._tally.done, self._tally.failed
        if done and failed == done:
            return ALL_FAILED
        return SOME_FAILED if failed or early is not None else OK
