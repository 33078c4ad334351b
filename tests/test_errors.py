"""Every error class: whether it ran, pickled and copied whole, nothing secret in its text."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

import lambda_invoke as li
from lambda_invoke import errors
from lambda_invoke.events.redrive_report import RedriveEnd, RedriveReport
from lambda_invoke.fanout.report import CompletionReason, FanOutReport
from lambda_invoke.sources.report import BatchReport

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = "SECRET-MARKER"

ATTEMPT = li.Attempt("reports:prod", 1, 0.0, 0.5, "ConnectError", li.Executed.NO, delay=0.1)

REPORT: FanOutReport[Any] = FanOutReport((), CompletionReason.STOPPED, 1.0)
BATCH = BatchReport("reports:prod", li.SqsSource("arn:aws:sqs:us-east-1:123456789012:orders"), (), ())
REDRIVE = RedriveReport("https://queue/q", False, "journal", RedriveEnd.STOPPED, 1.0, 0, 0)

EXTRAS: dict[str, dict[str, Any]] = {
    "PayloadEncodingError": {"path": "$.a"},
    "PayloadTooLargeError": {"size_bytes": 7, "limit_bytes": 6},
    "PayloadDecodingError": {"path": "$.a", "payload": MARKER.encode()},
    "ThrottledError": {
        "code": "TooManyRequestsException",
        "status_code": 429,
        "reason": "r",
        "retry_after": 1.0,
    },
    "FanOutError": {"report": REPORT},
    "BatchError": {"report": BATCH},
    "BatchItemError": {"index": 3, "item_identifier": "a"},
    "RedriveError": {"report": REDRIVE},
    "EventDroppedError": {"condition": "EventAgeExceeded", "status_code": 429},
}

EXECUTED = {
    li.OutcomeUnknownError: li.Executed.UNKNOWN,
    li.ServiceFaultError: li.Executed.UNKNOWN,
    li.EventDroppedError: li.Executed.UNKNOWN,
    li.FunctionError: li.Executed.YES,
    li.PayloadDecodingError: li.Executed.YES,
    li.KeyOutcomeUnknownError: li.Executed.UNKNOWN,
    li.ResultNotStoredError: li.Executed.YES,
    li.BatchItemError: li.Executed.YES,
}

CLASSES = sorted(
    (
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, li.LambdaInvokeError)
    ),
    key=lambda kind: kind.__name__,
)


def make(kind: type[li.LambdaInvokeError]) -> li.LambdaInvokeError:
    """An error of the class with everything set."""
    extra = dict(EXTRAS.get(kind.__name__, {}))
    if issubclass(kind, li.FunctionError):
        extra = {
            "remote": li.RemoteError("Oops", "it broke", (li.StackFrame("f", file="a.py", line=3),)),
            "raw_payload": b"{}",
            "log": li.LogTail("START", "id", li.Report(duration=0.1)),
            "executed_version": "7",
        }
    elif issubclass(kind, li.ServiceError) and not extra:
        extra = {"code": "SomeException", "status_code": 400}
    error = kind("", function="reports:prod", request_id="id-1", attempts=(ATTEMPT,), **extra)
    error.__cause__ = ValueError("why")
    return error


def test_the_tree_in_the_docstring_names_every_class() -> None:
    """The tree that a reader sees is the tree there is, and all of it is public."""
    tree = errors.__doc__ or ""
    for kind in [*CLASSES, li.FanOutInterrupted, li.RedriveInterrupted]:
        assert kind.__name__ in tree
        assert getattr(li, kind.__name__) is kind


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_says_whether_it_ran(kind: type[li.LambdaInvokeError]) -> None:
    """As DESIGN's table; the tree in the docstring says the same."""
    expected = next((ran for base, ran in EXECUTED.items() if issubclass(kind, base)), li.Executed.NO)
    assert make(kind).executed is expected


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("how", ["pickle", "copy", "deepcopy"])
def test_every_error_pickles_and_copies_whole(kind: type[li.LambdaInvokeError], how: str) -> None:
    """Class, text, attributes, notes and cause survive."""
    error = make(kind)
    error.add_note("item 3")
    copies: dict[str, Callable[[], li.LambdaInvokeError]] = {
        "pickle": lambda: pickle.loads(pickle.dumps(error)),
        "copy": lambda: copy.copy(error),
        "deepcopy": lambda: copy.deepcopy(error),
    }
    again = copies[how]()
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.__dict__.keys() == error.__dict__.keys()
    assert (again.function, again.request_id, again.executed, again.attempts) == (
        "reports:prod",
        "id-1",
        error.executed,
        (ATTEMPT,),
    )
    assert again.__notes__ == ["item 3"]
    assert isinstance(again.__cause__, ValueError)
    assert str(again.__cause__) == "why"


def test_a_cause_that_cannot_be_pickled_is_described() -> None:
    """It does not keep the error from crossing a process boundary."""

    class Unpicklable(Exception):  # noqa: N818 - local on purpose: it cannot be found by pickle
        def __init__(self) -> None:
            super().__init__("held a lock")
            self.lock = threading.Lock()

    error = make(li.ConnectError)
    error.__cause__ = Unpicklable()
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again.__cause__, errors.UnpicklableCauseError)
    assert "held a lock" in str(again.__cause__)


def test_the_interrupt_pickles_with_its_report() -> None:
    """FanOutInterrupted is a KeyboardInterrupt, whole after pickling."""
    again = pickle.loads(pickle.dumps(li.FanOutInterrupted("stopped", REPORT)))
    assert isinstance(again, li.FanOutInterrupted)
    assert isinstance(again, KeyboardInterrupt)
    assert again.report.completion_reason is CompletionReason.STOPPED


def test_texts_read_well_and_hold_no_payload() -> None:
    """Function, what happened, whether it ran and the request id stand in one line."""
    assert (
        str(make(li.ThrottledError)) == "reports:prod: 429 TooManyRequestsException "
        "(reason: r, executed: no, request id: id-1)"
    )
    undecodable = make(li.PayloadDecodingError)
    assert isinstance(undecodable, li.PayloadDecodingError)
    assert undecodable.payload == MARKER.encode()
    assert MARKER not in str(undecodable) + repr(undecodable)
    text = str(make(li.HandlerError))
    assert text.splitlines() == [
        "reports:prod: Oops: it broke (executed: yes, request id: id-1)",
        "Remote stack:",
        '  File "a.py", line 3',
    ]


def test_results_keep_payloads_out_of_their_reprs() -> None:
    """An Invocation, an Outcome and the wire's values can be printed anywhere."""
    invocation = li.Invocation({"card": MARKER}, MARKER.encode(), "f")
    for value in (
        invocation,
        li.Outcome(0, "f", MARKER, invocation),
        li.Request("f", "f", payload=MARKER.encode(), client_context=MARKER),
        li.Reply(200, MARKER.encode(), log_result=MARKER),
        li.LogTail(MARKER),
    ):
        assert MARKER not in repr(value)
