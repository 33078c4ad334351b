"""Interrupts and stops at any moment: nothing hangs, and every item that was taken is accounted for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from lambda_invoke import (
    AbandonedError,
    Executed,
    FanOutInterrupted,
    FullJitter,
    LambdaClient,
    Reply,
    RetryPolicy,
)
from tests.support.server import ScriptedServer, by_function, hang, ok, throttle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aws import Clients

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers to signal with")


class Instant:
    """A transport that answers at once."""

    def send(self, *_: Any) -> Reply:
        return Reply(200, b"1")

    def close(self) -> None:
        """Nothing to close."""


def rounds_of_interrupts(wanted: int, seed: int) -> None:
    """Fan out under a Ctrl-C at a random moment, until so many jobs were interrupted."""
    client = LambdaClient.over(Instant())
    client.fan_out("f", [1])  # what is imported and started at first use is Python's to interrupt
    chance = random.Random(seed)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    interrupted = 0
    try:
        while interrupted < wanted:
            taken: list[int] = []

            def items(taken: list[int] = taken) -> Iterator[int]:
                for index in range(300):
                    taken.append(index)
                    yield index

            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0005, 0.03))
            try:
                report = client.fan_out("f", items(), concurrency=8)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except FanOutInterrupted as error:
                report = error.report
                interrupted += 1
            except KeyboardInterrupt as late:
                # It came before anything was taken, or when fan_out had returned.
                frames = [frame.filename for frame in traceback.extract_tb(late.__traceback__)]
                assert not taken or frames == [__file__]
                continue
            # The item that was just taken may not have been handed over yet; all others are there.
            assert len(taken) - 1 <= len(report) <= len(taken)
            assert all(outcome.ok or outcome.error is not None for outcome in report)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def second_interrupt() -> None:
    """Fan out to a server that never answers, and interrupt it several times over."""
    with ScriptedServer([hang()]) as server, LambdaClient(endpoint_url=server.url) as client:
        threading.Thread(target=_twice, args=(server,), daemon=True).start()
        inside = True

        def interrupt(number: int, frame: object) -> None:
            if inside:
                raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
        error: BaseException | None = None
        try:
            try:
                client.fan_out("f", range(100), concurrency=32)
            finally:
                inside = False
        except KeyboardInterrupt as interrupted:
            error = interrupted
        # One that came when FanOutInterrupted was on its way up has that as its context.
        while error is not None and not isinstance(error, FanOutInterrupted):
            error = error.__context__
        assert error is not None
        report = error.report
        assert {outcome.index for outcome in report} == set(range(len(report)))
        assert len(report) >= 32
        assert all(outcome.executed is not Executed.YES for outcome in report)


def _twice(server: ScriptedServer) -> None:
    server.wait_until(lambda s: s.requests == 32)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.002)
    time.sleep(0.0035)
    signal.setitimer(signal.ITIMER_REAL, 0)


def tell_others(ignored: sys.UnraisableHookArgs) -> None:
    """Tell of what Python ignored, but for an interrupt: one in a weakref's callback is lost to everybody."""
    if ignored.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(ignored)


def alone(call: str) -> None:
    """Run a function of this module in a process of its own, without coverage.

    What measures coverage takes a lock of its own in Python, which an interrupt can leave locked.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    code = f"from tests.fanout.test_any_moment import *; sys.unraisablehook = tell_others; {call}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**environment, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_an_interrupt_at_any_moment() -> None:
    """Ctrl-C anywhere in fan_out: FanOutInterrupted, whose report lacks no item."""
    alone("rounds_of_interrupts(20, seed=1)")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_interrupts_for_long(seed: int) -> None:
    """The same, many times over."""
    alone(f"rounds_of_interrupts(800, seed={seed})")


def test_a_second_interrupt_loses_no_item() -> None:
    """Ctrl-C again while the first one is being carried out: what was in flight is still in the report."""
    alone("second_interrupt()")


def test_a_stop_is_kept_while_the_input_blocks(built: Clients) -> None:
    """Nothing more is sent although the caller's thread is inside its own iterable."""
    stop, go_on = threading.Event(), threading.Event()
    policy = RetryPolicy(wait=FullJitter(0.01, 0.02))
    with ScriptedServer([throttle()]) as server:
        sent_at_stop: list[int] = []

        def items() -> Iterator[int]:
            yield from range(4)
            server.wait_until(lambda s: s.requests > 8)
            stop.set()
            time.sleep(0.2)  # the engine looks every 50 ms
            sent_at_stop.append(server.requests)
            time.sleep(0.3)
            sent_at_stop.append(server.requests)
            go_on.set()

        report = built(server).fan_out("f", items(), concurrency=4, stop=stop, retry=policy)
        assert go_on.is_set()
        assert sent_at_stop[0] == sent_at_stop[1] == server.requests
        assert {outcome.executed for outcome in report} <= {Executed.NO, Executed.UNKNOWN}  # in flight


def test_giving_up_after_an_attempt_that_ran_says_that_it_ran(built: Clients) -> None:
    """retry_on sends what ran again; stopped in the second attempt, it is not said to be unsent."""
    failed = ok(b'{"errorType": "X", "errorMessage": "m"}', function_error="Unhandled")
    stop = threading.Event()
    policy = RetryPolicy(retry_on="X", wait=FullJitter(0, 0))
    with ScriptedServer(by_function({"f": [failed, hang()]})) as server:

        def stop_the_second() -> None:
            server.wait_until(lambda s: s.requests == 2)
            stop.set()

        threading.Thread(target=stop_the_second, daemon=True).start()
        report = built(server).fan_out("f", [1], retry=policy, stop=stop)
        (outcome,) = report
        assert isinstance(outcome.error, AbandonedError)
        assert outcome.executed is Executed.YES
        assert server.executions == 2
