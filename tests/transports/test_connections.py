"""Connections are kept, bounded, never shared by accident, and never trusted for too long."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from lambda_invoke import (
    ConnectionLostError,
    FunctionNotFoundError,
    HandlerError,
    LambdaClient,
    RequestError,
    ServiceFaultError,
    TruncatedResponseError,
)
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport
from lambda_invoke.transports.urllib3_session import MAX_IDLE_SECONDS
from tests.support.aws import QUICK, session
from tests.support.patience import PATIENCE
from tests.support.server import (
    Call,
    ScriptedServer,
    close_idle,
    closing,
    delay,
    drop_after_executing,
    error,
    gate,
    ok,
    truncate,
)
from tests.support.tls import authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.config import Config

    from tests.support.aws import Clients
    from tests.support.server import Step


def at_once(number: int, work: Callable[[int], object]) -> None:
    """Run ``work`` in that many threads, which begin together; what one raises is raised."""
    barrier = threading.Barrier(number)
    raised: list[BaseException] = []

    def run(index: int) -> None:
        barrier.wait()
        try:
            work(index)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def mixed(call: Call) -> Step:
    if call.invocation_type != "RequestResponse":
        return ok()
    match call.function:
        case "fails":
            return ok(b'{"errorType": "E", "errorMessage": "m"}', function_error="Unhandled")
        case "missing":
            return error(404, "ResourceNotFoundException", "m" * 5000)
        case "broken":
            return error(500, "ServiceException")
        case "chunked":
            return ok(b'"' + b"x" * 5000 + b'"', chunked=True)
        case _:
            return ok(call.body)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_hundred_mixed_calls_use_one_connection(
    clients: Clients, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results, events, dry runs, function errors and service errors: every reply is drained."""
    with ScriptedServer(mixed, tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        client = clients(server)
        for index in range(14):
            assert client.invoke("f", index, log_tail=True).value == index
            assert client.invoke("chunked").payload
            client.invoke_event("f", index)
            assert client.dry_run("f")
            with pytest.raises(HandlerError):
                client.invoke("fails")
            with pytest.raises(FunctionNotFoundError):
                client.invoke("missing")
            with pytest.raises(ServiceFaultError):
                client.invoke("broken")
        client.invoke_event("f")
        client.dry_run("f")
        assert server.requests == 100
        assert server.connections == 1


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_connection_closed_while_idle_is_not_used_again(clients: Clients, reset: bool) -> None:
    """The server closes what is idle, without a word: the next call succeeds, and each ran once."""
    with ScriptedServer() as server:
        client = clients(server)
        for index in range(5):
            assert client.invoke("f", index).value == index
            assert server.close_idle_connections(reset=reset) == 1
            time.sleep(0.01)  # the FIN is on its way
        assert server.executions == server.requests == 5
        assert server.connections == 5


@pytest.mark.parametrize("step", [close_idle(ok(b"1")), closing(ok(b"1"))], ids=["silent", "announced"])
def test_a_server_that_closes_after_each_reply(clients: Clients, step: Step) -> None:
    """Each call succeeds on a connection of its own, with one execution."""
    with ScriptedServer([step]) as server:
        client = clients(server)
        for number in range(1, 6):
            assert client.invoke("f").value == 1
            server.wait_until(lambda s: s.open_connections == 0)
            assert server.executions == server.connections == number


def test_two_hundred_at_once(built: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """200 calls together: no connection more than calls, none thrown away, and none opened again."""
    everyone = threading.Event()
    with ScriptedServer(lambda call: gate(everyone, ok(call.body))) as server:
        client = built(server, max_concurrency=200)
        with caplog.at_level(logging.DEBUG, logger="urllib3"):

            def open_when_all_are_there() -> None:
                server.wait_until(lambda s: s.in_flight == 200, 10)
                everyone.set()

            waiting = threading.Thread(target=open_when_all_are_there)
            waiting.start()
            at_once(200, lambda index: client.invoke("f", index))
            waiting.join()
            assert server.max_in_flight == 200
            assert server.connections == 200
            at_once(200, lambda index: client.invoke("f", index))
        assert server.executions == 400
        assert server.connections == 200
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert "pool is full" not in caplog.text


def test_more_callers_than_connections(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """100 callers share ``max_concurrency`` connections: that many in flight at most, nobody fails."""
    with ScriptedServer(lambda call: ok(call.body)) as server:
        client = clients(server, max_concurrency=8)
        at_once(100, lambda index: client.invoke("f", index))
        assert server.executions == 100
        assert server.max_in_flight <= 8
        assert server.connections <= 8
        assert "pool is full" not in caplog.text


def test_callers_take_turns(clients: Clients) -> None:
    """Callers that never stop do not keep others from their turn: those who came first go first."""
    done = threading.Event()
    with ScriptedServer(lambda call: delay(0.002, ok(call.body))) as server:
        client = clients(server, max_concurrency=2)

        def hog() -> None:
            while not done.is_set():
                client.invoke("f")

        hogs = [threading.Thread(target=hog) for _ in range(4)]
        for thread in hogs:
            thread.start()
        try:
            server.wait_until(lambda s: s.executions > 10)
            for index in range(5):
                assert client.invoke("f", index, deadline=PATIENCE).value == index
        finally:
            done.set()
            for thread in hogs:
                thread.join()


def test_a_handed_over_clients_pool_bounds_us(handed: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """A boto3 client's default pool of 10 is neither overrun nor warned about."""
    from botocore.config import Config

    with ScriptedServer(lambda call: ok(call.body)) as server:
        client = handed(server, config=Config(max_pool_connections=10))
        at_once(60, lambda index: client.invoke("f", index))
        assert server.executions == 60
        assert server.max_in_flight <= 10
        assert server.connections <= 10
        assert "pool is full" not in caplog.text


class CountingSession:
    """A session that counts the clients made of it, slowly."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def client(self, service_name: str, /, **kwargs: Any) -> Any:
        self.made.append(threading.get_ident())
        time.sleep(0.05)
        config: Config = kwargs["config"]
        assert config is not None
        return session().client(cast("Any", service_name), **kwargs)


def test_first_use_by_many_threads_builds_one_client() -> None:
    """64 threads at a barrier: one boto3 client is built, and all 64 calls are made."""
    counting = CountingSession()
    with (
        ScriptedServer() as server,
        LambdaClient(session=counting, endpoint_url=server.url, retry=QUICK) as client,
    ):
        at_once(64, lambda index: client.invoke("f", index))
        assert len(counting.made) == 1
        assert server.executions == 64


def test_nothing_is_built_before_first_use() -> None:
    """Making a client makes no session, no boto3 client and no connection."""
    counting = CountingSession()
    client = LambdaClient(session=counting, endpoint_url="http://127.0.0.1:9")
    client.close()
    assert counting.made == []


@contextlib.contextmanager
def opened(server: ScriptedServer) -> Iterator[tuple[LambdaClient, Callable[[], list[Any]]]]:
    """A client over the library's own boto3 client, and a look at the latter's idle connections."""
    clients = BuiltClients(AwsConfig(session=session(), endpoint_url=server.url), max_concurrency=4)

    def pooled() -> list[Any]:
        manager = cast("Any", clients.invoke())._endpoint.http_session._manager
        return [
            connection
            for pool in manager.pools._container.values()
            for connection in pool.pool.queue
            if connection is not None
        ]

    yield LambdaClient.over(BotocoreTransport(clients.invoke, slots=4, bounded=True)), pooled
    clients.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="macOS names them otherwise")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_keep_alive_is_on_the_socket(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes outpace a NAT gateway that forgets a flow after 350 s, and Nagle is off."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority().ca_bundle))
    with ScriptedServer(tls=tls) as server, opened(server) as (client, pooled):
        client.invoke("f")
        (connection,) = pooled()
        option = connection.sock.getsockopt
        assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 30
        assert 30 + 30 * option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) < 350
        assert option(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.parametrize(("age", "connections"), [(MAX_IDLE_SECONDS - 5, 1), (MAX_IDLE_SECONDS + 5, 2)])
def test_an_old_idle_connection_is_not_used_again(age: float, connections: int) -> None:
    """Past the maximum idle time a connection is opened anew; a younger one is used again."""
    with ScriptedServer() as server, opened(server) as (client, pooled):
        client.invoke("f", 1)
        for connection in pooled():
            connection.idle_since -= age
        assert client.invoke("f", 2).value == 2
        assert server.connections == connections
        server.wait_until(lambda s: s.open_connections == 1)
        assert client.invoke("f", 3).value == 3
        assert server.connections == connections


def test_failed_calls_give_their_connection_back(clients: Clients) -> None:
    """After failures of every kind the only connection is still to be had."""
    script = [
        drop_after_executing(),
        truncate(b'"0123456789"', 4),
        error(500, "ServiceException"),
        error(404, "ResourceNotFoundException"),
        ok(b"1"),
    ]
    with ScriptedServer(script) as server:
        client = clients(server, max_concurrency=1)
        for failure in (
            ConnectionLostError,
            TruncatedResponseError,
            ServiceFaultError,
            FunctionNotFoundError,
        ):
            with pytest.raises(failure):
                client.invoke("f", deadline=2)
        assert client.invoke("f", deadline=PATIENCE).value == 1


def test_closing_closes_the_connections(built: Clients) -> None:
    """After ``close()`` no connection is open, and a call is refused before anything is sent."""
    with ScriptedServer() as server:
        client = built(server)
        client.invoke("f")
        assert server.open_connections == 1
        client.close()
        client.close()
        server.wait_until(lambda s: s.open_connections == 0)
        with pytest.raises(RequestError):
            client.invoke("f")
        assert server.requests == 1
