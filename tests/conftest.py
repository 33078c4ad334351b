"""What every test runs in: a dummy AWS environment, and no network but loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.aws import Clients, Kind, forbid_network, isolate

if TYPE_CHECKING:
    from collections.abc import Iterator


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
