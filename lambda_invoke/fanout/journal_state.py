"""What a journal knows of an item, by which key, and whether the item is sent again. Pure."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable

import attrs

from lambda_invoke.errors import Executed, RequestError

KEY_BYTES = 16


@attrs.frozen
class Record:
    """A finished item as it is stored: plain fields, nothing pickled, no request payload.

    ``executed`` is the worst of all runs of the journal; ``in_doubt`` says that some send of the item,
    in this run or an earlier one, may have run without anybody knowing. ``body`` is the raw reply (of a
    success, of a function error, of a reply that could not be decoded) or None when it is not kept.
    ``attempts`` is how many attempts there were; ``started`` and ``duration`` (seconds) are the last
    one's. ``detail`` is JSON: what an error is rebuilt from.
    """

    ok: bool
    executed: Executed
    in_doubt: bool = False
    body: bytes | None = attrs.field(default=None, repr=False)
    request_id: str | None = None
    version: str | None = None
    attempts: int = 0
    started: float = 0.0
    duration: float = 0.0
    status_code: int | None = None
    detail: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Known:
    """What earlier runs left of an item. ``record`` is None when it was begun and never finished."""

    record: Record | None = None

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.record is not None and self.record.ok

    @property
    def executed(self) -> Executed:
        """Whether it ran; UNKNOWN of one that was begun and never finished."""
        return Executed.UNKNOWN if self.record is None else self.record.executed

    @property
    def in_doubt(self) -> bool:
        """Whether it may have run, perhaps with success, without anybody knowing."""
        return self.record is None or self.record.in_doubt or self.record.executed is Executed.UNKNOWN


class Decision(enum.Enum):
    """What becomes of an item in this run."""

    SEND = "send"
    KEEP = "keep"
    """It is not sent: what the journal knows is its outcome."""


Rules = Callable[["Known | None"], Decision]


def decide(
    known: Known | None,
    *,
    idempotent: bool = False,
    resend_unknown: bool = False,
    retry_failed: bool = False,
) -> Decision:
    """Whether an item is sent in this run, from what earlier runs left of it.

    ========================================================  ==========================================
    never seen                                                sent
    succeeded                                                 kept, always
    may have run: in flight when a run died, or its outcome   sent again only if the call is
    was UNKNOWN in any run so far                             ``idempotent`` or with ``resend_unknown``
    failed and ran for certain (``executed`` YES)             sent again only with ``retry_failed``
    failed and never ran (``executed`` NO)                    sent again
    ========================================================  ==========================================

    The first line that fits counts, so ``retry_failed`` alone never sends an item again of which some
    earlier send may have succeeded unseen.
    """
    if known is None:
        return Decision.SEND
    if known.ok:
        return Decision.KEEP
    if known.in_doubt:
        return Decision.SEND if idempotent or resend_unknown else Decision.KEEP
    if known.executed is Executed.YES:
        return Decision.SEND if retry_failed else Decision.KEEP
    return Decision.SEND


@attrs.frozen
class Begun:
    """An item as the journal took it up. ``row`` is what :meth:`JournalFile.finish` wants to be told.

    ``known`` is what earlier runs left of it, also when it is sent again.
    """

    row: int
    decision: Decision
    known: Known | None = None


@attrs.frozen
class Counts:
    """How many of a journal's items, over all runs, stand where.

    ``finished`` succeeded; ``failed`` failed, and it is known whether they ran; ``unknown`` failed and
    may have run; ``begun`` have no outcome: they are in flight, or were when an earlier run died.
    """

    finished: int = 0
    failed: int = 0
    unknown: int = 0
    begun: int = 0

    @property
    def total(self) -> int:
        """All items that were ever begun."""
        return self.finished + self.failed + self.unknown + self.begun


def item_key(function: str, qualifier: str | None, payload: bytes | None) -> bytes:
    """The key of an item that the caller gave none: a digest of what is sent, and to whom.

    Equal items have equal keys; the journal tells them apart by counting them, in the order of the
    input. ``payload`` is the encoded body, or None when none is sent.
    """
    name, version = function.encode(), b"" if qualifier is None else qualifier.encode()
    # The lengths first, so that no two of what is sent run together to the same bytes.
    shape = (len(name), qualifier is not None, len(version), payload is not None)
    digest = hashlib.blake2b(b"%d %d %d %d:" % shape, digest_size=KEY_BYTES, person=b"lambda_invoke-it")
    digest.update(name + version)
    digest.update(payload or b"")
    return digest.digest()


def caller_key(key: object) -> bytes:
    """The key of an item from the caller's own: a digest, so that the file does not tell it.

    ``1``, ``"1"`` and ``b"1"`` are different keys.

    Raises:
        RequestError: it is not a str, bytes or int.
    """
    if isinstance(key, str):
        told = b"s" + key.encode("utf-8", "surrogatepass")
    elif isinstance(key, bytes):
        told = b"b" + key
    elif isinstance(key, int) and not isinstance(key, bool):
        told = b"i%x" % key
    else:
        raise RequestError(f"an item's key is a str, bytes or int, not a {type(key).__name__}")
    return hashlib.blake2b(told, digest_size=KEY_BYTES, person=b"lambda_invoke-ky").digest()
