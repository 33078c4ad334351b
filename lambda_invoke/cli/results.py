"""The output of ``map``: one JSON line per outcome, and what they come to."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lambda_invoke.cli.exit_codes import CANNOT_WRITE, USAGE, CommandError
from lambda_invoke.cli.json_text import json_bytes
from lambda_invoke.errors import FunctionError, LambdaInvokeError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke.results import Outcome


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
    """Writes a line at a time, and sees to it that it is out of this process."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, said: dict[str, Any]) -> None:
        """Write one line.

        Raises:
            CommandError: it cannot be written: a full disk, a closed pipe.
        """
        try:
            self._stream.write(json_bytes(said) + b"\n")
            self._stream.flush()
        except BrokenPipeError:
            if self._stream is sys.stdout.buffer:
                raise
            raise CommandError(f"{self._name}: its reader has gone", CANNOT_WRITE) from None
        except OSError as error:
            raise CommandError(f"{self._name}: {error.strerror}", CANNOT_WRITE) from error


def check_apart(items: str, output: str | None) -> None:
    """Refuse to write the results over the items.

    Raises:
        CommandError: both are the same file.
    """
    if output is not None and Path(items).exists() and Path(output).exists() and Path(items).samefile(output):
        raise CommandError(f"{output}: the results would be written over the items", USAGE)


@contextlib.contextmanager
def writer(output: str | None) -> Iterator[Writer]:
    """Where the results go: a file, made anew, or standard output.

    Raises:
        CommandError: the file cannot be made.
    """
    if output is None:
        yield Writer(sys.stdout.buffer, "standard output")
        return
    try:
        stream = Path(output).open("wb")  # noqa: SIM115 - only opening is guarded here
    except OSError as error:
        raise CommandError(f"{output}: {error.strerror}", CANNOT_WRITE) from error
    with stream:
        yield Writer(stream, output)
