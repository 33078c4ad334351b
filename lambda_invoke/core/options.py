"""The keyword arguments that several methods share, for their overloads (PEP 692)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from lambda_invoke.core.retry import RetryPolicy
    from lambda_invoke.errors import FunctionError


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
    stop: threading.Event | None


class MapOptions(JobOptions, total=False):
    """Of ``map``."""

    ordered: bool
    raise_errors: bool
