"""``diagnose``, of both clients."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lambda_invoke.base import ClientBase, checked_concurrency
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import ConnectError, FunctionNotFoundError, LambdaInvokeError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.doctor.facts import NotLooked
    from lambda_invoke.doctor.findings import Diagnosis
    from lambda_invoke.doctor.gather import Gatherer
    from lambda_invoke.results import DryRun

HOURS = 24.0
"""Of metrics, unless the caller says otherwise."""
MOST_HOURS = 336.0
"""Two weeks: one call of GetMetricData holds the figures of each hour many times over."""
_DRY_RUN_DEADLINE = 20.0
"""Seconds: a dry run that is throttled for longer counts as one that could not be looked at."""
_NO_DIAGNOSIS = (FunctionNotFoundError, ConnectError, RequestError)


class _Doctor(ClientBase):
    def _examination(
        self, function: str, qualifier: str | None, concurrency: int | None, hours: float
    ) -> Gatherer:
        """What is to be asked; nothing is asked yet."""
        target = parse_target(function, qualifier)
        wanted = None if concurrency is None else checked_concurrency(concurrency)
        back = _checked_hours(hours)
        from lambda_invoke.doctor.gather import Gatherer
        from lambda_invoke.doctor.intent import intent_of
        from lambda_invoke.doctor.pacer import pacer_of

        sender, clock = self._sender, self._clock
        return Gatherer(
            sender.control(),
            sender.service,
            pacer_of(sender, clock.now, clock.sleep),
            target,
            intent_of(sender, self._caller.terms, wanted),
            back,
        )


def _checked_hours(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= MOST_HOURS:
        raise RequestError(f"hours is a number of hours, at most {MOST_HOURS:g}, not {value!r}")
    return value


def _not_tried(error: LambdaInvokeError) -> NotLooked:
    from lambda_invoke.doctor.facts import NotLooked

    return NotLooked("the permission to invoke", "lambda:InvokeFunction", error.message)


def _diagnosis(
    gatherer: Gatherer, permission: DryRun | NotLooked, given_up: Callable[[], bool] = lambda: False
) -> Diagnosis:
    from lambda_invoke.doctor.diagnose import diagnose

    return diagnose(gatherer.gather(permission, now=datetime.now(UTC), given_up=given_up))


class DoctorMethods(_Doctor):
    """``diagnose`` of the blocking client."""

    if TYPE_CHECKING:

        def dry_run(  # noqa: D102 - the client's own
            self,
            function: str,
            payload: object = ...,
            *,
            qualifier: str | None = None,
            timeout: float | None = None,
            deadline: float | None = None,
            retry: RetryPolicy | None = None,
        ) -> DryRun: ...

    def diagnose(
        self,
        function: str,
        *,
        qualifier: str | None = None,
        concurrency: int | None = None,
        hours: float = HOURS,
    ) -> Diagnosis:
        """Look for what is set up wrongly around a function; nothing runs, and nothing is changed.

        Asked are Lambda, the queues that the function reads (SQS), and CloudWatch. What may not be
        looked at becomes a finding of its own, which names the IAM action. Calls to Lambda's control
        plane stay under ten a second.

        Args:
            function: a name or ARN, with or without ``:qualifier``.
            qualifier: the version or alias that is called; default: the function itself.
            concurrency: how many calls at a time are intended; default: the client's
                ``max_concurrency``.
            hours: how far back the metrics go, 336 at most.

        Returns:
            A :class:`Diagnosis`: findings with evidence, why each matters and the fix, the worst first.

        Raises:
            RequestError: bad arguments, or a client over a transport of its own.
            FunctionNotFoundError: there is no such function or qualifier.
            ConnectError: Lambda cannot be reached, or there are no credentials.
        """
        gatherer = self._examination(function, qualifier, concurrency, hours)
        permission: DryRun | NotLooked
        try:
            permission = self.dry_run(function, qualifier=qualifier, deadline=_DRY_RUN_DEADLINE)
        except _NO_DIAGNOSIS:
            raise
        except LambdaInvokeError as error:
            permission = _not_tried(error)
        return _diagnosis(gatherer, permission)


class AsyncDoctorMethods(_Doctor):
    """``diagnose`` of the asyncio client."""

    if TYPE_CHECKING:

        async def dry_run(  # noqa: D102 - the client's own
            self,
            function: str,
            payload: object = ...,
            *,
            qualifier: str | None = None,
            timeout: float | None = None,
            deadline: float | None = None,
            retry: RetryPolicy | None = None,
        ) -> DryRun: ...

    async def diagnose(
        self,
        function: str,
        *,
        qualifier: str | None = None,
        concurrency: int | None = None,
        hours: float = HOURS,
    ) -> Diagnosis:
        """Look for what is set up wrongly around a function; as :meth:`LambdaClient.diagnose`.

        boto3 asks, in a daemon thread. Cancelled, it asks nothing more.
        """
        import asyncio

        from lambda_invoke.transports.threads import CONTROL_PLANE, in_thread

        gatherer = await in_thread(
            CONTROL_PLANE, lambda: self._examination(function, qualifier, concurrency, hours)
        )
        permission: DryRun | NotLooked
        try:
            permission = await self.dry_run(function, qualifier=qualifier, deadline=_DRY_RUN_DEADLINE)
        except _NO_DIAGNOSIS:
            raise
        except LambdaInvokeError as error:
            permission = _not_tried(error)
        given_up = threading.Event()
        try:
            return await in_thread(CONTROL_PLANE, lambda: _diagnosis(gatherer, permission, given_up.is_set))
        except asyncio.CancelledError:
            given_up.set()
            raise
