"""Ctrl-C at every line of ``once``, and the end of ``asyncio.run``: what becomes of the key."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lambda_invoke as li
from lambda_invoke.core.cancelled import mark_call
from lambda_invoke.once.drive import to_its_end
from lambda_invoke.testing import FakeLambda
from tests.once.stores import MemoryLayer
from tests.support.patience import PATIENCE, soon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from lambda_invoke import LambdaClient
    from tests.once.stores import Place

KEY = "order-17"
OURS = str(Path(li.__file__).parent / "once")
STEPS = ("drive.py", "run.py")


@contextlib.contextmanager
def interrupted(line: int) -> Iterator[list[int]]:
    """A KeyboardInterrupt at that line of the steps and their driver; yields how many there were."""
    seen = [0]

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            seen[0] += 1
            if seen[0] == line:
                raise KeyboardInterrupt
        return local

    def trace(frame: FrameType, _event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        return local if name.startswith(OURS) and name.endswith(STEPS) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(before)


def test_ctrl_c_at_every_line(tmp_path: Path) -> None:
    """A key whose function was not sent is free; what was sent runs no second time while its lock holds."""
    fake = FakeLambda({"double": lambda event: {"twice": event["n"] * 2}})
    locked = []
    with fake.client() as client:
        line = 0
        while True:
            line += 1
            options: dict[str, Any] = {"key": f"{KEY}-{line}", "store": tmp_path / "keys"}
            sent = fake.requests
            with interrupted(line) as seen, contextlib.suppress(KeyboardInterrupt):
                client.once("double", {"n": 2}, **options)
            if seen[0] < line:
                break
            was_sent = fake.requests > sent
            assert fake.requests <= sent + 1
            try:
                again = client.once("double", {"n": 2}, concurrent="raise", **options)
            except li.KeyInProgressError:
                assert was_sent, f"line event {line}"
                locked.append(line)
            else:
                assert again.replayed is was_sent, f"line event {line}"
    assert line > 60
    assert locked


def test_asyncio_run_ends_while_a_key_is_taken(fake: FakeLambda) -> None:
    """It cancels every task at once: the key is taken, and only then released."""
    layer = SlowLayer()

    async def lets_it_go_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):  # time for a release that does not wait
                await asyncio.sleep(0.005)
            layer.go.set()

    async def main() -> None:
        client = fake.async_client()
        tasks = [lets_it_go_on(), client.once("double", {"n": 2}, key=KEY, store=layer)]
        background.extend(asyncio.ensure_future(one) for one in tasks)
        await asyncio.to_thread(layer.asked.wait, PATIENCE)

    background: list[Any] = []
    asyncio.run(main())
    assert all(task.cancelled() for task in background)
    soon(lambda: layer.calls == ["put", "delete"])
    assert layer.records == {}


def test_no_task_of_ours_runs_an_operation_of_the_store() -> None:
    """So that who cancels all tasks does not cancel it."""

    async def main() -> None:
        go = threading.Event()
        done: list[bool] = []
        task = asyncio.ensure_future(to_its_end(lambda: done.append(go.wait(PATIENCE))))
        await asyncio.sleep(0)
        for one in asyncio.all_tasks() - {asyncio.current_task()}:
            one.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [True]

    asyncio.run(main())


class SlowLayer(MemoryLayer):
    """One whose puts take a while."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.go = threading.Event()
        self.calls: list[str] = []

    def _put_record(self, data_record: Any) -> None:
        self.asked.set()
        self.go.wait(PATIENCE)
        super()._put_record(data_record)
        self.calls.append("put")

    def _delete_record(self, data_record: Any) -> None:
        self.calls.append("delete")
        super()._delete_record(data_record)


def test_an_earlier_calls_cancellation_says_nothing_of_this_one(
    fake: FakeLambda, client: LambdaClient, place: Place
) -> None:
    """Ctrl-C in a ``once`` that stands in the handling of it: nobody knows whether it ran."""
    earlier = asyncio.CancelledError()
    mark_call(earlier, li.NotSentError("given up before it was sent"))

    def interrupts(_: object) -> None:
        raise KeyboardInterrupt

    fake.on("double").runs(interrupts)
    with pytest.raises(KeyboardInterrupt) as caught:
        try:
            raise earlier
        except asyncio.CancelledError:
            client.once("double", {"n": 2}, key=KEY, store=place.store)
    assert "stays locked until" in caught.value.__notes__[0]
    with pytest.raises(li.KeyInProgressError):
        client.once("double", {"n": 2}, key=KEY, store=place.store, concurrent="raise")
