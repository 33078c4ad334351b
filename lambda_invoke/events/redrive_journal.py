"""The journal of a redrive: what was sent, by message id, so that no later run sends it again unasked.

A message whose send was begun and whose outcome nobody learned is still in the queue, and looks there
like any other. Only this file tells it apart.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from lambda_invoke.errors import RequestError
from lambda_invoke.events.queue import queue_name, same_queue_url
from lambda_invoke.fanout.journal_records import record_of
from lambda_invoke.fanout.journal_state import Decision, Known, caller_key, decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambda_invoke.fanout.journal_file import JournalFile
    from lambda_invoke.fanout.journal_state import Record
    from lambda_invoke.results import Outcome

MayHaveRun = Literal["keep", "send", "delete"]
"""What becomes of messages that an earlier run sent without learning of their outcome."""


@attrs.frozen
class RedriveJournal:
    """Where the journal of a queue's redrives is, and what it decides.

    ``path`` None is a file of the queue's own in the user's state directory. With ``may_have_run`` "send",
    or ``idempotent``, what may have run is sent again.
    """

    queue_url: str
    path: str | os.PathLike[str] | None = None
    may_have_run: MayHaveRun = "keep"
    idempotent: bool = False
    durable: bool = False

    def __attrs_post_init__(self) -> None:
        if self.may_have_run not in get_args(MayHaveRun):
            raise RequestError(f'may_have_run is "keep", "send" or "delete", not {self.may_have_run!r}')

    @property
    def file(self) -> Path:
        """The file's path."""
        return Path(self.path) if self.path is not None else default_path(self.queue_url)

    @property
    def _job(self) -> str:
        return f"redrive of {same_queue_url(self.queue_url)}"

    def check(self) -> None:
        """Find out, before messages are looked at, whether :meth:`open` would be refused.

        Raises:
            RequestError: as :meth:`open`.
        """
        self.known([""])

    def open(self) -> JournalFile:
        """Open or make it, for this run alone.

        Raises:
            RequestError: it cannot be made, is in use by another run, or is another queue's.
        """
        from lambda_invoke.fanout.journal_file import JournalFile  # SQLite

        file = self.file
        if self.path is None:
            _make_directory(file.parent)
        return JournalFile(
            file,
            job=self._job,
            durable=self.durable,
            store_results=False,
            own_keys=True,
            rules=self.decide,
        )

    def decide(self, known: Known | None) -> Decision:
        """Whether a message is sent: what ran and failed for certain may always be tried again."""
        again = self.idempotent or self.may_have_run == "send"
        return decide(known, resend_unknown=again, retry_failed=True)

    def known(self, message_ids: Sequence[str]) -> dict[str, Known]:
        """What earlier runs left of messages, for a look that changes nothing; of those it knows.

        Raises:
            RequestError: the journal is in use by another run, or cannot be read.
        """
        from lambda_invoke.fanout.journal_rows import look_up
        from lambda_invoke.fanout.journal_schema import open_database

        file = self.file
        if not message_ids or not file.exists():
            return {}
        opened = open_database(str(file.absolute()), job=self._job, own_keys=True, durable=False)
        try:
            keys = {caller_key(one): one for one in message_ids}
            found = look_up(opened.connection, [(key, 0) for key in keys], earlier=opened.last_row)
            return {keys[key]: known for (key, _), (_, known) in found.items()}
        finally:
            opened.connection.close()


def finished_record(outcome: Outcome[object], known: Known | None) -> Record:
    """What is kept of a redrive's outcome: neither the reply nor the request."""
    return record_of(outcome, known, store_results=False)


def may_have_run(known: Known) -> bool:
    """Whether a message was sent and nobody knows what became of it."""
    return known.in_doubt and not known.ok


def default_path(queue_url: str) -> Path:
    """The journal of a queue in the user's state directory.

    ``$XDG_STATE_HOME`` or ``~/.local/state``, on Windows ``%LOCALAPPDATA%``; the file's name has the
    queue's, and a digest of its URL.
    """
    digest = hashlib.blake2b(same_queue_url(queue_url).encode(), digest_size=6).hexdigest()
    name = re.sub(r"[^\w.-]", "_", queue_name(queue_url))[:80]
    return _state_directory() / "lambda_invoke" / "redrive" / f"{name}-{digest}.journal"


def _state_directory() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    given = os.environ.get("XDG_STATE_HOME", "")
    try:
        return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:  # no home
        raise RequestError("journal has no home directory to be in: place it with journal=") from error


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"journal directory {str(path)!r} cannot be made ({error.strerror}): place it with journal="
        ) from error
