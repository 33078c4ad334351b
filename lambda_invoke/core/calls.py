"""From the arguments of a client's method to a :class:`~lambda_invoke.core.plan.Call`.

One place for both clients, the handles, ``map`` and ``fan_out``: everything that can be refused is
refused here, before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lambda_invoke.core.codec import (
    NO_PAYLOAD,
    Limits,
    check_response_type,
    check_size,
    decode_payload,
    encode_client_context,
    encode_payload,
)
from lambda_invoke.core.plan import Call
from lambda_invoke.core.retry import RetryBudget, RetryPolicy, check_seconds, not_ages
from lambda_invoke.core.target import parse_target
from lambda_invoke.core.transport import InvocationType, Reply, Request
from lambda_invoke.errors import (
    AccessDeniedError,
    FunctionError,
    PayloadDecodingError,
    RequestError,
    ServiceFaultError,
)
from lambda_invoke.results import Accepted, Attempt, DryRun, Invocation

if TYPE_CHECKING:
    import logging

T = TypeVar("T")

OnAttempt = Callable[[Attempt], object]
"""A metrics hook: called with each attempt as it ends."""

DEFAULT_TIMEOUT = 915.0
"""Seconds per attempt when nobody says otherwise: a function runs for at most 900 s (AWS quota,
2026-11), and the reply has to travel."""

UNENFORCEABLE_TIMEOUT = (
    "timeout cannot be enforced on a boto3 client that was handed over: set read_timeout in its Config, or "
    "let the library build the client"
)

_OK = 200
_TENANT_ID = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")  # the service model's TenantId
_DURABLE_NAME = re.compile(r"[a-zA-Z0-9\-_]{1,64}")  # the service model's DurableExecutionName


@attrs.frozen
class Terms:
    """How long and how often, at one level: the call, the handle, or the client."""

    retry: RetryPolicy | None = None
    timeout: float | None = attrs.field(default=None, converter=not_ages)
    deadline: float | None = attrs.field(default=None, converter=not_ages)

    def __attrs_post_init__(self) -> None:
        try:
            check_seconds("timeout", self.timeout)
            check_seconds("deadline", self.deadline)
        except ValueError as error:
            raise RequestError(str(error)) from None

    def over(self, outer: Terms) -> Terms:
        """These terms where they say something, the outer ones elsewhere: the nearest wins."""
        inner = self.settled()
        return Terms(
            inner.retry if inner.retry is not None else outer.retry,
            inner.timeout if inner.timeout is not None else outer.timeout,
            inner.deadline if inner.deadline is not None else outer.deadline,
        )

    def settled(self) -> Terms:
        """With the policy's own timeout and deadline where this level has none."""
        if self.retry is None:
            return self
        return Terms(
            self.retry,
            self.timeout if self.timeout is not None else self.retry.timeout,
            self.deadline if self.deadline is not None else self.retry.deadline,
        )


NO_TERMS = Terms()


@attrs.frozen
class Options:
    """What goes with an invocation besides function and payload."""

    response: Any = None
    log_tail: bool = False
    client_context: Any = None
    tenant_id: str | None = None
    durable_execution_name: str | None = None
    idempotent: bool = False
    error_types: Mapping[str, type[FunctionError]] | None = None


@attrs.frozen
class Caller:
    """A client's settings, and the calls that are made with them."""

    terms: Terms
    now: Callable[[], float]
    budget: RetryBudget
    limits: Limits = attrs.field(factory=Limits)
    error_types: Mapping[str, type[FunctionError]] = attrs.field(factory=dict)
    on_attempt: OnAttempt | None = None
    redact_remote: bool = False
    timeout_enforceable: bool = True

    def job_terms(self, terms: Terms) -> Terms:
        """The terms of a job's calls, settled once for all of them: throttles are waited out."""
        settled = terms.over(self.terms)
        policy = settled.retry
        assert policy is not None
        if policy.enabled and policy.throttle_timeout is not None:
            policy = attrs.evolve(policy, throttle_timeout=None)
        return Terms(policy, settled.timeout)

    def invocation(
        self,
        function: str,
        payload: object,
        *,
        qualifier: str | None,
        options: Options,
        terms: Terms = NO_TERMS,
        job_expires: float | None = None,
        in_job: bool = False,
    ) -> Call[Invocation[Any]]:
        """A synchronous call. In a job, ``terms`` are those of :meth:`job_terms`, and its deadline counts."""
        check_response_type(options.response)
        request = self._request(function, payload, qualifier, InvocationType.REQUEST_RESPONSE, options)
        error_types = self.error_types if options.error_types is None else options.error_types

        def build(reply: Reply, attempts: tuple[Attempt, ...]) -> Invocation[Any]:
            if reply.status_code != _OK:
                raise ServiceFaultError(
                    "a synchronous invocation is answered with 200",
                    code="UnexpectedStatus",
                    status_code=reply.status_code,
                    function=request.display,
                    request_id=reply.request_id,
                )
            log = None
            if reply.log_result is not None:
                from lambda_invoke.core.log_tail import decode_log_tail

                log = decode_log_tail(reply.log_result, reply.request_id)
            if reply.function_error is not None:
                from lambda_invoke.core.function_errors import build_function_error

                raise build_function_error(
                    function=request.display,
                    payload=reply.body,
                    function_error=reply.function_error,
                    request_id=reply.request_id,
                    log=log,
                    executed_version=reply.executed_version,
                    error_types=error_types,
                    redact=self.redact_remote,
                )
            try:
                value = decode_payload(reply.body, options.response)
            except PayloadDecodingError as error:
                error.function = request.display
                error.request_id = reply.request_id
                raise
            return Invocation(
                value,
                reply.body,
                request.display,
                reply.status_code,
                reply.executed_version,
                reply.request_id,
                log,
                attempts,
                reply.durable_execution_arn,
            )

        return self._call(
            request, build, terms, idempotent=options.idempotent, job_expires=job_expires, in_job=in_job
        )

    def event(
        self,
        function: str,
        payload: object,
        *,
        qualifier: str | None,
        options: Options,
        terms: Terms = NO_TERMS,
    ) -> Call[Accepted]:
        """An asynchronous call."""
        request = self._request(function, payload, qualifier, InvocationType.EVENT, options)

        def build(reply: Reply, attempts: tuple[Attempt, ...]) -> Accepted:
            return Accepted(
                request.display, reply.status_code, reply.request_id, attempts, reply.durable_execution_arn
            )

        return self._call(request, build, terms, idempotent=options.idempotent)

    def dry_run(
        self, function: str, payload: object, *, qualifier: str | None, terms: Terms = NO_TERMS
    ) -> Call[DryRun]:
        """A call that runs nothing, and so is always safe to repeat."""
        request = self._request(function, payload, qualifier, InvocationType.DRY_RUN, Options())

        def build(reply: Reply, attempts: tuple[Attempt, ...]) -> DryRun:
            return DryRun(
                request.display,
                allowed=True,
                status_code=reply.status_code,
                request_id=reply.request_id,
                attempts=attempts,
            )

        return self._call(request, build, terms, idempotent=True)

    def _request(
        self,
        function: str,
        payload: object,
        qualifier: str | None,
        invocation_type: InvocationType,
        options: Options,
    ) -> Request:
        target = parse_target(function, qualifier)
        body = None if payload is NO_PAYLOAD else encode_payload(payload, function=target.display)
        if body is not None:
            check_size(body, invocation_type, self.limits, function=target.display)
        client_context = None
        if options.client_context is not None:
            client_context = encode_client_context(
                options.client_context, limits=self.limits, function=target.display
            )
        if options.tenant_id is not None:
            _check(
                "tenant_id",
                options.tenant_id,
                _TENANT_ID,
                "1 to 256 of letters, digits and ._:/=+-@ or space",
                target.display,
            )
        if options.durable_execution_name is not None:
            _check(
                "durable_execution_name",
                options.durable_execution_name,
                _DURABLE_NAME,
                "1 to 64 of letters, digits, - and _",
                target.display,
            )
            if target.qualifier is None:
                raise RequestError(
                    "a durable execution needs a qualifier: a version, an alias or $LATEST",
                    function=target.display,
                )
        return Request(
            target.function,
            target.display,
            target.qualifier,
            body,
            invocation_type,
            options.log_tail,
            client_context,
            options.tenant_id,
            options.durable_execution_name,
        )

    def _call(
        self,
        request: Request,
        build: Callable[[Reply, tuple[Attempt, ...]], T],
        terms: Terms,
        *,
        idempotent: bool,
        job_expires: float | None = None,
        in_job: bool = False,
    ) -> Call[T]:
        settled = terms
        if not in_job:
            settled = self.terms if terms is NO_TERMS else terms.over(self.terms)
        if settled.timeout is not None and not self.timeout_enforceable:
            raise RequestError(UNENFORCEABLE_TIMEOUT, function=request.display)
        policy = settled.retry
        assert policy is not None
        started = self.now()
        expires = job_expires
        if not in_job and settled.deadline is not None:
            expires = started + settled.deadline
        return Call(
            request,
            policy,
            build,
            started,
            expires,
            DEFAULT_TIMEOUT if settled.timeout is None else settled.timeout,
            idempotent,
            self.budget,
            self._observe,
        )

    def _observe(self, attempt: Attempt) -> None:
        if attempt.delay is not None:
            # Names only: the remote message may hold what the caller keeps out of logs.
            why = " ".join(part for part in (attempt.outcome, attempt.code, attempt.reason) if part)
            _log().info(
                "%s: attempt %d failed (%s), trying again in %.2f s",
                attempt.function,
                attempt.number,
                why,
                attempt.delay,
            )
        if self.on_attempt is not None:
            try:
                self.on_attempt(attempt)
            except Exception:  # noqa: BLE001 - a metrics hook must not lose an invocation that was made
                _log().exception("on_attempt raised for %s", attempt.function)


def _log() -> logging.Logger:
    import logging  # most calls log nothing

    return logging.getLogger("lambda_invoke")


def denied(error: AccessDeniedError) -> DryRun:
    """What a dry run that was refused for want of permission says.

    Raises:
        AccessDeniedError: it was not permission but the credentials themselves.
    """
    if error.code not in {"AccessDeniedException", "AccessDenied"}:
        raise error
    return DryRun(
        error.function or "",
        allowed=False,
        reason=error.message,
        status_code=error.status_code,
        request_id=error.request_id,
        attempts=error.attempts,
    )


def _check(name: str, value: object, pattern: re.Pattern[str], wanted: str, function: str) -> None:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise RequestError(f"{name} is {wanted}, not {value!r}", function=function)
