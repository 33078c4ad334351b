"""Queues on moto's server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.events.redrive_tools import DeadQueue, Watched
from tests.support.moto import Moto, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def redrive_moto() -> Iterator[Moto]:
    """The server."""
    with serving() as moto:
        yield moto


@pytest.fixture
def dead(
    redrive_moto: Moto, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[DeadQueue]:
    """A queue of the test's own, and journals in a directory of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sqs = redrive_moto.client("sqs")
    name = re.sub(r"\W", "-", request.node.name)[:60]
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    yield DeadQueue(sqs, url, Watched(sqs))
    sqs.delete_queue(QueueUrl=url)  # what moto's servers hold is the process's: others may use the name
    sqs.close()
