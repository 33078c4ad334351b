"""The asyncio client's ``redrive``: the same, awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lambda_invoke import RedrivePlan, RedriveReport, cancelled_redrive
from lambda_invoke.events.redrive_report import RedriveEnd
from tests.support.aio import until
from tests.support.patience import soon

if TYPE_CHECKING:
    from tests.events.redrive_tools import DeadQueue


def test_it_looks_and_sends(dead: DeadQueue) -> None:
    """The plan without send, the report with it; the loop is free meanwhile."""

    async def run() -> None:
        dead.fake.function("orders", lambda event: None)
        dead.put_failures(range(12))
        async with dead.async_client() as client:
            plan = await client.redrive(dead.url)
            assert isinstance(plan, RedrivePlan)
            assert plan.chosen == 12
            report = await client.redrive(dead.url, send=True)
            assert isinstance(report, RedriveReport)
        assert (report.succeeded_count, report.deleted_count) == (12, 12)
        assert dead.counts == (0, 0)

    asyncio.run(run())


def test_it_can_be_cancelled(dead: DeadQueue) -> None:
    """Nothing new is sent, all is given back, and the CancelledError has the report."""

    async def run() -> None:
        dead.fake.function("orders", lambda event: None)
        hold = dead.fake.on("orders").holds()
        dead.put_failures(range(3))
        async with dead.async_client() as client:
            task = asyncio.ensure_future(client.redrive(dead.url, "orders", send=True, concurrency=1))
            await until(lambda: hold.entered)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            hold.release()
            report = cancelled_redrive(caught.value)
            assert report is not None
            assert report.ended is RedriveEnd.INTERRUPTED
            assert (report.may_have_run_count, report.skipped_count) == (1, 2)
            assert dead.counts == (3, 0)
            again = await client.redrive(dead.url, "orders", send=True)
        assert (again.succeeded_count, again.may_have_run_count) == (2, 1)
        assert "may have run" in "".join(caught.value.__notes__)

    asyncio.run(run())


def test_a_look_can_be_cancelled(dead: DeadQueue) -> None:
    """It gives back what it holds first."""

    async def run() -> None:
        dead.put_failures(range(30))
        task = asyncio.ensure_future(dead.async_client().redrive(dead.url))
        await until(lambda: dead.watched.calls["receive_message"])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert dead.counts == (30, 0)

    asyncio.run(run())


def test_progress_is_told_on_the_loop(dead: DeadQueue) -> None:
    """In the caller's own thread, as everything of the asyncio client."""

    async def run() -> None:
        dead.fake.function("orders", lambda event: None)
        dead.put_failures([1])
        loops = []
        async with dead.async_client() as client:
            await client.redrive(
                dead.url, "orders", send=True, progress=lambda _: loops.append(asyncio.get_running_loop())
            )
        assert set(loops) == {asyncio.get_running_loop()}

    asyncio.run(run())


def test_a_loop_that_ends_under_it(dead: DeadQueue) -> None:
    """All its tasks are cancelled at once: what was sent by then counts as perhaps run, as after a kill."""
    dead.fake.function("orders", lambda event: None)
    hold = dead.fake.on("orders").holds()
    dead.put_failures(range(6))
    left = []

    async def run() -> None:
        client = dead.async_client()
        left.append(asyncio.ensure_future(client.redrive(dead.url, "orders", send=True, concurrency=4)))
        await until(lambda: hold.entered == 4)

    asyncio.run(run())
    soon(lambda: dead.counts == (6, 0))
    dead.fake.function("orders", lambda event: None)
    dead.fake.on("orders").returns(None)
    again = dead.client().redrive(dead.url, "orders", send=True)
    assert again.may_have_run_count >= 4
    assert again.succeeded_count == 6 - again.may_have_run_count
