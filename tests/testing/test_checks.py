"""What a failing check says: what was wanted, what came, and how they differ; and what never shows."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from lambda_invoke import InvocationType
from lambda_invoke.testing import FakeLambda, UnscriptedCallError, having

SECRET = "tell-nobody"


def made(*payloads: Any) -> FakeLambda:
    fake = FakeLambda({"f": lambda event: event, "g": lambda event: event})
    for payload in payloads:
        fake.client().invoke("f", payload)
    return fake


def said(check: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        check()
    return str(caught.value)


def test_assert_invoked_returns_what_it_found() -> None:
    """By function, payload, qualifier, type, client context and tenant."""
    fake = made({"a": 1}, {"a": 2}, {"a": 2})
    assert len(fake.assert_invoked("f")) == 3
    assert len(fake.assert_invoked("f", payload={"a": 2}, times=2)) == 2
    fake.client().invoke_event("g:prod", 1)
    fake.client().invoke("g", 2, client_context={"custom": {"k": "v"}}, tenant_id="t")
    (event,) = fake.assert_invoked("g", invocation_type="Event")
    assert (event.qualifier, event.invocation_type) == ("prod", InvocationType.EVENT)
    fake.assert_invoked("g:prod", payload=1, times=1)
    fake.assert_invoked("g", client_context={"custom": {"k": "v"}}, tenant_id="t", times=1)
    fake.assert_invoked("f", times=3, payload=having({}))
    fake.assert_not_invoked("h")
    fake.assert_not_invoked("f", payload={"a": 3})


def test_a_payload_that_differs_is_shown_beside_the_nearest() -> None:
    """The nearest of all that came, member by member."""
    fake = made({"a": 1, "b": 2}, {"x": 0})
    assert said(lambda: fake.assert_invoked("f", payload={"a": 1, "b": 3})).splitlines() == [
        'f with payload {"a": 1, "b": 3} was to be invoked at least once and was invoked not at all',
        "calls of it that were not so:",
        '  1. f {"a": 1, "b": 2} -> ok',
        '  2. f {"x": 0} -> ok',
        "the nearest payload differs (- wanted, + sent):",
        "    {",
        '      "a": 1,',
        '  -   "b": 3',
        '  +   "b": 2',
        "    }",
    ]


def test_wrong_counts_list_the_calls() -> None:
    """How often it was called so, and with what."""
    fake = made(*range(12))
    text = said(lambda: fake.assert_invoked("f", times=2))
    assert text.startswith("f was to be invoked twice and was invoked 12 times\n")
    assert "  10. f 9 -> ok\n  and 2 more" in text
    text = said(lambda: fake.assert_invoked("g"))
    assert "calls that came:\n  1. f 0 -> ok" in text
    assert said(lambda: made().assert_invoked("g")).endswith("nothing was invoked")


def test_what_else_differs_is_said_of_each_call() -> None:
    """Type, client context, tenant and qualifier: of what is wanted, and of the calls that lack it."""
    fake = FakeLambda({"f": lambda event: event})
    fake.client().invoke("f:prod", 1, client_context={"custom": {"k": "v"}}, tenant_id="bob")

    def fails(**wanted: Any) -> tuple[str, str]:
        first, _, call = said(lambda: fake.assert_invoked("f", **wanted)).splitlines()
        return first.partition(" was ")[0], call.partition("-> ok")[2]

    assert fails(invocation_type="Event") == ("f of type Event", ", but it is of type RequestResponse")
    assert fails(payload=1, tenant_id="eve") == (
        "f with payload 1 and tenant id 'eve'",
        ", but its tenant id is 'bob'",
    )
    assert fails(client_context={"custom": {}}, tenant_id="bob") == (
        "f with client context {\"custom\": {}} and tenant id 'bob'",
        ', but its client context is {"custom": {"k": "v"}}',
    )
    assert fails(qualifier="dev") == ("f:dev", ", but its qualifier is 'prod'")
    assert fails(qualifier="dev", tenant_id="eve")[1] == (
        ", but its tenant id is 'bob' and its qualifier is 'prod'"
    )


def test_of_a_large_payload_the_part_that_differs_is_shown() -> None:
    """A few lines around it, of long lines a part; quickly, though a thousand large payloads differ."""
    rows = [{"id": number, "name": f"n{number}"} for number in range(3000)]
    fake = made({"rows": rows})
    text = said(lambda: fake.assert_invoked("f", payload={"rows": [*rows[:-1], {"id": -1, "name": "x"}]}))
    shown = text.partition("sent):\n")[2].splitlines()
    assert [line for line in shown if line[2] in "-+"] == [
        '  -       "id": -1,',
        '  +       "id": 2999,',
        '  -       "name": "x"',
        '  +       "name": "n2999"',
    ]
    assert (shown[0], len(shown)) == ("    ...", 11)
    other = [{"id": -number, "name": f"m{number}"} for number in range(3000)]
    text = said(lambda: fake.assert_invoked("f", payload={"rows": other}))
    assert text.endswith("  ... and more")
    assert len(text) < 5_000
    text = said(lambda: made("a" * 5000 + "b").assert_invoked("f", payload="a" * 5000 + "c"))
    assert [line[-2:] for line in text.splitlines()[-2:]] == ['c"', 'b"']
    assert len(text) < 2_000


def test_true_is_not_one() -> None:
    """Payloads are compared as JSON, in parts and rules too; 1 and 1.0 are one number."""
    fake = made({"a": [True]})
    fake.assert_invoked("f", payload={"a": [True]})
    fake.assert_not_invoked("f", payload={"a": [1]})
    fake.assert_not_invoked("f", payload=having({"a": [1]}))
    made({"a": 1}).assert_invoked("f", payload={"a": 1.0})


def test_a_part_is_compared_with_its_part_only() -> None:
    """``having``: what it does not speak of is not shown as a difference."""
    text = said(lambda: made({"a": 1, "other": 2}).assert_invoked("f", payload=having({"a": 3})))
    assert '  -   "a": 3\n  +   "a": 1' in text
    assert "other" not in text.partition("differs")[2]


def test_a_predicate_is_named() -> None:
    """By its name, or its line."""
    fake = made(1)

    def is_large(payload: int) -> bool:
        return payload > 10

    assert "for which" in said(lambda: fake.assert_invoked("f", payload=is_large))
    assert "is_large holds" in said(lambda: fake.assert_invoked("f", payload=is_large))
    text = said(lambda: fake.assert_invoked("f", payload=lambda payload: payload > 10))
    assert "the lambda of" in text
    assert "test_checks.py:" in text


def test_assert_not_invoked_lists_what_came() -> None:
    """Of one function, with one payload, or of all."""
    fake = made(1)
    assert said(fake.assert_not_invoked) == "nothing was to be invoked, and these calls came:\n  1. f 1 -> ok"
    assert "f was not to be invoked" in said(lambda: fake.assert_not_invoked("f"))
    assert "f with payload 1" in said(lambda: fake.assert_not_invoked("f", payload=1))
    fake.assert_not_invoked(payload=2)
    assert said(lambda: fake.assert_not_invoked(payload=1)).startswith("nothing with payload 1 was to be")


def test_what_is_not_used_is_listed() -> None:
    """Steps that never came, and those that came too seldom."""
    fake = FakeLambda({"f": lambda event: event, "g": lambda event: event})
    fake.on("f").throttles(times=3).returns(1)
    fake.on("g", {"a": 1}).takes(2)
    fake.on("f", 1).returns(2)
    fake.client().invoke("f", 1)
    text = said(fake.assert_all_used)
    assert "throttles: used 0 of 3 times" in text
    assert "returns: used 0 of 1 times" in text
    assert 'g, payload {"a": 1}: takes 2 s' in text
    assert "payload 1" not in text
    fake.client().invoke("f", 5)
    fake.client().invoke("g", {"a": 1})
    fake.assert_all_used()


def test_an_unscripted_call_says_what_is_scripted() -> None:
    """For its function, with the nearest payload; it is remembered when somebody catches it."""
    fake = FakeLambda()
    fake.on("f", {"a": 1, "b": 2}).returns(1)
    fake.on("g").returns(1)
    text = said(lambda: fake.client().invoke("f", {"a": 1, "b": 3}))
    assert text.splitlines() == [
        'FakeLambda knows no answer to f {"a": 1, "b": 3}',
        "scripted for this function:",
        '  f, payload {"a": 1, "b": 2}: returns (used 0 times)',
        "the nearest payload differs (- scripted, + sent):",
        "    {",
        '      "a": 1,',
        '  -   "b": 2',
        '  +   "b": 3',
        "    }",
    ]
    assert "scripted:\n  f, payload" in said(lambda: asyncio.run(fake.async_client().invoke("h")))
    assert [call.outcome for call in fake.calls] == ["unscripted", "unscripted"]
    with pytest.raises(UnscriptedCallError, match="knows no answer to f"):
        fake.assert_nothing_unscripted()
    with pytest.raises(UnscriptedCallError):
        fake.assert_all_used()
    assert said(lambda: FakeLambda().client().invoke("h")).endswith("nothing is scripted")


def test_in_a_job_it_is_an_items_error() -> None:
    """A fan-out goes on, its item has it as the cause, and the fake remembers it."""
    fake = FakeLambda()
    fake.on("f", 1).returns("one")
    report = fake.client().fan_out("f", [1, 2])
    (failed,) = report.failed
    assert failed.error is not None
    assert isinstance(failed.error.__cause__, UnscriptedCallError)
    assert len(fake.unscripted) == 1


def test_no_payload_shows_in_a_repr() -> None:
    """Records, rules, fakes, clocks: what libraries log of them holds nobody's data."""
    fake = FakeLambda({"f": lambda event: {"echo": event}})
    rule = fake.on("f", {"password": SECRET}).raises("E", SECRET)
    with pytest.raises(Exception, match="E"):
        fake.client().invoke("f", {"password": SECRET}, client_context={"custom": {"key": SECRET}})
    shown = [rule, fake, fake.calls, fake.calls[0].attempts, fake.clock, rule.current(), fake.transport()]
    assert SECRET not in repr(shown)
    assert "f" in repr(fake)
    assert "raises E" in repr(rule)


def test_a_value_that_is_no_json_can_be_compared() -> None:
    """``mock.ANY`` and its like equal what they please."""
    from unittest import mock

    fake = made({"id": "x", "n": 1})
    fake.assert_invoked("f", payload={"id": mock.ANY, "n": 1})
    text = said(lambda: fake.assert_invoked("f", payload={"id": mock.ANY, "n": 2, "tags": mock.ANY}))
    assert '      "id": "x",\n  -   "n": 2,' in text
    assert '  -   "tags": "<ANY>"' in text


def test_the_errors_pickle() -> None:
    """Between processes xdist carries them."""
    with pytest.raises(UnscriptedCallError) as caught:
        FakeLambda().client().invoke("f")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
