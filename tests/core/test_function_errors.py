"""Error documents of every runtime, read and typed by cause."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any, Self

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.core.function_errors import (
    MAX_CAUSES,
    build_function_error,
    check_error_types,
    decode_function_error,
)
from lambda_invoke.errors import (
    Executed,
    FunctionError,
    FunctionExitError,
    FunctionInitError,
    FunctionOutOfMemoryError,
    FunctionResponseError,
    FunctionTimeoutError,
    HandlerError,
)
from lambda_invoke.results import LogTail, RemoteError, Report, StackFrame

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def built(payload: object, **options: Any) -> FunctionError:
    """The error for a document (or for bytes, as they are)."""
    facts: dict[str, Any] = {
        "function": "reports:prod",
        "function_error": "Unhandled",
        "request_id": ID,
        "log": None,
        "executed_version": "7",
    }
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return build_function_error(payload=data, **{**facts, **options})


def document(kind: str | None, message: str | None, **more: Any) -> dict[str, Any]:
    """An error document with a type and a message."""
    return {"errorType": kind, "errorMessage": message, **more}


def said(message: str) -> dict[str, Any]:
    """An error document with a message alone."""
    return {"errorMessage": message}


NODE = ["E: x", "    at f (a.js:1:2)"]
JAVA = ["a.B.c(B.java:1)"]


@pytest.mark.parametrize(
    ("payload", "kind", "message"),
    [
        (b"", None, None),
        (b"null", None, None),
        (b'""', None, None),
        (b'"boom"', None, "boom"),
        (b"[1, 2]", None, "[1, 2]"),
        (b"17", None, "17"),
        (b"{}", None, "{}"),
        (b'{"message": "boom"}', None, '{"message": "boom"}'),
        (b"<html>boom", None, "<html>boom"),
        (b"caf\xe9", None, "caf\ufffd"),
        (b'\xef\xbb\xbf{"errorMessage": "x"}', None, "x"),
        (b'{"errorMessage": "x"}', None, "x"),
        (b'{"errorMessage": "x", "errorType": null}', None, "x"),
        (b'{"errorMessage": "", "errorType": ""}', None, ""),
        (b'{"errorType": "E"}', "E", None),
        (b'{"errorMessage": {"a": 1}, "errorType": 4}', "4", '{"a": 1}'),
        (b'{"errorMessage": ' + b"9" * 5_000 + b"}", None, "9" * 5_000),
        (b"[" * 100_000, None, "[" * 100_000),
    ],
)
def test_type_and_message_of_any_shape(payload: bytes, kind: str | None, message: str | None) -> None:
    """What is no error document is its own message, and absent members are None."""
    remote = decode_function_error(payload)
    assert (remote.error_type, remote.error_message) == (kind, message)


def decoded(value: object) -> RemoteError:
    """A document, decoded."""
    return decode_function_error(json.dumps(value).encode())


def test_causes_are_followed() -> None:
    """Nested causes of Java and .NET become a chain; an AggregateException gives its first cause."""
    inner = document("C", "c", stackTrace=["at X.Y()"])
    deepest = RemoteError("C", "c", (StackFrame("at X.Y()", function="X.Y()"),))
    nested = decoded(document("A", "a", cause=document("B", "b", cause=inner)))
    assert nested.cause_error == RemoteError("B", "b", (), deepest)
    assert decoded(document("A", "a", cause=None, causes=[inner, said("d")])).cause_error == deepest
    assert decoded(document("A", "a", cause="because")).cause_error == RemoteError(None, "because")


@pytest.mark.parametrize("depth", [MAX_CAUSES, 200, 100_000])
def test_deep_causes_are_bounded(depth: int) -> None:
    """However deep the causes are nested, the chain is bounded, and prints, compares and pickles."""
    payload = b'{"errorType":"E","cause":' * depth + b"{}" + b"}" * depth
    remote = decode_function_error(payload)
    count, link = 0, remote
    while link.cause_error is not None:
        count, link = count + 1, link.cause_error
    assert count <= MAX_CAUSES
    assert pickle.loads(pickle.dumps(remote)) == remote
    assert isinstance(remote.format_stack(), str)


def test_no_depth_of_nesting_is_too_deep() -> None:
    """JSON nested to just about what the interpreter can read is read, or taken as text; never an error."""
    for depth in (*range(900, 1_000), 20_000, 100_000):
        nested = b"[" * depth + b"]" * depth
        for payload in (nested, b'{"errorMessage":' + nested + b',"stackTrace":[[' + nested + b"]]}"):
            assert decode_function_error(payload).error_message
    assert decode_function_error(nested).error_message == nested.decode()


STACK = ['  File "/var/task/a.py", line 7, in handler\n    raise Oops()\n']
TIMED_OUT = "Task timed out after 3.00 seconds"
PLATFORM_TIMED_OUT = f"RequestId: {ID} Error: {TIMED_OUT}"
OTHER_TIMED_OUT = f"RequestId: {OTHER_ID} Error: {TIMED_OUT}"
EXITED = f"RequestId: {ID} Error: Runtime exited with error:"

PLATFORM_S: list[tuple[str, dict[str, Any], type[FunctionError]]] = [
    ("timeout", document("Sandbox.Timedout", PLATFORM_TIMED_OUT), FunctionTimeoutError),
    ("timeout, old spelling", document("Sandbox.Timeout", "x"), FunctionTimeoutError),
    ("timeout, untyped", said(f"2024-02-27T11:31:11.456Z {ID} {TIMED_OUT}"), FunctionTimeoutError),
    ("timeout, untyped, newer", said(PLATFORM_TIMED_OUT), FunctionTimeoutError),
    ("killed", document("Runtime.ExitError", f"{EXITED} signal: killed"), FunctionOutOfMemoryError),
    ("killed, untyped", said(f"{EXITED} signal: killed"), FunctionOutOfMemoryError),
    ("out of memory", document("Runtime.OutOfMemory", "x"), FunctionOutOfMemoryError),
    ("exit", document("Runtime.ExitError", f"{EXITED} exit status 1"), FunctionExitError),
    ("segfault", document("Runtime.ExitError", f"{EXITED} signal: segmentation fault"), FunctionExitError),
    ("exit, untyped", said(f"{EXITED} exit status 1"), FunctionExitError),
    ("exit, 2016", said(f"RequestId: {ID} Process exited before completing request"), FunctionExitError),
    ("extension crash", document("Extension.Crash", "x"), FunctionExitError),
    ("extension launch", document("Extension.LaunchError", "x"), FunctionInitError),
    ("entrypoint", document("Runtime.InvalidEntrypoint", "x"), FunctionInitError),
    ("too large", document("Function.ResponseSizeTooLarge", "Response payload size"), FunctionResponseError),
    ("nobody listed", document("Runtime.SomethingNew", "x"), FunctionError),
    ("sandbox failure", document("Sandbox.Failure", "x"), FunctionError),
]

RUNTIME_S: list[tuple[str, dict[str, Any], type[FunctionError]]] = [
    ("import", document("Runtime.ImportModuleError", "x", stackTrace=STACK), FunctionInitError),
    ("no handler", document("Runtime.HandlerNotFound", "x", stackTrace=[]), FunctionInitError),
    ("syntax", document("Runtime.UserCodeSyntaxError", "x", requestId=""), FunctionInitError),
    ("event not JSON", document("Runtime.UnmarshalError", "x", requestId=ID), FunctionInitError),
    ("Python module", document("ValueError", "x", requestId="", stackTrace=STACK), FunctionInitError),
    ("Ruby file", document("Init<NameError>", "x", stackTrace=["/a.rb:1:in `x'"]), FunctionInitError),
    ("Java class", document("java.lang.ClassNotFoundException", "Class not found: a.B"), FunctionInitError),
    (".NET", document("LambdaException", "Invalid lambda function handler: 'x'."), FunctionInitError),
    ("not serialisable", document("Runtime.MarshalError", "x", stackTrace=[]), FunctionResponseError),
    ("rejection", document("Runtime.UnhandledPromiseRejection", "x", trace=NODE), HandlerError),
]

HANDLER_S: list[tuple[str, dict[str, Any] | bytes, type[FunctionError]]] = [
    ("plain", document("ValueError", "bad", stackTrace=STACK), HandlerError),
    ("nothing at all", b"", HandlerError),
    ("not JSON", b"boom", HandlerError),
    ("a message alone", said("boom"), HandlerError),
    ("own throttle", document("TooManyRequestsException", "Rate exceeded", stackTrace=STACK), HandlerError),
    ("own timeout type", document("TimeoutError", TIMED_OUT, requestId=ID), HandlerError),
    ("own timeout text", document("RuntimeError", PLATFORM_TIMED_OUT, stackTrace=STACK), HandlerError),
    ("Go's own timeout text", document("errorString", PLATFORM_TIMED_OUT), HandlerError),
    ("a longer sentence", said(f"failed: {PLATFORM_TIMED_OUT}"), HandlerError),
    ("another's timeout", said(OTHER_TIMED_OUT), HandlerError),
    ("platform's type, stack", document("Sandbox.Timedout", "x", trace=NODE), HandlerError),
    ("platform's type, cause", document("Runtime.ExitError", "x", cause=said("e")), HandlerError),
    ("untyped with a stack", {**said(PLATFORM_TIMED_OUT), "stackTrace": STACK}, HandlerError),
    ("own memory error", document("MemoryError", "", stackTrace=STACK), HandlerError),
    ("own Java memory error", document("java.lang.OutOfMemoryError", "x", stackTrace=JAVA), HandlerError),
    ("own Java class", document("java.lang.X", "Class not found: a.B", stackTrace=JAVA), HandlerError),
    ("Go's own class", document("errorString", "Class not found: a.B"), HandlerError),
    ("lower case", document("runtime.exiterror", "x"), HandlerError),
]

CLASSES = [*PLATFORM_S, *RUNTIME_S, *HANDLER_S]


@pytest.mark.parametrize(
    ("payload", "error"), [case[1:] for case in CLASSES], ids=[case[0] for case in CLASSES]
)
def test_the_class_says_the_cause(payload: object, error: type[FunctionError]) -> None:
    """Only Lambda's own evidence makes it Lambda's error; everything else is the handler's."""
    made = built(payload)
    assert type(made) is error
    assert made.executed is Executed.YES


def test_an_untyped_sentence_counts_when_the_request_is_not_known() -> None:
    """Without a request id to compare with, the platform's exact sentence is evidence enough."""
    payload = {"errorMessage": f"RequestId: {OTHER_ID} Error: Task timed out after 3.00 seconds"}
    assert type(built(payload, request_id=None)) is FunctionTimeoutError


@pytest.mark.parametrize(
    ("report", "error"),
    [
        (Report(request_id=ID, status="error", error_type="Runtime.OutOfMemory"), FunctionOutOfMemoryError),
        (Report(request_id=ID, status="error", error_type="Runtime.ExitError"), FunctionExitError),
        (Report(request_id=ID), FunctionExitError),
        (None, FunctionExitError),
    ],
)
def test_the_report_tells_out_of_memory_from_an_exit(
    report: Report | None, error: type[FunctionError]
) -> None:
    """A runtime that ran out of memory and exited by itself is known by its REPORT alone."""
    message = f"RequestId: {ID} Error: Runtime exited with error: exit status 1"
    log = LogTail("", request_id=ID, report=report)
    assert type(built(document("Runtime.ExitError", message), log=log)) is error
    assert type(built(document("ValueError", "x", stackTrace=STACK), log=log)) is HandlerError


def test_the_error_carries_everything() -> None:
    """Every fact of the reply stands on the error; nothing is built on the header's value."""
    log = LogTail("END", request_id=ID)
    payload = json.dumps(document("E", "m", stackTrace=STACK, cause=document("C", "c"))).encode()
    made = built(payload, log=log, function_error="Handled")
    assert (made.error_type, made.error_message, made.function) == ("E", "m", "reports:prod")
    assert (made.request_id, made.executed_version, made.function_error) == (ID, "7", "Handled")
    assert made.raw_payload == payload
    assert made.log is log
    assert made.cause_error == RemoteError("C", "c")
    assert made.stack_trace[0].line == 7
    assert str(made).endswith(
        'Remote stack:\n  File "/var/task/a.py", line 7, in handler\n    raise Oops()\nCaused by: C: c'
    )


def test_redaction_hides_the_remote_text() -> None:
    """With ``redact``, message and stack are in neither ``str`` nor ``repr``; the type is."""
    made = built(document("E", "SECRET", stackTrace=['  File "SECRET", line 1, in f\n']), redact=True)
    for shown in (str(made), repr(made)):
        assert "SECRET" not in shown
        assert "E" in shown
    assert made.error_message == "SECRET"


class CardRefusedError(HandlerError):
    """A caller's class, with a property of its own."""

    @property
    def card(self) -> str:
        return (self.error_message or "").partition(" ")[0]


class MissingError(FunctionError, KeyError):
    """A caller's class with a builtin exception among its bases."""


class WithInitError(HandlerError):
    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class WithNewError(HandlerError):
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        return super().__new__(cls, *args, **kwargs)


class BuiltinFirstError(KeyError, HandlerError):
    pass


@attrs.define
class AttrsMadeError(HandlerError):
    card: str = ""


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("CardRefusedError", CardRefusedError),
        ("com.shop.CardRefusedError", CardRefusedError),
        ("com.shop.Card$CardRefusedError", CardRefusedError),
        ("shop::errors::CardRefusedError", CardRefusedError),
        ("Function<Shop::CardRefusedError>", CardRefusedError),
        ("com.shop.Exact", MissingError),
        ("other.Exact", HandlerError),
        ("CardRefusedError.", HandlerError),
        ("NotCardRefusedError", HandlerError),
        ("Function<KeyError>", MissingError),
    ],
)
def test_a_remote_type_is_raised_as_the_caller_s_class(kind: str, raised: type[FunctionError]) -> None:
    """The full name counts first, then the name without package, module or enclosing class."""
    types = check_error_types(
        {"CardRefusedError": CardRefusedError, "com.shop.Exact": MissingError, "KeyError": MissingError}
    )
    made = built(document(kind, "4111 refused"), error_types=types)
    assert type(made) is raised
    assert made.error_message == "4111 refused"
    if isinstance(made, CardRefusedError):
        assert made.card == "4111"


def test_the_platform_s_types_are_mapped_by_their_full_name_only() -> None:
    """``Timedout`` does not catch Lambda's own ``Sandbox.Timedout``; the full name does."""
    payload = document("Sandbox.Timedout", "x")
    assert type(built(payload, error_types={"Timedout": CardRefusedError})) is FunctionTimeoutError
    assert type(built(payload, error_types={"Sandbox.Timedout": CardRefusedError})) is CardRefusedError


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"A": ValueError}, "error_types['A']"),
        ({"A": "CardRefusedError"}, "error_types['A']"),
        (
            {"A": CardRefusedError, "B": WithInitError},
            "error_types['B']: WithInitError must not override __init__",
        ),
        ({"A": WithNewError}, "error_types['A']: WithNewError must not override __new__"),
        ({"A": BuiltinFirstError}, "error_types['A']: BuiltinFirstError must not override __init__"),
        ({"A": AttrsMadeError}, "error_types['A']: AttrsMadeError must not override __init__"),
        ({"": CardRefusedError}, "error_types['']"),
        ({7: CardRefusedError}, "error_types[7]"),
    ],
)
def test_unfit_classes_are_refused_by_name(entries: dict[Any, Any], says: str) -> None:
    """Registration raises TypeError that names the entry, so no error is lost while one is handled."""
    with pytest.raises(TypeError) as raised:
        check_error_types(entries)
    assert says in str(raised.value)


def test_the_checked_mapping_is_a_copy() -> None:
    """What the caller does to the mapping afterwards changes nothing."""
    entries: dict[str, type[FunctionError]] = {"A": CardRefusedError}
    checked = check_error_types(entries)
    entries.clear()
    assert checked == {"A": CardRefusedError}


@pytest.mark.parametrize("cls", [HandlerError, CardRefusedError, MissingError])
def test_built_errors_pickle_and_copy_whole(cls: type[FunctionError]) -> None:
    """A built error survives pickling and copying, of the caller's class too, cause included."""
    made = built(document("E", "m", stackTrace=STACK, cause=document("C", "c")), error_types={"E": cls})
    made.__cause__ = ValueError("why")
    for twin in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert type(twin) is cls
        assert str(twin) == str(made)
        assert vars(twin) == vars(made)
        assert str(twin.__cause__) == "why"


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)
_LINE = st.text() | st.sampled_from(
    [
        'File "a", line 1, in f',
        "at f (a:1:2)",
        "at f in a:line 3",
        "a:1:in `f'",
        "at :line ",
        ":1",
        "at (",
        "()",
    ]
)
_DOCUMENTS = st.recursive(
    _JSON,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "errorType": st.text()
            | st.sampled_from(["Runtime.ExitError", "Sandbox.Timedout", "a.b$C"])
            | _JSON,
            "errorMessage": _JSON,
            "requestId": st.text(max_size=2),
            "stackTrace": st.lists(_LINE | inner) | _JSON,
            "trace": st.lists(_LINE | inner) | _JSON,
            "cause": inner,
            "causes": st.lists(inner, max_size=2),
        },
    ),
    max_leaves=10,
)


@given(
    payload=st.binary() | st.text().map(str.encode) | _DOCUMENTS.map(lambda value: json.dumps(value).encode())
)
def test_any_payload_becomes_an_error(payload: bytes) -> None:
    """No bytes and no JSON make the decoder raise; what it makes prints and pickles."""
    made = built(payload, error_types={"C": CardRefusedError})
    assert made.raw_payload == payload
    twin = pickle.loads(pickle.dumps(made))
    assert type(twin) is type(made)
    assert str(twin) == str(made)
