"""The asyncio client: the same methods as :class:`~lambda_invoke.LambdaClient`, awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lambda_invoke.base import ClientBase, checked_concurrency, checked_error_types, terms_of
from lambda_invoke.core.calls import OnAttempt, Options, Terms, denied
from lambda_invoke.core.cancelled import mark_call
from lambda_invoke.core.codec import NO_PAYLOAD, Limits
from lambda_invoke.core.plan import Call, given_up, plan
from lambda_invoke.core.retry import RetryPolicy
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import AccessDeniedError, FunctionError, RequestError
from lambda_invoke.function import AsyncLambdaFunction
from lambda_invoke.methods.aio_event_config import AsyncEventConfigMethods
from lambda_invoke.methods.doctor import AsyncDoctorMethods
from lambda_invoke.methods.listing import listed
from lambda_invoke.methods.once import AsyncOnceMethods
from lambda_invoke.methods.outcomes import AsyncOutcomeMethods
from lambda_invoke.methods.redrive import AsyncRedriveMethods
from lambda_invoke.methods.sources import AsyncSourceMethods
from lambda_invoke.transports.drive import Clock, drive_async
from lambda_invoke.transports.sender import Sender
from lambda_invoke.transports.threads import CONTROL_PLANE, in_thread, was_unsent

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
    from types import TracebackType
    from typing import Self, Unpack

    from typing_extensions import TypeForm

    from lambda_invoke.core.options import FanOutOptions, FunctionOptions, InvokeOptions, MapOptions, Stop
    from lambda_invoke.core.target import Target
    from lambda_invoke.core.transport import AsyncTransport
    from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
    from lambda_invoke.fanout.journaled import Journal
    from lambda_invoke.fanout.progress import ProgressCallback
    from lambda_invoke.fanout.report import FanOutReport, Keep
    from lambda_invoke.results import Accepted, Alias, DryRun, FunctionConfiguration, Invocation
    from lambda_invoke.transports.protocols import Services

T = TypeVar("T")
Req = TypeVar("Req")
Res = TypeVar("Res")


class AsyncLambdaClient(
    AsyncDoctorMethods,
    AsyncEventConfigMethods,
    AsyncOnceMethods,
    AsyncOutcomeMethods,
    AsyncRedriveMethods,
    AsyncSourceMethods,
    ClientBase,
):
    """Invokes Lambda functions on asyncio: what :class:`LambdaClient` has, awaited.

    Made with the same arguments, which mean the same. A client that builds its own boto3 client
    sends over connections of the library's own, on the caller's loop, with no thread of botocore's
    on the way (``transport`` says when botocore carries the calls after all); one that was handed
    over is used in daemon threads. Works with and without ``async with``, and on several event
    loops one after another, or at the same time in several threads.

    A cancelled call gives up what is in flight and closes its connection;
    :func:`lambda_invoke.cancelled_call` tells of the ``CancelledError`` what is known of the call.
    """

    @classmethod
    def over(
        cls,
        transport: AsyncTransport,
        *,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int = 256,
        error_types: Mapping[str, type[FunctionError]] | None = None,
        on_attempt: OnAttempt | None = None,
        redact_remote: bool = False,
        limits: Limits | None = None,
        clock: Clock | None = None,
        services: Services | None = None,
    ) -> Self:
        """A client over any :class:`AsyncTransport`, a fake for one. It has no control plane.

        ``clock`` brings its own time and chance, so that tests need not wait.
        """
        client = cls.__new__(cls)
        client._setup(  # noqa: SLF001 - made here
            Sender(
                max_concurrency=checked_concurrency(max_concurrency),
                async_transport=transport,
                services=services,
            ),
            Terms(retry or RetryPolicy(), timeout, deadline),
            error_types=error_types,
            on_attempt=on_attempt,
            redact_remote=redact_remote,
            limits=limits or Limits(),
            clock=clock or Clock(),
        )
        return client

    # Invoking.

    @overload
    async def invoke(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        response: None = None,
        **options: Unpack[InvokeOptions],
    ) -> Invocation[Any]: ...
    @overload
    async def invoke(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        response: TypeForm[T],
        **options: Unpack[InvokeOptions],
    ) -> Invocation[T]: ...
    async def invoke(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        qualifier: str | None = None,
        response: Any = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
    ) -> Invocation[Any]:
        """Invoke a function and wait for its result; arguments and errors as :meth:`LambdaClient.invoke`."""
        call = self._caller.invocation(
            function,
            payload,
            qualifier=qualifier,
            options=Options(
                response, log_tail, client_context, tenant_id, durable_execution_name, idempotent
            ),
            terms=terms_of(retry, timeout, deadline),
        )
        return await self._drive(call)

    async def invoke_event(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        qualifier: str | None = None,
        client_context: Any = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
    ) -> Accepted:
        """Hand an event over to Lambda; as :meth:`LambdaClient.invoke_event`."""
        if client_context is not None:
            raise RequestError(
                "Lambda takes a client context with synchronous invocations only", function=function
            )
        call = self._caller.event(
            function,
            payload,
            qualifier=qualifier,
            options=Options(
                tenant_id=tenant_id, durable_execution_name=durable_execution_name, idempotent=idempotent
            ),
            terms=terms_of(retry, timeout, deadline),
        )
        return await self._drive(call)

    async def dry_run(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        qualifier: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> DryRun:
        """Ask whether the function exists and may be invoked; as :meth:`LambdaClient.dry_run`."""
        call = self._caller.dry_run(
            function, payload, qualifier=qualifier, terms=terms_of(retry, timeout, deadline)
        )
        try:
            return await self._drive(call)
        except AccessDeniedError as error:
            return denied(error)

    async def _drive(self, call: Call[T]) -> T:
        clock = self._clock
        try:
            return await drive_async(
                plan(call, now=clock.now, random=clock.random),
                await self._sender.opened(),
                call.request,
                clock.async_sleep or asyncio.sleep,
                self._admission,
            )
        except asyncio.CancelledError as cancelled:
            mark_call(cancelled, given_up(call, clock.now(), unsent=was_unsent(cancelled)))
            raise

    # Handles.

    @overload
    def function(
        self,
        function: str,
        *,
        request: None = None,
        response: None = None,
        **options: Unpack[FunctionOptions],
    ) -> AsyncLambdaFunction[Any, Any]: ...
    @overload
    def function(
        self,
        function: str,
        *,
        request: None = None,
        response: TypeForm[Res],
        **options: Unpack[FunctionOptions],
    ) -> AsyncLambdaFunction[Any, Res]: ...
    @overload
    def function(
        self,
        function: str,
        *,
        request: TypeForm[Req],
        response: None = None,
        **options: Unpack[FunctionOptions],
    ) -> AsyncLambdaFunction[Req, Any]: ...
    @overload
    def function(
        self,
        function: str,
        *,
        request: TypeForm[Req],
        response: TypeForm[Res],
        **options: Unpack[FunctionOptions],
    ) -> AsyncLambdaFunction[Req, Res]: ...
    def function(
        self,
        function: str,
        *,
        request: Any = None,
        response: Any = None,
        qualifier: str | None = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
        error_types: Mapping[str, type[FunctionError]] | None = None,
    ) -> AsyncLambdaFunction[Any, Any]:
        """A typed handle on a function, whose calls are awaited; as :meth:`LambdaClient.function`."""
        return AsyncLambdaFunction(
            self,
            function,
            request=request,
            response=response,
            qualifier=qualifier,
            options=Options(
                response=response,
                log_tail=log_tail,
                client_context=client_context,
                tenant_id=tenant_id,
                idempotent=idempotent,
                error_types=checked_error_types(error_types),
            ),
            terms=terms_of(retry, timeout, deadline),
        )

    # Many at once.

    @overload
    def map(
        self,
        function: str | None,
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        response: None = None,
        **options: Unpack[MapOptions],
    ) -> AsyncMapIterator[Any]: ...
    @overload
    def map(
        self,
        function: str | None,
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        response: TypeForm[T],
        **options: Unpack[MapOptions],
    ) -> AsyncMapIterator[T]: ...
    def map(
        self,
        function: str | None,
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        response: Any = None,
        concurrency: int | None = None,
        ordered: bool = False,
        raise_errors: bool = False,
        qualifier: str | None = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
        stop: Stop | None = None,
        drain: bool = False,
        journal: str | os.PathLike[str] | Journal | None = None,
        batch_size: int | None = None,
    ) -> AsyncMapIterator[Any]:
        """Invoke a function once per payload; an async iterator over an :class:`Outcome` for each.

        As :meth:`LambdaClient.map`, on the loop of the first ``anext()``. ``payloads`` may be an async
        iterable too, which holds back no outcome while it is waited for.
        """
        job = self._job(
            function,
            qualifier,
            Options(response, log_tail, client_context, tenant_id, None, idempotent),
            terms_of(retry, timeout, None),
            concurrency=concurrency,
            deadline=deadline,
            stop=stop,
            drain=drain,
            journal=journal,
            batch_size=batch_size,
        )
        return job.map_async(payloads, ordered=ordered, raise_errors=raise_errors)

    @overload
    async def fan_out(
        self,
        function: str | None,
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        response: None = None,
        **options: Unpack[FanOutOptions],
    ) -> FanOutReport[Any]: ...
    @overload
    async def fan_out(
        self,
        function: str | None,
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        response: TypeForm[T],
        **options: Unpack[FanOutOptions],
    ) -> FanOutReport[T]: ...
    async def fan_out(
        self,
        function: str | None,
        payloads: Iterable[Any] | AsyncIterable[Any],
        *,
        response: Any = None,
        concurrency: int | None = None,
        progress: bool | ProgressCallback | None = None,
        keep: Keep = "all",
        tolerate: float | None = None,
        first_successes: int | None = None,
        qualifier: str | None = None,
        log_tail: bool = False,
        client_context: Any = None,
        tenant_id: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        retry: RetryPolicy | None = None,
        stop: Stop | None = None,
        drain: bool = False,
        journal: str | os.PathLike[str] | Journal | None = None,
        batch_size: int | None = None,
    ) -> FanOutReport[Any]:
        """Invoke a function once per payload, to the end, and report on all of them.

        As :meth:`LambdaClient.fan_out`; ``payloads`` may be an async iterable too. Cancelled (a Ctrl-C
        under ``asyncio.run`` is that), it gives up what is in flight;
        :func:`lambda_invoke.cancelled_report` has the report of the ``CancelledError``.

        Raises:
            FanOutError: the input itself raised; its ``report`` has what was taken before.
        """
        from lambda_invoke.fanout.job import Ends

        job = self._job(
            function,
            qualifier,
            Options(response, log_tail, client_context, tenant_id, None, idempotent),
            terms_of(retry, timeout, None),
            concurrency=concurrency,
            deadline=deadline,
            stop=stop,
            drain=drain,
            journal=journal,
            batch_size=batch_size,
        )
        return await job.fan_out_async(payloads, Ends(progress, keep, tolerate, first_successes))

    # The control plane, which boto3 carries, in a daemon thread.

    def list_functions(self, *, all_versions: bool = False) -> AsyncIterator[FunctionConfiguration]:
        """The functions of the account and region, fetched page by page as they are consumed."""
        from lambda_invoke import control_plane

        return listed(
            self._sender, lambda client: control_plane.function_pages(client, all_versions=all_versions)
        )

    def list_versions(self, function: str) -> AsyncIterator[FunctionConfiguration]:
        """A function's versions, ``$LATEST`` included."""
        from lambda_invoke import control_plane

        target = parse_target(function)
        return listed(self._sender, lambda client: control_plane.version_pages(client, target))

    def list_aliases(self, function: str) -> AsyncIterator[Alias]:
        """A function's aliases."""
        from lambda_invoke import control_plane

        target = parse_target(function)
        return listed(self._sender, lambda client: control_plane.alias_pages(client, target))

    async def get_configuration(
        self, function: str, *, qualifier: str | None = None
    ) -> FunctionConfiguration:
        """A function's configuration, without its environment."""
        return await self._look(parse_target(function, qualifier))

    async def wait_until_active(
        self, function: str, *, qualifier: str | None = None, deadline: float = 300.0
    ) -> FunctionConfiguration:
        """Wait until a function can be invoked; as :meth:`LambdaClient.wait_until_active`."""
        from lambda_invoke.control_plane import POLL_SECONDS, is_active, still_inactive

        Terms(deadline=deadline)
        target = parse_target(function, qualifier)
        clock = self._clock
        expires = clock.now() + deadline
        while True:
            found = await self._look(target)
            if is_active(found, target):
                return found
            if clock.now() + POLL_SECONDS > expires:
                raise still_inactive(found, target, deadline)
            await (clock.async_sleep or asyncio.sleep)(POLL_SECONDS)

    async def _look(self, target: Target) -> FunctionConfiguration:
        from lambda_invoke.control_plane import get_configuration

        return await in_thread(CONTROL_PLANE, lambda: get_configuration(self._sender.control(), target))

    # Its end.

    async def aclose(self) -> None:
        """Close the connections of the client that the library built; later calls are refused.

        A boto3 client that was handed over stays open: it is its owner's.
        """
        await self._sender.aclose()
        self._once_layers.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
