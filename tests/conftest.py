"""What every test runs in: a dummy AWS environment, and no network but loopback."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

from lambda_invoke.fanout.loop import BACKGROUND
from tests.support.aws import Clients, Kind, forbid_network, isolate
from tests.support.measuring import measure_no_processes

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure() -> None:
    """Set up what holds for the whole run."""
    # The same examples in each run, however slow the machine; TESTS_EXPLORE has Hypothesis look for others.
    hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
    hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000)
    hypothesis.settings.load_profile("explore" if os.environ.get("TESTS_EXPLORE") else "same")
    # Ctrl-C works in the programs that tests start, also when a shell runs the suite in the background.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Fan-out is tested on asyncio's loop, which everybody has; the programs that tests start, and
    # `nox -s pythons`, use uvloop where it is.
    if os.environ.get("TESTS_LOOP") != "uvloop":
        BACKGROUND.make = asyncio.new_event_loop


@pytest.fixture(scope="session", autouse=True)
def unmeasured_processes() -> None:
    """Coverage is for this process; xdist has started its workers before any fixture is made."""
    measure_no_processes()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the caller's environment reaches a test, and no test reaches beyond loopback."""
    isolate(monkeypatch)
    attempts = forbid_network(monkeypatch)
    yield
    assert not attempts, f"the test tried to leave this machine: {attempts}"


@pytest.fixture
def built() -> Iterator[Clients]:
    """Makes clients that build their own boto3 client."""
    with Clients(Kind.BUILT) as clients:
        yield clients


@pytest.fixture
def handed() -> Iterator[Clients]:
    """Makes clients over a boto3 client that is handed over."""
    with Clients(Kind.HANDED) as clients:
        yield clients


@pytest.fixture(params=list(Kind), ids=lambda kind: kind.value)
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Makes clients; the test runs for both kinds."""
    with Clients(request.param) as made:
        yield made
