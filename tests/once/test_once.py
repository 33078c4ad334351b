"""One run for a key, over every kind of store; the function's side counts."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import lambda_invoke as li
from lambda_invoke import Executed
from tests.once.stores import MemoryLayer

if TYPE_CHECKING:
    from lambda_invoke import LambdaClient
    from lambda_invoke.testing import FakeLambda
    from tests.once.stores import Place


@attrs.frozen
class Doubled:
    twice: int


KEY = "order-17"


def test_the_same_key_three_times_runs_it_once(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """One run, and one result for all, in the type that each asks for; the replays say that they are."""
    first = client.once("double", {"n": 2}, key=KEY, store=place.store, response=Doubled)
    second = client.once("double", {"n": 2}, key=KEY, store=place.store)
    third = client.function("double", response=Doubled).once(KEY, {"n": 2}, store=place.store)
    assert fake.executions() == 1
    assert first.value == third.value == Doubled(4)
    assert second.value == {"twice": 4}
    assert [one.replayed for one in (first, second, third)] == [False, True, True]
    assert first.request_id == second.request_id == third.request_id is not None
    assert second.invocation.payload == first.invocation.payload
    assert second.invocation.executed_version == first.invocation.executed_version
    assert first.stored
    assert second.executed is Executed.YES


def test_another_key_is_another_run(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """Keys belong to the function as it is named, and to its tenant; key_prefix says otherwise."""

    def run(function: str = "double", key: str = KEY, **options: Any) -> bool:
        return client.once(function, {"n": 2}, key=key, store=place.store, **options).replayed

    assert not run()
    assert not run(key="order-18")
    assert not run("other")
    assert not run(tenant_id="blue")
    assert not run(tenant_id="green")
    assert run(tenant_id="blue")
    assert not run(key_prefix="orders")
    assert run("other", key_prefix="orders")
    assert fake.executions() == 6


def test_equal_json_is_the_same_payload(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """Whatever the order of names, and whether as an object or as bytes."""
    client.once("double", {"n": 2, "m": [1]}, key=KEY, store=place.store)
    assert client.once("double", b'{"m": [1],   "n": 2}', key=KEY, store=place.store).replayed
    assert fake.executions() == 1


@pytest.mark.parametrize("other", [{"n": 3}, li.NO_PAYLOAD, None, b"\xff", b"[" * 100_000, {"n": "2"}])
def test_another_payload_is_a_conflict(
    fake: FakeLambda, client: LambdaClient, place: Place, other: object
) -> None:
    """The same key with another payload: an error that says so and names no key; nothing is sent."""
    client.once("double", {"n": 2}, key=KEY, store=place.store)
    with pytest.raises(li.KeyConflictError, match="with another payload") as caught:
        client.once("double", other, key=KEY, store=place.store)
    assert caught.value.executed is Executed.NO
    assert KEY not in str(caught.value)
    assert caught.value.record in place.records()
    assert fake.requests == 1


def test_what_is_stored_is_powertools(client: LambdaClient, place: Place) -> None:
    """Status and hashes as Powertools has them; the key itself is nowhere."""
    client.once("double", {"n": 2}, key=KEY, store=place.store)
    ((record, row),) = place.records().items()
    assert record.startswith("lambda_invoke.once:double#")
    assert row["status"] == "COMPLETED"
    assert len(row["validation"]) == 64
    assert '"payload": "{\\"twice\\":4}"' in row["data"].replace(": 4", ":4")
    assert KEY not in str(row)


def test_a_result_goes_after_its_ttl(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """Then the function runs again."""
    client.once("double", {"n": 2}, key=KEY, store=place.store, ttl=600)
    place.age(590)
    assert client.once("double", {"n": 2}, key=KEY, store=place.store, ttl=600).replayed
    place.age(20)
    assert not client.once("double", {"n": 3}, key=KEY, store=place.store, ttl=600).replayed
    assert fake.executions() == 2


# What failed.


def test_what_did_not_run_frees_the_key(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """Throttled, refused, not connected: the error is raised, and the next call runs it."""
    never = li.RetryPolicy.never()
    fake.on("double").throttles(times=1).fails(403, "AccessDeniedException", times=1).refuses_connections(
        times=1
    ).runs(lambda event: "ran")
    for error in (li.ThrottledError, li.AccessDeniedError, li.ConnectError):
        with pytest.raises(error) as caught:
            client.once("double", {"n": 2}, key=KEY, store=place.store, retry=never)
        assert caught.value.executed is Executed.NO
        assert place.records() == {}
    assert client.once("double", {"n": 2}, key=KEY, store=place.store).value == "ran"
    assert fake.executions() == 1


def test_retries_are_within_the_lock(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """What the policy sends again is one call for the key."""
    fake.on("double").throttles(times=2).runs(lambda event: "ran")
    assert client.once("double", {"n": 2}, key=KEY, store=place.store).value == "ran"
    assert fake.executions() == 1


def test_a_function_error_frees_the_key(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """As Powertools does: the next call runs it again."""
    fake.on("double").raises("Busy", "try later", times=1).runs(lambda event: "ran")
    with pytest.raises(li.HandlerError, match="try later"):
        client.once("double", {"n": 2}, key=KEY, store=place.store)
    assert client.once("double", {"n": 2}, key=KEY, store=place.store).value == "ran"
    assert fake.executions() == 2


def test_a_function_error_can_be_kept(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """It is the key's result: the same class, type, message and request id, without another run."""
    fake.on("double").raises("Declined", "no money")
    errors = []
    for _ in range(2):
        with pytest.raises(li.HandlerError) as caught:
            client.once("double", {"n": 2}, key=KEY, store=place.store, on_error="keep")
        errors.append(caught.value)
    assert fake.executions() == 1
    assert errors[0].request_id == errors[1].request_id
    assert errors[1].error_type == "Declined"
    assert errors[1].raw_payload == errors[0].raw_payload
    assert "did not run again" in errors[1].__notes__[0]


def test_a_result_of_another_type_is_stored(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """It ran: a wrong response type is mended by the caller, and the function does not run again."""
    for _ in range(2):
        with pytest.raises(li.PayloadDecodingError) as caught:
            client.once("other", {"n": 2}, key=KEY, store=place.store, response=Doubled)
        assert caught.value.request_id is not None
    assert client.once("other", {"n": 2}, key=KEY, store=place.store, response=str).value == "other"
    assert fake.executions() == 1


def test_an_unknown_outcome_locks_the_key(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """The error says until when; another call raises at once, and says since when and by whom."""
    fake.on("double").drops(times=1)
    before = time.time()
    with pytest.raises(li.ConnectionLostError) as lost:
        client.once("double", {"n": 2}, key=KEY, store=place.store, lock_seconds=1200)
    until = lost.value.locked_until
    assert until is not None
    assert before + 1200 <= until.timestamp() <= time.time() + 1200
    assert until.tzinfo is dt.UTC
    assert "stays locked until" in lost.value.__notes__[0]
    told = place.kind != "memory"  # not every layer can hold who it is
    for concurrent in ("wait", "raise"):
        kind = li.KeyOutcomeUnknownError if told or concurrent == "wait" else li.KeyInProgressError
        if not told and concurrent == "wait":
            continue  # it would wait for the lock to expire
        with pytest.raises(kind) as caught:
            client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent=concurrent)
        error = caught.value
        assert error.locked_until is not None
        assert abs((error.locked_until - until).total_seconds()) < 0.01
        assert error.executed is (Executed.UNKNOWN if told else Executed.NO)
        if told:
            assert error.since is not None
            assert error.since.timestamp() >= before
            assert error.owner is not None
            assert error.owner in str(error)
    with pytest.raises(li.KeyConflictError):
        client.once("double", {"n": 3}, key=KEY, store=place.store)
    assert fake.executions() == 1
    place.age(1201)
    assert not client.once("double", {"n": 2}, key=KEY, store=place.store).replayed
    assert fake.executions() == 2


def test_a_key_that_is_locked_can_be_released(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """By one who knows better: the next call runs it."""
    fake.on("double").drops(after_executing=False, times=1)
    with pytest.raises(li.OutcomeUnknownError):
        client.once("double", {"n": 2}, key=KEY, store=place.store)
    assert client.release_key("double", key=KEY, store=place.store)
    assert not client.release_key("double", key=KEY, store=place.store)
    assert client.once("double", {"n": 2}, key=KEY, store=place.store).value == {"twice": 4}
    assert fake.executions() == 1


def test_an_idempotent_call_frees_its_key(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """Where running it twice does no harm, an unknown outcome is sent again, and locks nothing."""
    fake.on("double").drops()
    with pytest.raises(li.ConnectionLostError) as caught:
        client.once("double", {"n": 2}, key=KEY, store=place.store, idempotent=True)
    assert caught.value.locked_until is None
    assert len(caught.value.attempts) > 1
    assert place.records() == {}


def test_a_store_that_cannot_be_reached_says_so(fake: FakeLambda) -> None:
    """Nothing is sent, and the error names the store; what the layer said is its cause."""
    layer = MemoryLayer()
    layer.fails = OSError("the network is down")
    with fake.client() as client, pytest.raises(li.IdempotencyStoreError, match="MemoryLayer could not") as e:
        client.once("double", {"n": 2}, key=KEY, store=layer)
    assert e.value.executed is Executed.NO
    assert e.value.__cause__ is layer.fails
    assert fake.requests == 0


@pytest.mark.filterwarnings("error::lambda_invoke.IdempotencyWarning")
def test_a_store_that_fails_afterwards_takes_no_result_with_it(
    fake: FakeLambda, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where warnings are errors: the result is returned, the log says what happened, not the key."""
    layer = MemoryLayer()

    def doubles_and_breaks(event: Any) -> Any:
        layer.broken.append(OSError("the network is down"))
        return {"twice": 4}

    fake.on("double").runs(doubles_and_breaks)
    with fake.client() as client:
        result = client.once("double", {"n": 2}, key=KEY, store=layer)
        assert result.value == {"twice": 4}
        assert not result.stored
        assert "its result is not stored" in caplog.text
        assert KEY not in caplog.text
        with pytest.raises(li.KeyInProgressError):
            client.once("double", {"n": 2}, key=KEY, store=layer, concurrent="raise")
    assert fake.executions() == 1
