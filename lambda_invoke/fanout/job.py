"""A job: one set of items, how they are called, and within which bounds."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.calls import Terms
from lambda_invoke.core.codec import NO_PAYLOAD
from lambda_invoke.core.warn import warn_caller
from lambda_invoke.errors import ConcurrencyLimitedWarning, LambdaInvokeError, RequestError
from lambda_invoke.fanout.collect import Collection
from lambda_invoke.fanout.engine import Item
from lambda_invoke.fanout.mapping import MapIterator
from lambda_invoke.fanout.progress import meter_for
from lambda_invoke.results import Outcome

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from lambda_invoke.core.calls import Caller, Options
    from lambda_invoke.fanout.progress import ProgressCallback
    from lambda_invoke.fanout.report import FanOutReport
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
    clock: Clock
    function: str | None
    qualifier: str | None
    options: Options
    terms: Terms
    concurrency: int | None = None
    deadline: float | None = None
    stop: threading.Event | None = None

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
        deadline = Terms(deadline=self.deadline).deadline  # refuses what is not a number of seconds
        terms = self.caller.job_terms(self.terms)
        if self.function is not None:
            self._call(self.function, NO_PAYLOAD, terms, None)
        return MapIterator(
            payloads,
            lambda index, given, expires: self._prepare(index, given, terms, expires),
            self.sender.async_transport,
            concurrency=self._bounded_concurrency(),
            ordered=ordered,
            raise_errors=raise_errors,
            deadline=deadline,
            clock=self.clock,
            stop=self.stop,
            record=record,
        )

    def fan_out(
        self, payloads: Iterable[Any], *, progress: bool | ProgressCallback | None
    ) -> FanOutReport[Any]:
        """Run the job to its end and report; raises as ``Collection.run``."""
        total = len(payloads) if isinstance(payloads, Sized) else None
        collection = Collection(lambda record: self.map(payloads, record=record), total=total, stop=self.stop)
        return collection.run(meter_for(progress, self.function or "fan-out", total))

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
            error.add_note(f"item {index:,} of the input")
            return Outcome(index, function or "", payload, error=error)

    def _call(self, function: str, payload: Any, terms: Terms, expires: float | None) -> Any:
        return self.caller.invocation(
            function,
            payload,
            qualifier=self.qualifier,
            options=self.options,
            terms=terms,
            job_expires=expires,
            in_job=True,
        )

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


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _pair(index: int, given: Any) -> tuple[str, Any]:
    if not isinstance(given, tuple) or len(given) != _PAIR or not isinstance(given[0], str):
        raise RequestError(
            f"with function=None an item is a (function, payload) pair; item {index:,} is a "
            f"{type(given).__name__}"
        )
    return given[0], given[1]
