"""Typed handles on functions that somebody else deployed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import attrs

from lambda_invoke.core.calls import Options, Terms
from lambda_invoke.core.codec import NO_PAYLOAD, check_response_type
from lambda_invoke.core.target import Target, parse_target, target_from_env
from lambda_invoke.events.handle import AsyncEventHandle, EventHandle, sent_handle
from lambda_invoke.methods.sources import batch_rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping
    from typing import Self

    from typing_extensions import TypeForm

    from lambda_invoke.aio import AsyncLambdaClient
    from lambda_invoke.base import ClientBase
    from lambda_invoke.client import LambdaClient
    from lambda_invoke.core.options import Stop
    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.errors import FunctionError
    from lambda_invoke.fanout.aio_mapping import AsyncMapIterator
    from lambda_invoke.fanout.job import Job
    from lambda_invoke.fanout.journaled import Journal
    from lambda_invoke.fanout.mapping import MapIterator
    from lambda_invoke.fanout.progress import ProgressCallback
    from lambda_invoke.fanout.report import FanOutReport, Keep
    from lambda_invoke.once.places import KeyStore
    from lambda_invoke.once.results import OnceResult
    from lambda_invoke.results import DryRun, Invocation
    from lambda_invoke.sources.batch import Batch
    from lambda_invoke.sources.record import Source
    from lambda_invoke.sources.report import BatchReport
    from lambda_invoke.sources.rules import BatchRules

Req = TypeVar("Req")
Res = TypeVar("Res")
C = TypeVar("C", bound="ClientBase")


class _Handle(Generic[Req, Res, C]):
    """A function, the types of its payload and result, and the terms of its calls."""

    def __init__(
        self,
        client: C,
        function: str,
        *,
        request: Any,
        response: Any,
        qualifier: str | None,
        options: Options,
        terms: Terms,
    ) -> None:
        check_response_type(response)
        self._client = client
        self._target = parse_target(function, qualifier)
        self._request = request
        self._response = response
        self._options = options
        self._terms = terms

    @property
    def target(self) -> Target:
        """The function's name or ARN, and its qualifier."""
        return self._target

    def with_options(
        self,
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
        idempotent: bool | None = None,
        log_tail: bool | None = None,
        client_context: Any = None,
        tenant_id: str | None = None,
        error_types: Mapping[str, type[FunctionError]] | None = None,
    ) -> Self:
        """The same handle with other terms; what is not given stays as it is."""
        changed = {
            "idempotent": idempotent,
            "log_tail": log_tail,
            "client_context": client_context,
            "tenant_id": tenant_id,
            "error_types": error_types,
        }
        options = attrs.evolve(
            self._options, **{name: value for name, value in changed.items() if value is not None}
        )
        return type(self)(
            self._client,
            self._target.function,
            request=self._request,
            response=self._response,
            qualifier=self._target.qualifier,
            options=options,
            terms=Terms(retry, timeout, deadline).over(self._terms),
        )

    def _job(
        self,
        log_tail: bool | None,
        idempotent: bool | None,
        retry: RetryPolicy | None,
        timeout: float | None,
        concurrency: int | None,
        deadline: float | None,
        stop: Stop | None,
        drain: bool,
        journal: str | os.PathLike[str] | Journal | None,
        batch_size: int | None,
    ) -> Job:
        return self._client._job(
            self._target.function,
            self._target.qualifier,
            self._with(log_tail, None, None, None, idempotent),
            self._nearer(retry, timeout, None),
            concurrency=concurrency,
            deadline=deadline,
            stop=stop,
            drain=drain,
            journal=journal,
            batch_size=batch_size,
        )

    def _batch(
        self, records: Iterable[object], source: Source, rules: BatchRules, options: Options, terms: Terms
    ) -> Batch:
        target = self._target
        return self._client._batch(target.function, target.qualifier, records, source, rules, options, terms)

    def _with(
        self,
        log_tail: bool | None,
        client_context: Any,
        tenant_id: str | None,
        durable_execution_name: str | None,
        idempotent: bool | None,
    ) -> Options:
        """The handle's options, with what this call says instead."""
        said = (log_tail, client_context, tenant_id, durable_execution_name, idempotent)
        if all(value is None for value in said):
            return self._options
        own = self._options
        return Options(
            own.response,
            own.log_tail if log_tail is None else log_tail,
            own.client_context if client_context is None else client_context,
            own.tenant_id if tenant_id is None else tenant_id,
            durable_execution_name,
            own.idempotent if idempotent is None else idempotent,
            own.error_types,
        )

    def _nearer(self, retry: RetryPolicy | None, timeout: float | None, deadline: float | None) -> Terms:
        if retry is None and timeout is None and deadline is None:
            return self._terms
        return Terms(retry, timeout, deadline).over(self._terms)

    def __repr__(self) -> str:
        types = ", ".join(
            f"{name}={getattr(kind, '__name__', repr(kind))}"
            for name, kind in (("request", self._request), ("response", self._response))
            if kind is not None
        )
        return f"<{type(self).__name__} {self._target.display}{': ' if types else ''}{types}>"


class LambdaFunction(_Handle[Req, Res, "LambdaClient"]):
    """A handle: a function, the types of its payload and result, and the terms of its calls.

    Made by :meth:`LambdaClient.function`. ``fn(x)`` gives the result itself, ``fn.invoke(x)`` the
    whole :class:`Invocation`.
    """

    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: LambdaClient,
        *,
        request: TypeForm[Req],
        response: TypeForm[Res],
        **options: Any,
    ) -> LambdaFunction[Req, Res]: ...
    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: LambdaClient,
        *,
        request: TypeForm[Req],
        response: None = None,
        **options: Any,
    ) -> LambdaFunction[Req, Any]: ...
    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: LambdaClient,
        *,
        request: None = None,
        response: TypeForm[Res],
        **options: Any,
    ) -> LambdaFunction[Any, Res]: ...
    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: LambdaClient,
        *,
        request: None = None,
        response: None = None,
        **options: Any,
    ) -> LambdaFunction[Any, Any]: ...
    @classmethod
    def from_env(
        cls, variable: str, client: LambdaClient, *, request: Any = None, response: Any = None, **options: Any
    ) -> LambdaFunction[Any, Any]:
        """A handle on the function that an environment variable names, a name or an ARN.

        ``options`` are those of :meth:`LambdaClient.function`.

        Raises:
            InvalidTargetError: the variable is not set, or does not name a function.
        """
        function = target_from_env(variable, os.environ)
        handle: LambdaFunction[Any, Any] = client.function(
            function, request=request, response=response, **options
        )
        return handle

    def __call__(self, payload: Req = NO_PAYLOAD) -> Res:  # type: ignore[assignment]
        """Invoke and give the result itself; raises as :meth:`LambdaClient.invoke`."""
        return self.invoke(payload).value

    def invoke(
        self,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        log_tail: bool | None = None,
        client_context: Any = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> Invocation[Res]:
        """Invoke and wait for the result; arguments and errors as :meth:`LambdaClient.invoke`."""
        call = self._client._caller.invocation(
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            options=self._with(log_tail, client_context, tenant_id, durable_execution_name, idempotent),
            terms=self._nearer(retry, timeout, deadline),
        )
        return self._client._drive(call)

    def event(
        self,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> EventHandle[Res]:
        """Hand over an event; as :meth:`LambdaClient.invoke_event`.

        The handle's client context does not travel with events. What became of the event, its
        ``result(timeout=...)`` tells once a tracker is open, see :meth:`LambdaClient.outcomes`.
        """
        options = self._with(None, None, tenant_id, durable_execution_name, idempotent)
        call = self._client._caller.event(
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            options=attrs.evolve(options, client_context=None),
            terms=self._nearer(retry, timeout, deadline),
        )
        return sent_handle(EventHandle, self._client._drive(call), self._client, self._options)

    def once(
        self,
        key: str,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        store: KeyStore | None = None,
        ttl: float = 3600.0,
        lock_seconds: float | None = None,
        concurrent: Literal["wait", "raise"] = "wait",
        on_error: Literal["release", "keep"] = "release",
        key_in: str | None = None,
        key_as: Literal["durable_execution_name"] | None = None,
        key_prefix: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> OnceResult[Res]:
        """Run it once for a business key; as :meth:`LambdaClient.once`."""
        from lambda_invoke.methods.once import run_once
        from lambda_invoke.once.prepare import Settings

        return run_once(
            self._client,
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            options=self._with(None, None, None, None, idempotent),
            terms=self._nearer(retry, timeout, deadline),
            settings=Settings(
                key, store, ttl, lock_seconds, concurrent, on_error, key_in, key_as, key_prefix
            ),
        )

    def dry_run(
        self,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> DryRun:
        """Whether it exists and may be invoked; as :meth:`LambdaClient.dry_run`."""
        return self._client.dry_run(
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            **attrs.asdict(self._nearer(retry, timeout, deadline), recurse=False),
        )

    def map(
        self,
        payloads: Iterable[Req],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        raise_errors: bool = False,
        log_tail: bool | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
        stop: Stop | None = None,
        drain: bool = False,
        journal: str | os.PathLike[str] | Journal | None = None,
        batch_size: int | None = None,
    ) -> MapIterator[Res]:
        """Invoke once per payload, lazily; as :meth:`LambdaClient.map`."""
        job = self._job(
            log_tail, idempotent, retry, timeout, concurrency, deadline, stop, drain, journal, batch_size
        )
        return job.map(payloads, ordered=ordered, raise_errors=raise_errors)

    def fan_out(
        self,
        payloads: Iterable[Req],
        *,
        concurrency: int | None = None,
        progress: bool | ProgressCallback | None = None,
        keep: Keep = "all",
        tolerate: float | None = None,
        first_successes: int | None = None,
        log_tail: bool | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
        stop: Stop | None = None,
        drain: bool = False,
        journal: str | os.PathLike[str] | Journal | None = None,
        batch_size: int | None = None,
    ) -> FanOutReport[Res]:
        """Invoke once per payload, to the end, and report; as :meth:`LambdaClient.fan_out`."""
        from lambda_invoke.fanout.job import Ends

        job = self._job(
            log_tail, idempotent, retry, timeout, concurrency, deadline, stop, drain, journal, batch_size
        )
        return job.fan_out(payloads, Ends(progress, keep, tolerate, first_successes))

    def invoke_batch(
        self,
        records: Iterable[object],
        *,
        source: Source,
        attempts: int = 1,
        batch_size: int | None = None,
        report_batch_item_failures: bool = True,
        bisect: bool = False,
        retry_delay: float = 0.0,
        log_tail: bool | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> BatchReport:
        """Invoke with records as a mapping delivers them; as :meth:`LambdaClient.invoke_batch`.

        The handle's ``request`` and ``response`` types do not count here.
        """
        batch = self._batch(
            records,
            source,
            batch_rules(attempts, batch_size, report_batch_item_failures, bisect, retry_delay),
            self._with(log_tail, None, None, None, idempotent),
            self._nearer(retry, timeout, deadline),
        )
        return self._client._deliver(batch)


class AsyncLambdaFunction(_Handle[Req, Res, "AsyncLambdaClient"]):
    """The handle of the asyncio client, made by :meth:`AsyncLambdaClient.function`: its calls are awaited."""

    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: AsyncLambdaClient,
        *,
        request: TypeForm[Req],
        response: TypeForm[Res],
        **options: Any,
    ) -> AsyncLambdaFunction[Req, Res]: ...
    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: AsyncLambdaClient,
        *,
        request: TypeForm[Req],
        response: None = None,
        **options: Any,
    ) -> AsyncLambdaFunction[Req, Any]: ...
    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: AsyncLambdaClient,
        *,
        request: None = None,
        response: TypeForm[Res],
        **options: Any,
    ) -> AsyncLambdaFunction[Any, Res]: ...
    @overload
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: AsyncLambdaClient,
        *,
        request: None = None,
        response: None = None,
        **options: Any,
    ) -> AsyncLambdaFunction[Any, Any]: ...
    @classmethod
    def from_env(
        cls,
        variable: str,
        client: AsyncLambdaClient,
        *,
        request: Any = None,
        response: Any = None,
        **options: Any,
    ) -> AsyncLambdaFunction[Any, Any]:
        """A handle on the function that an environment variable names, a name or an ARN.

        ``options`` are those of :meth:`AsyncLambdaClient.function`.

        Raises:
            InvalidTargetError: the variable is not set, or does not name a function.
        """
        function = target_from_env(variable, os.environ)
        handle: AsyncLambdaFunction[Any, Any] = client.function(
            function, request=request, response=response, **options
        )
        return handle

    async def __call__(self, payload: Req = NO_PAYLOAD) -> Res:  # type: ignore[assignment]
        """Invoke and give the result itself; raises as :meth:`AsyncLambdaClient.invoke`."""
        return (await self.invoke(payload)).value

    async def invoke(
        self,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        log_tail: bool | None = None,
        client_context: Any = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> Invocation[Res]:
        """Invoke and wait for the result; arguments and errors as :meth:`AsyncLambdaClient.invoke`."""
        call = self._client._caller.invocation(
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            options=self._with(log_tail, client_context, tenant_id, durable_execution_name, idempotent),
            terms=self._nearer(retry, timeout, deadline),
        )
        return await self._client._drive(call)

    async def event(
        self,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> AsyncEventHandle[Res]:
        """Hand over an event; as :meth:`AsyncLambdaClient.invoke_event`.

        The handle's client context does not travel with events. What became of the event, its
        ``await handle.result(timeout=...)`` tells once a tracker is open, see
        :meth:`AsyncLambdaClient.outcomes`.
        """
        options = self._with(None, None, tenant_id, durable_execution_name, idempotent)
        call = self._client._caller.event(
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            options=attrs.evolve(options, client_context=None),
            terms=self._nearer(retry, timeout, deadline),
        )
        return sent_handle(AsyncEventHandle, await self._client._drive(call), self._client, self._options)

    async def once(
        self,
        key: str,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        store: KeyStore | None = None,
        ttl: float = 3600.0,
        lock_seconds: float | None = None,
        concurrent: Literal["wait", "raise"] = "wait",
        on_error: Literal["release", "keep"] = "release",
        key_in: str | None = None,
        key_as: Literal["durable_execution_name"] | None = None,
        key_prefix: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> OnceResult[Res]:
        """Run it once for a business key; as :meth:`AsyncLambdaClient.once`."""
        from lambda_invoke.methods.once import run_once_async
        from lambda_invoke.once.prepare import Settings

        return await run_once_async(
            self._client,
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            options=self._with(None, None, None, None, idempotent),
            terms=self._nearer(retry, timeout, deadline),
            settings=Settings(
                key, store, ttl, lock_seconds, concurrent, on_error, key_in, key_as, key_prefix
            ),
        )

    async def dry_run(
        self,
        payload: Req = NO_PAYLOAD,  # type: ignore[assignment]
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> DryRun:
        """Whether it exists and may be invoked; as :meth:`AsyncLambdaClient.dry_run`."""
        return await self._client.dry_run(
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            **attrs.asdict(self._nearer(retry, timeout, deadline), recurse=False),
        )

    def map(
        self,
        payloads: Iterable[Req] | AsyncIterable[Req],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        raise_errors: bool = False,
        log_tail: bool | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
        stop: Stop | None = None,
        drain: bool = False,
        journal: str | os.PathLike[str] | Journal | None = None,
        batch_size: int | None = None,
    ) -> AsyncMapIterator[Res]:
        """Invoke once per payload, lazily; as :meth:`AsyncLambdaClient.map`."""
        job = self._job(
            log_tail, idempotent, retry, timeout, concurrency, deadline, stop, drain, journal, batch_size
        )
        return job.map_async(payloads, ordered=ordered, raise_errors=raise_errors)

    async def fan_out(
        self,
        payloads: Iterable[Req] | AsyncIterable[Req],
        *,
        concurrency: int | None = None,
        progress: bool | ProgressCallback | None = None,
        keep: Keep = "all",
        tolerate: float | None = None,
        first_successes: int | None = None,
        log_tail: bool | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
        stop: Stop | None = None,
        drain: bool = False,
        journal: str | os.PathLike[str] | Journal | None = None,
        batch_size: int | None = None,
    ) -> FanOutReport[Res]:
        """Invoke once per payload, to the end, and report; as :meth:`AsyncLambdaClient.fan_out`."""
        from lambda_invoke.fanout.job import Ends

        job = self._job(
            log_tail, idempotent, retry, timeout, concurrency, deadline, stop, drain, journal, batch_size
        )
        return await job.fan_out_async(payloads, Ends(progress, keep, tolerate, first_successes))

    async def invoke_batch(
        self,
        records: Iterable[object],
        *,
        source: Source,
        attempts: int = 1,
        batch_size: int | None = None,
        report_batch_item_failures: bool = True,
        bisect: bool = False,
        retry_delay: float = 0.0,
        log_tail: bool | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
    ) -> BatchReport:
        """Invoke with records as a mapping delivers them; as :meth:`AsyncLambdaClient.invoke_batch`.

        The handle's ``request`` and ``response`` types do not count here.
        """
        batch = self._batch(
            records,
            source,
            batch_rules(attempts, batch_size, report_batch_item_failures, bisect, retry_delay),
            self._with(log_tail, None, None, None, idempotent),
            self._nearer(retry, timeout, deadline),
        )
        return await self._client._deliver(batch)
