"""One moto for a worker: functions have names of their own."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from botocore.config import Config

from tests.doctor.world import SESSION, World
from tests.support.moto import Moto, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    with serving() as running:
        # One client of each service for all: making one takes longer than a diagnosis.
        client = functools.partial(SESSION.client, endpoint_url=running.url, config=Config(proxies={}))
        yield Moto(running.url, functools.cache(client))


@pytest.fixture
def world(moto: Moto) -> World:
    return World(moto)
