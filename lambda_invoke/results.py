"""What calls return: frozen values."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import attrs

from lambda_invoke.errors import Executed, FunctionError, LambdaInvokeError


def _count(attempts: tuple[Attempt, ...]) -> str:
    return str(len(attempts))


T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class Attempt:
    """One attempt of a call.

    ``function`` is the target as the caller named it, ``number`` counts from 1; ``started`` is when
    it began and ``duration`` how long it took, in seconds, ``started`` from the start of the call.
    ``outcome`` is ``"ok"`` or the name of the error's class; ``code`` and ``reason`` are the
    service's when it refused. ``delay`` is the wait in seconds that followed, None after the last.
    """

    function: str
    number: int
    started: float
    duration: float
    outcome: str
    executed: Executed
    request_id: str | None = None
    status_code: int | None = None
    code: str | None = None
    reason: str | None = None
    delay: float | None = None

    @property
    def ok(self) -> bool:
        """Whether this attempt brought the result."""
        return self.outcome == "ok"


@attrs.frozen
class StackFrame:
    """One frame of a remote stack; what the runtime did not say is None. ``raw`` is as it came."""

    raw: str
    file: str | None = None
    line: int | None = None
    function: str | None = None
    text: str | None = None

    def __str__(self) -> str:
        if self.file is None and self.function is None:
            return f"  {self.raw.strip()}"
        place = f'  File "{self.file}"' if self.file else "  "
        if self.line is not None:
            place += f", line {self.line}"
        if self.function:
            place += f", in {self.function}" if self.file else self.function
        return f"{place}\n    {self.text}" if self.text else place


@attrs.frozen
class RemoteError:
    """An error as the function's runtime described it: type, message, frames, and its cause."""

    error_type: str | None = None
    error_message: str | None = None
    stack_trace: tuple[StackFrame, ...] = ()
    cause_error: RemoteError | None = None

    def format_stack(self) -> str:
        """The remote stack and causes as text; empty when the runtime sent none."""
        lines: list[str] = []
        error: RemoteError | None = self
        while error is not None:
            if error is not self:
                named = ": ".join(part for part in (error.error_type, error.error_message) if part)
                lines.append(f"Caused by: {named}")
            elif error.stack_trace:
                lines.append("Remote stack:")
            lines.extend(str(frame) for frame in error.stack_trace)
            error = error.cause_error
        return "\n".join(lines)


@attrs.frozen
class Report:
    """The figures of a ``REPORT`` line. Durations in seconds, memory in MB; None: not reported."""

    request_id: str | None = None
    duration: float | None = None
    billed_duration: float | None = None
    memory_size: int | None = None
    max_memory_used: int | None = None
    init_duration: float | None = None
    restore_duration: float | None = None
    billed_restore_duration: float | None = None
    status: str | None = None
    error_type: str | None = None
    xray_trace_id: str | None = None

    @property
    def cold_start(self) -> bool:
        """Whether the invocation started a new environment (it was initialised or restored)."""
        return self.init_duration is not None or self.restore_duration is not None


@attrs.frozen
class LogTail:
    """The last 4 KB of the invocation's log, as the service sent it.

    ``text`` is decoded leniently (the tail may start inside a character), ``request_id`` and
    ``report`` are None when the tail does not hold them. ``log_group`` and ``log_stream`` are set
    when the service answered with the place of the log in place of its text.
    """

    text: str = attrs.field(repr=False)
    request_id: str | None = None
    report: Report | None = None
    log_group: str | None = None
    log_stream: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the tail; the first may be partial."""
        return tuple(line.rstrip("\r") for line in self.text.split("\n")) if self.text else ()

    def __str__(self) -> str:
        return self.text


@attrs.frozen
class Invocation(Generic[T_co]):
    """A synchronous invocation that succeeded.

    ``value`` is the reply in the type that was asked for, ``payload`` its raw bytes,
    ``executed_version`` the version that ran, ``log`` the log tail if asked for, ``attempts`` the
    history, ``function`` the target as the caller named it.
    """

    value: T_co = attrs.field(repr=False)
    payload: bytes = attrs.field(repr=False)
    function: str
    status_code: int = 200
    executed_version: str | None = None
    request_id: str | None = None
    log: LogTail | None = None
    attempts: tuple[Attempt, ...] = attrs.field(default=(), repr=_count)
    durable_execution_arn: str | None = None

    @property
    def executed(self) -> Executed:
        """Always YES."""
        return Executed.YES


@attrs.frozen
class Accepted:
    """An asynchronous invocation that was accepted (202): queued, which is all that is known."""

    function: str
    status_code: int = 202
    request_id: str | None = None
    attempts: tuple[Attempt, ...] = attrs.field(default=(), repr=_count)
    durable_execution_arn: str | None = None

    @property
    def executed(self) -> Executed:
        """Always UNKNOWN: Lambda runs it later, perhaps more than once."""
        return Executed.UNKNOWN


@attrs.frozen
class DryRun:
    """Whether the caller may invoke the function. ``reason`` is the service's when it may not."""

    function: str
    allowed: bool
    reason: str | None = None
    status_code: int = 204
    request_id: str | None = None
    attempts: tuple[Attempt, ...] = attrs.field(default=(), repr=_count)

    @property
    def executed(self) -> Executed:
        """Always NO: a dry run runs nothing."""
        return Executed.NO

    def __bool__(self) -> bool:
        return self.allowed


@attrs.frozen
class Outcome(Generic[T_co]):
    """What became of one item of ``map`` or ``fan_out``.

    ``index`` is its place in the input, ``payload`` what was sent, and either ``invocation`` or
    ``error`` is set. ``position`` is its place in the batch that it was sent in (``batch_size=``); the
    items of a batch share their attempts, their log and their error.
    """

    index: int
    function: str
    payload: Any = attrs.field(repr=False)
    invocation: Invocation[T_co] | None = None
    error: LambdaInvokeError | None = None
    position: int = 0

    @property
    def ok(self) -> bool:
        """Whether the item succeeded."""
        return self.error is None

    @property
    def value(self) -> T_co:
        """The item's value.

        Raises:
            LambdaInvokeError: the item failed; its own error is raised.
        """
        if self.invocation is None:
            assert self.error is not None
            raise self.error
        return self.invocation.value

    @property
    def log(self) -> LogTail | None:
        """The log tail, of a function error too, if it was asked for and came."""
        if self.invocation is not None:
            return self.invocation.log
        return self.error.log if isinstance(self.error, FunctionError) else None

    @property
    def executed(self) -> Executed:
        """Whether the function ran for this item."""
        return Executed.YES if self.error is None else self.error.executed

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The history of the item's call."""
        return (
            self.invocation.attempts
            if self.invocation is not None
            else self.error.attempts
            if self.error
            else ()
        )


@attrs.frozen
class FunctionConfiguration:
    """A function or one of its versions, as listed. Timeout in seconds, memory in MB.

    What the service did not say is None. Environment variables are not kept: they hold secrets.
    """

    name: str
    arn: str
    version: str | None = None
    runtime: str | None = None
    handler: str | None = None
    description: str | None = None
    role: str | None = None
    timeout: float | None = None
    memory_size: int | None = None
    code_size_bytes: int | None = None
    last_modified: str | None = None
    state: str | None = None
    state_reason: str | None = None
    state_reason_code: str | None = None
    last_update_status: str | None = None
    last_update_status_reason: str | None = None
    package_type: str | None = None
    architectures: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    dead_letter_target_arn: str | None = None
    log_format: str | None = None
    log_group: str | None = None
    snap_start: str | None = None
    tracing_mode: str | None = None
    revision_id: str | None = None


@attrs.frozen
class Alias:
    """An alias of a function. ``routing`` maps additional versions to their share (0 to 1)."""

    name: str
    arn: str
    function_version: str
    description: str | None = None
    routing: dict[str, float] = attrs.field(factory=dict)
    revision_id: str | None = None
