"""Cold starts, many of them: they leak no process, descriptor or memory."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from lambda_invoke.local import Bootstrap, Function, LocalLambda, peers
from tests.local.conftest import Serve, children, handler, invoke, until, workers
from tests.local.test_lifecycle import descriptors
from tests.support.patience import PATIENCE

PROGRAM = Path(__file__).parent / "runtimes" / "bootstrap.py"
ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"}, proxies={})


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cold_starts(local: Any, client: Any, count: int) -> None:
    """Workers that exit after each answer, exits without one, and bootstraps: each time a new process."""
    for number in range(count):
        name = ("exits", "dies", "program")[number % 3]
        if name == "program":  # a tenant of its own has a worker of its own
            assert invoke(client, name, {}, TenantId=str(number)).error is None
        else:
            invoke(client, name, {"status": 1, "seconds": 0})
    assert sum(local.stats(name).cold_starts for name in ("exits", "dies", "program")) >= count


@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.skipif(not peers.AVAILABLE, reason="it looks into Linux's /proc")
def test_cold_starts_leak_nothing(count: int) -> None:
    """After so many there are no more workers, descriptors or memory than after the first few."""
    functions: dict[str, Function | str] = {
        "exits": handler("exits"),
        "dies": handler("dies_after_the_answer"),
        "program": Function(Bootstrap([sys.executable, str(PROGRAM)]), timeout=PATIENCE),
    }
    before = children()
    with LocalLambda(functions, idle_timeout=0.0) as local:
        client = local.boto3_client(config=ONCE)
        cold_starts(local, client, 9)
        assert until(lambda: not workers())
        files, memory = descriptors(), resident_bytes()
        cold_starts(local, client, count)
        assert until(lambda: not workers())
        assert descriptors() == files
        assert resident_bytes() - memory < 8_000_000 + 4_000 * count
        client.close()
    assert children() == before


def test_a_worker_that_idles_is_ended_and_another_started(serve: Serve) -> None:
    """Past idle_timeout the process goes, and with it what a handler's module kept."""
    _, client = serve({"who": handler("whoami")}, idle_timeout=0.0)
    first = invoke(client, "who").value
    assert until(lambda: not workers())
    second = invoke(client, "who").value
    assert (first["calls"], second["calls"]) == (1, 1)
    assert first["pid"] != second["pid"]
