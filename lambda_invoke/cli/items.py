"""The input of ``map``: JSON Lines, read as they are needed."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lambda_invoke.cli.exit_codes import BAD_DATA, NO_INPUT, CommandError
from lambda_invoke.cli.json_text import check_json
from lambda_invoke.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STDIN = "-"
_BOM = b"\xef\xbb\xbf"
_COUNTED_BYTES = 64 * 1024 * 1024
"""A larger file is not read twice only to show how many lines it has."""


@contextlib.contextmanager
def opened(name: str) -> Iterator[Items]:
    """The payloads of a file or of standard input.

    Raises:
        CommandError: it cannot be opened.
    """
    label = "standard input" if name == STDIN else name
    try:
        # Not sys.stdin, whose lock a blocked read holds: the interpreter could not end.
        stream = open(0, "rb", closefd=False) if name == STDIN else Path(name).open("rb")  # noqa: SIM115
    except OSError as error:
        raise CommandError(f"{label}: {error.strerror}", NO_INPUT) from error
    items = Items(stream, label)
    try:
        yield items
    finally:
        items.let_go()


class Items:
    """One payload per line, as it stands there; empty lines are passed over. To be iterated once.

    ``may_block`` says that a line may be long in coming: it is no regular file.
    """

    def __init__(self, stream: BinaryIO, label: str) -> None:
        self._stream = stream
        self._label = label
        self._begun = False
        self.may_block = not stat.S_ISREG(os.fstat(stream.fileno()).st_mode)

    def __iter__(self) -> Iterator[bytes]:
        """The payloads.

        Raises:
            CommandError: a line that is not JSON, named by its number; or reading failed.
        """
        self._begun = True
        number = 0
        with self._stream:
            while line := self._read_line(number):
                number += 1
                payload = (line.removeprefix(_BOM) if number == 1 else line).strip()
                if not payload:
                    continue
                try:
                    check_json(payload)
                except ValueError as error:
                    raise CommandError(f"{self._label}, line {number:,}: {error}", BAD_DATA) from None
                yield payload

    def _read_line(self, number: int) -> bytes:
        try:
            return self._stream.readline()
        except OSError as error:
            raise CommandError(f"{self._label}, after line {number:,}: {error.strerror}", NO_INPUT) from error

    def let_go(self) -> None:
        """Close it, unless a thread may be reading it: closing would wait for that read."""
        if not (self._begun and self.may_block):
            self._stream.close()


def count_items(name: str, *, however_large: bool) -> int | None:
    """How many items there will be; None for what cannot be read twice, or not quickly."""
    path = Path(name)
    if name == STDIN or not path.is_file():
        return None
    if path.stat().st_size > _COUNTED_BYTES and not however_large:
        return None
    with path.open("rb") as stream:
        return sum(1 for line in stream if line.strip())


def key_in(field: str) -> Callable[[bytes], str | int]:
    """What tells items apart: the field of that name, at the top of each, a string or a whole number.

    What is returned raises a ``RequestError`` for an item without one.
    """

    def key(payload: bytes) -> str | int:
        item = json.loads(payload)
        found = item.get(field) if isinstance(item, dict) else None
        if isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool)):
            return found
        raise RequestError(f"no key: there is no field {field!r} with a string or a whole number")

    return key
