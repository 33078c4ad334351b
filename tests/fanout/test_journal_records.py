"""Keys, decisions and records of a journal: tables and round trips, without a file."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lambda_invoke as li
from lambda_invoke import Executed, errors
from lambda_invoke.core.codec import decode_payload
from lambda_invoke.core.function_errors import build_function_error
from lambda_invoke.fanout.journal_records import outcome_of, record_of, with_past
from lambda_invoke.fanout.journal_state import (
    Counts,
    Decision,
    Known,
    Record,
    caller_key,
    decide,
    item_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

NO, YES, UNKNOWN = Executed.NO, Executed.YES, Executed.UNKNOWN
SEND, KEEP = Decision.SEND, Decision.KEEP

REPLY = b'{"errorType":"CardRefused","errorMessage":"no money","stackTrace":["  File \\"a.py\\", line 3"]}'

CLASSES = sorted(
    (
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, li.LambdaInvokeError)
    ),
    key=lambda kind: kind.__name__,
)

EXTRAS: dict[str, dict[str, Any]] = {
    "PayloadEncodingError": {"path": "$.a"},
    "PayloadTooLargeError": {"size_bytes": 7, "limit_bytes": 6},
    "PayloadDecodingError": {"path": "$", "payload": b"[1"},
    "ThrottledError": {"code": "TooMany", "status_code": 429, "reason": "r", "retry_after": 1.5},
}


class CardRefusedError(li.HandlerError):
    """A caller's class for a remote type."""


def attempt(number: int = 1, **changes: Any) -> li.Attempt:
    """An attempt with odd figures."""
    return attrs.evolve(li.Attempt("f:prod", number, 0.1 + 0.2, 1 / 3, "ok", YES, "id-1", 200), **changes)


def make(kind: type[li.LambdaInvokeError]) -> li.LambdaInvokeError:
    """An error of the class with everything set."""
    extra = dict(EXTRAS.get(kind.__name__, {}))
    if issubclass(kind, li.FunctionError):
        made = build_function_error(
            function="f:prod",
            payload=REPLY,
            function_error="Handled",
            request_id=None,
            log=None,
            executed_version="7",
        )
        extra = {
            name: getattr(made, name)
            for name in ("remote", "raw_payload", "function_error", "executed_version")
        }
    elif issubclass(kind, li.ServiceError) and not extra:
        extra = {"code": "SomeException", "status_code": 400}
    elif kind is li.FanOutError:
        extra = {"report": object()}
    last = attempt(outcome=kind.__name__, executed=kind.default_executed, code="Some", reason="r", delay=2.5)
    message = "what happened"
    if kind is li.PayloadDecodingError:  # it is decoded once more
        message = "the reply is not JSON: Expecting ',' delimiter, at byte 2"
    return kind(message, function="f:prod", request_id="id-1", attempts=(last,), **extra)


def again(
    record: Record,
    error_types: Mapping[str, type[li.FunctionError]] | None = None,
    response: Any = None,
) -> li.Outcome[Any]:
    """What is made of a record in a later run."""
    return outcome_of(
        Known(record),
        index=4,
        function="f:prod",
        payload={"n": 1},
        decode=lambda raw: decode_payload(raw, response),
        error_types=error_types or {},
    )


def failed(error: li.LambdaInvokeError) -> li.Outcome[Any]:
    """The outcome of an item that failed so."""
    return li.Outcome(4, "f:prod", {"n": 1}, error=error)


@pytest.mark.parametrize(
    ("known", "plain", "idempotent", "resend_unknown", "retry_failed"),
    [
        (None, SEND, SEND, SEND, SEND),
        (Known(Record(ok=True, executed=YES)), KEEP, KEEP, KEEP, KEEP),
        (Known(), KEEP, SEND, SEND, KEEP),
        (Known(Record(ok=False, executed=UNKNOWN, in_doubt=True)), KEEP, SEND, SEND, KEEP),
        (Known(Record(ok=False, executed=YES)), KEEP, KEEP, KEEP, SEND),
        (Known(Record(ok=False, executed=YES, in_doubt=True)), KEEP, SEND, SEND, KEEP),
        (Known(Record(ok=False, executed=NO)), SEND, SEND, SEND, SEND),
    ],
    ids=["new", "succeeded", "in flight", "unknown", "ran", "ran once, unknown once", "never ran"],
)
def test_the_decision_table(
    known: Known | None,
    plain: Decision,
    idempotent: Decision,
    resend_unknown: Decision,
    retry_failed: Decision,
) -> None:
    """A success is never sent again; what may have run only if that does no harm or is asked for."""
    assert decide(known) is plain
    assert decide(known, idempotent=True) is idempotent
    assert decide(known, resend_unknown=True) is resend_unknown
    assert decide(known, retry_failed=True) is retry_failed


def test_an_item_that_was_never_finished_is_unknown() -> None:
    """It was in flight when its run died; the outcome says so and how it is sent again."""
    known = Known()
    assert (known.ok, known.executed, known.in_doubt) == (False, UNKNOWN, True)
    outcome = outcome_of(known, index=3, function="f", payload="p", decode=decode_payload)
    assert isinstance(outcome.error, li.AbandonedError)
    assert outcome.executed is UNKNOWN
    assert outcome.attempts == ()
    assert "resend_unknown" in str(outcome.error)


def test_counts_add_up() -> None:
    """The total is every item that was ever begun."""
    assert Counts(1, 2, 3, 4).total == 10


parts = st.text(max_size=3)
sent = st.tuples(parts, st.none() | parts, st.none() | st.binary(max_size=3))


@given(sent, sent)
def test_item_keys_differ_when_what_is_sent_differs(one: Any, other: Any) -> None:
    """Function, qualifier and payload do not run together, and nothing is not the same as empty."""
    assert (item_key(*one) == item_key(*other)) is (one == other)
    assert len(item_key(*one)) == 16


keys = st.text(max_size=3) | st.binary(max_size=3) | st.integers(-3, 300)


@given(keys, keys)
def test_caller_keys_differ_by_type_and_value(one: Any, other: Any) -> None:
    """1, "1" and b"1" are three keys."""
    assert (caller_key(one) == caller_key(other)) is (type(one) is type(other) and one == other)


def test_caller_keys_of_any_text_and_size() -> None:
    """Lone surrogates and huge numbers are keys too, and no key is ever a payload's."""
    assert len({caller_key("\ud800"), caller_key(10**10_000), caller_key(b""), item_key("", None, b"")}) == 4


@pytest.mark.parametrize("key", [None, True, 1.0, ("a", 1)])
def test_other_keys_are_refused(key: object) -> None:
    """What has no one spelling as bytes is no key; the message names the type, not the value."""
    with pytest.raises(li.RequestError, match=f"not a {type(key).__name__}"):
        caller_key(key)


def test_a_success_comes_back_equal() -> None:
    """Value, payload, ids, version and the history of a single attempt: all of the Invocation."""
    invocation = li.Invocation(
        {"n": [1, None]},
        b'{"n": [1, null]}',
        "f:prod",
        200,
        "7",
        "id-1",
        None,
        (attempt(),),
        "arn:durable",
    )
    outcome = li.Outcome(4, "f:prod", {"n": 1}, invocation)
    assert again(record_of(outcome)) == outcome


def test_of_several_attempts_the_last_is_kept() -> None:
    """Its number says how many there were; the log tail is not kept."""
    history = (attempt(1, outcome="ThrottledError", executed=NO), attempt(2))
    invocation = li.Invocation(1, b"1", "f:prod", 200, "7", "id-1", li.LogTail("START"), history)
    outcome = again(record_of(li.Outcome(4, "f:prod", {"n": 1}, invocation)))
    assert outcome.invocation == attrs.evolve(invocation, log=None, attempts=(attempt(2),))


def test_the_value_is_decoded_anew() -> None:
    """By the type that is asked for now; a reply that does not fit it is the item's error."""
    record = record_of(li.Outcome(0, "f", 1, li.Invocation("5", b'"5"', "f", attempts=(attempt(),))))
    assert again(record, response=str).value == "5"
    error = again(record, response=int).error
    assert isinstance(error, li.PayloadDecodingError)
    assert (error.function, error.executed, error.payload) == ("f:prod", YES, b'"5"')
    assert [made.outcome for made in error.attempts] == ["PayloadDecodingError"]


def test_a_reply_that_could_not_be_decoded_may_be_now() -> None:
    """A mended response type brings the value without another invocation."""
    error = li.PayloadDecodingError(
        "no int", payload=b'"5"', request_id="id-1", attempts=(attempt(outcome="PayloadDecodingError"),)
    )
    record = record_of(failed(error))
    assert isinstance(again(record, response=int).error, li.PayloadDecodingError)
    outcome = again(record, response=str)
    assert outcome.ok
    assert outcome.value == "5"
    assert outcome.attempts == (attempt(),)


NEVER_AN_ITEMS = {
    *(li.FanOutError, li.BatchError, li.BatchItemError, li.RedriveError),  # of several calls or a part
    li.EventOutcomeUnknownError,  # of an Event that nobody heard of
}


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in NEVER_AN_ITEMS])
def test_every_error_comes_back(kind: type[li.LambdaInvokeError]) -> None:
    """Class, text, whether it ran, every public field and the last attempt."""
    error = make(kind)
    outcome = again(record_of(failed(error)))
    assert type(outcome.error) is kind
    assert str(outcome.error) == str(error)
    assert outcome.error is not None
    assert vars(outcome.error) == vars(error)
    assert (outcome.index, outcome.function, outcome.payload) == (4, "f:prod", {"n": 1})


def test_an_error_whose_fields_cannot_be_kept_is_named() -> None:
    """FanOutError holds a report, which no item's outcome does; a plain error stands for it."""
    error = make(li.FanOutError)
    back = again(record_of(failed(error))).error
    assert type(back) is li.LambdaInvokeError
    assert back.message == "FanOutError: what happened"


def test_a_class_that_is_not_known_any_more_is_named() -> None:
    """A journal written by a later version, say: executed and message still hold."""
    record = record_of(failed(make(li.ResponseTimeoutError)))
    assert record.detail is not None
    detail = json.loads(record.detail)
    for kind, message, expected in [
        ("GoneError", "why", "GoneError: why"),
        ("GoneError", "", "GoneError"),
        ("Executed", "not an error", "Executed: not an error"),
    ]:
        changed = json.dumps({**detail, "kind": kind, "message": message})
        back = again(attrs.evolve(record, detail=changed)).error
        assert type(back) is li.LambdaInvokeError
        assert back.message == expected
        assert back.executed is UNKNOWN


def test_a_callers_class_comes_from_error_types() -> None:
    """With the mapping the error is of the caller's class; without, of the library's above it."""
    error = make(CardRefusedError)
    record = record_of(failed(error))
    types = {"CardRefused": CardRefusedError}
    assert type(again(record, types).error) is CardRefusedError
    plain = again(record).error
    assert type(plain) is li.HandlerError
    assert str(plain) == str(error)
    assert plain.error_type == "CardRefused"


def test_a_redacted_error_stays_redacted() -> None:
    """The remote message does not come out by way of the journal."""
    error = build_function_error(
        function="f:prod",
        payload=REPLY,
        function_error="Handled",
        request_id="id-1",
        log=None,
        executed_version="7",
        redact=True,
    )
    back = again(record_of(failed(error))).error
    assert str(back) == str(error)
    assert "no money" not in str(back)


def test_causes_and_notes_are_not_kept() -> None:
    """They may be anything, and nothing is pickled."""
    error = make(li.DeadlineExceededError)
    error.__cause__ = ValueError("why")
    error.add_note("item 3")
    back = again(record_of(failed(error))).error
    assert back is not None
    assert back.__cause__ is None
    assert not hasattr(back, "__notes__")


def test_without_results_replies_are_left_out() -> None:
    """Of successes, function errors and undecodable replies; the state and the remote type stay."""
    invocation = li.Invocation("secret", b'"secret"', "f:prod", request_id="id-1", attempts=(attempt(),))
    success = li.Outcome(4, "f:prod", 1, invocation)
    undecodable = failed(li.PayloadDecodingError("no int", payload=b'"secret"'))
    refused = failed(make(li.HandlerError))
    kept = [record_of(outcome, store_results=False) for outcome in (success, undecodable, refused)]
    assert [record.body for record in kept] == [None, None, None]
    assert "no money" not in "".join(record.detail or "" for record in kept)
    back = [again(record) for record in kept]
    assert (back[0].ok, back[0].value) == (True, None)
    assert (back[0].invocation) == li.Invocation(
        None, b"", "f:prod", request_id="id-1", attempts=(attempt(),)
    )
    assert isinstance(back[1].error, li.PayloadDecodingError)
    assert isinstance(back[2].error, li.HandlerError)
    assert back[2].error.error_type == "CardRefused"


def test_what_may_have_run_stays_so() -> None:
    """A later send that was refused does not make an earlier one not have run."""
    throttled = failed(make(li.ThrottledError))
    record = record_of(throttled, Known())
    assert (record.executed, record.in_doubt) == (UNKNOWN, True)
    assert with_past(throttled, Known()).executed is UNKNOWN
    ran = Known(Record(ok=False, executed=YES))
    record = record_of(failed(make(li.ThrottledError)), ran)
    assert (record.executed, record.in_doubt) == (YES, False)
    assert decide(Known(record)) is KEEP
    lost = record_of(failed(make(li.ConnectionLostError)), ran)
    assert (lost.executed, lost.in_doubt) == (YES, True)
    assert decide(Known(lost), retry_failed=True) is KEEP


def test_with_past_leaves_the_rest_alone() -> None:
    """A success is a success, and an item without a past is as it is."""
    success = li.Outcome(0, "f", 1, li.Invocation(1, b"1", "f"))
    assert with_past(success, Known()) is success
    refused = failed(make(li.ThrottledError))
    assert with_past(refused, None).executed is NO


def test_doubt_within_one_call_is_remembered() -> None:
    """An idempotent call whose first attempt was lost and whose second failed may have run twice."""
    lost = attempt(1, outcome="ConnectionLostError", executed=UNKNOWN)
    error = li.HandlerError("", attempts=(lost, attempt(2, outcome="HandlerError")))
    assert record_of(failed(error)).in_doubt


def test_an_item_without_attempts_has_no_history() -> None:
    """It was refused before it was sent, or its outcome came from elsewhere."""
    assert again(record_of(failed(li.NotSentError("stopped")))).attempts == ()


def test_text_that_no_database_holds_is_replaced() -> None:
    """A lone surrogate in a header costs a character, not the journal."""
    invocation = li.Invocation(1, b"1", "f", request_id="a\ud800b", executed_version="é")
    record = record_of(li.Outcome(0, "f", 1, invocation))
    assert (record.request_id, record.version) == ("a?b", "é")


def test_nothing_of_the_item_stands_in_its_record() -> None:
    """The payload is not stored, and a record's repr shows no reply."""
    outcome = li.Outcome(0, "f", "SECRET-IN", li.Invocation("SECRET-OUT", b'"SECRET-OUT"', "f"))
    record = record_of(outcome)
    assert "SECRET-IN" not in str(attrs.asdict(record))
    assert "SECRET" not in repr(record)
