"""What the tests of ``once`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambda_invoke.testing import FakeLambda
from tests.once.stores import Place, make_place
from tests.support.moto import Moto, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lambda_invoke import LambdaClient


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    with serving() as server:
        yield server


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
