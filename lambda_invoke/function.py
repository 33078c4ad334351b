"""Typed handles on functions that somebody else deployed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import attrs

from lambda_invoke.core.calls import Options, Terms
from lambda_invoke.core.codec import NO_PAYLOAD, check_response_type
from lambda_invoke.core.target import Target, parse_target, target_from_env

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from typing_extensions import TypeForm

    from lambda_invoke.client import LambdaClient
    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.errors import FunctionError
    from lambda_invoke.fanout.job import Job
    from lambda_invoke.fanout.mapping import MapIterator
    from lambda_invoke.fanout.progress import ProgressCallback
    from lambda_invoke.fanout.report import FanOutReport
    from lambda_invoke.results import Accepted, DryRun, Invocation

Req = TypeVar("Req")
Res = TypeVar("Res")


class LambdaFunction(Generic[Req, Res]):
    """A handle: a function, the types of its payload and result, and the terms of its calls.

    Made by :meth:`LambdaClient.function`. ``fn(x)`` gives the result itself, ``fn.invoke(x)`` the
    whole :class:`Invocation`.
    """

    def __init__(
        self,
        client: LambdaClient,
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
    ) -> LambdaFunction[Req, Res]:
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
        return LambdaFunction(
            self._client,
            self._target.function,
            request=self._request,
            response=self._response,
            qualifier=self._target.qualifier,
            options=options,
            terms=Terms(retry, timeout, deadline).over(self._terms),
        )

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
    ) -> Accepted:
        """Hand over an event; as :meth:`LambdaClient.invoke_event`.

        The handle's client context does not travel with events.
        """
        options = self._with(None, None, tenant_id, durable_execution_name, idempotent)
        call = self._client._caller.event(
            self._target.function,
            payload,
            qualifier=self._target.qualifier,
            options=attrs.evolve(options, client_context=None),
            terms=self._nearer(retry, timeout, deadline),
        )
        return self._client._drive(call)

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
        stop: threading.Event | None = None,
    ) -> MapIterator[Res]:
        """Invoke once per payload, lazily; as :meth:`LambdaClient.map`."""
        job = self._job(log_tail, idempotent, retry, timeout, concurrency, deadline, stop)
        return job.map(payloads, ordered=ordered, raise_errors=raise_errors)

    def fan_out(
        self,
        payloads: Iterable[Req],
        *,
        concurrency: int | None = None,
        progress: bool | ProgressCallback | None = None,
        log_tail: bool | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool | None = None,
        retry: RetryPolicy | None = None,
        stop: threading.Event | None = None,
    ) -> FanOutReport[Res]:
        """Invoke once per payload, to the end, and report; as :meth:`LambdaClient.fan_out`."""
        job = self._job(log_tail, idempotent, retry, timeout, concurrency, deadline, stop)
        return job.fan_out(payloads, progress=progress)

    def _job(
        self,
        log_tail: bool | None,
        idempotent: bool | None,
        retry: RetryPolicy | None,
        timeout: float | None,
        concurrency: int | None,
        deadline: float | None,
        stop: threading.Event | None,
    ) -> Job:
        return self._client._job(
            self._target.function,
            self._target.qualifier,
            self._with(log_tail, None, None, None, idempotent),
            self._nearer(retry, timeout, None),
            concurrency=concurrency,
            deadline=deadline,
            stop=stop,
        )

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
        return f"<LambdaFunction {self._target.display}{': ' if types else ''}{types}>"
