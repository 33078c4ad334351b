"""One ``invoke_batch``: its plan, and the calls that carry it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from lambda_invoke.core.calls import Options, Terms
from lambda_invoke.core.target import parse_target
from lambda_invoke.errors import DeadlineExceededError, LambdaInvokeError, RequestError
from lambda_invoke.sources.plan import plan
from lambda_invoke.sources.record import Source, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_invoke.core.calls import Caller
    from lambda_invoke.core.plan import Call
    from lambda_invoke.results import Invocation
    from lambda_invoke.sources.plan import BatchPlan, Deliver, Wait
    from lambda_invoke.sources.rules import BatchRules


class Batch:
    """A batch on its way: ``plan`` says what is delivered next, :meth:`call` is how.

    Raises:
        RequestError: the source, a record or the function's name is not what it should be.
    """

    def __init__(
        self,
        caller: Caller,
        function: str,
        qualifier: str | None,
        records: Iterable[object],
        source: Source,
        rules: BatchRules,
        options: Options,
        terms: Terms,
    ) -> None:
        if not isinstance(source, Source):
            raise RequestError(
                "source is an SqsSource, a KinesisSource or a DynamoDBSource, "
                f"which have the shapes of their records, not a {type(source).__name__}"
            )
        target = parse_target(function, qualifier)
        settled = terms.over(caller.terms)
        self._caller = caller
        self._function = function
        self._qualifier = qualifier
        # The reply is read by the rules of batches, not by the types of a handle.
        self._options = attrs.evolve(options, response=bytes)
        self._terms = Terms(settled.retry, settled.timeout)
        self._expires = None if settled.deadline is None else caller.now() + settled.deadline
        self._display = target.display
        built = source.build(list(records), stamp(None, None))
        self.plan: BatchPlan = plan(
            target.display, source, built, rules, limit_bytes=caller.limits.request_bytes
        )

    def pause(self, step: Wait) -> float:
        """Seconds to wait: not past the deadline, after which nothing is delivered."""
        if self._expires is None:
            return step.seconds
        return max(0.0, min(step.seconds, self._expires - self._caller.now()))

    def call(self, step: Deliver) -> Call[Invocation[bytes]]:
        """The call that makes a delivery.

        Raises:
            DeadlineExceededError: no time is left for it.
        """
        if self._expires is not None and self._caller.now() >= self._expires:
            raise DeadlineExceededError(
                "the deadline passed before the batch was sent", function=self._display
            )
        return self._caller.invocation(
            self._function,
            step.payload,
            qualifier=self._qualifier,
            options=self._options,
            terms=self._terms,
            job_expires=self._expires,
            in_job=True,
        )


def told(error: LambdaInvokeError) -> LambdaInvokeError:
    """An error of a delivery as the plan takes it.

    Raises:
        RequestError: this one; it is of how the call was made, and of no record.
    """
    if isinstance(error, RequestError):
        raise error
    return error
