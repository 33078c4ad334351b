"""A job whose items are handed over as Events, for the engine that knows synchronous calls alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.calls import NO_TERMS, Caller, Options, Terms
from lambda_invoke.core.transport import InvocationType
from lambda_invoke.results import Invocation

if TYPE_CHECKING:
    from lambda_invoke.core.plan import Call
    from lambda_invoke.core.transport import Reply
    from lambda_invoke.results import Attempt


@attrs.frozen
class EventCaller(Caller):
    """A client's settings; what it makes are Events. A 202 is an ``Invocation`` with the value None.

    That it was accepted is all that such an ``Invocation`` says.
    """

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
        """An Event, in the place of a synchronous call."""
        request = self._request(function, payload, qualifier, InvocationType.EVENT, options)

        def build(reply: Reply, attempts: tuple[Attempt, ...]) -> Invocation[Any]:
            return Invocation(
                None,
                b"",
                request.display,
                reply.status_code,
                request_id=reply.request_id,
                attempts=attempts,
                durable_execution_arn=reply.durable_execution_arn,
            )

        return self._call(
            request, build, terms, idempotent=options.idempotent, job_expires=job_expires, in_job=in_job
        )


def event_caller(caller: Caller) -> EventCaller:
    """The same client's, for Events."""
    return EventCaller(**{field.name: getattr(caller, field.name) for field in attrs.fields(Caller)})
