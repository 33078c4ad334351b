"""Accepted Events outlive the endpoint: with a state directory, over a stop and over kill -9."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import (
    EventInvokeConfig,
    Function,
    InvocationRecord,
    LocalLambda,
    LocalLambdaError,
    Outbox,
)
from tests.local.conftest import Serve, handler, invoke, until
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
HANDLERS = str(Path(__file__).parent / "event_handlers.py")
SCALE = 0.002
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"


def ran(file: Path) -> Counter[str]:
    """How often each request id was executed."""
    return Counter(line.split()[0] for line in file.read_text().splitlines()) if file.exists() else Counter()


@contextmanager
def killed(
    handler_name: str, state_dir: Path, payload: Any, events: int, reports: int
) -> Iterator[list[str]]:
    """The ids that an endpoint answered 202 until it was killed, which is after so many of them.

    The body runs before the kill.
    """
    options = {"handler": handler_name, "state_dir": str(state_dir), "payload": payload, "events": events}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "serves_until_killed.py"), json.dumps(options)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    accepted = [process.stdout.readline().strip() for _ in range(reports)]
    try:
        yield accepted
    finally:
        process.kill()
        rest, _ = process.communicate()
        accepted.extend(rest.split())


def test_what_runs_and_what_waits_survives_kill_9(serve: Serve, tmp_path: Path) -> None:
    """Every Event that was answered 202 runs to its end, under its own id; those cut short run again."""
    file, go = tmp_path / "ran", tmp_path / "go"
    name = f"{HANDLERS}:waits_for"
    with killed(name, tmp_path / "state", {"file": str(file), "go": str(go)}, 5, 5) as accepted:
        assert until(lambda: len(ran(file)) == 2)
    go.touch()
    local, _ = serve({"f": Function(name, timeout=60.0)}, state_dir=tmp_path / "state", time_scale=SCALE)
    local.wait_for_events(PATIENCE)
    executions = ran(file)
    assert set(executions) == set(accepted)
    assert sorted(executions.values()) == [1, 1, 1, 2, 2]
    stats = local.stats("f")
    assert (stats.accepted_events, stats.resumed_events, stats.succeeded_events) == (0, 5, 5)


def test_a_kill_between_two_202s_loses_none(serve: Serve, tmp_path: Path) -> None:
    """Killed amid a stream of Events, wherever it was: all that were told of have run."""
    file = tmp_path / "ran"
    with killed(handler("appends"), tmp_path / "state", {"file": str(file)}, 10_000, 40) as accepted:
        pass
    local, _ = serve({"f": handler("appends")}, state_dir=tmp_path / "state", time_scale=SCALE)
    local.wait_for_events(PATIENCE)
    assert len(accepted) >= 40
    assert not set(accepted) - set(ran(file))
    stats = local.stats("f")
    assert stats.resumed_events == stats.succeeded_events
    assert (stats.queued_events, stats.failed_events) == (0, 0)


def test_a_stopped_endpoint_goes_on_where_it_was(serve: Serve, tmp_path: Path) -> None:
    """Attempts and request id are as they were; what is done with is not run again."""
    file, records = tmp_path / "ran", list[InvocationRecord]()
    functions = {"f": Function(handler("appends"))}
    first, client = serve(functions, state_dir=tmp_path / "state", on_invocation=records.append)
    invoke(client, "f", {"file": str(file), "failures": 0}, InvocationType="Event")
    first.wait_for_events(PATIENCE)
    invoke(client, "f", {"file": str(file), "failures": 99}, InvocationType="Event")
    assert until(lambda: first.stats("f").failed == 1)
    first.stop()
    assert first.stats("f").queued_events == 1
    second, _ = serve(functions, state_dir=tmp_path / "state", on_invocation=records.append, time_scale=SCALE)
    second.wait_for_events(PATIENCE)
    assert [record.attempt for record in records] == [1, 1, 2, 3]
    assert len({record.request_id for record in records}) == 2
    third, _ = serve(functions, state_dir=tmp_path / "other", time_scale=SCALE)
    third.wait_for_events(PATIENCE)
    assert len(records) == 4
    assert (second.stats("f").resumed_events, second.stats("f").failed_events) == (1, 1)


def test_an_event_keeps_its_age(serve: Serve, tmp_path: Path) -> None:
    """After the first minute's retry, the next would come past 180 seconds in all: counted over the stop."""
    box = Outbox()
    config = EventInvokeConfig(maximum_event_age=180, on_failure=box)
    functions = {"f": Function(handler("raises"), events=config)}
    first, client = serve(functions, state_dir=tmp_path)
    invoke(client, "f", {"key": "k"}, InvocationType="Event")
    assert until(lambda: first.stats("f").failed == 1)
    first.stop()
    second, _ = serve(functions, state_dir=tmp_path, time_scale=SCALE)
    second.wait_for_events(PATIENCE)
    context = box.records[0]["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 2)


def test_a_record_that_was_not_delivered_is_delivered_later(serve: Serve, tmp_path: Path) -> None:
    """The function does not run again for it, and the record is the same."""
    gate, messages = threading.Event(), list[str]()
    entered = threading.Event()

    class Service:
        def publish(self, **request: Any) -> None:
            messages.append(request["Message"])
            entered.set()
            gate.wait()

        def close(self) -> None:
            pass

    options: dict[str, Any] = {"state_dir": tmp_path / "state", "services": lambda _name: Service()}
    functions = {"f": Function(f"{HANDLERS}:adds_a_line", events=EventInvokeConfig(on_success=TOPIC))}
    first, client = serve(functions, **options)
    invoke(client, "f", {"file": str(tmp_path / "ran")}, InvocationType="Event")
    assert entered.wait(PATIENCE)
    first.stop()
    gate.set()
    second, _ = serve(functions, **options)
    second.wait_for_events(PATIENCE)
    assert (len(messages), messages[0]) == (2, messages[1])
    assert sum(ran(tmp_path / "ran").values()) == 1
    assert (second.stats("f").started, second.stats("f").delivered) == (0, 1)


def test_an_event_waits_for_its_function(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An endpoint without the function leaves its Events alone, and says so; the next one runs them."""
    functions = {"f": handler("raises")}
    first, client = serve(functions, state_dir=tmp_path)
    invoke(client, "f", {"key": "k"}, InvocationType="Event")
    assert until(lambda: first.stats("f").failed == 1)
    first.stop()
    without, _ = serve({"g": handler("echo")}, state_dir=tmp_path)
    without.wait_for_events(PATIENCE)
    assert "f: no such function; 1 of its events are kept and wait for it" in caplog.text
    without.stop()
    last, _ = serve(functions, state_dir=tmp_path, time_scale=SCALE)
    last.wait_for_events(PATIENCE)
    assert last.stats("f").failed == 2


def test_two_endpoints_cannot_share_a_directory(serve: Serve, tmp_path: Path) -> None:
    """The second does not start, and the first is not disturbed."""
    first, client = serve({"f": handler("echo")}, state_dir=tmp_path)
    second = LocalLambda({"f": handler("echo")}, state_dir=tmp_path)
    with pytest.raises(LocalLambdaError, match="used by another endpoint"):
        second.start()
    invoke(client, "f", 1, InvocationType="Event")
    first.wait_for_events(PATIENCE)
    assert first.stats("f").succeeded_events == 1
