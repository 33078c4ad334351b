"""An iterator that is closed or dropped gives up what is in flight, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import itertools
import queue
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import (
    AbandonedError,
    Executed,
    FunctionError,
    LambdaClient,
    LambdaInvokeError,
    MapIterator,
    NotSentError,
    Reply,
    Request,
)
from lambda_invoke.fanout.loop import BACKGROUND
from lambda_invoke.transports.aws_config import AwsConfig, BuiltClients
from lambda_invoke.transports.botocore import BotocoreTransport
from lambda_invoke.transports.threads import SENDING, Sending
from tests.support.aws import session
from tests.support.patience import PATIENCE, soon
from tests.support.server import Call, ScriptedServer, by_function, gate, hang, ok

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.aws import Clients
    from tests.support.server import Step


def stuck(call: Call) -> Step:
    return hang() if call.function == "f" and call.json > 0 else ok(call.body)


def tasks() -> int:
    """Tasks of jobs on the background loop."""
    loop = BACKGROUND._loop
    if loop is None:
        return 0
    counted: queue.SimpleQueue[int] = queue.SimpleQueue()
    loop.call_soon_threadsafe(lambda: counted.put(len(asyncio.all_tasks(loop))))
    return counted.get(timeout=PATIENCE)


def close(outcomes: MapIterator[Any]) -> None:
    outcomes.close()


def leave(outcomes: MapIterator[Any]) -> None:
    with outcomes:
        pass


def raise_inside(outcomes: MapIterator[Any]) -> None:
    with pytest.raises(LookupError), outcomes:
        raise LookupError


def drop(outcomes: MapIterator[Any]) -> None:
    """The caller of this drops it."""


@pytest.mark.parametrize("end", [close, leave, raise_inside, drop], ids=lambda end: end.__name__)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_connections_are_free_at_once(
    built: Clients, end: Callable[[MapIterator[Any]], None], tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``max_concurrency=1`` and a stuck call in flight, the next invoke succeeds at once."""
    with ScriptedServer(stuck, tls=tls) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
        client = built(server, max_concurrency=1)
        before = tasks()
        outcomes = client.map("f", itertools.count(), concurrency=1)
        assert next(outcomes).value == 0
        server.wait_until(lambda s: s.in_flight == 1)
        end(outcomes)
        del outcomes
        gc.collect()
        assert client.invoke("g", 7, deadline=PATIENCE).value == 7
        assert server.executions == 3  # nothing more of the job was sent
        soon(lambda: tasks() <= before)


@pytest.mark.parametrize("end", [close, leave], ids=lambda end: end.__name__)
def test_what_was_not_yielded_is_told(
    clients: Clients, end: Callable[[MapIterator[Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``abandoned`` has an outcome for each item taken and not yielded: in flight UNKNOWN, the rest NO."""
    # A busy machine may stop the process within an item, and the input then passes for slow.
    monkeypatch.setattr("lambda_invoke.fanout.mapping._SLOW_INPUT_SECONDS", PATIENCE)
    with ScriptedServer(stuck) as server:
        outcomes = clients(server).map("f", itertools.count(), concurrency=4)
        assert next(outcomes).index == 0
        server.wait_until(lambda s: s.in_flight == 4)
        end(outcomes)
        executed = {call.json for call in server.calls}
        told = {outcome.index: outcome for outcome in outcomes.abandoned}
        assert [outcome.index for outcome in outcomes.abandoned] == sorted(told)
        assert executed - {0} <= set(told)
        for index, outcome in told.items():
            if index in executed:
                assert isinstance(outcome.error, AbandonedError)
                assert outcome.executed is Executed.UNKNOWN
            elif isinstance(outcome.error, NotSentError):
                assert outcome.executed is Executed.NO
        assert list(outcomes) == []


def test_finished_outcomes_are_told_too(clients: Clients) -> None:
    """What finished and was not yielded is in ``abandoned`` as well: nothing is lost."""
    with ScriptedServer() as server:
        outcomes = clients(server).map("f", range(8), concurrency=8)
        first = next(outcomes)
        server.wait_until(lambda s: s.executions == 8)
        time.sleep(0.05)
        outcomes.close()
        values = [first.value, *(outcome.value for outcome in outcomes.abandoned)]
        assert sorted(values) == list(range(8))


def test_closing_is_prompt_and_may_be_repeated(clients: Clients) -> None:
    """It does not wait for what is in flight; a second time does nothing."""
    with ScriptedServer(stuck) as server:
        outcomes = clients(server).map("f", itertools.count(), concurrency=4)
        assert next(outcomes).ok
        server.wait_until(lambda s: s.in_flight == 4)
        began = time.monotonic()
        outcomes.close()
        outcomes.close()
        assert time.monotonic() - began < PATIENCE


def test_closing_from_another_thread_ends_the_wait(built: Clients) -> None:
    """A thread that waits for an outcome is not left waiting when another closes the iterator."""
    with ScriptedServer(stuck) as server:
        client = built(server)
        for number in range(1, 21):
            outcomes = client.map("f", [1], concurrency=1)
            waiting = threading.Thread(target=list, args=(outcomes,), daemon=True)
            waiting.start()
            server.wait_until(lambda s, sent=number: s.requests == sent)  # type: ignore[misc]
            outcomes.close()
            waiting.join(timeout=PATIENCE)
            assert not waiting.is_alive()


def test_closing_before_the_first_next(clients: Clients) -> None:
    """Nothing was taken, and nothing is."""
    with ScriptedServer() as server:
        outcomes = clients(server).map("f", itertools.count())
        outcomes.close()
        assert list(outcomes) == []
        assert outcomes.abandoned == ()
        assert server.connections == 0


def test_the_connection_of_an_abandoned_call_is_closed(built: Clients) -> None:
    """The server sees the connection go, so that what it does may be given up there too."""
    with ScriptedServer(stuck) as server:
        with built(server).map("f", itertools.count(1), concurrency=4) as outcomes:
            thread = threading.Thread(target=lambda: next(outcomes, None), daemon=True)
            thread.start()
            server.wait_until(lambda s: s.in_flight == 4)
            outcomes.close()
            thread.join(timeout=PATIENCE)
        server.wait_until(lambda s: s.open_connections == 0)


def test_raise_errors_gives_up_the_rest(built: Clients) -> None:
    """The item that fails ends the job: what is in flight frees its connections."""
    fails = ok(b'{"errorMessage": "no"}', function_error="Unhandled")
    with ScriptedServer(lambda call: fails if call.json == 0 else stuck(call)) as server:
        client = built(server, max_concurrency=2)
        outcomes = client.map("f", range(2), concurrency=2, raise_errors=True)
        with pytest.raises(FunctionError):
            next(outcomes)
        assert client.invoke("g", 7, deadline=PATIENCE).value == 7


def test_an_iterator_that_was_used_up_leaves_nothing(clients: Clients) -> None:
    """After the last outcome no task of the job is left on the loop."""
    with ScriptedServer() as server:
        before = tasks()
        assert len(list(clients(server).map("f", range(100), concurrency=16))) == 100
        soon(lambda: tasks() <= before)


def test_many_jobs_leave_nothing(built: Clients) -> None:
    """Forty jobs, closed, dropped and used up: no task and no connection over the bound is left."""
    with ScriptedServer() as server:
        client = built(server, max_concurrency=8)
        before = tasks()
        for number in range(40):
            outcomes = client.map("f", range(20), concurrency=8)
            next(outcomes)
            match number % 3:
                case 0:
                    outcomes.close()
                case 1:
                    list(outcomes)
            del outcomes
        gc.collect()
        soon(lambda: tasks() <= before)
        assert sorted(client.fan_out("f", range(8), concurrency=8).values()) == list(range(8))
        assert server.open_connections <= 8


def test_threads_end_when_idle(built: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads that sent for a job end by themselves when there is nothing to send."""
    monkeypatch.setattr("lambda_invoke.transports.threads._IDLE_SECONDS", 0.05)

    def senders() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "lambda_invoke-send"}

    others = senders()
    with ScriptedServer() as server:
        client = built(server)
        assert len(client.fan_out("f", range(50), concurrency=8).succeeded) == 50
        assert len(senders() - others) <= 16  # some are started while others are about to be free
        soon(lambda: not senders() - others)
        assert len(client.fan_out("f", range(50), concurrency=8).succeeded) == 50


def test_giving_up_a_send_that_has_ended_touches_nothing() -> None:
    """A job that is closed just when a reply has come leaves alone the connection, which has gone on."""
    with ScriptedServer() as server:
        clients = BuiltClients(AwsConfig(session=session(), endpoint_url=server.url), max_concurrency=1)
        transport = BotocoreTransport(clients.invoke, slots=1, bounded=True)
        for number in range(1, 6):
            sending = Sending()
            context = contextvars.copy_context()
            context.run(SENDING.set, sending)
            answer = context.run(transport.send, Request("f", "f", payload=b"1"), None, None)
            assert isinstance(answer, Reply)
            sending.give_up()
            assert server.executions == number
        assert server.connections == 1
        clients.close()


def test_a_handler_that_invokes_does_not_blur_what_was_sent(handed: Clients) -> None:
    """A handler's own call queues over another client when the job is closed: the item is told rightly."""
    opened = threading.Event()
    inside = threading.Event()
    with ScriptedServer(
        by_function({"held": lambda _: gate(opened, ok()), "f": lambda _: ok(b"1")})
    ) as server:
        other = handed(server, max_concurrency=1)
        holding = threading.Thread(target=other.invoke, args=("held",))
        holding.start()
        server.wait_until(lambda s: s.executions == 1)
        boto_client = handed.boto_client(server)

        def look_up(**_: Any) -> None:
            inside.set()
            with contextlib.suppress(LambdaInvokeError):
                other.invoke("g", 1)

        boto_client.meta.events.register("before-sign.lambda.Invoke", look_up)
        outcomes = LambdaClient(boto_client).map("f", [1], concurrency=1)
        waiting = threading.Thread(target=list, args=(outcomes,), daemon=True)
        waiting.start()
        assert inside.wait(PATIENCE)
        time.sleep(0.05)  # it queues for the one connection
        outcomes.close()
        waiting.join(timeout=PATIENCE)
        opened.set()
        holding.join()
        with contextlib.suppress(AssertionError):
            server.wait_until(lambda s: s.by_function["f"].requests == 1, timeout=0.3)
        if server.by_function["f"].executions:
            assert [outcome.executed for outcome in outcomes.abandoned] != [Executed.NO]


def test_dropping_makes_no_noise(built: Clients) -> None:
    """No ResourceWarning, no unraisable exception, no task destroyed while pending."""
    with ScriptedServer(stuck) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        client: LambdaClient = built(server)
        outcomes = client.map("f", itertools.count(), concurrency=4)
        next(outcomes)
        del outcomes
        gc.collect()
        soon(lambda: server.open_connections == 0 or server.in_flight == 0)
