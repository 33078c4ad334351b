"""A run against every fault at once: each item accounted for, and each ``executed`` as the server counted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke import Executed, FullJitter, LambdaClient, RetryPolicy
from tests.support.aio import built as built_async
from tests.support.aws import Clients, Kind
from tests.support.server import (
    Call,
    ScriptedServer,
    close_idle,
    closing,
    delay,
    drop_after_executing,
    drop_before_executing,
    error,
    ok,
    reset,
    reset_idle,
    throttle,
    trickle,
    truncate,
    truncate_chunked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambda_invoke import Outcome
    from tests.support.server import Step

POLICY = RetryPolicy(max_attempts=4, wait=FullJitter(initial=0.001, maximum=0.004))
FAILED = ok(b'{"errorType": "ValueError", "errorMessage": "no"}', function_error="Unhandled")


class Faults:
    """A script that picks a step for each request, by a seed, and counts what it had executed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._asked: Counter[int] = Counter()
        self.executed: Counter[int] = Counter()
        self.requests = 0

    def __call__(self, call: Call) -> Step:
        item = call.json["item"]
        self.requests += 1
        self._asked[item] += 1
        chance = random.Random(f"{self._seed} {item} {self._asked[item]}")
        step = chance.choice(FAULTS)(call.body, chance) if chance.random() < 0.25 else ok(call.body)
        self.executed[item] += step.executes
        return step


FAULTS: list[Callable[[bytes, random.Random], Step]] = [
    lambda body, chance: drop_before_executing(),
    lambda body, chance: drop_after_executing(),
    lambda body, chance: reset(executes=chance.random() < 0.5),
    lambda body, chance: truncate(body, chance.randrange(len(body))),
    lambda body, chance: truncate_chunked(body, chance.randrange(len(body))),
    lambda body, chance: delay(chance.uniform(0, 0.02), ok(body)),
    lambda body, chance: throttle(retry_after=chance.choice([None, 0])),
    lambda body, chance: error(500, "ServiceException", executes=chance.random() < 0.5),
    lambda body, chance: error(502, "EFSIOException", executes=False),
    lambda body, chance: error(409, "ResourceConflictException", executes=False),
    lambda body, chance: close_idle(ok(body), after=chance.uniform(0, 0.005)),
    lambda body, chance: reset_idle(ok(body), after=0.01),
    lambda body, chance: closing(ok(body)),
    lambda body, chance: trickle(body, 0.0005),
    lambda body, chance: FAILED,
]


def check(outcomes: Iterable[Outcome[Any]], faults: Faults, items: int, *, idempotent: bool) -> None:
    """What the client says against what the server did."""
    said = {outcome.index: outcome for outcome in outcomes}
    assert sorted(said) == list(range(items))
    for index, outcome in said.items():
        ran = faults.executed[index]
        if outcome.executed is Executed.YES:
            assert ran, (index, outcome)
        elif outcome.executed is Executed.NO:
            assert not ran, (index, outcome)
        if outcome.ok:
            assert outcome.value == {"item": index}
        if not idempotent:
            assert ran <= 1, (index, outcome)
    assert sum(len(outcome.attempts) for outcome in said.values()) >= faults.requests
    kinds = Counter(outcome.executed for outcome in said.values())
    assert all(kinds[executed] for executed in (Executed.YES, Executed.UNKNOWN))


def run(kind: Kind, items: int, seed: int, *, idempotent: bool = False, tls: bool = False) -> None:
    faults = Faults(seed)
    with ScriptedServer(faults, record=False, tls=tls) as server, Clients(kind) as clients:
        client: LambdaClient = clients(server, retry=attrs.evolve(POLICY))
        payloads = ({"item": index} for index in range(items))
        outcomes = list(client.map("f", payloads, concurrency=32, idempotent=idempotent))
    check(outcomes, faults, items, idempotent=idempotent)


@pytest.mark.parametrize("idempotent", [False, True], ids=["once", "idempotent"])
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_every_item_is_accounted_for(kind: Kind, idempotent: bool) -> None:
    """YES ran, NO did not, UNKNOWN may have; what is not idempotent never ran twice."""
    run(kind, 500, 1, idempotent=idempotent)


def test_on_asyncio() -> None:
    """The same of single calls of the asyncio client."""
    faults = Faults(2)

    async def use(server: ScriptedServer) -> list[Any]:
        async with built_async(server, retry=POLICY, max_concurrency=32) as client:
            calls = (client.invoke("f", {"item": index}) for index in range(500))
            made: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
            return made

    with ScriptedServer(faults, record=False) as server:
        made = asyncio.run(use(server))
    for index, result in enumerate(made):
        executed = getattr(result, "executed", Executed.YES)
        ran = faults.executed[index]
        assert ran <= 1
        assert executed is Executed.UNKNOWN or (executed is Executed.YES) is bool(ran), (index, result)


@pytest.mark.soak
@pytest.mark.parametrize("idempotent", [False, True], ids=["once", "idempotent"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_twenty_thousand(kind: Kind, tls: bool, idempotent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same at length."""
    with ScriptedServer(tls=True) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_bundle)
    run(kind, 20_000, 3, idempotent=idempotent, tls=tls)
