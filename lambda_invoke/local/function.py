"""What a caller says about a local function, and what it is told about its runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import attrs

from lambda_invoke.local.bootstrap_runtime import Bootstrap
from lambda_invoke.local.variables import check_variables

Handler = str | Callable[..., Any] | Bootstrap
"""``"path/file.py:handler"``, ``"package.module.handler"``, ``"package.module:handler"``, a callable, or
an executable that speaks the Runtime API."""

LATEST = "$LATEST"

MAX_TIMEOUT_SECONDS = 900.0
"""AWS quota, 2026-11: a function runs for at most 15 minutes."""
MIN_MEMORY_MB = 128
MAX_MEMORY_MB = 10_240
"""AWS quota, 2026-11: a function has from 128 to 10,240 MB."""

LogFormat = Literal["Text", "JSON"]
ApplicationLogLevel = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
SystemLogLevel = Literal["DEBUG", "INFO", "WARN"]

MAX_EVENT_RETRIES = 2
MIN_EVENT_AGE_SECONDS = 60.0
MAX_EVENT_AGE_SECONDS = 21_600.0
"""AWS quota, 2026-11: MaximumRetryAttempts is 0 to 2, MaximumEventAgeInSeconds 60 to 21,600."""

_VERSION = re.compile(r"[1-9][0-9]*")
ALIAS_NAME = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}")


class LocalLambdaError(RuntimeError):
    """The local endpoint cannot do what it was asked to; the message names the fix."""


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    return dict(values)


def _handlers(values: Mapping[str, Handler]) -> dict[str, Handler]:
    return dict(values)


def _directories(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values)


def _one_of(choices: Any) -> Callable[[Function, Any, str], None]:
    allowed = get_args(choices)

    def check(_function: Function, field: Any, value: str) -> None:
        if value not in allowed:
            raise ValueError(f"{field.name} must be one of {', '.join(allowed)}, not {value!r}")

    return check


def _check_environment(_function: Function, _field: Any, value: Mapping[str, str]) -> None:
    check_variables(value)


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


def _aliases(values: Mapping[str, str | Alias]) -> dict[str, Alias]:
    return {name: Alias(given) if isinstance(given, str) else given for name, given in values.items()}


def _check_aliases(function: Function, _field: Any, value: Mapping[str, Alias]) -> None:
    for name, alias in value.items():
        if not ALIAS_NAME.fullmatch(name):
            raise ValueError(f"an alias is letters, digits, '-' and '_', and not a number: {name!r}")
        for version in (alias.version, *alias.weights):
            if version != LATEST and version not in function.versions:
                raise ValueError(f"alias {name!r} points to version {version!r}, which is not in versions")


def _check_weights(alias: Alias, _field: Any, value: Mapping[str, float]) -> None:
    if len(value) > 1:
        raise ValueError("an alias routes to one version besides its own, at most")
    for version, weight in value.items():
        if not 0 <= weight <= 1:
            raise ValueError(f"the weight of version {version!r} must be from 0 to 1, not {weight!r}")
        if LATEST in (version, alias.version):
            raise ValueError(f"an alias with weights routes between published versions, not {LATEST}")
        if version == alias.version:
            raise ValueError(f"version {version!r} is the alias's own: weights name the other one")


def _weights(values: Mapping[str, float]) -> dict[str, float]:
    return dict(values)


@attrs.frozen
class Alias:
    """What an alias points to: a version, and at most one other that gets a share of the invocations.

    ``weights`` maps that other version to its share, from 0 to 1; the rest goes to ``version``.
    """

    version: str
    weights: Mapping[str, float] = attrs.field(
        factory=dict, converter=_weights, validator=_check_weights, kw_only=True
    )
    description: str = attrs.field(default="", kw_only=True)


class Outbox:
    """A destination that only keeps what it is given, for tests to read.

    ``records`` are the destination records, or as a dead-letter queue its messages, in the order in which
    they came, as JSON values.
    """

    def __init__(self) -> None:
        self._records: list[Any] = []
        self._came = threading.Condition()

    @property
    def records(self) -> list[Any]:
        """What came so far."""
        with self._came:
            return list(self._records)

    def deliver(self, record: Any) -> None:
        """Keep one more; from any thread."""
        with self._came:
            self._records.append(record)
            self._came.notify_all()

    def wait(self, count: int = 1, timeout: float | None = None) -> list[Any]:
        """Wait until there are so many records, and return them all.

        Raises:
            TimeoutError: that took more than ``timeout`` seconds.
        """
        with self._came:
            if not self._came.wait_for(lambda: len(self._records) >= count, timeout):
                raise TimeoutError(f"{len(self._records)} of {count} records came within {timeout} seconds")
            return list(self._records)

    def __len__(self) -> int:
        with self._came:
            return len(self._records)

    def __repr__(self) -> str:
        return f"Outbox({len(self)} records)"


Destination = str | Outbox
"""An ARN (SQS, SNS, an EventBridge bus, S3, Lambda), another local function's plain name, or an Outbox."""


def _check_retries(_config: EventInvokeConfig, _field: Any, value: int) -> None:
    if not 0 <= value <= MAX_EVENT_RETRIES:
        raise ValueError(f"maximum_retry_attempts must be from 0 to {MAX_EVENT_RETRIES}, not {value!r}")


def _check_age(_config: EventInvokeConfig, _field: Any, value: float) -> None:
    if not MIN_EVENT_AGE_SECONDS <= value <= MAX_EVENT_AGE_SECONDS:
        raise ValueError(
            f"maximum_event_age must be from {MIN_EVENT_AGE_SECONDS:g} to {MAX_EVENT_AGE_SECONDS:g} seconds, "
            f"not {value!r}"
        )


@attrs.frozen
class EventInvokeConfig:
    """What becomes of a function's Events: retries, age in seconds, and where their outcomes go.

    The local endpoint's ``time_scale`` shortens the age as it does every other delay of Events.

    Raises:
        ValueError: a value that Lambda would not accept either.
    """

    maximum_retry_attempts: int = attrs.field(default=MAX_EVENT_RETRIES, validator=_check_retries)
    maximum_event_age: float = attrs.field(default=MAX_EVENT_AGE_SECONDS, validator=_check_age)
    on_success: Destination | None = None
    on_failure: Destination | None = None


FunctionState = Literal["Active", "Pending", "Inactive", "Failed"]


def _check_state(_function: Function, _field: Any, value: str) -> None:
    if value not in get_args(FunctionState):
        raise ValueError(f"state must be one of {', '.join(get_args(FunctionState))}, not {value!r}")


def _check_pending(_function: Function, _field: Any, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"pending_seconds must be 0 or more, not {value!r}")


@attrs.frozen
class Function:
    """A function that the local endpoint serves.

    ``handler`` is what ``$LATEST`` runs: ``"path/file.py:handler"``, ``"package.module.handler"``,
    ``"package.module:handler"``, a callable, or a :class:`Bootstrap`. ``timeout`` is in seconds (Lambda's
    default: 3) and may be a fraction, ``memory_size`` in MB of resident memory of the handler's whole
    process tree. ``environment`` is added to what the worker inherits. ``reserved_concurrency`` is how many
    invocations may run at once, taken out of the endpoint's ``concurrency_limit``; 0 throttles
    every call. ``versions`` maps published version numbers to their handlers, ``aliases`` maps
    names to versions, or to an :class:`Alias` with weights. ``events`` is what becomes of Events that end,
    ``dead_letter`` the older way for those that failed: an SQS queue's or SNS topic's ARN, or an Outbox.
    ``task_root`` is the directory in which the names of handlers are looked up, Lambda's ``/var/task``
    (default: the current one, and the caller's ``sys.path``); ``layers`` are directories that come
    behind it on the worker's ``sys.path``, as ``/opt/python`` does.

    ``events`` holds for ``$LATEST`` and for each of ``versions`` and ``aliases``; what is published or made
    later begins with Lambda's defaults.

    ``state`` is the one in which it is found at each start of the endpoint. "Pending" (409 to who invokes it)
    passes after ``pending_seconds``, ``math.inf`` for never; "Inactive" becomes "Pending" by the first
    invocation, which is answered 502; "Failed" stays. A ``denied`` function answers 403 to every invocation,
    DryRun included, as if the caller had no permission.

    ``log_format`` is "Text" or "JSON"; with the latter ``application_log_level`` is what the runtime's
    own logging writes at least, and ``system_log_level`` what Lambda does: START, END and REPORT become
    ``platform.start``, ``platform.runtimeDone`` (at DEBUG, or for a failure) and ``platform.report``.

    Raises:
        ValueError: a value that Lambda would not accept either.
    """

    handler: Handler
    timeout: float = attrs.field(kw_only=True, default=3.0, validator=_check_timeout)
    memory_size: int = attrs.field(kw_only=True, default=128, validator=_check_memory)
    environment: Mapping[str, str] = attrs.field(
        kw_only=True, factory=dict, converter=_texts, validator=_check_environment, repr=False
    )
    reserved_concurrency: int | None = attrs.field(kw_only=True, default=None, validator=_check_reserved)
    description: str = attrs.field(kw_only=True, default="")
    versions: Mapping[str, Handler] = attrs.field(
        kw_only=True, factory=dict, converter=_handlers, validator=_check_versions
    )
    aliases: Mapping[str, Alias] = attrs.field(
        kw_only=True, factory=dict, converter=_aliases, validator=_check_aliases
    )
    events: EventInvokeConfig = attrs.field(kw_only=True, factory=EventInvokeConfig)
    dead_letter: Destination | None = attrs.field(kw_only=True, default=None)
    state: FunctionState = attrs.field(kw_only=True, default="Active", validator=_check_state)
    pending_seconds: float = attrs.field(kw_only=True, default=1.0, validator=_check_pending)
    denied: bool = attrs.field(kw_only=True, default=False)
    task_root: str | None = attrs.field(kw_only=True, default=None)
    layers: Sequence[str] = attrs.field(kw_only=True, default=(), converter=_directories)
    log_format: LogFormat = attrs.field(kw_only=True, default="Text", validator=_one_of(LogFormat))
    application_log_level: ApplicationLogLevel = attrs.field(
        kw_only=True, default="INFO", validator=_one_of(ApplicationLogLevel)
    )
    system_log_level: SystemLogLevel = attrs.field(
        kw_only=True, default="INFO", validator=_one_of(SystemLogLevel)
    )


@attrs.frozen
class FunctionStats:
    """What the endpoint counted for one function since it was started.

    ``started`` is how often the handler was called or its worker failed to start (each retry of
    an Event included), ``succeeded`` and ``failed`` how those ended, ``throttled`` how many calls
    were answered 429 (or, for an Event, put back). ``cold_starts`` counts new workers, ``in_flight``
    what runs now and ``max_in_flight`` the most at once, ``injected_faults`` the faults of
    ``LocalLambda.inject`` that calls met.

    Of Events, ``accepted_events`` were answered 202 or came as another function's record, and
    ``resumed_events`` were taken up from the state directory. An Event is done with once it has ended and
    its destinations were told, and always::

        accepted_events + resumed_events == succeeded_events + failed_events + queued_events

    ``retried`` counts the executions that were retries of function errors. ``delivered`` records reached
    their destination, ``dead_lettered`` messages a dead-letter queue, ``delivery_failures`` did neither;
    ``dropped_events`` are those of the failed that were told to nobody.
    """

    started: int = 0
    succeeded: int = 0
    failed: int = 0
    throttled: int = 0
    cold_starts: int = 0
    accepted_events: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    resumed_events: int = 0
    queued_events: int = 0
    succeeded_events: int = 0
    failed_events: int = 0
    dropped_events: int = 0
    retried: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    delivery_failures: int = 0
    injected_faults: int = 0


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
