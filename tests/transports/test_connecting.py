"""Connecting to a name with several addresses: the first that answers, soon, and no socket left over."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import AsyncLambdaClient, ConnectError, Executed, RetryPolicy
from lambda_invoke.transports import connecting
from lambda_invoke.transports.connecting import connected_socket
from tests.support.aws import session
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


def run(kind: str, main: Any) -> Any:
    if kind == "asyncio":
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[str, int]]], None]:
    """Has ``many.test`` resolve to these."""
    real = connecting._addresses

    def set_(found: list[tuple[str, int]]) -> None:
        async def resolve(host: str, port: int) -> Any:
            if host != "many.test":
                return await real(host, port)
            return [
                (socket.AF_INET6 if ":" in address else socket.AF_INET, (address, at))
                for address, at in found
            ]

        monkeypatch.setattr(connecting, "_addresses", resolve)

    return set_


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose queue of connections is full: connecting to it takes for ever."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port that refuses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@pytest.mark.parametrize("kind", LOOPS)
def test_one_that_does_not_answer_is_passed_by(kind: str, addresses: Any, silent: int) -> None:
    """After a quarter of a second, not after the connect time-out; the loser's socket is closed."""
    with ScriptedServer() as server:
        addresses([("127.0.0.1", silent), ("127.0.0.1", server.port)])

        async def main() -> None:
            began = time.monotonic()
            sock = await connected_socket("many.test", 443)
            assert 0.2 <= time.monotonic() - began < PATIENCE
            assert sock.getpeername() == ("127.0.0.1", server.port)
            assert not sock.getblocking()
            sock.close()

        run(kind, main())
        gc.collect()


@pytest.mark.parametrize("kind", LOOPS)
def test_one_that_refuses_is_passed_by_at_once(
    kind: str, addresses: Any, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next address is not made to wait for it."""
    monkeypatch.setattr(connecting, "DELAY_SECONDS", PATIENCE * 2)
    with ScriptedServer() as server:
        addresses([("127.0.0.1", closed), ("127.0.0.1", closed), ("127.0.0.1", server.port)])

        async def main() -> None:
            (await connected_socket("many.test", 443)).close()

        began = time.monotonic()
        run(kind, main())
        assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("number", [1, 2])
def test_none_that_answers(kind: str, addresses: Any, closed: int, number: int) -> None:
    """The first one's error is raised."""
    addresses([("127.0.0.1", closed)] * number)

    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await connected_socket("many.test", 443)

    run(kind, main())
    gc.collect()


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("number", [1, 3])
def test_cancelled(kind: str, addresses: Any, silent: int, number: int) -> None:
    """No socket is left, and no task."""
    addresses([("127.0.0.1", silent)] * number)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await connected_socket("many.test", 443)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(kind, main())
    gc.collect()


def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's first choice first, then the other family; a literal address is not looked up."""

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        six, four = socket.AF_INET6, socket.AF_INET
        return [
            (family, 1, 6, "", (address, 443))
            for family, address in ((six, "::1"), (six, "::2"), (six, "::3"), (four, "1"), (four, "2"))
        ]

    async def main() -> None:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        found = await connecting._addresses("many.test", 443)
        assert [address[0] for _, address in found] == ["::1", "1", "::2", "2", "::3"]
        assert await connecting._addresses("::1", 1) == [(socket.AF_INET6, ("::1", 1))]
        assert await connecting._addresses("127.0.0.1", 1) == [(socket.AF_INET, ("127.0.0.1", 1))]

    asyncio.run(main())


def test_a_client_passes_it_by(addresses: Any, silent: int, closed: int) -> None:
    """A call to a name with a dead address gets through; with no other, it is a ConnectError: NO."""
    with ScriptedServer() as server:

        async def call(retry: RetryPolicy) -> Any:
            url = "http://many.test:443"
            async with AsyncLambdaClient(session=session(), endpoint_url=url, retry=retry) as client:
                return (await client.invoke("f", 7)).value

        addresses([("127.0.0.1", silent), ("127.0.0.1", closed), ("127.0.0.1", server.port)])
        assert asyncio.run(call(RetryPolicy())) == 7
        assert server.connections == 1
        addresses([("127.0.0.1", closed)])
        with pytest.raises(ConnectError) as caught:
            asyncio.run(call(RetryPolicy.never()))
        assert caught.value.executed is Executed.NO
