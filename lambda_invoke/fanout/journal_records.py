"""Outcomes as plain fields, and back: nothing is pickled, and no request payload is kept.

A success keeps its reply as it came, and its value is decoded anew. An error keeps its class by name
and its public fields; the remote error of a function is read again from the reply. Of the history, the
last attempt is kept, whose ``number`` says how many there were: the history of a call of one attempt
comes back whole. Log tails, causes and notes are not kept.
"""

from __future__ import annotations

import json
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from lambda_invoke import errors
from lambda_invoke.core.function_errors import decode_function_error
from lambda_invoke.core.plan import worst
from lambda_invoke.errors import (
    AbandonedError,
    Executed,
    FunctionError,
    LambdaInvokeError,
    PayloadDecodingError,
)
from lambda_invoke.fanout.journal_state import Record
from lambda_invoke.results import Attempt, Invocation, Outcome, RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambda_invoke.fanout.journal_state import Known

T = TypeVar("T")

_OK_STATUS = 200
_BASIC = frozenset({"function", "request_id", "executed", "attempts"})
_REREAD = frozenset({"remote", "log", "raw_payload", "payload"})  # from the body, or not kept
_SCALARS = (str, int, float, bool, type(None))
_CLASSES: dict[str, type[LambdaInvokeError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, LambdaInvokeError)
}
_NO_CLASSES: Mapping[str, type[FunctionError]] = {}


def record_of(outcome: Outcome[Any], known: Known | None = None, *, store_results: bool = True) -> Record:
    """What is stored of an outcome.

    ``known`` is what earlier runs left of the item: what may have run then has not run less because a
    later send failed. Without ``store_results`` the replies are left out, of failures too.
    """
    last = outcome.attempts[-1] if outcome.attempts else None
    number, started, duration = (0, 0.0, 0.0) if last is None else (last.number, last.started, last.duration)
    invocation, error = outcome.invocation, outcome.error
    if invocation is not None:
        arn = invocation.durable_execution_arn
        return Record(
            ok=True,
            executed=Executed.YES,
            body=invocation.payload if store_results else None,
            request_id=_text(invocation.request_id),
            version=_text(invocation.executed_version),
            attempts=number,
            started=started,
            duration=duration,
            status_code=invocation.status_code,
            detail=None if arn is None else json.dumps({"arn": arn}),
        )
    assert error is not None
    past = () if known is None else (known.executed,)
    doubtful = any(attempt.executed is Executed.UNKNOWN for attempt in error.attempts)
    return Record(
        ok=False,
        executed=worst((error.executed, *past)),
        in_doubt=doubtful or error.executed is Executed.UNKNOWN or (known is not None and known.in_doubt),
        body=_reply(error) if store_results else None,
        request_id=_text(error.request_id),
        attempts=number,
        started=started,
        duration=duration,
        detail=json.dumps(_detail(error, last), separators=(",", ":")),
    )


def with_past(outcome: Outcome[T], known: Known | None) -> Outcome[T]:
    """The outcome of an item that was sent again; its error says what all runs together come to."""
    if outcome.error is not None and known is not None:
        outcome.error.executed = worst((outcome.error.executed, known.executed))
    return outcome


def outcome_of(
    known: Known,
    *,
    index: int,
    function: str,
    payload: Any,
    decode: Callable[[bytes], T],
    error_types: Mapping[str, type[FunctionError]] = _NO_CLASSES,
) -> Outcome[T]:
    """The outcome of an item that is not sent again, from what the journal knows.

    ``function`` is the target as the caller named it, ``payload`` what the caller gave. ``decode``
    makes the value of the reply; when it raises ``PayloadDecodingError``, that is the item's outcome,
    as it would be of a fresh reply. In turn a reply that could not be decoded when it came is decoded
    now, so a mended ``response`` type costs no second invocation. A success whose reply was not stored
    has the value None and the payload ``b""``.

    An error comes back in its class, with its message and ``executed``. A class of the caller's comes
    from ``error_types``; if it is not there, the library's class above it stands in. A class that this
    version does not know is a bare ``LambdaInvokeError`` which names it.
    """
    record = known.record
    if record is None:
        error: LambdaInvokeError = AbandonedError(
            "in flight when an earlier run ended; resend_unknown=True sends it again", function=function
        )
        return Outcome(index, function, payload, error=error)
    detail: dict[str, Any] = {} if record.detail is None else json.loads(record.detail)
    undecoded = detail.get("kind") == PayloadDecodingError.__name__ and record.body is not None
    if not record.ok and not undecoded:
        return Outcome(index, function, payload, error=_error(record, detail, function, error_types))
    try:
        value: Any = None if record.body is None else decode(record.body)
    except PayloadDecodingError as problem:
        problem.function = function
        problem.request_id = record.request_id
        problem.attempts = _history(record, detail, function, problem)
        return Outcome(index, function, payload, error=problem)
    invocation = Invocation(
        value,
        record.body or b"",
        function,
        _OK_STATUS if record.status_code is None else record.status_code,
        record.version,
        record.request_id,
        None,
        _history(record, detail, function, None),
        detail.get("arn"),
    )
    return Outcome(index, function, payload, invocation)


def _detail(error: LambdaInvokeError, last: Attempt | None) -> dict[str, Any]:
    cls = type(error)
    fields = {name: getattr(error, name, None) for name in _fields(cls)}
    detail: dict[str, Any] = {"kind": _name(cls), "message": error.message}
    if not all(isinstance(value, _SCALARS) for value in fields.values()):
        detail["whole"] = False
    elif fields:
        detail["fields"] = fields
    base = _library_class(cls)
    if base is not cls:
        detail["base"] = base.__name__
    if isinstance(error, FunctionError) and error.error_type is not None:
        detail["error_type"] = error.error_type
    if last is not None:
        detail["attempt"] = attrs.asdict(last, filter=_said, value_serializer=_plain)
    return detail


def _said(field: attrs.Attribute[Any], value: Any) -> bool:
    return field.name != "function" and value is not None


def _plain(_owner: object, _field: object, value: Any) -> Any:
    return value.value if isinstance(value, Executed) else value


def _error(
    record: Record,
    detail: Mapping[str, Any],
    function: str,
    error_types: Mapping[str, type[FunctionError]],
) -> LambdaInvokeError:
    cls = _class(detail, error_types)
    facts: dict[str, Any] = {
        "function": function,
        "request_id": record.request_id,
        "executed": record.executed,
    }
    if cls is None:
        named = f"{detail['kind']}: {detail['message']}" if detail["message"] else detail["kind"]
        error = LambdaInvokeError(named, **facts)
    else:
        names = _fields(cls)
        facts.update((name, value) for name, value in detail.get("fields", {}).items() if name in names)
        if issubclass(cls, FunctionError):
            facts["remote"] = _remote(record, detail)
            facts["raw_payload"] = record.body or b""
        elif issubclass(cls, PayloadDecodingError):
            facts["payload"] = record.body or b""
        error = cls(detail["message"], **facts)
    error.attempts = _history(record, detail, function, error)
    return error


def _remote(record: Record, detail: Mapping[str, Any]) -> RemoteError | None:
    if record.body is not None:
        return decode_function_error(record.body)
    return RemoteError(detail["error_type"]) if "error_type" in detail else None


def _history(
    record: Record, detail: Mapping[str, Any], function: str, error: LambdaInvokeError | None
) -> tuple[Attempt, ...]:
    """The last attempt alone; nothing of a call that had none."""
    if not record.attempts:
        return ()
    told = detail.get("attempt")
    if told is not None and error is not None:
        return (Attempt(function=function, **{**told, "executed": Executed(told["executed"])}),)
    return (
        Attempt(
            function=function,
            number=record.attempts,
            started=record.started,
            duration=record.duration,
            outcome="ok" if error is None else type(error).__name__,
            executed=Executed.YES,
            request_id=record.request_id,
            status_code=_OK_STATUS if record.status_code is None else record.status_code,
        ),
    )


def _class(
    detail: Mapping[str, Any], error_types: Mapping[str, type[FunctionError]]
) -> type[LambdaInvokeError] | None:
    """The class that an error is rebuilt in; None: there is none that its fields would fill."""
    if detail.get("whole") is False:
        return None
    for cls in error_types.values():
        if _name(cls) == detail["kind"]:
            return cls
    return _CLASSES.get(detail.get("base", detail["kind"]))


def _name(cls: type[LambdaInvokeError]) -> str:
    return cls.__name__ if _library_class(cls) is cls else f"{cls.__module__}.{cls.__qualname__}"


def _library_class(cls: type[LambdaInvokeError]) -> type[LambdaInvokeError]:
    return next(base for base in cls.__mro__ if _CLASSES.get(base.__name__) is base)


def _fields(cls: type[LambdaInvokeError]) -> set[str]:
    """What a class takes besides what all of them take, as its constructors say."""
    names: set[str] = set()
    for base in cls.__mro__:
        made = vars(base).get("__init__")
        if issubclass(base, LambdaInvokeError) and isinstance(made, FunctionType):
            code = made.__code__
            names.update(code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount])
    return names - _BASIC - _REREAD


def _reply(error: LambdaInvokeError) -> bytes | None:
    if isinstance(error, FunctionError):
        return error.raw_payload
    return error.payload if isinstance(error, PayloadDecodingError) else None


def _text(value: str | None) -> str | None:
    """Text that SQLite can hold: a header may bring lone surrogates."""
    return value if value is None or value.isascii() else value.encode("utf-8", "replace").decode()
