"""What a function comes to when it runs in this process: payloads in AWS's own words."""

from __future__ import annotations

import inspect
import json
import math
import traceback
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs

from lambda_invoke.core.codec import NO_PAYLOAD
from lambda_invoke.local.outcome import Answered, Exited, Outcome, OutOfMemory, TimedOut, Verdict, judge
from lambda_invoke.testing.matching import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_invoke.testing.clock import VirtualClock

REGION = "us-east-1"
ACCOUNT = "000000000000"
MEMORY_MB = 128


class FakeContext:
    """The second argument of a handler, with the fields of Lambda's own.

    Source: "Using the Lambda context object to retrieve Python function information", AWS Lambda
    developer guide, 2026-11.
    """

    def __init__(
        self,
        function: str,
        version: str,
        qualifier: str | None,
        request_id: str,
        clock: VirtualClock,
        timeout: float,
        client_context: Any = None,
        tenant_id: str | None = None,
    ) -> None:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        self.function_name = function
        self.function_version = version
        self.invoked_function_arn = arn if qualifier is None else f"{arn}:{qualifier}"
        self.memory_limit_in_mb = str(MEMORY_MB)
        self.aws_request_id = request_id
        self.log_group_name = f"/aws/lambda/{function}"
        self.log_stream_name = f"1970/01/01/[{version}]{request_id.replace('-', '')}"
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self.client_context = _client_context(client_context)
        self.tenant_id = tenant_id
        self.clock = clock
        self.deadline = clock.now() + timeout
        self.logged: list[str] = []

    def get_remaining_time_in_millis(self) -> int:
        """What is left of the function's timeout, on the fake's clock."""
        return max(0, math.ceil((self.deadline - self.clock.now()) * 1000))

    def log(self, text: object) -> None:
        """A line for the log tail; what a handler prints goes where it always does."""
        self.logged.append(str(text))

    def __repr__(self) -> str:
        return f"<FakeContext: {self.function_name}, {self.aws_request_id}>"


def _client_context(given: Any) -> SimpleNamespace | None:
    if not isinstance(given, dict):
        return None
    client = given.get("client")
    return SimpleNamespace(
        custom=given.get("custom"),
        env=given.get("env"),
        client=SimpleNamespace(**client) if isinstance(client, dict) else None,
    )


class Behaviour:
    """What a function does when it runs: made by a rule's methods."""

    def run(self, body: bytes | None, context: FakeContext) -> Outcome:
        """Run once."""
        raise NotImplementedError


@attrs.frozen
class Runs(Behaviour):
    """A handler of the test's own, ``handler(event)`` or ``handler(event, context)``."""

    handler: Callable[..., Any]

    def run(self, body: bytes | None, context: FakeContext) -> Outcome:
        """Call it; what it raises is the error document that awslambdaric makes of it."""
        event = decoded(body)
        arguments = [{} if event is NO_PAYLOAD else event]  # Lambda's event for no payload
        try:
            if takes_context(self.handler):
                arguments.append(context)
            payload = _marshalled(self.handler(*arguments))
        except _NotJsonError as error:
            return _failed(str(error), "Runtime.MarshalError", [], context)
        except SystemExit as error:
            return Exited(error.code if isinstance(error.code, int) else int(error.code is not None))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its function's error
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _ours(frame)]
            return _failed(str(error), type(error).__name__, traceback.format_list(frames), context)
        return Answered(payload, is_error=False, size=len(payload))


@attrs.frozen
class Returns(Behaviour):
    """A reply that was encoded when it was scripted."""

    payload: bytes = attrs.field(repr=False)

    def run(self, body: bytes | None, context: FakeContext) -> Outcome:  # noqa: ARG002 - it is scripted
        """The reply."""
        return Answered(self.payload, is_error=False, size=len(self.payload))


@attrs.frozen
class Raises(Behaviour):
    """An error document as Python's runtime sends it."""

    error_type: str
    message: str = attrs.field(repr=False)
    stack_trace: tuple[str, ...] = ()

    def run(self, body: bytes | None, context: FakeContext) -> Outcome:  # noqa: ARG002 - it is scripted
        """The error."""
        return _failed(self.message, self.error_type, list(self.stack_trace), context)


@attrs.frozen
class TimesOut(Behaviour):
    """The function runs into its own timeout; None: the one that it is registered with."""

    after: float | None

    def run(self, body: bytes | None, context: FakeContext) -> Outcome:  # noqa: ARG002 - it is scripted
        """The whole time passes."""
        begun = context.clock.now()
        seconds = context.deadline - begun if self.after is None else self.after
        context.clock.advance(seconds)
        return TimedOut(seconds)


@attrs.frozen
class Crashes(Behaviour):
    """The function's process ends; None: it was killed for its memory."""

    code: int | None

    def run(self, body: bytes | None, context: FakeContext) -> Outcome:  # noqa: ARG002 - it is scripted
        """How it ended."""
        return OutOfMemory() if self.code is None else Exited(self.code)


@attrs.frozen
class Execution:
    """One run that ended: Lambda's verdict, and how long it took on the fake's clock, in seconds."""

    verdict: Verdict
    duration: float


def execute(
    behaviour: Behaviour, body: bytes | None, context: FakeContext, *, takes: float, timeout: float
) -> Execution:
    """Run a function for ``takes`` seconds at least, and within its ``timeout``."""
    clock = context.clock
    begun = clock.now()
    outcome = behaviour.run(body, context)
    duration = max(clock.now() - begun, takes)
    if duration > timeout and not isinstance(outcome, TimedOut):
        duration, outcome = timeout, TimedOut(timeout)
    clock.set(begun + duration)
    return Execution(judge(outcome, context.aws_request_id), duration)


class _NotJsonError(Exception):
    """A handler returned what has no JSON form."""


def _marshalled(value: object) -> bytes:
    """As awslambdaric does: bytes as they are, Decimals as numbers."""
    if isinstance(value, bytes):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=_number).encode()
    except Exception as error:
        raise _NotJsonError(f"Unable to marshal response: {error}") from error


def _number(value: object) -> float | int:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _failed(message: str, error_type: str, stack_trace: list[str], context: FakeContext) -> Answered:
    document = {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": context.aws_request_id,
        "stackTrace": stack_trace,
    }
    payload = json.dumps(document).encode()
    context.logged.append(
        "\n".join(
            [f"[ERROR] {error_type}: {message}", "Traceback (most recent call last):", *stack_trace]
        ).rstrip()
    )
    return Answered(payload, is_error=True, size=len(payload))


def _ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename == __file__


def takes_context(handler: Callable[..., Any]) -> bool:
    """Whether a handler takes Lambda's two arguments, or the event alone."""
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # some builtins do not tell
        return False
    return True
