"""A function's error document, from any runtime, as a typed error.

Decoding never raises: whatever the bytes are, something can be said about them. Which class the error
gets depends on who wrote the document, see :func:`error_class`.
"""

from __future__ import annotations

import json
import re
from types import BuiltinMethodType, MappingProxyType
from typing import TYPE_CHECKING, Any

from lambda_invoke.core.remote_stack import decode_stack
from lambda_invoke.errors import (
    FunctionError,
    FunctionExitError,
    FunctionInitError,
    FunctionOutOfMemoryError,
    FunctionResponseError,
    FunctionTimeoutError,
    HandlerError,
)
from lambda_invoke.results import RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_invoke.results import LogTail

MAX_CAUSES = 32
"""Causes kept of a chain. The runtimes cut it off far earlier; this bounds what a function may send."""

# Error types that the platform alone gives: the names in AWS's open runtime API server, of the
# runtime's process, its extensions and its sandbox. Its documents have no stack.
_PLATFORM_TYPES: dict[str, type[FunctionError]] = {
    "Sandbox.Timedout": FunctionTimeoutError,
    "Sandbox.Timeout": FunctionTimeoutError,
    "Sandbox.TimeoutResponseTrailer": FunctionTimeoutError,
    "Runtime.InvokeTimeout": FunctionTimeoutError,
    "Runtime.OutOfMemory": FunctionOutOfMemoryError,
    "Runtime.ExitError": FunctionExitError,
    "Extension.Crash": FunctionExitError,
    "Extension.ExitError": FunctionExitError,
    "Extension.InitError": FunctionInitError,
    "Extension.LaunchError": FunctionInitError,
    "Runtime.InitError": FunctionInitError,
    "Runtime.InvalidEntrypoint": FunctionInitError,
    "Runtime.InvalidTaskConfig": FunctionInitError,
    "Runtime.InvalidWorkingDir": FunctionInitError,
    "Function.ResponseSizeTooLarge": FunctionResponseError,
    "Runtime.TruncatedResponse": FunctionResponseError,
    "Runtime.InvalidResponseModeHeader": FunctionResponseError,
}

# Error types that AWS's runtime clients give, with or without a stack (of their own, or of the import
# that failed). UnmarshalError and its like: the event could not be handed to the handler.
_RUNTIME_TYPES: dict[str, type[FunctionError]] = {
    "Runtime.ImportModuleError": FunctionInitError,
    "Runtime.HandlerNotFound": FunctionInitError,
    "Runtime.UserCodeSyntaxError": FunctionInitError,
    "Runtime.MalformedHandlerName": FunctionInitError,
    "Runtime.MalformedStreamingHandler": FunctionInitError,
    "Runtime.BuiltInModuleConflict": FunctionInitError,
    "Runtime.BeforeSnapshotError": FunctionInitError,
    "Runtime.AfterRestoreError": FunctionInitError,
    "Runtime.UnmarshalError": FunctionInitError,
    "Runtime.LambdaContextUnmarshalError": FunctionInitError,
    "Runtime.MarshalError": FunctionResponseError,
    "Runtime.UnhandledPromiseRejection": HandlerError,
    "LambdaValidationException": FunctionInitError,
}

# How Java's and .NET's runtimes say that there is no such handler: under these types, without a stack,
# which they never leave out for what a handler throws.
_NO_SUCH_HANDLER = (
    ("java.", ("Class not found: ", "Error loading class ")),
    ("LambdaException", ("Invalid lambda function handler: ",)),
)

_OWN_NAMESPACE = re.compile(r"(?:Runtime|Function|Sandbox|Extension)\.[A-Z][A-Za-z]*")
# Before it had error types the platform wrote a sentence alone, and sometimes it still does.
_UNTYPED = re.compile(
    r"(?:RequestId: |[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z )(?P<request_id>[\w-]{1,64})(?: Error:)? (?:"
    r"(?P<timeout>Task timed out after [0-9.]+ seconds)"
    r"|(?P<memory>Runtime exited with error: signal: killed)"
    r"|(?P<exit>Process exited before completing request|Runtime exited .*))"
)
_KILLED = "Runtime exited with error: signal: killed"
_RUBY_TYPE = re.compile(r"(Function|Init|Runtime)<(.*)>")
_SEPARATOR = re.compile(r"[.$:]")

NO_ERROR_TYPES: Mapping[str, type[FunctionError]] = MappingProxyType({})


def decode_function_error(payload: bytes) -> RemoteError:
    """The error that a function's error document describes. Never raises.

    Reads what Python, Node, Java, .NET, Go, Ruby, Rust and custom runtimes send. For what is not such
    a document, the message is its text, leniently decoded, and ``error_type`` is None; ``null`` and no
    bytes at all give neither. At most :data:`MAX_CAUSES` causes are kept.
    """
    return _remote(_parse(payload))


def error_class(
    remote: RemoteError,
    *,
    initialising: bool = False,
    request_id: str | None = None,
    log: LogTail | None = None,
) -> type[FunctionError]:
    """The class of a function's error, by cause.

    A handler may raise an error of any name with any text, so a name or a sentence of Lambda's own
    counts only where no handler could have written it: the platform's types where there is no stack
    and no cause; the platform's sentences where they are the whole message, without a type, and speak
    of this request; the runtime clients' types. Everything else is the handler's: "TimeoutError",
    "TooManyRequestsException", a "Task timed out" that it raised itself. A type in Lambda's own
    namespaces that nobody listed is a bare :class:`~lambda_invoke.FunctionError`.

    "signal: killed" is taken for out of memory, since Lambda kills a runtime for that and for its
    timeout, which it reports as such. A runtime may also run out of memory and exit by itself: that
    is a FunctionOutOfMemoryError only if ``log``'s report of this request says so.

    Args:
        remote: the decoded document.
        initialising: the document says that it belongs to no request, as Python's runtime does when
            the module fails while it is loaded.
        request_id: of this invocation, if known.
        log: the log tail of this invocation, if it was asked for.
    """
    kind, message = remote.error_type, remote.error_message or ""
    bare = not remote.stack_trace and remote.cause_error is None
    if kind is None:
        return _untyped_class(message, request_id) if bare else HandlerError
    if kind in _RUNTIME_TYPES:
        return _RUNTIME_TYPES[kind]
    if bare and kind == "Runtime.ExitError":
        report = log.report if log else None
        out_of_memory = report is not None and report.error_type == "Runtime.OutOfMemory"
        return FunctionOutOfMemoryError if out_of_memory or message.endswith(_KILLED) else FunctionExitError
    if bare and _OWN_NAMESPACE.fullmatch(kind):
        return _PLATFORM_TYPES.get(kind, FunctionError)
    if initialising or kind.startswith("Init<") or (bare and _is_no_such_handler(kind, message)):
        return FunctionInitError
    return HandlerError


def build_function_error(
    *,
    function: str,
    payload: bytes,
    function_error: str,
    request_id: str | None,
    log: LogTail | None,
    executed_version: str | None,
    error_types: Mapping[str, type[FunctionError]] = NO_ERROR_TYPES,
    redact: bool = False,
) -> FunctionError:
    """The error for a reply that carries ``X-Amz-Function-Error``.

    Args:
        function: the target as the caller named it.
        payload: the reply's bytes.
        function_error: the header's value; nothing is built on it but that it is there.
        request_id: of this invocation.
        log: the log tail, if it was asked for.
        executed_version: the version that ran.
        error_types: remote types and the classes to raise for them, as :func:`check_error_types`
            returned them. The full name counts first; for what a handler raised, then the name
            without its package, module or enclosing class ("Refused" for "com.shop.Card$Refused",
            "shop::Refused" and Ruby's "Function<Shop::Refused>").
        redact: leave the remote message and stack out of ``str`` and ``repr``.
    """
    document = _parse(payload)
    remote = _remote(document)
    initialising = isinstance(document, dict) and document.get("requestId") == ""
    cls = error_class(remote, initialising=initialising, request_id=request_id, log=log)
    return _caller_class(cls, remote.error_type, error_types)(
        function=function,
        request_id=request_id,
        remote=remote,
        raw_payload=payload,
        log=log,
        function_error=function_error,
        executed_version=executed_version,
        redacted=redact,
    )


def check_error_types(mapping: Mapping[str, type[FunctionError]]) -> dict[str, type[FunctionError]]:
    """A copy of a mapping from remote types to local classes, once it is found fit.

    The classes are made by this library with what the service sent, so they cannot have an
    ``__init__`` or ``__new__`` of their own; properties and methods they can.

    Raises:
        TypeError: a key is not a name, or a value is not a subclass of FunctionError, or it overrides
            ``__init__`` or ``__new__``. The message names the entry.
    """
    entries: Mapping[Any, Any] = mapping  # which it may not be: the caller need not use a type checker
    for name, cls in entries.items():
        entry = f"error_types[{name!r}]"
        if not isinstance(name, str) or not name:
            raise TypeError(f"{entry}: a remote error type is a non-empty str")
        if not isinstance(cls, type) or not issubclass(cls, FunctionError):
            raise TypeError(f"{entry} is {cls!r}, which is not a subclass of FunctionError")
        if cls.__init__ is not FunctionError.__init__:
            raise TypeError(f"{entry}: {cls.__qualname__} must not override __init__")
        # A builtin exception among the bases brings a __new__ that takes anything.
        if not isinstance(cls.__new__, BuiltinMethodType):
            raise TypeError(f"{entry}: {cls.__qualname__} must not override __new__")
    return dict(mapping)


def _caller_class(
    cls: type[FunctionError], kind: str | None, error_types: Mapping[str, type[FunctionError]]
) -> type[FunctionError]:
    if kind is None or not error_types:
        return cls
    if kind in error_types or cls is not HandlerError:
        return error_types.get(kind, cls)
    ruby = _RUBY_TYPE.fullmatch(kind)
    return error_types.get(_SEPARATOR.split(ruby[2] if ruby else kind)[-1], cls)


def _is_no_such_handler(kind: str, message: str) -> bool:
    return any(kind.startswith(types) and message.startswith(texts) for types, texts in _NO_SUCH_HANDLER)


def _untyped_class(message: str, request_id: str | None) -> type[FunctionError]:
    found = _UNTYPED.fullmatch(message)
    if found is None or (request_id and found["request_id"] != request_id):
        return HandlerError
    if found["timeout"]:
        return FunctionTimeoutError
    return FunctionOutOfMemoryError if found["memory"] else FunctionExitError


def _parse(payload: bytes) -> dict[str, Any] | str | None:
    """The JSON object, string or null; for everything else the payload as text."""
    text = payload.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        document = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return text
    return document if document is None or isinstance(document, (dict, str)) else text


def _integer(digits: str) -> int | str:
    # Python refuses to read integers of more than 4,300 digits.
    return int(digits) if len(digits) < 1_000 else digits  # noqa: PLR2004


def _remote(document: dict[str, Any] | str | None) -> RemoteError:
    chain = [document]
    while len(chain) <= MAX_CAUSES and (cause := _cause(chain[-1])) is not None:
        chain.append(cause)
    remote: RemoteError | None = None
    for link in reversed(chain):
        remote = _link(link, remote)
    assert remote is not None
    return remote


def _link(document: dict[str, Any] | str | None, cause: RemoteError | None) -> RemoteError:
    if not isinstance(document, dict):
        return RemoteError(error_message=document or None)
    kind, message = document.get("errorType"), document.get("errorMessage")
    stack = decode_stack(document)
    if kind is None and message is None and not stack and cause is None:
        return RemoteError(error_message=_text(document))
    return RemoteError(_text(kind) or None, _text(message), stack, cause)


def _cause(document: dict[str, Any] | str | None) -> dict[str, Any] | str | None:
    """``cause`` (Java, .NET), or the first of an AggregateException's ``causes`` (.NET)."""
    if not isinstance(document, dict):
        return None
    causes = document.get("causes")
    first = causes[0] if isinstance(causes, list) and causes else None
    cause = document.get("cause") or first
    return cause if isinstance(cause, (dict, str)) and cause else None


def _text(value: Any) -> str | None:
    """A str as it is; anything else as JSON, for a message ought to be text."""
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "..."
