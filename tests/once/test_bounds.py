"""What a lock must outlast, and what boto3's own repeats must not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

import lambda_invoke as li
from lambda_invoke.core.calls import Options, Terms
from lambda_invoke.methods.once import _steps
from lambda_invoke.once.prepare import Settings
from lambda_invoke.once.run import Do, Invoke
from tests.once.stores import make_place
from tests.once.test_held import hold

if TYPE_CHECKING:
    from pathlib import Path

    from lambda_invoke import LambdaClient
    from lambda_invoke.testing import FakeLambda
    from tests.once.stores import Place
    from tests.support.moto import Moto

KEY = "order-17"


def test_a_lock_outlasts_a_short_ttl(client: LambdaClient, place: Place) -> None:
    """The record of a call under way does not expire before its lock does."""
    hold(client, place, ttl=1, lock_seconds=1000)
    place.age(900)
    with pytest.raises(li.KeyInProgressError):
        client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")


@pytest.mark.parametrize(("terms", "lock", "left"), [(Terms(deadline=5), None, 2), (Terms(), 4, 4)])
def test_what_was_waited_counts(
    client: LambdaClient, place: Place, terms: Terms, lock: float | None, left: float
) -> None:
    """The deadline is for all of it, and nothing is sent when the lock is over."""
    settings = Settings(KEY, place.store, lock_seconds=lock)
    steps = _steps(client, "double", {"n": 2}, None, Options(), terms, settings)
    opening = next(steps)
    assert isinstance(opening, Do)
    client._clock.sleep(3)
    naming = steps.send(opening.operation())
    assert isinstance(naming, Do)
    taking = steps.send(naming.operation())
    assert isinstance(taking, Do)
    now = client._clock.now()
    sending = steps.send(taking.operation())
    assert isinstance(sending, Invoke)
    assert sending.call.expires == pytest.approx(now + left)


def test_a_run_that_is_known_does_not_hide_one_that_is_not(
    fake: FakeLambda, client: LambdaClient, place: Place
) -> None:
    """The function failed, was sent again by the caller's policy, and was lost: the key stays locked."""
    fake.on("double").raises("Busy", "try later", times=1).drops(times=1)
    policy = li.RetryPolicy(retry_on=("Busy",))
    with pytest.raises(li.ConnectionLostError) as caught:
        client.once("double", {"n": 2}, key=KEY, store=place.store, retry=policy)
    assert [made.executed for made in caught.value.attempts] == [li.Executed.YES, li.Executed.UNKNOWN]
    assert caught.value.locked_until is not None
    with pytest.raises(li.KeyInProgressError):
        client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")


@attrs.frozen
class Repeating:
    """boto3's client as it is where the answer to a write was lost: it sends it again."""

    client: Any

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if name not in {"put_item", "update_item"}:
            return method

        def twice(**request: Any) -> Any:
            method(**request)
            return method(**request)

        return twice


@pytest.mark.filterwarnings("error::lambda_invoke.IdempotencyWarning")
def test_a_write_that_is_repeated_is_known_again(fake: FakeLambda, moto: Moto, tmp_path: Path) -> None:
    """Its condition fails on what it wrote itself: the key is held, and the result is stored."""
    place = make_place("dynamodb", tmp_path, moto)
    with fake.client(services=lambda name: Repeating(moto.client(name))) as client:
        first = client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")
        assert (first.stored, first.replayed) == (True, False)
        assert client.once("double", {"n": 2}, key=KEY, store=place.store).replayed
    assert fake.executions() == 1
