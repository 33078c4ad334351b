"""What a caller says about a local function, and what it is told about its runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

Handler = str | Callable[..., Any]
"""``"path/file.py:handler"``, ``"package.module.handler"``, ``"package.module:handler"`` or a callable."""

LATEST = "$LATEST"

MAX_TIMEOUT_SECONDS = 900.0
"""AWS quota, 2026-11: a function runs for at most 15 minutes."""
MIN_MEMORY_MB = 128
MAX_MEMORY_MB = 10_240
"""AWS quota, 2026-11: a function has from 128 to 10,240 MB."""

_VERSION = re.compile(r"[1-9][0-9]*")
_ALIAS = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}")


class LocalLambdaError(RuntimeError):
    """The local endpoint cannot do what it was asked to; the message names the fix."""


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    return dict(values)


def _handlers(values: Mapping[str, Handler]) -> dict[str, Handler]:
    return dict(values)


def _check_timeout(_function: Function, _field: Any, value: float) -> None:
    if not 0 < value <= MAX_TIMEOUT_SECONDS:
        raise ValueError(f"timeout must be over 0 and at most {MAX_TIMEOUT_SECONDS:g} seconds, not {value!r}")


def _check_memory(_function: Function, _field: Any, value: int) -> None:
    if not MIN_MEMORY_MB <= value <= MAX_MEMORY_MB:
        raise ValueError(f"memory_size must be from {MIN_MEMORY_MB} to {MAX_MEMORY_MB} MB, not {value!r}")


def _check_reserved(_function: Function, _field: Any, value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"reserved_concurrency must be 0 or more, not {value!r}")


def _check_versions(_function: Function, _field: Any, value: Mapping[str, Handler]) -> None:
    for version in value:
        if not _VERSION.fullmatch(version):
            raise ValueError(f"a version is a number such as '1', not {version!r}")


def _check_aliases(function: Function, _field: Any, value: Mapping[str, str]) -> None:
    for alias, version in value.items():
        if not _ALIAS.fullmatch(alias):
            raise ValueError(f"an alias is letters, digits, '-' and '_', and not a number: {alias!r}")
        if version != LATEST and version not in function.versions:
            raise ValueError(f"alias {alias!r} points to version {version!r}, which is not in versions")


@attrs.frozen
class Function:
    """A function that the local endpoint serves.

    ``handler`` is what ``$LATEST`` runs: ``"path/file.py:handler"``, ``"package.module.handler"``,
    ``"package.module:handler"``, or a callable. ``timeout`` is in seconds (Lambda's default: 3) and
    may be a fraction, ``memory_size`` in MB of resident memory of the handler's whole process tree.
    ``environment`` is added to what the worker inherits. ``reserved_concurrency`` is how many
    invocations may run at once, taken out of the endpoint's ``concurrency_limit``; 0 throttles
    every call. ``versions`` maps published version numbers to their handlers, ``aliases`` maps
    names to versions.

    Raises:
        ValueError: a value that Lambda would not accept either.
    """

    handler: Handler
    timeout: float = attrs.field(kw_only=True, default=3.0, validator=_check_timeout)
    memory_size: int = attrs.field(kw_only=True, default=128, validator=_check_memory)
    environment: Mapping[str, str] = attrs.field(kw_only=True, factory=dict, converter=_texts, repr=False)
    reserved_concurrency: int | None = attrs.field(kw_only=True, default=None, validator=_check_reserved)
    description: str = attrs.field(kw_only=True, default="")
    versions: Mapping[str, Handler] = attrs.field(
        kw_only=True, factory=dict, converter=_handlers, validator=_check_versions
    )
    aliases: Mapping[str, str] = attrs.field(
        kw_only=True, factory=dict, converter=_texts, validator=_check_aliases
    )


@attrs.frozen
class FunctionStats:
    """What the endpoint counted for one function since it was started.

    ``started`` is how often the handler was called or its worker failed to start (each retry of
    an Event included), ``succeeded`` and ``failed`` how those ended, ``throttled`` how many calls
    were answered 429 (or, for an Event, put back). ``cold_starts`` counts new workers, ``accepted_events``
    the Events answered 202, ``in_flight`` what runs now and ``max_in_flight`` the most at once.
    """

    started: int = 0
    succeeded: int = 0
    failed: int = 0
    throttled: int = 0
    cold_starts: int = 0
    accepted_events: int = 0
    in_flight: int = 0
    max_in_flight: int = 0


@attrs.frozen
class InvocationRecord:
    """One execution, as ``on_invocation`` gets it when it has ended.

    ``attempt`` counts from 1 and passes 1 only for a retried Event. ``error_type`` is the remote type of
    a failure. ``duration`` and ``init_duration`` (of a cold start, else None) are in seconds,
    ``max_memory_used`` in MB. ``log`` is what the invocation printed, with Lambda's own lines.
    """

    function: str
    version: str
    request_id: str
    invocation_type: str
    outcome: Literal["succeeded", "failed", "throttled"]
    attempt: int = 1
    error_type: str | None = None
    duration: float = 0.0
    init_duration: float | None = None
    max_memory_used: int = 0
    log: str = attrs.field(default="", repr=False)

    @property
    def cold_start(self) -> bool:
        """Whether a new worker was started for it."""
        return self.init_duration is not None
