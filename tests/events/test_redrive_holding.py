"""How messages are kept hidden: for how long, which first, and what is known of it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke.events import redrive_holding
from lambda_invoke.events.queue import Queue, same_queue_url
from lambda_invoke.events.redrive_holding import Holding, State
from lambda_invoke.events.redrive_journal import default_path
from tests.support.aio import until
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

HOURS = 3_600.0


@attrs.define(eq=False)
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@attrs.define(eq=False)
class Script:
    """boto3's client of a queue, that gives the messages it has once, and notes how long each is hidden."""

    names: list[str]
    hidden: list[tuple[str, int]] = attrs.field(factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def receive_message(self, **_asked: Any) -> Any:
        self.meanwhile()
        came, self.names = self.names, []
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name} for name in came]}

    def change_message_visibility_batch(self, **asked: Any) -> Any:
        self.meanwhile()
        self.hidden += [(one["ReceiptHandle"], one["VisibilityTimeout"]) for one in asked["Entries"]]
        return {}


def held_by(client: Script, visibility_timeout: int) -> Holding:
    return Holding(Queue(client, "http://127.0.0.1/1/q"), visibility_timeout)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(redrive_holding, "_now", clock)
    return clock


def test_nothing_is_hidden_beyond_twelve_hours(clock: Clock) -> None:
    """SQS refuses more, counted from the receive: the last extension asks for what is left, and then none."""

    async def run() -> None:
        queue = Script(["m"])
        holding = held_by(queue, 300)
        ((held,), _) = await holding.receive()
        for clock.now in (100.0, 199.0):
            await holding.extend()
        clock.now, held.until = 12 * HOURS - 120, 12 * HOURS - 70
        await holding.extend()
        clock.now += 60
        await holding.extend()
        assert [seconds for _, seconds in queue.hidden] == [300, 300, 120]
        assert holding.is_hidden(held)
        clock.now += 61
        assert not holding.is_hidden(held)
        assert holding.lapses == 1

    asyncio.run(run())


def test_the_longest_visibility_is_not_extended_but_kept(clock: Clock) -> None:
    """There is nothing to extend: it stays hidden for its twelve hours, and is given back at the end."""

    async def run() -> None:
        queue = Script(["m"])
        async with held_by(queue, 12 * 3_600) as holding:
            ((held,), _) = await holding.receive()
            clock.now = 4 * HOURS
            await holding.extend()
            assert queue.hidden == []
            assert holding.is_hidden(held)
        assert queue.hidden == [("m", 0)]

    asyncio.run(run())


def test_a_reply_that_took_its_time_is_counted(clock: Clock) -> None:
    """SQS hides a message from when it gave it out, not from when the reply was read."""

    async def run() -> None:
        queue = Script(["m"])

        def slow() -> None:
            clock.now += 10

        queue.meanwhile = slow
        holding = held_by(queue, 5)
        ((held,), _) = await holding.receive()
        assert not holding.is_hidden(held)

    asyncio.run(run())


def test_what_is_in_work_is_extended_first(clock: Clock) -> None:
    """A long list takes its time, and what failed or was skipped can come back without harm."""

    async def run() -> None:
        queue = Script([f"m{number}" for number in range(300)])
        holding = held_by(queue, 30)
        fresh, _ = await holding.receive()
        for held in fresh[:298]:
            held.state = State.SKIPPED
        clock.now = 10.0
        await holding.extend()
        assert [name for name, _ in queue.hidden[:2]] == ["m298", "m299"]
        assert len(queue.hidden) == 300

    asyncio.run(run())


def test_an_extension_under_way_is_waited_for_before_the_release() -> None:
    """Else it would hide what was just given back, and the next run would not find it."""

    async def run() -> None:
        entered, go = threading.Event(), threading.Event()
        queue = Script(["m"])
        holding = held_by(queue, 1)
        await holding.__aenter__()
        await holding.receive()

        def block() -> None:
            entered.set()
            assert go.wait(PATIENCE)

        queue.meanwhile = block
        await until(entered.is_set)
        end = asyncio.ensure_future(holding.__aexit__(None, None, None))
        await asyncio.wait([end], timeout=0.05)
        go.set()
        await end
        assert [seconds for _, seconds in queue.hidden] == [1, 0]

    asyncio.run(run())


def test_the_heartbeat_outlives_whatever_a_client_raises() -> None:
    """One that was handed over may raise anything: the next third of the time tries again."""

    async def run() -> None:
        queue = Script(["m"])
        raised: list[int] = []

        def broken() -> None:
            if not raised:
                raised.append(1)
                raise ZeroDivisionError

        async with held_by(queue, 2) as holding:
            await holding.receive()
            queue.meanwhile = broken
            await until(lambda: queue.hidden)
        assert raised

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", True),
        ("http://sqs.eu-west-1.amazonaws.com/123456789012/q", True),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/q", True),
        ("https://sqs-fips.eu-west-1.amazonaws.com/123456789012/q", True),
        ("https://sqs.eu-west-1.api.aws/123456789012/q", True),
        ("https://vpce-1a-2b.sqs.eu-west-1.vpce.amazonaws.com/123456789012/q", True),
        ("https://SQS.eu-west-1.amazonaws.com:443/123456789012/q", True),
        ("https://queue.amazonaws.com/123456789012/q", False),
        ("https://sqs.eu-west-2.amazonaws.com/123456789012/q", False),
        ("https://sqs.eu-west-1.amazonaws.com/123456789013/q", False),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/p", False),
        ("http://127.0.0.1:5000/123456789012/q", False),
        ("https://sqs.eu-west-1.amazonaws.com.example.org/123456789012/q", False),
    ],
)
def test_a_queue_has_one_journal_however_its_endpoint_is_named(url: str, same: bool) -> None:
    """What was sent under one name of it is known under another."""
    usual = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
    assert (same_queue_url(url) == usual) is same
    assert (default_path(url) == default_path(usual)) is same


def test_the_oldest_names_of_endpoints() -> None:
    """Without a region it is us-east-1; China has its own domain."""
    assert same_queue_url("https://queue.amazonaws.com/1/q") == "https://sqs.us-east-1.amazonaws.com/1/q"
    china = "https://sqs.cn-north-1.amazonaws.com.cn/1/q"
    assert same_queue_url(china) == same_queue_url("https://cn-north-1.queue.amazonaws.com.cn/1/q") == china
