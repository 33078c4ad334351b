"""A pool: bounded, most recently used first, in turn; nothing is lost, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import Executed, Failure, Reply, Request
from lambda_invoke.transports import direct as direct_module
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport
from lambda_invoke.transports.direct import DirectTransport
from lambda_invoke.transports.direct_config import read_config
from lambda_invoke.transports.pool import Pool
from tests.support.aio import until
from tests.support.aws import dummy_environment, session
from tests.support.patience import PATIENCE
from tests.support.server import ScriptedServer, gate, hang, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

ROOT = Path(__file__).parents[2]
MAX_IDLE = 20.0


class FakeConnection:
    """A connection as the pool sees one."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.reusable = True
        self.aborted = False
        self.idle_since = 0.0
        self.stale = False

    def looks_stale(self) -> bool:
        return self.stale or self.aborted

    def abort(self, reason: str = "") -> None:
        self.aborted = True
        self.reusable = False

    async def wait_closed(self) -> None:
        pass


class Connector:
    """Opens fake connections, at once or when it is let; counts them."""

    def __init__(self) -> None:
        self.made: list[FakeConnection] = []
        self.started = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def __call__(self) -> Any:
        self.started += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.made.append(FakeConnection(len(self.made)))
        return self.made[-1]

    @property
    def live(self) -> int:
        """Connections that nobody aborted."""
        return sum(not one.aborted for one in self.made)


def pooled(most: int) -> tuple[Any, Connector]:
    """A pool over fake connections, for the running loop."""
    connector = Connector()
    return Pool(asyncio.get_running_loop(), connector, most=most, max_idle=MAX_IDLE), connector


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a loop of its own; no task of the pool's is left when it ends."""

    async def checked() -> None:
        await test()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def run() -> None:
        asyncio.run(checked())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@on_a_loop
async def test_it_is_bounded() -> None:
    """No more than ``most`` connections, however many ask."""
    pool, connector = pooled(3)
    under_way = most = 0

    async def use() -> None:
        nonlocal under_way, most
        connection = await pool.acquire()
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        pool.release(connection)

    await asyncio.gather(*(use() for _ in range(50)))
    assert (most, len(connector.made)) == (3, 3)
    await pool.close()
    assert connector.live == 0


@on_a_loop
async def test_the_most_recently_used_comes_first() -> None:
    """So that those which are not needed grow old."""
    pool, _ = pooled(3)
    connections = [await pool.acquire() for _ in range(3)]
    for connection in connections:
        pool.release(connection)
    assert [(await pool.acquire()).number for _ in range(3)] == [2, 1, 0]
    await pool.close()


@on_a_loop
async def test_those_who_wait_are_served_in_turn() -> None:
    """First come, first served; who asks later does not overtake."""
    pool, _ = pooled(1)
    held = await pool.acquire()
    order: list[int] = []

    async def use(number: int) -> None:
        connection = await pool.acquire()
        order.append(number)
        await asyncio.sleep(0)
        pool.release(connection)

    tasks = [asyncio.create_task(use(number)) for number in range(5)]
    await turns()
    pool.release(held)
    tasks.append(asyncio.create_task(use(5)))
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4, 5]
    await pool.close()


@on_a_loop
async def test_who_gives_up_waiting_passes_the_turn_on() -> None:
    """Cancelled before its turn, and cancelled when the turn had come already: the next gets it."""
    for after_the_turn in (False, True):
        pool, connector = pooled(1)
        held = await pool.acquire()
        first = asyncio.create_task(pool.acquire())
        second = asyncio.create_task(pool.acquire())
        await turns()
        if after_the_turn:
            pool.release(held)
            first.cancel()
        else:
            first.cancel()
            pool.release(held)
        assert await second is held
        assert first.cancelled()
        assert len(connector.made) == 1
        await pool.close()


@on_a_loop
async def test_the_right_to_open_one_is_passed_on_too() -> None:
    """A broken connection makes room for another; who was to open it is cancelled: the next opens it."""
    pool, connector = pooled(1)
    held = await pool.acquire()
    first = asyncio.create_task(pool.acquire())
    second = asyncio.create_task(pool.acquire())
    await turns()
    held.abort()
    pool.release(held)
    first.cancel()
    assert (await second).number == 1
    assert first.cancelled()
    assert len(connector.made) == 2
    await pool.close()


@on_a_loop
async def test_a_broken_connection_makes_room() -> None:
    """Released in whatever state, its slot is free again."""
    pool, connector = pooled(1)
    for number in range(5):
        connection = await pool.acquire()
        assert connection.number == number
        connection.abort()
        pool.release(connection)
    assert connector.live == 0
    await pool.close()


@on_a_loop
async def test_a_connection_that_failed_makes_room() -> None:
    """Its error goes to who asked, and the next in line tries anew."""
    pool, connector = pooled(1)
    connector.error = OSError("refused")
    results = await asyncio.gather(*(pool.acquire() for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [OSError] * 3
    connector.error = None
    assert (await pool.acquire()).number == 0
    await pool.close()


@on_a_loop
async def test_who_gives_up_while_it_opens_leaves_it_to_the_pool() -> None:
    """The connection is opened to its end, and the next uses it: no socket is lost, nor its slot."""
    pool, connector = pooled(1)
    connector.open.clear()
    first = asyncio.create_task(pool.acquire())
    second = asyncio.create_task(pool.acquire())
    await turns()
    first.cancel()
    await turns()
    assert first.cancelled()
    connector.open.set()
    assert (await second).number == 0
    assert connector.started == 1
    await pool.close()
    assert connector.live == 0


@on_a_loop
async def test_who_gives_up_while_it_fails_to_open() -> None:
    """Nobody waits for the error; the slot comes back."""
    pool, connector = pooled(1)
    connector.open.clear()
    first = asyncio.create_task(pool.acquire())
    await turns()
    first.cancel()
    await turns()
    connector.error = OSError("refused")
    connector.open.set()
    await turns()
    connector.error = None
    assert (await asyncio.wait_for(pool.acquire(), 5)).number == 0
    await pool.close()


@pytest.mark.parametrize("age", [MAX_IDLE - 1, MAX_IDLE + 1], ids=["young", "old"])
def test_what_was_idle_for_too_long_is_not_used(age: float) -> None:
    """Past its age a connection is closed and another opened."""

    @on_a_loop
    async def run() -> None:
        pool, connector = pooled(1)
        connection = await pool.acquire()
        pool.release(connection)
        connection.idle_since -= age
        again = await pool.acquire()
        assert (again is connection) == (age < MAX_IDLE)
        assert connector.live == 1
        await pool.close()

    run()


@on_a_loop
async def test_what_nobody_needs_any_more_is_closed() -> None:
    """Where fewer are in use than there were, the old ones go as others come back."""
    pool, connector = pooled(5)
    connections = [await pool.acquire() for _ in range(5)]
    for connection in connections:
        pool.release(connection)
    for connection in connections[:4]:
        connection.idle_since -= MAX_IDLE + 1
    pool.release(await pool.acquire())
    assert [one.aborted for one in connections] == [True] * 4 + [False]
    await asyncio.gather(*(pool.acquire() for _ in range(5)))  # their slots are free
    assert connector.live == 5
    await pool.close()


@on_a_loop
async def test_what_the_other_side_closed_is_not_used() -> None:
    """Told by the loop: the next one, or a new one, is given."""
    pool, connector = pooled(2)
    first, second = await pool.acquire(), await pool.acquire()
    pool.release(first)
    pool.release(second)
    second.reusable = False
    assert await pool.acquire() is first
    assert (await pool.acquire()).number == 2
    assert connector.live == 2
    await pool.close()


@on_a_loop
async def test_what_only_the_system_knows_to_be_closed_is_not_used() -> None:
    """A FIN that the loop has not come to: asked, the connection looks stale, and is not given."""
    pool, connector = pooled(1)
    first = await pool.acquire()
    pool.release(first)
    first.stale = True
    assert (await pool.acquire()).number == 1
    assert connector.live == 1
    await pool.close()


@on_a_loop
async def test_closing_drops_what_is_in_use_and_what_is_being_opened() -> None:
    """No connection outlives the pool, not one that comes about after it closed."""
    pool, connector = pooled(3)
    await pool.acquire()
    pool.release(await pool.acquire())
    connector.open.clear()
    late = [asyncio.create_task(pool.acquire()) for _ in range(2)]
    await turns()
    late[1].cancel()
    asyncio.get_running_loop().call_later(0.01, connector.open.set)
    await pool.close()
    for connection in await asyncio.gather(*late, return_exceptions=True):
        if isinstance(connection, FakeConnection):
            pool.release(connection)
    assert connector.live == 0


# Over the wire


@pytest.fixture
def built() -> Iterator[Callable[..., BuiltClients]]:
    """Makes the library's own clients."""
    made: list[BuiltClients] = []

    def build(server: ScriptedServer) -> BuiltClients:
        made.append(BuiltClients(AwsConfig(session=session(), endpoint_url=server.url), max_concurrency=8))
        return made[-1]

    yield build
    for one in made:
        one.close()


def a_request(payload: bytes = b"1") -> Request:
    return Request("f", "f", payload=payload)


async def gathered(transport: DirectTransport, number: int) -> None:
    answers = await asyncio.gather(*(transport.send(a_request(), None, 10) for _ in range(number)))
    assert [type(answer) for answer in answers] == [Reply] * number


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_many_items_share_a_few_connections(
    built: Callable[..., BuiltClients], monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """A hundred at once over four: the server never sees more, and each ran once."""
    with ScriptedServer(tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        asyncio.run(gathered(DirectTransport(built(server).invoke, slots=4), 100))
        assert server.executions == 100
        assert server.max_in_flight <= 4
        assert server.connections <= 4
        server.wait_until(lambda s: s.open_connections == 0)


def test_several_loops_one_after_another(built: Callable[..., BuiltClients]) -> None:
    """Each has connections of its own, which end with it; no loop is kept alive by the transport."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    with ScriptedServer() as server:
        direct = DirectTransport(built(server).invoke, slots=2)

        async def use() -> None:
            loops.append(weakref.ref(asyncio.get_running_loop()))
            await gathered(direct, 5)

        for number in range(1, 4):
            asyncio.run(use())
            server.wait_until(lambda s: s.open_connections == 0)
            assert number <= server.connections <= 2 * number
        assert server.executions == 15
    gc.collect()
    assert [loop() for loop in loops] == [None] * 3


def test_two_loops_at_a_time(built: Callable[..., BuiltClients]) -> None:
    """Threads with a loop each share the configuration and nothing else."""
    with ScriptedServer() as server:
        direct = DirectTransport(built(server).invoke, slots=2)
        threads = [threading.Thread(target=asyncio.run, args=(gathered(direct, 20),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.executions == 60
        assert server.connections <= 6


def test_used_again_after_it_was_closed(built: Callable[..., BuiltClients]) -> None:
    """``aclose`` drops this loop's connections, with all of them gone; the next send opens others."""
    with ScriptedServer() as server:
        direct = DirectTransport(built(server).invoke, slots=2)

        async def use() -> None:
            await gathered(direct, 2)
            await direct.aclose()
            await asyncio.to_thread(server.wait_until, lambda s: s.open_connections == 0)
            await gathered(direct, 2)
            await direct.aclose()
            await direct.aclose()

        asyncio.run(use())
        assert server.executions == 4


def test_closing_ends_those_who_wait(built: Callable[..., BuiltClients]) -> None:
    """``aclose`` with calls in flight and queued: UNKNOWN and NO, nothing raised, nothing sent after."""
    with ScriptedServer([hang()]) as server:
        direct = DirectTransport(built(server).invoke, slots=2)

        async def use() -> list[Any]:
            request = Request("f", "f")
            sends = [asyncio.create_task(direct.send(request, None, PATIENCE)) for _ in range(6)]
            await until(lambda: server.in_flight == 2)
            await direct.aclose()
            return await asyncio.gather(*sends)

        answers = asyncio.run(use())
        assert Counter(answer.executed for answer in answers) == {Executed.UNKNOWN: 2, Executed.NO: 4}
        assert {type(answer) for answer in answers} == {Failure}
        assert (server.requests, server.connections) == (2, 2)


QUIET = """
import asyncio, gc, sys, warnings
from lambda_invoke import Request
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.direct import DirectTransport

built = BuiltClients(AwsConfig(endpoint_url=sys.argv[1]), max_concurrency=4)
direct = DirectTransport(built.invoke, slots=4)

async def use(closes, leaves):
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no defect
    sends = [asyncio.ensure_future(direct.send(Request("f", "f", payload=b"1"), None, 10)) for _ in range(20)]
    if leaves == "cancelled":
        await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
        for send in sends[::2]:
            send.cancel()
        await asyncio.wait(sends)
    elif leaves == "pending":
        await asyncio.sleep(0.02)
    else:
        await asyncio.gather(*sends)
    if closes:
        await direct.aclose()
        assert leaves == "pending" or asyncio.all_tasks() == {asyncio.current_task()}, asyncio.all_tasks()

for closes in (False, True):
    for leaves in ("done", "cancelled", "pending"):
        asyncio.run(use(closes, leaves), debug=closes)
        gc.collect()
built.close()
print("done")
"""


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_nothing_is_left_behind(tls: bool) -> None:
    """With and without ``aclose``, calls finished, cancelled or pending: no task, no warning, no socket."""
    with ScriptedServer(tls=tls) as server:
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", QUIET, server.url],
            cwd=ROOT,
            env=os.environ | dummy_environment() | {"AWS_CA_BUNDLE": server.ca_bundle},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.stdout.strip(), ended.stderr) == ("done", "")
        server.wait_until(lambda s: s.open_connections == 0)


# The first use


def test_many_first_uses_read_the_configuration_once(
    built: Callable[..., BuiltClients], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From several loops at once, and nothing is sent for it: the server sees the calls alone."""
    reads: list[Any] = []
    real = read_config

    def counted(client: Any) -> Any:
        reads.append(client)
        return real(client)

    monkeypatch.setattr(direct_module, "read_config", counted)
    with ScriptedServer() as server:
        direct = DirectTransport(built(server).invoke, slots=8)
        start = threading.Barrier(3)

        def use() -> None:
            start.wait()
            asyncio.run(gathered(direct, 20))

        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(reads) == 1
        assert server.requests == server.executions == 60


def test_a_blocking_call_at_that_moment_is_unaffected(built: Callable[..., BuiltClients]) -> None:
    """Threads send over the same client while its configuration is read, over and over: all answered."""
    with ScriptedServer() as server:
        clients = built(server)
        blocking = BotocoreTransport(clients.invoke, slots=4, bounded=True)
        stop = threading.Event()
        answers: list[Any] = []

        def send() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                answers.append((b"%d" % number, blocking.send(a_request(b"%d" % number), None, 5)))

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(30):
            asyncio.run(DirectTransport(clients.invoke, slots=1).configure())
        stop.set()
        for thread in threads:
            thread.join()
        assert answers
        for sent, answer in answers:
            assert isinstance(answer, Reply)
            assert answer.body == sent
        assert server.requests == server.executions == len(answers)


def test_the_request_that_is_read_never_leaves(built: Callable[..., BuiltClients]) -> None:
    """A call whose handlers botocore is looking up just then does not open a gap for it."""
    looked_up, caught = threading.Event(), threading.Event()
    with ScriptedServer() as server:
        clients = built(server)
        client: Any = clients.invoke()
        events = client.meta.events
        handlers = events._emitter._handlers
        search, register = handlers.prefix_search, events.register_first
        blocking = threading.Thread(
            target=BotocoreTransport(clients.invoke, slots=1, bounded=True).send, args=(a_request(), None, 5)
        )

        def slow_search(name: str) -> Any:
            found = search(name)
            if threading.current_thread() is blocking and name == "before-send.lambda.Invoke":
                looked_up.set()
                caught.wait(0.5)
            return found

        def register_and_wait(*args: Any, **kwargs: Any) -> None:
            register(*args, **kwargs)
            caught.set()
            blocking.join()

        handlers.prefix_search = slow_search
        events.register_first = register_and_wait
        blocking.start()
        assert looked_up.wait(5)
        asyncio.run(DirectTransport(clients.invoke, slots=1).configure())
        blocking.join()
        assert [call.invocation_type for call in server.calls] == ["RequestResponse"]


def test_a_slow_first_use_does_not_hold_the_loop_up(built: Callable[..., BuiltClients]) -> None:
    """The client is made in a thread: the loop turns meanwhile."""
    made = threading.Event()
    with ScriptedServer() as server:
        make = built(server).invoke

        def slow() -> Any:
            assert made.wait(5)
            return make()

        direct = DirectTransport(slow, slots=1)

        async def run() -> None:
            task = asyncio.create_task(direct.send(a_request(), None, None))
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not task.done()
            made.set()
            assert isinstance(await task, Reply)

        asyncio.run(run())


def test_a_call_that_waits_for_a_connection_costs_no_connection(built: Callable[..., BuiltClients]) -> None:
    """A thousand in line behind two stuck calls: two connections, and all are answered in the end."""
    open_ = threading.Event()
    with ScriptedServer(lambda call: gate(open_, ok()) if call.number <= 2 else ok()) as server:
        direct = DirectTransport(built(server).invoke, slots=2)

        async def run() -> None:
            task = asyncio.create_task(gathered(direct, 1000))
            await until(lambda: server.executions >= 2)
            await asyncio.sleep(0.02)
            assert server.connections == 2
            open_.set()
            await task

        asyncio.run(run())
        assert (server.connections, server.executions) == (2, 1000)
