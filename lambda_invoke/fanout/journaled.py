"""A job over its journal: what is in it is not sent, what is sent is in it first."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from lambda_invoke.core.plan import given_up
from lambda_invoke.core.transport import Reply
from lambda_invoke.errors import FunctionError, JournalError, LambdaInvokeError, RequestError
from lambda_invoke.fanout.journal import JournalWriter
from lambda_invoke.fanout.journal_records import outcome_of, record_of, with_past
from lambda_invoke.fanout.journal_state import Begun, Decision, caller_key, decide, item_key

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from lambda_invoke.fanout.engine import Item
    from lambda_invoke.fanout.journal_file import JournalFile
    from lambda_invoke.results import Outcome

T = TypeVar("T")

_CLOSE_SECONDS = 5.0
"""A commit takes milliseconds; a disk that does not answer is left to the writer's thread."""


@attrs.frozen
class Journal:
    """Where a job keeps what became of its items, so that a later run sends only what is missing.

    ``journal=`` takes one, or its ``path`` alone. A journal belongs to one job (its function and
    qualifier, as the caller names them: it does not know of accounts and endpoints) and is open in one
    run at a time. Items are told apart by ``key``, which gives a str, int or bytes for what the caller
    gave as the item; without it, by a digest of what is sent, equal items counted in the order of the
    input.

    Of what an earlier run left, successes are kept. What may have run (it was in flight when the run
    was killed, or its outcome was unknown) is reported as UNKNOWN, and sent again only if the call is
    ``idempotent`` or with ``resend_unknown``. What ran and failed is reported as it failed, and sent
    again only with ``retry_failed``. What never ran is sent again.

    A journal survives the kill of its process; with ``durable`` a power cut too, at an fsync for each
    commit. It is private to its user (0600). Request payloads are never in it; replies are, unless
    ``store_results`` is False: then what succeeded in an earlier run has the value None.
    """

    path: str | os.PathLike[str]
    key: Callable[[Any], str | int | bytes] | None = None
    durable: bool = False
    store_results: bool = True
    resend_unknown: bool = False
    retry_failed: bool = False


@attrs.frozen
class JournalPlan:
    """A journal and the job that is to be run over it. ``job`` names it: of another one it is refused."""

    journal: Journal
    job: str
    idempotent: bool
    error_types: Mapping[str, type[FunctionError]]

    def open(self) -> JournalFile:
        """Open or make the file.

        Raises:
            RequestError: it is in use, another job's, damaged, or no journal at all.
        """
        from lambda_invoke.fanout.journal_file import JournalFile  # and SQLite, only where there is a journal

        journal = self.journal
        rules = functools.partial(
            decide,
            idempotent=self.idempotent,
            resend_unknown=journal.resend_unknown,
            retry_failed=journal.retry_failed,
        )
        return JournalFile(
            journal.path,
            job=self.job,
            durable=journal.durable,
            store_results=journal.store_results,
            own_keys=journal.key is not None,
            rules=rules,
        )


@attrs.frozen
class Sides(Generic[T]):
    """What the journal tells of, on the engine's loop by way of ``call``.

    ``offer`` takes an item that is to be sent, from any thread; ``deliver`` an outcome; ``fail`` the
    error that ends the job; ``now`` is the job's clock.
    """

    call: Callable[..., object]
    offer: Callable[[Item[T]], None]
    deliver: Callable[[Outcome[T]], None]
    fail: Callable[[LambdaInvokeError], None]
    now: Callable[[], float]


class Journaled(Generic[T]):
    """One run of a job over its journal: stands between the input, the engine and the outcomes."""

    def __init__(self, plan: JournalPlan, file: JournalFile) -> None:
        self._plan = plan
        self._writer = JournalWriter(file)
        self._begun: dict[int, Begun] = {}  # of what is with the engine

    def begin(self, item: Item[T], sides: Sides[T]) -> None:
        """Take an item up: it is offered once the journal has it, or its known outcome delivered."""
        try:
            key = self._key(item)
        except LambdaInvokeError as error:
            sides.call(sides.deliver, item.failed(error))
            return
        future = self._writer.begin([(item.index, key)])
        future.add_done_callback(functools.partial(self._taken, item, sides))

    def finish(self, sides: Sides[T], outcome: Outcome[T]) -> None:
        """Store an outcome of the engine's; it is delivered once the journal has it. On the loop."""
        begun = self._begun.pop(outcome.index)
        outcome = with_past(outcome, begun.known)
        record = record_of(outcome, begun.known, store_results=self._plan.journal.store_results)
        self._writer.finish(begun.row, record, lambda error: sides.call(self._stored, sides, outcome, error))

    def flush(self) -> None:
        """Wait until what was begun is with the engine, which refuses it if it is closed."""
        with contextlib.suppress(JournalError, TimeoutError):
            self._writer.begin([]).result(_CLOSE_SECONDS)

    def let_go(self, call: Callable[..., object]) -> None:
        """Close the file soon, when what the engine gave up has come by its loop; waits for nothing."""
        writer = self._writer
        writer.begin([]).add_done_callback(lambda _: call(writer.close, 0))

    def close(self) -> None:
        """Commit what was finished, and close the file."""
        self._writer.close(_CLOSE_SECONDS)

    def _key(self, item: Item[T]) -> bytes:
        own, request = self._plan.journal.key, item.call.request
        if own is None:
            return item_key(request.function, request.qualifier, request.payload)
        try:
            return caller_key(own(item.payload))
        except LambdaInvokeError as error:
            error.add_note(f"item {item.index:,} of the input")
            raise
        except Exception as error:
            raise RequestError(
                f"the journal's key raised {type(error).__name__} for item {item.index:,} of the input"
            ) from error

    def _taken(self, item: Item[T], sides: Sides[T], future: Future[list[Begun | RequestError]]) -> None:
        """On the writer's thread: the journal has the item, or has not."""
        failure = future.exception()
        if failure is not None:
            error = given_up(item.call, sides.now(), why="not sent: its journal failed")
            sides.call(sides.deliver, item.failed(error))
            sides.call(sides.fail, failure)
            return
        (begun,) = future.result()
        if isinstance(begun, RequestError):
            sides.call(sides.deliver, item.failed(begun))
        elif begun.decision is Decision.SEND:
            self._begun[item.index] = begun
            sides.offer(item)
        else:
            sides.call(self._known, sides, item, begun)

    def _known(self, sides: Sides[T], item: Item[T], begun: Begun) -> None:
        assert begun.known is not None
        sides.deliver(
            outcome_of(
                begun.known,
                index=item.index,
                function=item.call.request.display,
                payload=item.payload,
                decode=lambda body: item.call.build(Reply(200, body), ()).value,
                error_types=self._plan.error_types,
            )
        )

    @staticmethod
    def _stored(sides: Sides[T], outcome: Outcome[T], error: LambdaInvokeError | None) -> None:
        sides.deliver(outcome)
        if error is not None:
            sides.fail(error)
