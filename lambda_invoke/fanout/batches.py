"""Several items in one payload: ``batch_size=`` of ``map`` and ``fan_out``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.errors import PayloadDecodingError, RequestError
from lambda_invoke.results import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

    from lambda_invoke.results import Invocation


@attrs.frozen
class Batches:
    """Puts ``size`` items into a payload, a JSON array, and takes the array of results apart again."""

    size: int

    def lists(self, items: Iterable[Any]) -> Iterator[list[Any]]:
        """The items in lists of ``size``, the last one shorter; what the input raises comes after it."""
        batch: list[Any] = []
        try:
            for item in items:
                batch.append(item)
                if len(batch) == self.size:
                    yield batch
                    batch = []
        except Exception:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    async def lists_async(self, items: AsyncIterable[Any]) -> AsyncIterator[list[Any]]:
        """The same of an async iterable."""
        batch: list[Any] = []
        try:
            async for item in items:
                batch.append(item)
                if len(batch) == self.size:
                    yield batch
                    batch = []
        except Exception:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def split(self, outcome: Outcome[Any]) -> list[Outcome[Any]]:
        """An outcome for each item of a batch's. A reply that is not a result for each fails them all."""
        items: list[Any] = outcome.payload
        invocation, error = outcome.invocation, outcome.error
        values: Any = None if invocation is None else invocation.value
        if invocation is not None and not (isinstance(values, list) and len(values) == len(items)):
            error = _misfit(invocation, len(items))
            invocation = None
        return [
            Outcome(
                outcome.index * self.size + position,
                outcome.function,
                item,
                None if invocation is None else attrs.evolve(invocation, value=values[position]),
                error,
                position,
            )
            for position, item in enumerate(items)
        ]


def batches(size: object, *, function: str | None, response: object, own_keys: bool) -> Batches | None:
    """What ``batch_size`` says.

    Raises:
        RequestError: it is no number of items, or something else does not go with batches.
    """
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise RequestError(f"batch_size is an int of at least 1, not {size!r}")
    if function is None:
        raise RequestError("batch_size puts items for one function together; the items here name their own")
    if response is bytes:
        raise RequestError("with batch_size a reply is a list of results; it cannot be left as bytes")
    if own_keys:
        raise RequestError("with batch_size a journal keeps batches, which the items' keys cannot name")
    return Batches(size)


def _misfit(invocation: Invocation[Any], count: int) -> PayloadDecodingError:
    value = invocation.value
    found = f"a list of {len(value):,}" if isinstance(value, list) else "no list"
    return PayloadDecodingError(
        f"the reply to a batch of {count:,} items is not a list of {count:,} results but {found}",
        path="$",
        payload=invocation.payload,
        function=invocation.function,
        request_id=invocation.request_id,
        attempts=invocation.attempts,
    )
