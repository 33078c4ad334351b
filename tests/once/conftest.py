"""What the tests of ``once`` share."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from moto.dynamodb.models import DynamoDBBackend

from lambda_invoke.testing import FakeLambda
from tests.once.stores import Place, make_place
from tests.support.moto import Moto, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lambda_invoke import LambdaClient


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """Moto's server, with writes as atomic as DynamoDB's.

    Its own look at the condition and write in two steps, between which another request's thread gets in:
    two callers then hold one key.
    """
    lock = threading.Lock()
    with pytest.MonkeyPatch.context() as patch, serving() as server:
        for name in ("put_item", "update_item", "delete_item"):
            patch.setattr(DynamoDBBackend, name, _one_at_a_time(getattr(DynamoDBBackend, name), lock))
        yield server


def _one_at_a_time(method: Callable[..., Any], lock: threading.Lock) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(*args: Any, **options: Any) -> Any:
        with lock:
            return method(*args, **options)

    return locked


@pytest.fixture(params=["sqlite", "dynamodb", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of store, empty."""
    needs_moto = request.param == "dynamodb"
    return make_place(request.param, tmp_path, request.getfixturevalue("moto") if needs_moto else None)


@pytest.fixture(params=["sqlite", "dynamodb"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of store that other processes can open, empty."""
    needs_moto = request.param == "dynamodb"
    return make_place(request.param, tmp_path, request.getfixturevalue("moto") if needs_moto else None)


@pytest.fixture
def fake() -> FakeLambda:
    """Lambda with a function that doubles a number."""
    return FakeLambda({"double": lambda event: {"twice": event["n"] * 2}, "other": lambda _: "other"})


@pytest.fixture
def client(fake: FakeLambda, place: Place) -> Iterator[LambdaClient]:
    """A client of it, which finds the store."""
    with fake.client(services=place.moto.client if place.moto else None) as one:
        yield one
