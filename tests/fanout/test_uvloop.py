"""Fan-out on uvloop, which the library's own loop is where it is installed."""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import AbandonedError, ConnectionLostError, Executed, LambdaClient
from lambda_invoke.fanout.loop import BACKGROUND, new_event_loop
from tests.support.aws import session
from tests.support.server import ScriptedServer, drop_after_executing, hang, ok, reset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients
    from tests.support.server import Step

uvloop = pytest.importorskip("uvloop", reason="not on this platform", exc_type=ImportError)


@pytest.fixture(autouse=True)
def on_uvloop() -> Iterator[None]:
    """The background loop is uvloop's for this test, and anew what it was after it."""
    before = BACKGROUND.make
    BACKGROUND.stop()
    BACKGROUND.make = new_event_loop
    yield
    BACKGROUND.stop()
    BACKGROUND.make = before


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_job(monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:
    """Every item once, within the bound, on uvloop's loop."""
    with ScriptedServer(tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        with LambdaClient(session=session(), endpoint_url=server.url) as client:
            assert client.fan_out("f", range(300), concurrency=16).values() == list(range(300))
            assert type(BACKGROUND._loop).__module__.startswith("uvloop")
        assert server.executions == 300
        assert server.connections <= 16


@pytest.mark.parametrize("step", [drop_after_executing(), reset()], ids=["dropped", "reset"])
def test_what_may_have_run_is_unknown(built: Clients, step: Step) -> None:
    """What uvloop was given to write counts as sent: it writes later, and tells later."""
    with ScriptedServer([step]) as server:
        (outcome,) = built(server).fan_out("f", [1])
        assert isinstance(outcome.error, ConnectionLostError)
        assert outcome.executed is Executed.UNKNOWN
        assert server.executions == 1


def test_giving_up(built: Clients) -> None:
    """Closed, what is in flight is UNKNOWN and its connections close."""
    with ScriptedServer(lambda call: hang() if call.json else ok(b"1")) as server:
        with built(server).map("f", itertools.count(), concurrency=4) as outcomes:
            assert next(outcomes).ok
            server.wait_until(lambda s: s.in_flight == 4)
        unknown = [one for one in outcomes.abandoned if isinstance(one.error, AbandonedError)]
        assert len(unknown) == 4
        server.wait_until(lambda s: s.in_flight == 0 or s.open_connections == 0)


def test_without_it_asyncios_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_event_loop()
    assert isinstance(loop, asyncio.SelectorEventLoop)
    loop.close()
