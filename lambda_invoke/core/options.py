"""The keyword arguments that several methods share, for their overloads (PEP 692)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.errors import FunctionError
    from lambda_invoke.fanout.journaled import Journal
    from lambda_invoke.fanout.progress import Progress
    from lambda_invoke.once.places import KeyStore


class Stop(Protocol):
    """What ends a job from outside: a ``threading.Event``, an ``asyncio.Event``, or anything like them."""

    def is_set(self) -> bool:
        """Whether the job is to end; asked every 50 ms."""


class _TermOptions(TypedDict, total=False):
    timeout: float | None
    retry: RetryPolicy | None
    deadline: float | None


class InvokeOptions(_TermOptions, total=False):
    """Of ``invoke``."""

    qualifier: str | None
    log_tail: bool
    client_context: Any
    tenant_id: str | None
    durable_execution_name: str | None
    idempotent: bool


class FunctionOptions(_TermOptions, total=False):
    """Of ``function``."""

    qualifier: str | None
    log_tail: bool
    client_context: Any
    tenant_id: str | None
    idempotent: bool
    error_types: Mapping[str, type[FunctionError]] | None


class JobOptions(_TermOptions, total=False):
    """Of ``map`` and ``fan_out``."""

    concurrency: int | None
    qualifier: str | None
    log_tail: bool
    client_context: Any
    tenant_id: str | None
    idempotent: bool
    stop: Stop | None
    drain: bool
    journal: str | os.PathLike[str] | Journal | None
    batch_size: int | None


class MapOptions(JobOptions, total=False):
    """Of ``map``."""

    ordered: bool
    raise_errors: bool


class FanOutOptions(JobOptions, total=False):
    """Of ``fan_out``."""

    progress: bool | Callable[[Progress], object] | None
    keep: Literal["all", "failures"]
    tolerate: float | None
    first_successes: int | None


class OnceOptions(InvokeOptions, total=False):
    """Of ``once``."""

    store: KeyStore | None
    ttl: float
    lock_seconds: float | None
    concurrent: Literal["wait", "raise"]
    on_error: Literal["release", "keep"]
    key_in: str | None
    key_as: Literal["durable_execution_name"] | None
    key_prefix: str | None
