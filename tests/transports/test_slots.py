"""Slots: one bound for threads and tasks together, given in turn, and lost by nobody."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import Executed, LambdaInvokeError
from lambda_invoke.transports.slots import Slots
from tests.support.patience import PATIENCE, soon
from tests.support.server import ScriptedServer, gate, ok

if TYPE_CHECKING:
    from tests.support.aws import Clients


def test_they_are_given_in_turn() -> None:
    """Tasks and threads wait in one row."""
    slots = Slots(1)
    order: list[str] = []

    def in_thread() -> None:
        assert slots.acquire(PATIENCE)
        order.append("thread")
        slots.release()

    async def in_task(name: str) -> None:
        assert await slots.acquire_async(PATIENCE)
        order.append(name)
        slots.release()

    async def main() -> None:
        assert slots.take()
        first = asyncio.create_task(in_task("first"))
        await asyncio.sleep(0)
        thread = threading.Thread(target=in_thread)
        thread.start()
        await asyncio.to_thread(soon, lambda: len(slots._waiting) == 2)
        last = asyncio.create_task(in_task("last"))
        await asyncio.sleep(0)
        assert not slots.take()
        slots.release()
        await asyncio.gather(first, last)
        thread.join()

    asyncio.run(main())
    assert order == ["first", "thread", "last"]
    assert slots.take()


@pytest.mark.parametrize("given", [False, True], ids=["before its turn", "with its turn"])
def test_a_cancelled_waiter_passes_its_turn_on(given: bool) -> None:
    """Cancelled while it waits, or when the turn had just come: the slot is not lost."""

    async def main() -> None:
        slots = Slots(1)
        assert slots.take()
        waiter = asyncio.create_task(slots.acquire_async(None))
        await asyncio.sleep(0)
        if given:
            slots.release()
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        if not given:
            slots.release()
        assert slots.take()
        assert not slots.take()

    asyncio.run(main())


def test_a_waiter_whose_time_is_up() -> None:
    """False, and the slot goes to the next."""

    async def main() -> None:
        slots = Slots(1)
        assert slots.take()
        assert not await slots.acquire_async(0.01)
        assert not await slots.acquire_async(-1.0)
        assert not await asyncio.to_thread(slots.acquire, 0.01)
        slots.release()
        assert await slots.acquire_async(None)

    asyncio.run(main())


def test_the_turn_of_a_loop_that_is_closed_passes_on() -> None:
    """A waiter whose loop was closed under it takes no slot with it."""
    slots = Slots(1)
    assert slots.take()
    loop = asyncio.new_event_loop()
    waiter = slots.acquire_async(None)
    task = loop.create_task(waiter)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop._ready.clear()  # type: ignore[attr-defined]
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    slots.release()
    assert slots.take()


def test_jobs_and_calls_have_one_bound(clients: Clients) -> None:
    """With every slot taken by a job, a call waits for its turn, and its deadline finds it unsent."""
    go_on = threading.Event()
    with ScriptedServer(lambda call: gate(go_on, ok(b"1")) if call.function == "job" else ok(b"2")) as server:
        client = clients(server, max_concurrency=2)
        job = threading.Thread(target=client.fan_out, args=("job", range(2)), kwargs={"concurrency": 2})
        job.start()
        server.wait_until(lambda s: s.in_flight == 2)
        with pytest.raises(LambdaInvokeError) as caught:
            client.invoke("call", deadline=0.1)
        assert caught.value.executed is Executed.NO
        assert server.requests == 2
        go_on.set()
        job.join()
        assert client.invoke("call", deadline=PATIENCE).value == 2
        assert server.max_in_flight == 2
