"""A job outlasts throttling: every item runs once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lambda_invoke import FullJitter, RetryPolicy
from tests.support.aws import QUICK
from tests.support.server import ScriptedServer, delay, error, ok

if TYPE_CHECKING:
    from tests.support.aws import Clients

PATIENT = RetryPolicy(wait=FullJitter(initial=0.05, maximum=0.5))


def test_a_server_that_allows_twenty(built: Clients) -> None:
    """20 at once, 1,000 items, concurrency 100: 1,000 successes, 1,000 executions, throttles aside."""
    with ScriptedServer(lambda call: delay(0.002, ok(call.body)), limit=20, record=False) as server:
        report = built(server, retry=PATIENT).fan_out("f", range(1000), concurrency=100)
        assert report.values() == list(range(1000))
        assert server.executions == 1000
        assert server.max_in_flight <= 20
        assert server.connections <= 100
        assert sum(report.throttles().values()) == server.throttled > 0
        assert report.attempts == server.requests


def test_throttles_do_not_end_an_item(built: Clients) -> None:
    """In a job the policy's ``throttle_timeout`` does not count: the job's deadline alone does."""
    impatient = RetryPolicy(wait=FullJitter(initial=0.001, maximum=0.002), throttle_timeout=0.01)
    with ScriptedServer(limit=0) as server:
        client = built(server, retry=impatient)
        jobs = client.map("f", range(4), concurrency=4)

        def lift() -> None:
            server.wait_until(lambda s: s.throttled > 40)
            server.limit = None

        lifting = threading.Thread(target=lift)
        lifting.start()
        assert sorted(outcome.value for outcome in jobs) == [0, 1, 2, 3]
        lifting.join()
        assert server.throttled > 40
        assert server.executions == 4


def test_never_is_one_attempt_in_a_job_too(built: Clients) -> None:
    """``RetryPolicy.never()`` sends a throttled item once."""
    with ScriptedServer(limit=0) as server:
        report = built(server).fan_out("f", range(5), retry=RetryPolicy.never())
        assert len(report.failed) == server.requests == 5


def test_a_server_that_is_flaky(built: Clients) -> None:
    """Faults of idempotent items are sent again within ``max_attempts``; each item has one outcome."""
    with ScriptedServer(
        lambda call: error(500, "ServiceException") if call.number % 7 == 0 else ok(call.body)
    ) as server:
        policy = RetryPolicy(max_attempts=10, wait=QUICK.wait)
        report = built(server, retry=policy).fan_out("f", range(200), concurrency=10, idempotent=True)
        assert report.values() == list(range(200))
        assert report.attempts == server.requests > 200
