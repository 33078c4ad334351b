"""``local``: serves functions on this machine until it is told to stop."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Any, Self

from lambda_invoke.cli.exit_codes import CANNOT_WRITE, SIGNALLED, UNAVAILABLE, USAGE, CommandError
from lambda_invoke.cli.functions import define
from lambda_invoke.cli.local_lines import InvocationLines, environment_lines, overview, summary
from lambda_invoke.cli.signals import stopping
from lambda_invoke.local import LocalLambda, LocalLambdaError
from lambda_invoke.local.definition import REGION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    from lambda_invoke.cli.signals import Stopping
    from lambda_invoke.local import Function, InvocationRecord

_OPTIONS = {
    "port": "port",
    "region": "region_name",
    "concurrency": "concurrency_limit",
    "time_scale": "time_scale",
    "allow_any_credentials": "allow_any_credentials",
    "reload": "reload",
    "state_dir": "state_dir",
}
"""What the command line and ``LocalLambda`` call it."""


def run(args: argparse.Namespace) -> int:
    """Serve, print what is served and each invocation, sum up at the end.

    Raises:
        CommandError: the definition is wrong, or cannot be served.
    """
    definition = define(args)
    if args.services_endpoint is None:
        definition = definition.within_reach()
    for text in definition.warnings:
        sys.stderr.write(f"lambda_invoke: {text}\n")
    options = {name: getattr(args, given) for given, name in _OPTIONS.items()}
    options = {name: value for name, value in options.items() if value is not None}
    if args.services_endpoint is not None:
        options["services"] = _services(args.services_endpoint, args.region)
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # a shell's background job
    with stopping() as stop, _Alarm() as alarm:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        server = _Server(definition.functions, {**definition.options, **options}, args, stop, alarm)
        return server.run()


def _services(url: str, region: str | None) -> Callable[[str], Any]:
    """What makes boto3's clients of an emulator's services; one that wants no credentials gets some."""
    import boto3

    session = boto3.Session(region_name=region or REGION)
    if session.get_credentials() is None:
        session = boto3.Session("local", "local", region_name=region or REGION)
    return functools.partial(session.client, endpoint_url=url)


class _Alarm:
    """Wakes the main thread, from a signal handler or from another thread, without a lock."""

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._before)
        os.close(self._read)
        os.close(self._write)

    def ring(self) -> None:
        """Wake it."""
        with contextlib.suppress(BlockingIOError):  # it is full: it rings already
            os.write(self._write, b"\0")

    def wait(self) -> None:
        """Wait until it has rung since the last time."""
        select.select([self._read], [], [])
        os.read(self._read, 1)


class _Server:
    """One run of the endpoint."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        options: dict[str, Any],
        args: argparse.Namespace,
        stop: Stopping,
        alarm: _Alarm,
    ) -> None:
        self._functions = functions
        self._stop = stop
        self._alarm = alarm
        self._quiet = args.print_env
        self._gone = False
        out = sys.stderr if args.print_env else sys.stdout
        self._out = out
        self._lines = InvocationLines(functions, logs=args.logs, colour=_coloured(out))
        try:
            self._local = LocalLambda(functions, on_invocation=self._show, **options)
        except ValueError as error:
            raise CommandError(str(error), USAGE) from error
        except LocalLambdaError as error:
            raise CommandError(str(error), UNAVAILABLE) from error

    def run(self) -> int:
        """Until a signal comes, or nobody reads what is printed."""
        with self._started() as local:
            lines = environment_lines(local)
            if self._quiet:
                _print_for_eval([*lines, f"export LAMBDA_INVOKE_LOCAL_PID={os.getpid()}"])
            self._write(overview(local, self._functions, None if self._quiet else lines))
            while not (self._stop.is_set() or self._gone):
                self._alarm.wait()
        self._write(summary(local, self._functions))
        if self._gone:
            # What could not be written would be tried again, and fail again, at the interpreter's end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
        return CANNOT_WRITE if self._stop.signal is None else SIGNALLED + self._stop.signal

    @contextlib.contextmanager
    def _started(self) -> Iterator[LocalLambda]:
        try:
            self._local.start()
        except LocalLambdaError as error:
            raise CommandError(str(error), UNAVAILABLE) from error
        try:
            yield self._local
        finally:
            self._local.stop()

    def _show(self, record: InvocationRecord) -> None:
        """On the endpoint's thread."""
        self._write(self._lines.of(record))

    def _write(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except OSError:
            self._gone = True
            self._alarm.ring()


def _print_for_eval(lines: list[str]) -> None:
    """Print the lines and close standard output, for which ``eval "$(... &)"`` waits."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _coloured(stream: TextIO) -> bool:
    """In a terminal, unless the user wants none (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
