"""The output of ``map``: one JSON line per outcome, and what they come to."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lambda_invoke.cli.exit_codes import CANNOT_WRITE, USAGE, CommandError
from lambda_invoke.cli.items import STDIN
from lambda_invoke.cli.json_text import json_bytes
from lambda_invoke.errors import FunctionError, LambdaInvokeError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.results import Outcome

_NEW_FILE = 0o666
"""As ``open`` has it: the umask says the rest."""


def record(outcome: Outcome[Any], *, log_tail: bool) -> dict[str, Any]:
    """What a result line says. ``log`` is there when it was asked for, and may be null."""
    said: dict[str, Any] = {"index": outcome.index, "ok": outcome.ok}
    if outcome.error is None:
        said["value"] = outcome.value
    else:
        said["error"] = _described(outcome.error)
        said["attempts"] = len(outcome.attempts)
    if log_tail:
        log = outcome.log
        said["log"] = None if log is None else log.text
    return said


def _described(error: LambdaInvokeError) -> dict[str, Any]:
    kind: str | None = None
    message = error.message
    if isinstance(error, FunctionError):
        kind, message = error.error_type, error.error_message or error.message
    elif isinstance(error, ServiceError):
        kind = error.code
    return {
        "class": type(error).__name__,
        "type": kind,
        "message": message,
        "executed": error.executed.value,
    }


class Writer:
    """Writes a line at a time, and sees to it that it is out of this process.

    With ``replaces``, what is in the file already stays until :meth:`begin`.
    """

    def __init__(self, stream: BinaryIO, name: str, *, replaces: bool = False) -> None:
        self._stream = stream
        self._name = name
        self._replaces = replaces

    def begin(self) -> None:
        """There will be results, or there are none: what an earlier run left in the file goes."""
        if self._replaces:
            self._replaces = False
            self._stream.truncate(0)

    def write(self, said: dict[str, Any]) -> None:
        """Write one line.

        Raises:
            CommandError: it cannot be written: a full disk, a closed pipe.
        """
        try:
            self.begin()
            self._stream.write(json_bytes(said) + b"\n")
            self._stream.flush()
        except OSError as error:
            # What could not be written would be tried again, and fail again, when the stream is closed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if not isinstance(error, BrokenPipeError):
                raise CommandError(f"{self._name}: {error.strerror}", CANNOT_WRITE) from error
            if self._stream is sys.stdout.buffer:
                raise
            raise CommandError(f"{self._name}: its reader has gone", CANNOT_WRITE) from None


def check_apart(items: str, output: str | None, journal: str | None) -> None:
    """Refuse to write the results over the items or the journal, or the journal over the items.

    Raises:
        CommandError: two of them are the same file.
    """
    if output is not None and items != STDIN and _same(items, output):
        raise CommandError(f"{output}: the results would be written over the items", USAGE)
    if journal is not None and output is not None and _same(journal, output):
        raise CommandError(f"{output}: the results would be written over the journal", USAGE)
    if journal is not None and items != STDIN and _same(items, journal):
        raise CommandError(f"{journal}: the journal would be written over the items", USAGE)


def _same(one: str, other: str) -> bool:
    if Path(one).exists() and Path(other).exists():
        return Path(one).samefile(other)
    return Path(one).resolve() == Path(other).resolve()


@contextlib.contextmanager
def writer(output: str | None) -> Iterator[Writer]:
    """Where the results go: standard output, or a file, which is made anew when they begin.

    A run that is refused, because another one has the journal, leaves that one's results alone.

    Raises:
        CommandError: the file cannot be made.
    """
    if output is None:
        yield Writer(sys.stdout.buffer, "standard output")
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), _NEW_FILE)
    except OSError as error:
        raise CommandError(f"{output}: {error.strerror}", CANNOT_WRITE) from error
    with os.fdopen(descriptor, "wb") as stream:
        yield Writer(stream, output, replaces=stat.S_ISREG(os.fstat(descriptor).st_mode))
