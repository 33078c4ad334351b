"""The contract's two suites: blocking and asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke.aio import AsyncLambdaClient
from lambda_invoke.client import LambdaClient
from lambda_invoke.core.cancelled import cancelled_call
from lambda_invoke.errors import AbandonedError, Executed
from lambda_invoke.testing.contract_answers import AnswerTests
from lambda_invoke.testing.contract_calls import CallTests
from lambda_invoke.testing.contract_cases import PATIENCE, Case, OtherSide, soon

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lambda_invoke.core.transport import Answer, Request


class TransportContract(AnswerTests, CallTests):
    """The tests of a blocking transport; see ``lambda_invoke.testing.contract``."""

    def sends(
        self,
        other: OtherSide[Any],
        *requests: Request,
        timeout: float | None = None,
        remaining: float | None = None,
    ) -> list[Answer]:
        """Send requests, all at once, each in a thread of its own."""
        answers: dict[int, Answer] = {}

        def send(place: int, request: Request) -> None:
            answers[place] = other.transport.send(request, timeout, remaining)

        threads = [
            threading.Thread(target=send, args=(place, request), daemon=True)
            for place, request in enumerate(requests)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(answers) == len(requests), "a transport answers every request, and raises nothing"
        return [answers[place] for place in range(len(requests))]

    def calls(self, other: OtherSide[Any], call: Callable[[Any], Any]) -> Any:
        """Make a call of a client over the transport."""
        return call(LambdaClient.over(other.transport, **other.client_options))

    def closes(self, other: OtherSide[Any]) -> None:
        """Close the transport."""
        other.transport.close()


class AsyncTransportContract(AnswerTests, CallTests):
    """The tests of an asyncio transport; see ``lambda_invoke.testing.contract``."""

    def sends(
        self,
        other: OtherSide[Any],
        *requests: Request,
        timeout: float | None = None,
        remaining: float | None = None,
    ) -> list[Answer]:
        """Send requests, all at once, each in a task of its own."""

        async def send_all() -> list[Answer]:
            sends = (other.transport.send(request, timeout, remaining) for request in requests)
            return list(await asyncio.gather(*sends))

        answers: list[Answer] = self._on_a_loop(other, send_all)
        return answers

    def calls(self, other: OtherSide[Any], call: Callable[[Any], Any]) -> Any:
        """Make a call of a client over the transport."""

        async def awaited() -> Any:
            return await call(AsyncLambdaClient.over(other.transport, **other.client_options))

        return self._on_a_loop(other, awaited)

    def closes(self, other: OtherSide[Any]) -> None:
        """Close the transport."""

        async def nothing() -> None:
            """What is closed is closed on a loop."""

        self._on_a_loop(other, nothing)

    def _on_a_loop(self, other: OtherSide[Any], work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        async def run() -> Any:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await work()
            finally:
                await other.transport.aclose()

        return asyncio.run(run())

    def test_a_call_that_is_cancelled_is_given_up(self) -> None:
        """What is known of it is UNKNOWN, once it was sent; the transport works on."""
        with self.made(Case.HELD) as other:

            async def cancel() -> Any:
                client = AsyncLambdaClient.over(other.transport, **other.client_options)
                call = asyncio.ensure_future(client.invoke(other.function, payload=other.payload))
                await asyncio.to_thread(soon, lambda: other.executions() == 1)
                call.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await call
                other.release()
                again = await client.invoke(other.function, payload=other.payload)
                return cancelled_call(caught.value), again

            error, again = self._on_a_loop(other, cancel)
            assert isinstance(error, AbandonedError)
            assert error.executed is Executed.UNKNOWN
            assert again.payload == other.payload
