"""A job: one set of items, how they are called, and within which bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Sized
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.calls import Terms
from lambda_invoke.core.codec import NO_PAYLOAD, encode_client_context
from lambda_invoke.core.warn import warn_caller
from lambda_invoke.errors import ConcurrencyLimitedWarning, LambdaInvokeError, RequestError
from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
from lambda_invoke.fanout.batches import batches
from lambda_invoke.fanout.collect import AsyncCollection, Collection
from lambda_invoke.fanout.engine import Item
from lambda_invoke.fanout.journaled import Journal, JournalPlan
from lambda_invoke.fanout.mapping import MapIterator
from lambda_invoke.fanout.progress import meter_for
from lambda_invoke.fanout.state import Plans
from lambda_invoke.fanout.tolerance import Tolerance, tolerance
from lambda_invoke.results import Outcome

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Callable, Iterable

    from lambda_invoke.core.calls import Caller, Options
    from lambda_invoke.core.options import Stop
    from lambda_invoke.fanout.progress import Meter, ProgressCallback
    from lambda_invoke.fanout.report import FanOutReport, Keep
    from lambda_invoke.transports.admission import Admission
    from lambda_invoke.transports.drive import Clock
    from lambda_invoke.transports.sender import Sender

DEFAULT_CONCURRENCY = 64
"""Items in flight when nobody says otherwise."""

_PAIR = 2


@attrs.frozen
class Job:
    """What ``map`` and ``fan_out`` have in common.

    ``deadline`` is seconds for the whole job, from the first item taken; ``function`` is None when
    the items are ``(function, payload)`` pairs.
    """

    caller: Caller
    sender: Sender
    admission: Admission
    clock: Clock
    function: str | None
    qualifier: str | None
    options: Options
    terms: Terms
    concurrency: int | None = None
    deadline: float | None = None
    stop: Stop | None = None
    drain: bool = False
    journal: str | os.PathLike[str] | Journal | None = None
    batch_size: int | None = None

    def map(
        self,
        payloads: Iterable[Any],
        *,
        ordered: bool = False,
        raise_errors: bool = False,
        record: Callable[[Outcome[Any]], None] | None = None,
    ) -> MapIterator[Any]:
        """The iterator over the outcomes; nothing is taken or sent before its first ``next()``.

        Raises:
            RequestError: an argument that no item could be sent with.
        """
        return MapIterator(payloads, self._plans(ordered, raise_errors), record=record)

    def map_async(
        self,
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        ordered: bool = False,
        raise_errors: bool = False,
        record: Callable[[Outcome[Any]], None] | None = None,
    ) -> AsyncMapIterator[Any]:
        """The same for asyncio, on the loop of its first ``anext()``."""
        return AsyncMapIterator(payloads, self._plans(ordered, raise_errors), record=record)

    def _plans(self, ordered: bool, raise_errors: bool) -> Plans[Any]:
        deadline = Terms(deadline=self.deadline).deadline  # refuses what is not a number of seconds
        terms = self.caller.job_terms(self.terms)
        own_keys = isinstance(self.journal, Journal) and self.journal.key is not None
        together = batches(
            self.batch_size, function=self.function, response=self.options.response, own_keys=own_keys
        )
        if self.function is not None:
            self._call(self.function, NO_PAYLOAD, terms, None)
        return Plans(
            lambda index, given, expires: self._prepare(index, given, terms, expires),
            self.sender.async_transport,
            self.sender.opened,
            self.admission,
            self._bounded_concurrency(),
            ordered,
            raise_errors,
            deadline,
            self.clock,
            self.stop,
            self.drain,
            self._journal_plan(),
            together,
        )

    def _journal_plan(self) -> JournalPlan | None:
        if self.journal is None:
            return None
        journal = self.journal if isinstance(self.journal, Journal) else Journal(self.journal)
        parts = [f"fan-out of {self.function or '(function, payload) pairs'}"]
        if self.qualifier is not None:
            parts.append(f"qualifier {self.qualifier}")
        if self.options.tenant_id is not None:
            parts.append(f"tenant {self.options.tenant_id}")
        if self.options.client_context is not None:
            context = encode_client_context(self.options.client_context, limits=self.caller.limits)
            parts.append(f"client context {hashlib.blake2b(context.encode(), digest_size=8).hexdigest()}")
        if self.batch_size is not None:
            parts.append(f"batches of {self.batch_size}")
        error_types = self.options.error_types or self.caller.error_types
        return JournalPlan(journal, ", ".join(parts), self.options.idempotent, error_types)

    def fan_out(self, payloads: Iterable[Any], ends: Ends) -> FanOutReport[Any]:
        """Run the job to its end and report; raises as ``Collection.run``."""
        collection = Collection(
            lambda record: self.map(payloads, record=record),
            tolerance=ends.tolerance(payloads),
            stop=self.stop,
            keep=ends.keep,
        )
        return collection.run(self._meter(payloads, ends))

    async def fan_out_async(
        self, payloads: Iterable[Any] | AsyncIterable[Any], ends: Ends
    ) -> FanOutReport[Any]:
        """The same for asyncio; raises as ``AsyncCollection.run``."""
        collection = AsyncCollection(
            lambda record: self.map_async(payloads, record=record),
            tolerance=ends.tolerance(payloads),
            stop=self.stop,
            keep=ends.keep,
        )
        return await collection.run(self._meter(payloads, ends))

    def _meter(self, payloads: object, ends: Ends) -> Meter:
        return meter_for(ends.progress, self.function or "fan-out", _length(payloads))

    def _prepare(
        self, index: int, given: Any, terms: Terms, expires: float | None
    ) -> Item[Any] | Outcome[Any]:
        """Encode one item, on the caller's thread; what cannot be sent is an outcome already."""
        function, payload = self.function, given
        try:
            if function is None:
                function, payload = _pair(index, given)
            return Item(index, payload, self._call(function, payload, terms, expires))
        except LambdaInvokeError as error:
            error.add_note(f"{'item' if self.batch_size is None else 'batch'} {index:,} of the input")
            return Outcome(index, function or "", payload, error=error)

    def _call(self, function: str, payload: Any, terms: Terms, expires: float | None) -> Any:
        return self.caller.invocation(
            function,
            payload,
            qualifier=self.qualifier,
            options=self._options,
            terms=terms,
            job_expires=expires,
            in_job=True,
        )

    @property
    def _options(self) -> Options:
        if self.batch_size is None or self.options.response is None:
            return self.options
        return attrs.evolve(self.options, response=list[self.options.response])  # type: ignore[name-defined]

    def _bounded_concurrency(self) -> int:
        asked, slots = self.concurrency, self.sender.slots
        if asked is not None and not _is_count(asked):
            raise RequestError(f"concurrency is an int of at least 1, not {asked!r}")
        wanted = DEFAULT_CONCURRENCY if asked is None else asked
        if wanted <= slots:
            return wanted
        if self.sender.boto_client is not None:
            warn_caller(
                f"concurrency is {slots} and not {wanted}: that is the max_pool_connections of the boto3 "
                "client that was handed over",
                ConcurrencyLimitedWarning,
            )
        elif asked is not None:
            raise RequestError(
                f"concurrency={asked} is over the client's max_concurrency={slots}; make the client with a "
                "larger one"
            )
        return slots


@attrs.frozen
class Ends:
    """How a fan-out ends early, what of it is shown, and what of it is kept."""

    progress: bool | ProgressCallback | None = None
    keep: Keep = "all"
    tolerate: float | None = None
    first_successes: int | None = None

    def tolerance(self, payloads: object) -> Tolerance:
        """When the job ends early for what its items came to."""
        return tolerance(self.tolerate, self.first_successes, _length(payloads))


def _length(payloads: object) -> int | None:
    return len(payloads) if isinstance(payloads, Sized) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _pair(index: int, given: Any) -> tuple[str, Any]:
    if not isinstance(given, tuple) or len(given) != _PAIR or not isinstance(given[0], str):
        raise RequestError(
            f"with function=None an item is a (function, payload) pair; item {index:,} is a "
            f"{type(given).__name__}"
        )
    return given[0], given[1]
