"""Waiting for an Event on asyncio: the same handles and trackers, awaited."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from botocore.exceptions import EndpointConnectionError

import lambda_invoke as li
from lambda_invoke.testing import FakeLambda
from tests.events.memory_queue import URL, MemoryQueue, record
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def run(use: Callable[[li.AsyncLambdaClient, MemoryQueue], Awaitable[T]]) -> T:
    """Run with a client of a fake Lambda, whose functions' destination is a queue in memory."""
    queue, fake = MemoryQueue(), FakeLambda()
    fake.function("double", lambda event, context: queue.send(record(context.aws_request_id, event * 2)))

    async def main() -> T:
        async with li.AsyncLambdaClient.over(fake.async_transport(), services=queue.services) as client:
            return await use(client, queue)

    return asyncio.run(main())


def test_a_handle_finds_the_only_open_tracker() -> None:
    """And its result is awaited, in its type."""

    async def use(client: li.AsyncLambdaClient, _queue: MemoryQueue) -> None:
        fn = client.function("double", request=int, response=int)
        handle = await fn.event(2)
        with pytest.raises(li.RequestError, match=r"client\.outcomes\(queue_url\)"):
            await handle.result()
        async with client.outcomes(URL) as tracker:
            assert await handle.result(PATIENCE) == 4
            assert (await handle.outcome()).ok
            assert handle.done()
            assert repr(handle) == f"<AsyncEventHandle double {handle.request_id}: succeeded>"
            accepted = await client.invoke_event("double", 3)
            assert await tracker.track(accepted, response=float).result(PATIENCE) == 6.0

    run(use)


def test_many_are_awaited_at_once_and_one_thread_asks() -> None:
    """300 tasks; a failure is the function's own error."""

    async def use(client: li.AsyncLambdaClient, queue: MemoryQueue) -> None:
        async with client.outcomes(URL) as tracker:
            handles = [tracker.handle(f"id-{number}") for number in range(300)]
            tasks = [asyncio.create_task(handle.result(PATIENCE)) for handle in handles]
            await asyncio.sleep(0)
            for number in range(300):
                failed = {"errorType": "ValueError", "errorMessage": str(number), "stackTrace": ["x"]}
                queue.send(record(f"id-{number}", number, error=failed if number % 3 == 0 else None))
            for number, got in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                if number % 3:
                    assert got == number
                else:
                    assert isinstance(got, li.HandlerError)
                    assert got.error_message == str(number)
            assert len(queue.pollers) == 1

    run(use)


def test_handles_come_as_they_complete() -> None:
    """An async iterator; a timeout names those that did not come; wait parts them."""

    async def use(client: li.AsyncLambdaClient, queue: MemoryQueue) -> None:
        async with client.outcomes(URL) as tracker:
            first, second = tracker.handle("id-1"), tracker.handle("id-2")
            queue.send(record("id-2", 2))
            came = tracker.as_completed([first, second], 1)
            assert await anext(came) is second
            with pytest.raises(li.EventOutcomeUnknownError) as caught:
                await anext(came)
            assert caught.value.request_ids == ("id-1",)
            assert await tracker.wait([first, second], 0.05) == ([second], [first])
            queue.send(record("id-1", 1))
            assert await tracker.wait([first, second], PATIENCE) == ([first, second], [])

    run(use)


def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    """The queue is asked no more, and the handle can be asked again."""

    async def use(client: li.AsyncLambdaClient, queue: MemoryQueue) -> None:
        async with client.outcomes(URL) as tracker:
            handle = tracker.handle("id-1")
            waiting = asyncio.create_task(handle.result())
            await asyncio.to_thread(soon, lambda: queue.calls)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert not tracker._poller._waiters
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await handle.result()
            queue.send(record("id-1", 1))
            assert await handle.result(PATIENCE) == 1

    run(use)


def test_who_waits_hears_of_a_queue_that_fails() -> None:
    """Every task; then a retry is possible. And of a close."""

    async def use(client: li.AsyncLambdaClient, queue: MemoryQueue) -> None:
        tracker = client.outcomes(URL)
        handles = [tracker.handle(f"id-{number}") for number in range(3)]
        queue.failure = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        results = await asyncio.gather(*(one.result(PATIENCE) for one in handles), return_exceptions=True)
        assert [type(one) for one in results] == [li.QueueError] * 3
        queue.failure = None
        queue.send(record("id-0", 0))
        assert await handles[0].result(PATIENCE) == 0
        waiting = asyncio.create_task(handles[1].result())
        await asyncio.sleep(0.01)
        await tracker.aclose()
        with pytest.raises(li.RequestError, match="the tracker is closed"):
            await waiting

    run(use)


def test_loops_in_several_threads_share_a_tracker() -> None:
    """Each is woken on its own loop; a loop that ended while it waited holds nobody up."""
    queue = MemoryQueue()
    client = li.AsyncLambdaClient(region_name="us-east-1", services=queue.services)
    tracker = client.outcomes(URL)
    results: dict[int, Any] = {}

    def loop(number: int) -> None:
        async def main() -> None:
            results[number] = await tracker.handle(f"id-{number}").result(PATIENCE)

        asyncio.run(main())

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for number in range(3):
        queue.send(record(f"id-{number}", number))
    for thread in threads:
        thread.join(PATIENCE)
    assert results == {0: 0, 1: 1, 2: 2}

    async def close() -> None:
        await tracker.aclose()
        await client.aclose()

    asyncio.run(close())
