"""The asyncio fan_out: the same report, and one that a cancellation leaves behind."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import CompletionReason, Executed, FanOutError, Progress, cancelled_report
from tests.support.aio import built, handed, until
from tests.support.aws import dummy_environment
from tests.support.patience import PATIENCE
from tests.support.server import Call, ScriptedServer, error, hang, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from lambda_invoke import AsyncLambdaClient
    from tests.support.server import Step

ROOT = Path(__file__).parents[2]
KINDS = pytest.mark.parametrize("make", [built, handed], ids=["built", "handed"])


def some_hang(call: Call) -> Step:
    return hang() if call.json >= 20 else ok(call.body)


@KINDS
def test_the_report(make: Callable[..., AsyncLambdaClient]) -> None:
    """Values in the input's order, failures by kind, counts as the server's."""
    missing = error(404, "ResourceNotFoundException", executes=False)
    told: list[Progress] = []

    async def numbers() -> AsyncIterator[int]:
        for number in range(50):
            yield number

    async def use(server: ScriptedServer) -> None:
        async with make(server) as client:
            report = await client.fan_out("f", range(50), concurrency=8, progress=told.append)
            assert len(report.succeeded) == 49
            assert [one.index for one in report.failed] == [7]
            assert report.attempts == server.requests == 50
            assert (told[-1].done, told[-1].total, told[-1].finished) == (50, 50, True)
            with pytest.raises(FanOutError):
                report.values()
            again = await client.fan_out("f", numbers(), keep="failures")
            assert (again.succeeded_count, len(again.outcomes)) == (49, 1)

    with ScriptedServer(lambda call: missing if call.json == 7 else ok(call.body)) as server:
        asyncio.run(use(server))


def test_an_input_that_raises() -> None:
    """FanOutError with the report of what was taken before."""

    def broken() -> Iterator[int]:
        yield from range(5)
        raise LookupError

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            with pytest.raises(FanOutError) as caught:
                await client.fan_out("f", broken())
            assert isinstance(caught.value.__cause__, LookupError)
            assert caught.value.report.completion_reason is CompletionReason.INPUT_FAILED
            assert len(caught.value.report.succeeded) == 5

    with ScriptedServer() as server:
        asyncio.run(use(server))


@KINDS
def test_cancelled(make: Callable[..., AsyncLambdaClient]) -> None:
    """The CancelledError has the report: finished YES, in flight UNKNOWN, the rest NO."""

    async def use(server: ScriptedServer) -> None:
        async with make(server) as client:
            job = asyncio.create_task(client.fan_out("f", itertools.count(), concurrency=8))
            await until(lambda: server.in_flight == 8)
            job.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await job
            report = cancelled_report(caught.value)
            assert report is not None
            assert report.completion_reason is CompletionReason.INTERRUPTED
            assert [one.index for one in report] == list(range(len(report)))
            assert {one.index for one in report.succeeded} == set(range(20))
            assert {one.index for one in report.unknown} == {call.json for call in server.calls} - set(
                range(20)
            )
            assert {one.executed for one in report.failed} <= {Executed.NO, Executed.UNKNOWN}
            assert "20 succeeded" in "".join(caught.value.__notes__)

    with ScriptedServer(some_hang) as server:
        asyncio.run(use(server))
        assert server.executions == 28


def test_a_time_out_has_the_report_too() -> None:
    """``asyncio.timeout`` around a job."""

    async def use(server: ScriptedServer) -> None:
        async with built(server) as client:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(1.0):
                    await client.fan_out("f", range(30), concurrency=8)
            report = cancelled_report(caught.value)
            assert report is not None
            assert len(report.succeeded) == 20

    with ScriptedServer(some_hang) as server:
        asyncio.run(use(server))


def test_ctrl_c() -> None:
    """Under ``asyncio.run`` it is a cancellation, and the KeyboardInterrupt can be asked as well."""
    program = """
import asyncio, sys
from lambda_invoke import AsyncLambdaClient, cancelled_report

async def main():
    async with AsyncLambdaClient(endpoint_url=sys.argv[1]) as client:
        await client.fan_out("f", range(100), concurrency=8)

try:
    asyncio.run(main())
except KeyboardInterrupt as interrupt:
    report = cancelled_report(interrupt)
    print(len(report.succeeded), len(report.unknown), report.completion_reason.value)
"""
    with ScriptedServer(some_hang) as server:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, server.url],
            env=dummy_environment() | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            server.wait_until(lambda s: s.in_flight == 8)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert (out, err) == ("20 8 interrupted\n", "")
