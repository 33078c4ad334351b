"""A stop at an awkward moment: nothing is begun after it, and nothing is left half done."""

import asyncio
import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import uvloop
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_invoke.local import Function, LocalLambda
from lambda_invoke.local.http import HttpServer
from lambda_invoke.local.http_connection import Connection, ServerOptions
from lambda_invoke.local.http_message import HttpRequest, HttpResponse
from tests.local.conftest import children, until, workers
from tests.local.test_http_connection import Wire

INIT = str(Path(__file__).parent / "failing_init.py")
ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"}, proxies={})


def test_a_streamed_cold_start_is_broken_off(tmp_path: Path) -> None:
    """The init that the stop ended is not tried again: no process is there afterwards."""
    environment = {"INIT_FILE": str(tmp_path / "inits"), "INIT_WHAT": "slow", "INIT_SECONDS": "1000"}
    before = children()
    with LocalLambda({"f": Function(f"{INIT}:handler", environment=environment)}) as local:
        client = local.boto3_client(config=ONCE)

        def call() -> None:
            with contextlib.suppress(BotoCoreError, ClientError):
                client.invoke_with_response_stream(FunctionName="f")

        caller = threading.Thread(target=call)
        caller.start()
        assert until((tmp_path / "inits").exists)
        assert workers()
    caller.join()
    client.close()
    assert children() == before
    assert (tmp_path / "inits").read_text() == "init\n"
    stats = local.stats("f")
    assert (stats.started, stats.failed, stats.in_flight, stats.cold_starts) == (1, 1, 0, 1)


REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Work:
    """What a request begins in the call that brought it, and a task has to end."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    def handle(self, _: HttpRequest) -> Any:
        self.begun += 1
        return self._go_on()

    async def _go_on(self) -> HttpResponse:
        try:
            await asyncio.Event().wait()
            return HttpResponse(200)
        finally:
            self.ended += 1


async def some_turns(many: int = 20) -> None:
    for _ in range(many):
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(6))
def test_a_connection_that_is_being_accepted_is_dropped_too(turns: int) -> None:
    """However few turns of the loop lie between a request and the stop."""

    async def stop() -> None:
        work = Work()
        server = HttpServer(work.handle, body_limit=10)
        await server.start()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(REQUEST)
            await some_turns(turns)
            await server.close()
            await some_turns()
            assert work.begun == work.ended
            assert asyncio.all_tasks() == {asyncio.current_task()}

    uvloop.run(stop())


def test_what_was_begun_is_ended() -> None:
    """Also when its connection is dropped before the task that ends it has run at all."""

    async def drop() -> None:
        work = Work()
        connections: set[Connection] = set()
        connection = Connection(ServerOptions(work.handle, 10, None, False, None), connections)
        connection.connection_made(Wire())
        connection.data_received(REQUEST)
        connection.drop()
        connection.connection_lost(None)
        await some_turns()
        assert (work.begun, work.ended) == (1, 1)
        assert connection.over.is_set()
        assert not connections

    asyncio.run(drop())
