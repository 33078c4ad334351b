"""One key across threads, processes, kills and restarts; the local Lambda's handler counts its runs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import lambda_invoke as li
from lambda_invoke.local import Function, LocalLambda
from lambda_invoke.testing import FakeLambda
from tests.once.stores import Place, make_place
from tests.support.patience import soon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambda_invoke import LambdaClient
    from tests.support.moto import Moto

ROOT = Path(__file__).parents[2]
HANDLERS = Path(__file__).parent / "handlers.py"
CALLER = Path(__file__).parent / "caller.py"
KEY = "order-17"


@pytest.fixture(scope="module")
def local() -> Iterator[LocalLambda]:
    with LocalLambda(
        {"f": Function(f"{HANDLERS}:counts", timeout=60)}, concurrency_limit=100, allow_any_credentials=True
    ) as one:
        yield one


@attrs.frozen
class Callers:
    """Starts processes that call with one key."""

    local: LocalLambda
    place: Place
    file: Path

    @contextlib.contextmanager
    def start(
        self, *, threads: int = 1, payload: Any = None, **terms: Any
    ) -> Iterator[subprocess.Popen[str]]:
        options: dict[str, Any] = {
            "endpoint": self.local.endpoint_url,
            "threads": threads,
            "key": KEY,
            "payload": {"file": str(self.file), **(payload or {})},
            "terms": terms,
        }
        if self.place.moto is None:
            options["path"] = str(self.place.store)
        else:
            options |= {"table": self.place.store.table_name, "services": self.place.moto.url}
        process = subprocess.Popen(
            [sys.executable, str(CALLER), json.dumps(options)],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def call(self, **options: Any) -> list[str]:
        """What one process's calls came to."""
        with self.start(**options) as process:
            return process.communicate()[0].splitlines()

    def client(self) -> LambdaClient:
        """A client in this process."""
        return self.local.client(services=self.place.moto.client if self.place.moto else None)

    @property
    def runs(self) -> int:
        return len(self.file.read_text().splitlines()) if self.file.exists() else 0


@pytest.fixture
def callers(local: LocalLambda, shared: Place, tmp_path: Path) -> Callers:
    return Callers(local, shared, tmp_path / "ran")


def test_fifty_threads_and_four_processes(callers: Callers) -> None:
    """One execution, and its result for all of them; a process that starts an instant later has it too."""
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(callers.start(threads=count)) for count in (14, 12, 12, 12)]
        for process in processes:
            lines += process.communicate()[0].splitlines()
    assert len(lines) == 50, lines
    assert callers.runs == 1
    assert len({line.split()[0] for line in lines}) == 1
    assert sorted(line.split()[1] for line in lines) == ["False"] + ["True"] * 49
    assert callers.call() == [f"{lines[0].split()[0]} True"]
    assert callers.runs == 1


def test_an_owner_that_is_killed_in_its_call(callers: Callers, tmp_path: Path) -> None:
    """Its function goes on, its key stays locked until the lock expires, then the next call runs it."""
    gate = tmp_path / "gate"
    payload = {"file": str(callers.file), "gate": str(gate)}
    with callers.start(payload=payload, lock_seconds=300) as owner:
        soon(lambda: callers.runs == 1)
        owner.kill()
        owner.wait()
    options: dict[str, Any] = {"key": KEY, "store": callers.place.store}
    with callers.client() as client:
        for _ in range(2):
            with pytest.raises(li.KeyInProgressError) as caught:
                client.once("f", payload, concurrent="raise", **options)
            gate.touch()  # the function ends: nobody is there to store its result
        assert caught.value.owner is not None
        assert caught.value.owner.endswith(f":{owner.pid}")
        with pytest.raises(li.DeadlineExceededError):
            client.once("f", payload, deadline=0.1, **options)
        assert callers.runs == 1
        callers.place.age(301)
        after = client.once("f", payload, **options)
        assert not after.replayed
        assert callers.runs == 2
        assert client.once("f", payload, **options).request_id == after.request_id


def test_a_result_too_large_for_dynamodb(tmp_path: Path, moto: Moto) -> None:
    """It is returned all the same, with a warning; later calls learn that it ran, and run nothing."""
    place = make_place("dynamodb", tmp_path, moto)
    fake = FakeLambda({"f": lambda _: "x" * 500_000})
    with fake.client(services=moto.client) as client:
        with pytest.warns(li.IdempotencyWarning, match="ResultNotStoredError"):
            result = client.once("f", {}, key=KEY, store=place.store)
        assert len(result.value) == 500_000
        assert not result.stored
        with pytest.raises(li.ResultNotStoredError, match="Item size") as caught:
            client.once("f", {}, key=KEY, store=place.store)
    assert caught.value.request_id == result.request_id
    assert caught.value.executed is li.Executed.YES
    assert fake.executions() == 1
