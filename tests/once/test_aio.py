"""The asyncio client: the same, awaited; and what a cancellation does to a key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import lambda_invoke as li
from lambda_invoke.once.drive import to_its_end
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from lambda_invoke.testing import FakeLambda
    from tests.once.stores import Place

KEY = "order-17"


def run(fake: FakeLambda, place: Place, body: Any) -> None:
    async def main() -> None:
        async with fake.async_client(services=place.moto.client if place.moto else None) as client:
            await asyncio.wait_for(body(client), PATIENCE)

    asyncio.run(main())


def test_many_tasks_and_one_run(fake: FakeLambda, place: Place) -> None:
    """All get its result, by the client and by a handle."""

    async def body(client: li.AsyncLambdaClient) -> None:
        handle = client.function("double")
        results = await asyncio.gather(
            *(client.once("double", {"n": 2}, key=KEY, store=place.store) for _ in range(5)),
            *(handle.once(KEY, {"n": 2}, store=place.store) for _ in range(5)),
        )
        assert {one.request_id for one in results} == {results[0].request_id}
        assert sorted(one.replayed for one in results) == [False] + [True] * 9
        assert await client.release_key("double", key=KEY, store=place.store)
        assert not await client.release_key("double", key=KEY, store=place.store)

    run(fake, place, body)
    assert fake.executions() == 1


def test_a_cancellation_in_flight_locks_the_key(fake: FakeLambda, place: Place) -> None:
    """Nobody knows whether it ran: what is known of the cancelled call says until when it is locked."""
    held = fake.on("double").holds(times=1)

    async def body(client: li.AsyncLambdaClient) -> None:
        task = asyncio.ensure_future(client.once("double", {"n": 2}, key=KEY, store=place.store))
        await asyncio.to_thread(held.wait_entered)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        known = li.cancelled_call(caught.value)
        assert known is not None
        assert known.locked_until is not None
        with pytest.raises(li.KeyInProgressError):
            await client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")

    run(fake, place, body)
    assert fake.requests == 1


def test_a_cancellation_while_waiting_leaves_the_key_alone(fake: FakeLambda, place: Place) -> None:
    """It is another call's."""
    held = fake.on("double").holds(times=1)

    async def body(client: li.AsyncLambdaClient) -> None:
        owner = asyncio.ensure_future(client.once("double", {"n": 2}, key=KEY, store=place.store))
        await asyncio.to_thread(held.wait_entered)
        waiter = asyncio.ensure_future(client.once("double", {"n": 2}, key=KEY, store=place.store))
        await asyncio.sleep(0.01)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        held.release()
        assert (await owner).value == {"twice": 4}

    run(fake, place, body)


def test_at_every_await_a_cancellation_settles_the_key(fake: FakeLambda, place: Place) -> None:
    """Cancelled after any number of turns of the loop, a key is free, or locked because it was sent."""

    async def body(client: li.AsyncLambdaClient) -> None:
        for turns in range(40):
            key = f"{KEY}-{turns}"
            sent = fake.requests
            task = asyncio.ensure_future(client.once("double", {"n": 2}, key=key, store=place.store))
            for _ in range(turns):
                await asyncio.sleep(0.001 if turns > 20 else 0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                if fake.requests == sent:
                    again = await client.once(
                        "double", {"n": 2}, key=key, store=place.store, concurrent="raise"
                    )
                    assert not again.replayed

    run(fake, place, body)


def test_an_operation_of_the_store_is_never_broken_off() -> None:
    """A cancellation counts once it is done, however often it comes."""
    done: list[int] = []

    def work() -> None:
        import time

        time.sleep(0.05)
        done.append(1)

    async def main() -> None:
        task = asyncio.ensure_future(to_its_end(work))
        await asyncio.sleep(0)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [1]

    asyncio.run(main())
