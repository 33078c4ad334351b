"""A key that another call holds: waiting, raising, taking over, and what the late owner may still do."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import lambda_invoke as li
from lambda_invoke import Executed
from lambda_invoke.core.calls import Options, Terms
from lambda_invoke.methods.once import _steps
from lambda_invoke.once.prepare import Settings
from lambda_invoke.once.run import Do, Invoke

if TYPE_CHECKING:
    from lambda_invoke import LambdaClient
    from lambda_invoke.core.plan import Call
    from lambda_invoke.once.run import Steps
    from lambda_invoke.testing import FakeLambda
    from tests.once.stores import Place

KEY = "order-17"


def hold(client: LambdaClient, place: Place, **settings: Any) -> Steps[Any]:
    """A call that holds the key and stands before its invocation: there it may be killed, or go on."""
    return hold_call(client, place, **settings)[0]


def hold_call(client: LambdaClient, place: Place, **settings: Any) -> tuple[Steps[Any], Call[Any]]:
    """With the call that it would make."""
    steps = _steps(
        client, "double", {"n": 2}, None, Options(), Terms(), Settings(KEY, place.store, **settings)
    )
    value = None
    while isinstance(step := steps.send(value), Do):
        value = step.operation()
    assert isinstance(step, Invoke)
    return steps, step.call


def end(steps: Steps[Any], client: LambdaClient) -> Any:
    """Have it go on to its end."""
    value: Any = client.invoke("double", {"n": 2})
    while True:
        try:
            step = steps.send(value)
        except StopIteration as done:
            return done.value
        assert isinstance(step, Do)
        value = step.operation()


def test_raise(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """``concurrent="raise"`` says that it is under way, until when it is locked, and by whom; NO."""
    steps = hold(client, place)
    before = time.time()
    with pytest.raises(li.KeyInProgressError, match="the key is held") as caught:
        client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")
    error = caught.value
    assert type(error) is li.KeyInProgressError
    assert error.executed is Executed.NO
    assert error.locked_until is not None
    # 915 s for an attempt, 60 for throttles before it, 915 for what the last one may still run
    assert before + 1800 < error.locked_until.timestamp() < before + 1895
    assert (error.owner is not None) is (place.kind != "memory")
    assert fake.requests == 0
    end(steps, client)
    assert client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise").replayed


def test_a_conflict_counts_while_it_is_under_way(client: LambdaClient, place: Place) -> None:
    """One need not wait for the first call to learn that the payload is another."""
    hold(client, place)
    with pytest.raises(li.KeyConflictError):
        client.once("double", {"n": 3}, key=KEY, store=place.store)


def test_wait_is_bounded_by_the_deadline(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """Who waited in vain is told who has the key; it sent nothing."""
    hold(client, place)
    with pytest.raises(li.DeadlineExceededError, match="another call held the key") as caught:
        client.once("double", {"n": 2}, key=KEY, store=place.store, deadline=20)
    assert isinstance(caught.value.__cause__, li.KeyInProgressError)
    assert caught.value.executed is Executed.NO
    assert fake.requests == 0


def test_a_store_that_opens_too_slowly(client: LambdaClient, place: Place) -> None:
    """The deadline counts, and its error does not tell of a call that is not there."""
    steps = _steps(client, "double", {"n": 2}, None, Options(), Terms(deadline=5), Settings(KEY, place.store))
    opening = next(steps)
    assert isinstance(opening, Do)
    naming = steps.send(opening.operation())
    assert isinstance(naming, Do)
    client._clock.sleep(6)
    with pytest.raises(li.DeadlineExceededError, match="before the key was taken"):
        steps.send(naming.operation())


def test_waiting_looks_ever_more_rarely(fake: FakeLambda, client: LambdaClient, place: Place) -> None:
    """From a twentieth of a second up to two, and never past the deadline."""
    hold(client, place)
    with pytest.raises(li.DeadlineExceededError):
        client.once("double", {"n": 2}, key=KEY, store=place.store, deadline=20)
    sleeps = fake.clock.sleeps
    assert 0.01 < sleeps[0] <= 0.05
    assert max(sleeps) <= 2
    assert sum(sleeps) == pytest.approx(20)
    assert len(sleeps) < 25


def test_waiters_get_the_result(client: LambdaClient, place: Place) -> None:
    """As soon as it is there; they run nothing."""
    steps = hold(client, place)
    got: list[Any] = []
    waiting = threading.Thread(
        target=lambda: got.append(client.once("double", {"n": 2}, key=KEY, store=place.store))
    )
    waiting.start()
    own = end(steps, client)
    waiting.join()
    assert not own.replayed
    assert got[0].replayed
    assert got[0].request_id == own.request_id


def test_who_crashed_holds_the_key_until_its_lock_expires(
    fake: FakeLambda, client: LambdaClient, place: Place
) -> None:
    """Afterwards the next call runs the function: at least once, from here on."""
    hold(client, place, lock_seconds=100).close()
    place.age(99)
    with pytest.raises(li.KeyInProgressError):
        client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")
    place.age(2)
    assert not client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise").replayed
    assert fake.executions() == 1


def test_a_waiter_takes_over_when_the_lock_expires(
    fake: FakeLambda, client: LambdaClient, place: Place
) -> None:
    """Without another call having to come."""
    hold(client, place, lock_seconds=0.3).close()
    assert not client.once("double", {"n": 2}, key=KEY, store=place.store).replayed
    assert fake.executions() == 1


def test_an_owner_that_outlived_its_lock_harms_nobody(client: LambdaClient, place: Place) -> None:
    """Its result is its own and is not stored over the next owner's; it is told."""
    late = hold(client, place, lock_seconds=50)
    place.age(51)
    hold(client, place, lock_seconds=70)
    with pytest.warns(li.IdempotencyWarning, match="lock had expired"):
        result = end(late, client)
    assert result.value == {"twice": 4}
    assert not result.stored
    with pytest.raises(li.KeyInProgressError) as caught:
        client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")
    assert caught.value.locked_until is not None


def test_a_late_failure_does_not_free_the_next_owners_key(client: LambdaClient, place: Place) -> None:
    """The note on the error says that there was nothing to free."""
    late = hold(client, place, lock_seconds=50)
    place.age(51)
    hold(client, place, lock_seconds=70)
    failed = li.ThrottledError("slow down")
    step = late.throw(failed)
    assert isinstance(step, Do)
    with pytest.raises(li.ThrottledError) as caught:
        late.send(step.operation())
    assert "could not be released" in caught.value.__notes__[0]
    with pytest.raises(li.KeyInProgressError):
        client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")


@pytest.mark.parametrize("sent", [False, True])
def test_ctrl_c_frees_the_key_if_nothing_was_sent(client: LambdaClient, place: Place, sent: bool) -> None:
    """Else nobody knows: it stays locked, and the KeyboardInterrupt has a note that says until when."""
    steps, call = hold_call(client, place)
    call.course.sending_since = 0.0 if sent else None
    with pytest.raises(KeyboardInterrupt) as caught:
        throw(steps, KeyboardInterrupt())
    assert hasattr(caught.value, "__notes__") is sent
    assert len(place.records()) == sent


def test_an_interrupted_take_is_undone(client: LambdaClient, place: Place) -> None:
    """Ctrl-C between the store's taking the key and its saying so leaves no lock behind."""
    steps = _steps(client, "double", {"n": 2}, None, Options(), Terms(), Settings(KEY, place.store))
    value = None
    for _ in range(3):  # opens the store, makes the name, takes the key
        step = steps.send(value)
        assert isinstance(step, Do)
        value = step.operation()
    assert len(place.records()) == 1
    with pytest.raises(KeyboardInterrupt):
        throw(steps, KeyboardInterrupt())
    assert place.records() == {}


def throw(steps: Steps[Any], error: BaseException) -> None:
    """Have it fail where it stands, and go on to its end."""
    step = steps.throw(error)
    while True:
        assert isinstance(step, Do)
        step = steps.send(step.operation())


@pytest.mark.parametrize("fails", [False, True])
def test_an_owner_whose_key_was_released_harms_nobody(
    client: LambdaClient, place: Place, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Not even if the next owner's lock ends at the same millisecond."""
    if place.kind == "memory":
        pytest.skip("does not keep with a key who put it")
    stopped = time.time()
    monkeypatch.setattr(time, "time", lambda: stopped)
    late = hold(client, place)
    assert client.release_key("double", key=KEY, store=place.store)
    hold(client, place)
    before = place.records()
    if fails:
        with pytest.raises(li.ThrottledError):
            throw(late, li.ThrottledError("slow down"))
    else:
        with pytest.warns(li.IdempotencyWarning, match="or was released"):
            assert not end(late, client).stored
    assert place.records() == before
