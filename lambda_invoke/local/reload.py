"""Whether the code that a worker runs has changed since it was started.

There is no thread and no poll: an idle worker is looked at when it is about to be used again, and not
more often than is cheap. A look takes a ``stat`` for each file, some microseconds; after it there is none
for fifty times as long as it took (at most 200 ms): it takes a fiftieth of the time at most, up to some
thousand files.
"""

from __future__ import annotations

import json
import logging
import os
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("lambda_invoke.local")

MAX_WAIT_SECONDS = 0.2
REST = 50
"""How many times as long as a look took there is no other."""
MAX_FILES = 2000
"""Files of a bootstrap's task root that are looked at."""
_IGNORED = {"node_modules", "__pycache__", "venv"}

Signature = tuple[int, int, int]
"""A file's time of change in nanoseconds, size and inode."""

_warned: set[str] = set()


class Watch(Protocol):
    """Files that were as they should be when it was made."""

    def look(self) -> bool:
        """Whether they are different now."""


class NoWatch:
    """Nothing is looked at."""

    def look(self) -> bool:
        """Nothing changes."""
        return False


class ImportWatch:
    """The files that a Python worker says it has imported."""

    def __init__(self) -> None:
        self._files: dict[str, Signature] = {}

    def feed(self, lines: bytes) -> None:
        """Take what the worker said: a line of JSON for each file, ``[path, time, size, inode]``."""
        for line in lines.splitlines():
            path, *signature = json.loads(line)
            self._files[path] = (signature[0], signature[1], signature[2])

    def look(self) -> bool:
        """Whether one of them is another, or gone."""
        for path, known in self._files.items():  # noqa: SIM110 - a generator would take as long as the stat
            if _signature(path) != known:
                return True
        return False


class TreeWatch:
    """The files under a directory, but for hidden directories, ``node_modules`` and their like."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._files = snapshot(root)
        if len(self._files) >= MAX_FILES and root not in _warned:
            _warned.add(root)
            logger.warning("reload watches the first %d files under %s, and no more", MAX_FILES, root)

    def look(self) -> bool:
        """Whether a file changed, came or went."""
        return snapshot(self._root) != self._files


class Staleness:
    """Asks a watch, as often as is cheap; once changed is changed for good."""

    def __init__(self, watch: Watch, clock: Callable[[], float] = time.perf_counter) -> None:
        self._watch = watch
        self._clock = clock
        self._next = 0.0
        self._changed = False

    def check(self) -> bool:
        """Whether the files changed, as far as that is known."""
        now = self._clock()
        if not self._changed and now >= self._next:
            self._changed = self._watch.look()
            looked = self._clock()
            self._next = looked + min(REST * (looked - now), MAX_WAIT_SECONDS)
        return self._changed


def snapshot(root: str) -> dict[str, Signature]:
    """The files under a directory with their signatures, at most ``MAX_FILES`` of them."""
    found: dict[str, Signature] = {}
    directories = [root]
    for directory in directories:
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:  # gone, or not ours to read
            continue
        for entry in entries:
            if entry.name.startswith("."):  # an editor's, version control's, a tool's
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _IGNORED:
                    directories.append(entry.path)
            elif len(found) < MAX_FILES and (signature := _signature(entry.path)) is not None:
                found[entry.path] = signature
    return found


def _signature(path: str) -> Signature | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - done for every file before an invocation
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
