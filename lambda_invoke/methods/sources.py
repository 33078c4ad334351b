"""The clients' methods for event source mappings, and for batches as they deliver them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_invoke.base import ClientBase, terms_of
from lambda_invoke.core.calls import Options
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import LambdaInvokeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from lambda_invoke.core.plan import Call
    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.sources.batch import Batch
    from lambda_invoke.sources.mapping import EventSourceMapping
    from lambda_invoke.sources.plan import Answer
    from lambda_invoke.sources.record import Source
    from lambda_invoke.sources.report import BatchReport
    from lambda_invoke.sources.rules import BatchRules

T = TypeVar("T")


def batch_rules(
    attempts: int, batch_size: int | None, report_batch_item_failures: bool, bisect: bool, retry_delay: float
) -> BatchRules:
    """The rules of a batch; their module is loaded by those who send batches."""
    from lambda_invoke.sources.rules import BatchRules

    return BatchRules(attempts, batch_size, report_batch_item_failures, bisect, retry_delay)


class SourceMethods(ClientBase):
    """Of the blocking client."""

    if TYPE_CHECKING:

        def _drive(self, call: Call[T]) -> T: ...

    def list_event_source_mappings(
        self, function: str | None = None, *, event_source_arn: str | None = None
    ) -> Iterator[EventSourceMapping]:
        """The event source mappings of a function, of a source, or all, fetched as they are consumed.

        Args:
            function: a name or ARN; with a qualifier, the mappings of that version or alias.
            event_source_arn: of a queue, stream, cluster, broker...
        """
        from lambda_invoke.sources.mapping import mapping_pages

        target = None if function is None else parse_target(function)
        return chain.from_iterable(mapping_pages(self._sender.control(), target, event_source_arn))

    def get_event_source_mapping(self, uuid: str) -> EventSourceMapping:
        """One event source mapping by its id.

        Raises:
            FunctionNotFoundError: there is none (the service has one code for both).
        """
        from lambda_invoke.sources.mapping import get_mapping

        return get_mapping(self._sender.control(), uuid)

    def invoke_batch(
        self,
        function: str,
        records: Iterable[object],
        *,
        source: Source,
        attempts: int = 1,
        batch_size: int | None = None,
        report_batch_item_failures: bool = True,
        bisect: bool = False,
        retry_delay: float = 0.0,
        qualifier: str | None = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
    ) -> BatchReport:
        """Invoke a function with records as an event source mapping delivers them, and judge each.

        The reply is read by AWS's rules of ``ReportBatchItemFailures``: what it names failed, everything
        failed if it is malformed or the function raised. What failed is delivered again, up to
        ``attempts`` times in all: of a standard queue these messages, last of all; of a FIFO queue
        these, before what follows them; of a stream everything from the lowest one on (the
        checkpoint). Batches go one after the other; many records are cut by count and by bytes.

        Args:
            function: a name or ARN.
            records: payloads, or records of the source's type (:class:`SqsMessage`,
                :class:`KinesisRecord`, :class:`DynamoDBChange`); all of them are taken at once.
            source: an :class:`SqsSource`, :class:`KinesisSource` or :class:`DynamoDBSource`.
            attempts: deliveries of a record at most, the first one included.
            batch_size: records in a batch at most; default: as many as Lambda delivers (10,000; of a
                FIFO queue 10), or as fit into 6 MB.
            report_batch_item_failures: False reads no reply, as a mapping without it: a batch fails
                when the function does.
            bisect: of a stream, halve a batch that failed, which does not count as an attempt.
            retry_delay: seconds before something is delivered again.
            qualifier: as for :meth:`invoke`, and so are the options that follow.
            log_tail: ask for log tails.
            client_context: for every delivery.
            tenant_id: for every delivery.
            timeout: seconds per attempt of a delivery.
            deadline: seconds for all of it. What was not sent by then is a ``NotSentError``.
            idempotent: a delivery whose outcome is unknown may be sent again. A mapping always does
                that; here it is as for every call, and otherwise ends the shard or FIFO queue.
            retry: another policy for the calls that make the deliveries.

        Returns:
            A :class:`BatchReport`; failed records do not raise, ``report.raise_for_failures()`` does.

        Raises:
            RequestError: a record or argument that cannot be sent.
        """
        batch = self._batch(
            function,
            qualifier,
            records,
            source,
            batch_rules(attempts, batch_size, report_batch_item_failures, bisect, retry_delay),
            Options(None, log_tail, client_context, tenant_id, None, idempotent),
            terms_of(retry, timeout, deadline),
        )
        return self._deliver(batch)

    def _deliver(self, batch: Batch) -> BatchReport:
        from lambda_invoke.sources.batch import told
        from lambda_invoke.sources.plan import Wait

        answer: Answer = None
        try:
            while True:
                step = batch.plan.send(answer)
                if isinstance(step, Wait):
                    self._clock.sleep(batch.pause(step))
                    answer = None
                    continue
                try:
                    answer = self._drive(batch.call(step))
                except LambdaInvokeError as error:
                    answer = told(error)
        except StopIteration as done:
            report: BatchReport = done.value
            return report


class AsyncSourceMethods(ClientBase):
    """Of the asyncio client."""

    if TYPE_CHECKING:

        async def _drive(self, call: Call[T]) -> T: ...

    def list_event_source_mappings(
        self, function: str | None = None, *, event_source_arn: str | None = None
    ) -> AsyncIterator[EventSourceMapping]:
        """The event source mappings; as :meth:`LambdaClient.list_event_source_mappings`."""
        from lambda_invoke.methods.listing import listed
        from lambda_invoke.sources.mapping import mapping_pages

        target = None if function is None else parse_target(function)
        return listed(self._sender, lambda client: mapping_pages(client, target, event_source_arn))

    async def get_event_source_mapping(self, uuid: str) -> EventSourceMapping:
        """One event source mapping; as :meth:`LambdaClient.get_event_source_mapping`."""
        from lambda_invoke.sources.mapping import get_mapping
        from lambda_invoke.transports.threads import CONTROL_PLANE, in_thread

        return await in_thread(CONTROL_PLANE, lambda: get_mapping(self._sender.control(), uuid))

    async def invoke_batch(
        self,
        function: str,
        records: Iterable[object],
        *,
        source: Source,
        attempts: int = 1,
        batch_size: int | None = None,
        report_batch_item_failures: bool = True,
        bisect: bool = False,
        retry_delay: float = 0.0,
        qualifier: str | None = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
    ) -> BatchReport:
        """Invoke with records as a mapping delivers them; as :meth:`LambdaClient.invoke_batch`."""
        batch = self._batch(
            function,
            qualifier,
            records,
            source,
            batch_rules(attempts, batch_size, report_batch_item_failures, bisect, retry_delay),
            Options(None, log_tail, client_context, tenant_id, None, idempotent),
            terms_of(retry, timeout, deadline),
        )
        return await self._deliver(batch)

    async def _deliver(self, batch: Batch) -> BatchReport:
        import asyncio

        from lambda_invoke.sources.batch import told
        from lambda_invoke.sources.plan import Wait

        answer: Answer = None
        try:
            while True:
                step = batch.plan.send(answer)
                if isinstance(step, Wait):
                    await (self._clock.async_sleep or asyncio.sleep)(batch.pause(step))
                    answer = None
                    continue
                try:
                    answer = await self._drive(batch.call(step))
                except LambdaInvokeError as error:
                    answer = told(error)
        except StopIteration as done:
            report: BatchReport = done.value
            return report
