"""What the blocking and the asyncio client have in common: their making, and how a job is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_invoke.core.calls import NO_TERMS, UNENFORCEABLE_TIMEOUT, Caller, OnAttempt, Options, Terms
from lambda_invoke.core.codec import Limits
from lambda_invoke.core.limiter import Limiter
from lambda_invoke.core.retry import RetryBudget, RetryPolicy
from lambda_invoke.errors import FunctionError, RequestError
from lambda_invoke.transports.admission import Admission
from lambda_invoke.transports.drive import Clock
from lambda_invoke.transports.sender import Sender
from lambda_invoke.transports.stand_in import standing_in

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from lambda_invoke.core.options import Stop
    from lambda_invoke.fanout.job import Job
    from lambda_invoke.fanout.journaled import Journal
    from lambda_invoke.sources.batch import Batch
    from lambda_invoke.sources.record import Source
    from lambda_invoke.sources.rules import BatchRules
    from lambda_invoke.transports.choice import TransportChoice
    from lambda_invoke.transports.protocols import BotoLambdaClient, BotoSession, Services


class ClientBase:
    """A client without its calls."""

    def __init__(
        self,
        boto_client: BotoLambdaClient | None = None,
        *,
        session: BotoSession | None = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int = 256,
        error_types: Mapping[str, type[FunctionError]] | None = None,
        on_attempt: OnAttempt | None = None,
        redact_remote: bool = False,
        limits: Limits | None = None,
        services: Services | None = None,
    ) -> None:
        where = {
            "session": session,
            "region_name": region_name,
            "profile_name": profile_name,
            "endpoint_url": endpoint_url,
        }
        if endpoint_url is not None and "@" in endpoint_url.partition("://")[2].partition("/")[0]:
            raise RequestError("endpoint_url holds a user name or password, which would show in messages")
        given = [name for name, value in where.items() if value is not None]
        if boto_client is not None and given:
            raise RequestError(f"boto_client says where to call; {', '.join(given)} cannot be given as well")
        if session is not None and profile_name is not None:
            raise RequestError("session has its profile; profile_name cannot be given as well")
        bound, fake = checked_concurrency(max_concurrency), standing_in()
        self._setup(
            Sender(
                max_concurrency=bound,
                boto_client=boto_client,
                session=session,
                region_name=region_name,
                profile_name=profile_name,
                endpoint_url=endpoint_url,
                services=services,
            )
            if fake is None
            else Sender(
                max_concurrency=bound,
                transport=fake.transport(),
                async_transport=fake.async_transport(),
                services=services,
            ),
            Terms(retry or RetryPolicy(), timeout, deadline),
            error_types=error_types,
            on_attempt=on_attempt,
            redact_remote=redact_remote,
            limits=limits or Limits(),
            clock=Clock() if fake is None else fake.clock,
            timeout_enforceable=boto_client is None,
        )

    def _setup(
        self,
        sender: Sender,
        terms: Terms,
        *,
        error_types: Mapping[str, type[FunctionError]] | None,
        on_attempt: OnAttempt | None,
        redact_remote: bool,
        limits: Limits,
        clock: Clock,
        timeout_enforceable: bool = True,
    ) -> None:
        terms = terms.settled()
        if not timeout_enforceable and terms.timeout is not None:
            raise RequestError(UNENFORCEABLE_TIMEOUT)
        self._sender = sender
        self._clock = clock
        self._once_layers: dict[Any, Any] = {}
        budget = RetryBudget()
        limiter = Limiter(sender.slots)
        sender.also_after_fork += [budget.renew_lock, limiter.renew]
        self._admission = Admission(limiter, clock.now, clock.async_sleep)
        self._caller = Caller(
            terms,
            clock.now,
            budget,
            limits,
            checked_error_types(error_types) or {},
            on_attempt,
            redact_remote,
            timeout_enforceable=timeout_enforceable,
        )

    def _job(
        self,
        function: str | None,
        qualifier: str | None,
        options: Options,
        terms: Terms,
        *,
        concurrency: int | None,
        deadline: float | None,
        stop: Stop | None,
        drain: bool,
        journal: str | os.PathLike[str] | Journal | None,
        batch_size: int | None,
    ) -> Job:
        from lambda_invoke.fanout.job import Job

        return Job(
            self._caller,
            self._sender,
            self._admission,
            self._clock,
            function,
            qualifier,
            options,
            terms,
            concurrency,
            deadline,
            stop,
            drain,
            journal,
            batch_size,
        )

    def _batch(
        self,
        function: str,
        qualifier: str | None,
        records: Iterable[object],
        source: Source,
        rules: BatchRules,
        options: Options,
        terms: Terms,
    ) -> Batch:
        from lambda_invoke.sources.batch import Batch

        return Batch(self._caller, function, qualifier, records, source, rules, options, terms)

    @property
    def transport(self) -> TransportChoice:
        """What carries this client's calls, and why fan-out does not go direct where it does not."""
        return self._sender.choice()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._sender!r}>"


def checked_error_types(
    error_types: Mapping[str, type[FunctionError]] | None,
) -> Mapping[str, type[FunctionError]] | None:
    """The mapping, once it is known to be one of remote types to subclasses of FunctionError."""
    if not error_types:
        return error_types
    from lambda_invoke.core.function_errors import check_error_types  # loaded when there is an error

    return check_error_types(error_types)


def terms_of(retry: RetryPolicy | None, timeout: float | None, deadline: float | None) -> Terms:
    """The terms that a call was given; mostly none."""
    if retry is None and timeout is None and deadline is None:
        return NO_TERMS
    return Terms(retry, timeout, deadline)


def checked_concurrency(max_concurrency: object) -> int:
    """A bound of requests in flight.

    Raises:
        RequestError: it is none.
    """
    if not isinstance(max_concurrency, int) or max_concurrency is True or max_concurrency < 1:
        raise RequestError(f"max_concurrency is an int of at least 1, not {max_concurrency!r}")
    return max_concurrency
