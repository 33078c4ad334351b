"""``map``: a function once per line of a JSON Lines file."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from lambda_invoke.cli import endpoint
from lambda_invoke.cli.exit_codes import (
    ALL_FAILED,
    OK,
    SIGNALLED,
    SOME_FAILED,
    CommandError,
)
from lambda_invoke.cli.items import count_items, items, opened
from lambda_invoke.cli.progress import shower
from lambda_invoke.cli.results import Writer, check_apart, record, writer
from lambda_invoke.cli.signals import Stopping, stopping
from lambda_invoke.errors import DeadlineExceededError
from lambda_invoke.fanout.progress import CallbackMeter, Meter, Progress, SilentMeter
from lambda_invoke.fanout.tally import Tally

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from lambda_invoke.fanout.mapping import MapIterator


def run(args: argparse.Namespace) -> int:
    """Fan out, write each outcome as it comes, sum up on standard error.

    Raises:
        CommandError: a bad line (after what was in flight), or results that cannot be written.
        LambdaInvokeError: what no item could be sent with.
    """
    check_apart(args.items, args.output)
    with opened(args.items) as stream, stopping() as stop, endpoint.reach(args) as reached:
        mapping = reached.client.map(
            reached.function,
            items(stream, args.items, stop),
            concurrency=reached.concurrency,
            ordered=args.ordered,
            qualifier=args.qualifier,
            log_tail=args.log_tail,
            timeout=args.timeout,
            deadline=args.deadline,
            idempotent=args.idempotent,
            stop=stop.requested,
        )
        with mapping, writer(args.output) as output:
            return _Job(args, mapping, output, stop).run()


class _Job:
    """One run: what was counted, and how it ended."""

    def __init__(
        self, args: argparse.Namespace, mapping: MapIterator[Any], output: Writer, stop: Stopping
    ) -> None:
        self._log_tail: bool = args.log_tail
        self._mapping = mapping
        self._output = output
        self._stop = stop
        self._tally = Tally()
        self._begun = time.monotonic()
        show = shower(wanted=args.progress, results_on_terminal=args.output is None and sys.stdout.isatty())
        self._total = None if show is None else count_items(args.items)
        self._meter: Meter = SilentMeter() if show is None else CallbackMeter(show)

    def run(self) -> int:
        """To the end of the input, or until a signal, the deadline or a bad line."""
        early: Exception | None = None
        try:
            for said in self._outcomes():
                self._output.write(said)
        except (CommandError, DeadlineExceededError) as error:
            early = error
        self._meter.update(self._progress(finished=True))
        sys.stderr.write(f"{self._tally.summary(time.monotonic() - self._begun)}\n")
        if isinstance(early, CommandError):
            raise early
        if self._stop.signal is not None:
            sys.stderr.write(f"stopped by {self._stop.signal.name}; the rest of the input was not taken\n")
            return SIGNALLED + self._stop.signal
        if early is not None:
            sys.stderr.write("the deadline passed; the rest of the input was not taken\n")
        return self._verdict(early)

    def _outcomes(self) -> Iterator[dict[str, Any]]:
        for outcome in self._mapping:
            self._tally.add(outcome)
            self._meter.update(self._progress())
            yield record(outcome, log_tail=self._log_tail)

    def _progress(self, *, finished: bool = False) -> Progress:
        in_flight = 0 if finished else self._mapping.in_flight
        elapsed = time.monotonic() - self._begun
        return Progress(self._tally.done, self._tally.failed, in_flight, self._total, elapsed, finished)

    def _verdict(self, early: Exception | None) -> int:
        done, failed = self._tally.done, self._tally.failed
        if done and failed == done:
            return ALL_FAILED
        return SOME_FAILED if failed or early is not None else OK
