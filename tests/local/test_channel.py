"""The channel between the endpoint and a Python worker, each end by itself and both together."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.local.channel import Channel
from lambda_invoke.local.outcome import MAX_RESPONSE_BYTES, Answered, Invocation
from lambda_invoke.local.worker.bootstrap import load_runtime_client
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from lambda_invoke.local.runtime_api import Asker

BIG = 3_000_000
"""More than a socket holds: either end writes it in parts."""


class Heard:
    """Notes what a worker says."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self.asked: asyncio.Queue[Asker] = asyncio.Queue()

    def next_invocation(self, asker: Asker) -> None:
        self.said.append(("next", None))
        self.asked.put_nowait(asker)

    def answered(self, request_id: str, answer: Answered) -> bool:
        self.said.append((request_id, answer))
        return True

    def imported(self, lines: bytes) -> None:
        self.said.append(("imported", lines))


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[tuple[Heard, Channel, socket.socket]]:
    heard = Heard()
    channel = Channel(heard)
    with await channel.open() as theirs:
        yield heard, channel, theirs
    channel.close()
    await channel.hung_up(PATIENCE)


def invocation(payload: bytes, **more: Any) -> Invocation:
    return Invocation("r-1", "arn:f", payload, "RequestResponse", "Root=1", **more)


def test_both_ends_understand_each_other() -> None:
    """What goes and comes is whole, also what no socket holds at once; an answer asks for more."""

    async def converse() -> None:
        async with opened() as (heard, channel, theirs):
            client: Any = load_runtime_client(os.dup(theirs.fileno()))
            client.initialize_client("any")
            client.report_imports(b"[1]\n")
            for payload in (b"{}", b"x" * BIG):
                waiting = asyncio.create_task(asyncio.to_thread(client.next))
                asker = await asyncio.wait_for(heard.asked.get(), PATIENCE)
                assert asker is channel
                channel.hand_over(invocation(payload, client_context='{"a":"ü"}', tenant_id="t"), 17)
                given, headers = await asyncio.wait_for(waiting, PATIENCE)
                assert given == payload
                assert headers == {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": "r-1",
                    "Lambda-Runtime-Deadline-Ms": 17,
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:f",
                    "Lambda-Runtime-Trace-Id": "Root=1",
                    "Lambda-Runtime-Client-Context": '{"a":"ü"}',
                    "Lambda-Runtime-Aws-Tenant-Id": "t",
                }
                await asyncio.to_thread(client.post_invocation_result, "r-1", payload, "application/json")
            await asyncio.wait_for(heard.asked.get(), PATIENCE)
            await asyncio.to_thread(client.post_error, "r-2", '{"errorType":"ü"}', "", None)
            await asyncio.wait_for(heard.asked.get(), PATIENCE)
            body = '{"errorType":"ü"}'.encode()
            assert heard.said == [
                ("imported", b"[1]\n"),
                ("next", None),
                ("r-1", Answered(b"{}", is_error=False, size=2)),
                ("next", None),
                ("r-1", Answered(b"x" * BIG, is_error=False, size=BIG)),
                ("next", None),
                ("r-2", Answered(body, is_error=True, size=len(body))),
                ("next", None),
            ]

    asyncio.run(converse())


def test_either_end_notices_that_the_other_is_gone() -> None:
    """The worker's functions raise what the extension's raise; the endpoint's end says that it is gone."""

    async def leave() -> None:
        async with opened() as (_, channel, theirs):
            client: Any = load_runtime_client(os.dup(theirs.fileno()))
            client.initialize_client("any")
            theirs.close()
            channel.close()
            for call in (client.next, lambda: client.post_invocation_result("r", b"1", "application/json")):
                with pytest.raises(RuntimeError, match="Failed to"):
                    await asyncio.to_thread(call)
            await channel.hung_up(PATIENCE)
            assert channel.gone
        async with opened() as (_, channel, theirs):
            theirs.close()
            await channel.hung_up(PATIENCE)
            assert channel.gone

    asyncio.run(leave())


FRAMES = st.lists(
    st.tuples(st.sampled_from("NREI"), st.text("abc-123", max_size=36), st.binary(max_size=64)), max_size=6
)


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_how_the_bytes_are_cut_means_nothing(frames: list[tuple[str, str, bytes]], cuts: list[int]) -> None:
    """What was said is the same in whatever pieces it comes."""

    async def hear() -> list[tuple[str, Any]]:
        heard = Heard()
        channel = Channel(heard)
        data = b"".join(
            kind.encode()
            + len(name).to_bytes(4, "little")
            + len(body).to_bytes(8, "little")
            + name.encode()
            + body
            for kind, name, body in frames
        )
        places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in itertools.pairwise(places):
            channel.data_received(data[start:end])
        return heard.said

    said: list[tuple[str, Any]] = []
    for kind, name, body in frames:
        if kind == "I":
            said.append(("imported", body))
            continue
        if kind != "N":
            said.append((name, Answered(body, is_error=kind == "E", size=len(body))))
        said.append(("next", None))
    assert asyncio.run(hear()) == said


def test_a_body_over_the_limit_is_not_kept() -> None:
    """Its size is told; what follows is read as ever."""

    async def hear() -> list[tuple[str, Any]]:
        heard = Heard()
        channel = Channel(heard)
        size = MAX_RESPONSE_BYTES + 1
        channel.data_received(b"R" + (1).to_bytes(4, "little") + size.to_bytes(8, "little") + b"a")
        while size:
            piece = min(size, 1_000_000)
            channel.data_received(bytes(piece) + (b"N" + bytes(12) if piece == size else b""))
            size -= piece
        return heard.said

    big = Answered(b"", is_error=False, size=MAX_RESPONSE_BYTES + 1)
    assert asyncio.run(hear()) == [("a", big), ("next", None), ("next", None)]


@pytest.mark.parametrize("data", [b"X" + bytes(12), b"R" + b"\xff" * 12])
def test_what_is_no_message_ends_the_channel(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that wrote into the descriptor: nothing after it can be trusted, and nobody is told."""

    async def hear() -> None:
        async with opened() as (heard, channel, theirs):
            theirs.sendall(data)
            await channel.hung_up(PATIENCE)
            assert channel.gone
            assert heard.said == []

    asyncio.run(hear())
    assert "wrote what it should not" in caplog.text
