"""The input of ``map``: JSON Lines, read as they are needed."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lambda_invoke.cli.exit_codes import BAD_DATA, NO_INPUT, CommandError
from lambda_invoke.cli.json_text import check_json
from lambda_invoke.cli.signals import Interrupted, Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
_BOM = b"\xef\xbb\xbf"
_COUNTED_BYTES = 64 * 1024 * 1024
"""A larger file is not read twice only to know how many lines it has."""


@contextlib.contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """The input as bytes.

    Raises:
        CommandError: it cannot be opened.
    """
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 - only opening is guarded here
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}", NO_INPUT) from error
    with stream:
        yield stream


def items(stream: BinaryIO, name: str, stop: Stopping) -> Iterator[bytes]:
    """One payload per line, as it stands there; empty lines are passed over.

    Raises:
        CommandError: a line that is not JSON, named by its number; or reading failed.
    """
    label = "standard input" if name == STDIN else name
    number = 0
    while True:
        try:
            with stop.waiting():
                line = stream.readline()
        except Interrupted:
            return
        except OSError as error:
            raise CommandError(f"{label}, after line {number:,}: {error.strerror}", NO_INPUT) from error
        if not line:
            return
        number += 1
        payload = (line.removeprefix(_BOM) if number == 1 else line).strip()
        if not payload:
            continue
        try:
            check_json(payload)
        except ValueError as error:
            raise CommandError(f"{label}, line {number:,}: {error}", BAD_DATA) from None
        yield payload


def count_items(name: str) -> int | None:
    """How many items there will be; None for what cannot be read twice, or is very large."""
    path = Path(name)
    if name == STDIN or not path.is_file() or path.stat().st_size > _COUNTED_BYTES:
        return None
    with path.open("rb") as stream:
        return sum(1 for line in stream if line.strip())
