"""The blocking client."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lambda_invoke.base import ClientBase, checked_concurrency, checked_error_types, terms_of
from lambda_invoke.core.calls import OnAttempt, Options, Terms, denied
from lambda_invoke.core.codec import NO_PAYLOAD, Limits
from lambda_invoke.core.plan import Call, plan
from lambda_invoke.core.retry import RetryPolicy
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import AccessDeniedError, FunctionError, RequestError
from lambda_invoke.function import LambdaFunction
from lambda_invoke.methods.doctor import DoctorMethods
from lambda_invoke.methods.event_config import EventConfigMethods
from lambda_invoke.methods.once import OnceMethods
from lambda_invoke.methods.outcomes import OutcomeMethods
from lambda_invoke.methods.redrive import RedriveMethods
from lambda_invoke.methods.sources import SourceMethods
from lambda_invoke.transports.drive import Clock, drive
from lambda_invoke.transports.sender import Sender

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self, Unpack

    from typing_extensions import TypeForm

    from lambda_invoke.core.options import FanOutOptions, FunctionOptions, InvokeOptions, MapOptions, Stop
    from lambda_invoke.core.transport import Transport
    from lambda_invoke.fanout.journaled import Journal
    from lambda_invoke.fanout.mapping import MapIterator
    from lambda_invoke.fanout.progress import ProgressCallback
    from lambda_invoke.fanout.report import FanOutReport, Keep
    from lambda_invoke.results import Accepted, Alias, DryRun, FunctionConfiguration, Invocation
    from lambda_invoke.transports.protocols import Services

T = TypeVar("T")
Req = TypeVar("Req")
Res = TypeVar("Res")


class LambdaClient(
    DoctorMethods, EventConfigMethods, OnceMethods, OutcomeMethods, RedriveMethods, SourceMethods, ClientBase
):
    """Invokes Lambda functions, blocking. Safe to share between threads; safe after a fork.

    Give it a boto3 client (``boto_client``: a Stubber's, an instrumented one) and that client is
    used for everything, taken as it is (and refused in a forked child, whose parent has the same
    connections); or let it build its own, lazily, from ``session`` or ``region_name``,
    ``profile_name`` and ``endpoint_url`` as boto3 does.

    Args:
        boto_client: a boto3 Lambda client. Each attempt sends once, whatever its retry settings;
            its own use elsewhere is unchanged. ``timeout`` cannot be enforced on it.
        session: a ``boto3.Session`` to build from.
        region_name: as in boto3.
        profile_name: as in boto3.
        endpoint_url: as in boto3.
        retry: when failed calls are sent again; default ``RetryPolicy()``.
        timeout: seconds per attempt, from the first byte sent to the last byte of the reply;
            default 915, because a function runs for at most 900 s. Connecting before it has its own
            10 s.
        deadline: seconds for a whole call: queueing, connecting, attempts, backoff. Default none.
            On a client that was handed over it is looked at between attempts only: how long one of
            them may take is that client's ``read_timeout``.
        max_concurrency: requests in flight at most, of blocking calls, ``map`` and ``fan_out``
            together. Who is over it waits in turn.
        error_types: remote error types and the FunctionError subclasses to raise for them.
        on_attempt: called with every :class:`Attempt` as it ends, for metrics. What it raises is
            logged and goes no further.
        redact_remote: keep the function's error messages and stacks out of ``str(error)``.
        limits: the payload limits, in bytes, that are checked before sending.
        services: makes boto3's client of the other services that ``outcomes``, ``redrive``, ``once`` and
            ``diagnose`` read, by its name ("sqs"): ``session.client``, or a ``functools.partial`` of it.
            Default: that of the session which Lambda's client is built from.
    """

    @classmethod
    def over(
        cls,
        transport: Transport,
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
        """A client over any :class:`Transport`, a fake for one. It has no control plane.

        ``clock`` brings its own time and chance, so that tests need not wait.
        """
        client = cls.__new__(cls)
        client._setup(  # noqa: SLF001 - made here
            Sender(
                max_concurrency=checked_concurrency(max_concurrency), transport=transport, services=services
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
    def invoke(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        response: None = None,
        **options: Unpack[InvokeOptions],
    ) -> Invocation[Any]: ...
    @overload
    def invoke(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        response: TypeForm[T],
        **options: Unpack[InvokeOptions],
    ) -> Invocation[T]: ...
    def invoke(
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
        """Invoke a function and wait for its result.

        Args:
            function: a name, a partial or full ARN, with or without ``:qualifier``.
            payload: anything JSON can hold, attrs and dataclasses, pydantic models; ``bytes`` go as
                they are, ``None`` sends ``null``, nothing at all sends no body.
            qualifier: a version, an alias or ``$LATEST``.
            response: the type of the result; default: whatever the JSON is.
            log_tail: ask for the last 4 KB of the log.
            client_context: a JSON value for the function's ``context.client_context``.
            tenant_id: for functions that isolate tenants.
            durable_execution_name: names a durable execution; needs a qualifier.
            timeout: seconds per attempt.
            deadline: seconds for the whole call.
            idempotent: running it twice does no harm, so an unknown outcome may be sent again.
            retry: another policy for this call.

        Raises:
            RequestError: it cannot be sent as asked; nothing was sent.
            FunctionError: the function ran and failed.
            PayloadDecodingError: it ran, and its result is not a ``response``.
            ServiceError: Lambda refused.
            ConnectError: no connection.
            OutcomeUnknownError: sent, and no whole reply came.
            DeadlineExceededError: no time left.
        """
        call = self._caller.invocation(
            function,
            payload,
            qualifier=qualifier,
            options=Options(
                response, log_tail, client_context, tenant_id, durable_execution_name, idempotent
            ),
            terms=terms_of(retry, timeout, deadline),
        )
        return self._drive(call)

    def invoke_event(
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
        """Hand an event over to Lambda, which runs the function later, perhaps more than once.

        A 202 is all that is known: ``Accepted.executed`` is UNKNOWN. Arguments and errors as for
        :meth:`invoke`; for an error here, ``executed`` means accepted.

        Raises:
            RequestError: among others, a client context, which Lambda takes with
                RequestResponse only.
        """
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
        return self._drive(call)

    def dry_run(
        self,
        function: str,
        payload: object = NO_PAYLOAD,
        *,
        qualifier: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> DryRun:
        """Ask whether the function exists and may be invoked; nothing runs.

        Returns:
            A :class:`DryRun` whose ``allowed`` is False when permission is lacking.

        Raises:
            FunctionNotFoundError: there is no such function or qualifier.
            LambdaInvokeError: anything else, as for :meth:`invoke`.
        """
        call = self._caller.dry_run(
            function, payload, qualifier=qualifier, terms=terms_of(retry, timeout, deadline)
        )
        try:
            return self._drive(call)
        except AccessDeniedError as error:
            return denied(error)

    def _drive(self, call: Call[T]) -> T:
        clock = self._clock
        return drive(
            plan(call, now=clock.now, random=clock.random),
            self._sender.transport(),
            call.request,
            clock.sleep,
            self._admission,
        )

    # Handles.

    @overload
    def function(
        self,
        function: str,
        *,
        request: None = None,
        response: None = None,
        **options: Unpack[FunctionOptions],
    ) -> LambdaFunction[Any, Any]: ...
    @overload
    def function(
        self,
        function: str,
        *,
        request: None = None,
        response: TypeForm[Res],
        **options: Unpack[FunctionOptions],
    ) -> LambdaFunction[Any, Res]: ...
    @overload
    def function(
        self,
        function: str,
        *,
        request: TypeForm[Req],
        response: None = None,
        **options: Unpack[FunctionOptions],
    ) -> LambdaFunction[Req, Any]: ...
    @overload
    def function(
        self,
        function: str,
        *,
        request: TypeForm[Req],
        response: TypeForm[Res],
        **options: Unpack[FunctionOptions],
    ) -> LambdaFunction[Req, Res]: ...
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
    ) -> LambdaFunction[Any, Any]:
        """A typed handle on a function that somebody else deployed.

        ``request`` and ``response`` are the types of its payload and result; everything else is the
        default of the handle's calls, as for :meth:`invoke`. ``error_types`` replaces the client's.

        Raises:
            RequestError: a bad name, or a response type that replies cannot be read into.
        """
        return LambdaFunction(
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
        payloads: Iterable[Any],
        *,
        response: None = None,
        **options: Unpack[MapOptions],
    ) -> MapIterator[Any]: ...
    @overload
    def map(
        self,
        function: str | None,
        payloads: Iterable[Any],
        *,
        response: TypeForm[T],
        **options: Unpack[MapOptions],
    ) -> MapIterator[T]: ...
    def map(
        self,
        function: str | None,
        payloads: Iterable[Any],
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
    ) -> MapIterator[Any]:
        """Invoke a function once per payload; yields an :class:`Outcome` for each as it finishes.

        Lazy: nothing is pulled or sent before the first ``next()``, and never more than the
        concurrency and a small constant is pulled ahead, so an endless generator will do. The
        iterable advances on the calling thread only. Works inside a running event loop.

        Args:
            function: the function, or None when ``payloads`` are ``(function, payload)`` pairs.
            payloads: what to send.
            response: the type of the results.
            concurrency: in flight at most; default 64, or ``max_concurrency`` if that is less.
            ordered: yield in the order of the input.
            raise_errors: raise the first failed item's error; what is in flight is given up.
            qualifier: as for :meth:`invoke`, and so are the options that follow.
            log_tail: ask for log tails.
            client_context: for every item.
            tenant_id: for every item.
            timeout: seconds per attempt.
            deadline: seconds for the whole job, from the first ``next()``. Throttled items are
                tried until then. A client's or handle's deadline does not count here.
            idempotent: running an item twice does no harm.
            retry: another policy for this job.
            stop: an event that ends the job from any thread: nothing more is sent, what is in
                flight is given up and yielded as such.
            drain: at a stop, wait for what is in flight; the job's deadline still holds.
            journal: a file, or a :class:`Journal`, that keeps what became of each item: run again with
                the same items, the job sends only what is missing, even after ``kill -9``.
            batch_size: send so many items in one payload, as a JSON array; the function replies with
                an array of as many results, and each item has its outcome (``response`` is the type
                of one). An item that cannot be sent, and a reply of another length, fail their batch.

        Raises:
            RequestError: an argument that no item could be sent with.
            DeadlineExceededError: from ``next()``, the deadline passed before the input's end.
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
        return job.map(payloads, ordered=ordered, raise_errors=raise_errors)

    @overload
    def fan_out(
        self,
        function: str | None,
        payloads: Iterable[Any],
        *,
        response: None = None,
        **options: Unpack[FanOutOptions],
    ) -> FanOutReport[Any]: ...
    @overload
    def fan_out(
        self,
        function: str | None,
        payloads: Iterable[Any],
        *,
        response: TypeForm[T],
        **options: Unpack[FanOutOptions],
    ) -> FanOutReport[T]: ...
    def fan_out(
        self,
        function: str | None,
        payloads: Iterable[Any],
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

        As :meth:`map`, but for ``ordered`` and ``raise_errors``. Also:

        - ``progress`` is True for a bar (needs the extra ``progress``), or a function that is called
          with a :class:`Progress` at most ten times a second, on the calling thread;
        - ``keep="failures"`` keeps the outcomes of failed items only, so that memory stays flat
          however many items there are; everything is counted all the same;
        - ``tolerate`` is how many failures the job bears, a count (int) or a share of the items
          (float); one more ends it (``TOLERANCE_EXCEEDED``). Of an input without a length the share
          is of the outcomes so far, from the hundredth on. Default: any number;
        - ``first_successes`` ends it when so many items have succeeded (``ENOUGH_SUCCEEDED``).

        Returns:
            A :class:`FanOutReport`; failed items do not raise, ``report.raise_for_failures()`` does.

        Raises:
            FanOutInterrupted: Ctrl-C; its ``report`` has what is known. Nothing more was sent.
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
        return job.fan_out(payloads, Ends(progress, keep, tolerate, first_successes))

    # The control plane.

    def list_functions(self, *, all_versions: bool = False) -> Iterator[FunctionConfiguration]:
        """The functions of the account and region, fetched page by page as they are consumed."""
        from lambda_invoke import control_plane

        pages = control_plane.function_pages(self._sender.control(), all_versions=all_versions)
        return chain.from_iterable(pages)

    def list_versions(self, function: str) -> Iterator[FunctionConfiguration]:
        """A function's versions, ``$LATEST`` included."""
        from lambda_invoke import control_plane

        pages = control_plane.version_pages(self._sender.control(), parse_target(function))
        return chain.from_iterable(pages)

    def list_aliases(self, function: str) -> Iterator[Alias]:
        """A function's aliases."""
        from lambda_invoke import control_plane

        pages = control_plane.alias_pages(self._sender.control(), parse_target(function))
        return chain.from_iterable(pages)

    def get_configuration(self, function: str, *, qualifier: str | None = None) -> FunctionConfiguration:
        """A function's configuration, without its environment."""
        from lambda_invoke import control_plane

        return control_plane.get_configuration(self._sender.control(), parse_target(function, qualifier))

    def wait_until_active(
        self, function: str, *, qualifier: str | None = None, deadline: float = 300.0
    ) -> FunctionConfiguration:
        """Wait until a function can be invoked and no update of it is under way.

        Args:
            function: a name or ARN.
            qualifier: a version or alias.
            deadline: seconds to wait at most.

        Raises:
            FunctionConfigurationError: its state, or its last update, is Failed.
            DeadlineExceededError: it was not active in time. A function that Lambda has put away
                (Inactive) becomes active only when it is invoked.
        """
        from lambda_invoke import control_plane

        Terms(deadline=deadline)
        return control_plane.wait_until_active(
            self._sender.control(),
            parse_target(function, qualifier),
            deadline=deadline,
            now=self._clock.now,
            sleep=self._clock.sleep,
        )

    # Its end.

    def close(self) -> None:
        """Close the connections of the client that the library built; later calls are refused.

        A boto3 client that was handed over stays open: it is its owner's.
        """
        self._sender.close()
        self._once_layers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
