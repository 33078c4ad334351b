"""What ``once`` returns: a frozen value."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from lambda_invoke.errors import Executed
from lambda_invoke.results import Invocation  # noqa: TC001 - attrs.resolve_types finds it

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class OnceResult(Generic[T_co]):
    """The result that belongs to a key.

    ``invocation`` is the run that made it. ``replayed`` says that this was an earlier run, of whichever
    process, whose result was stored: its ``request_id`` and ``executed_version`` are that run's, its log
    and attempts were not kept. ``stored`` is False when this call ran the function and its result could
    not be stored (an :class:`IdempotencyWarning` says why).
    """

    invocation: Invocation[T_co]
    replayed: bool = False
    stored: bool = True

    @property
    def value(self) -> T_co:
        """The function's result, in the type that was asked for."""
        return self.invocation.value

    @property
    def request_id(self) -> str | None:
        """The id of the request that ran the function."""
        return self.invocation.request_id

    @property
    def executed(self) -> Executed:
        """Always YES: it ran for this key, in this call or an earlier one."""
        return Executed.YES
