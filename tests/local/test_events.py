"""Asynchronous invocations: accepted at once, run in the background, retried."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import EventInvokeConfig, Function, InvocationRecord, LocalLambda, Outbox
from tests.local.conftest import Serve, handler, invoke, until
from tests.support.patience import PATIENCE

HANDLERS = str(Path(__file__).parent / "event_handlers.py")
SCALE = 0.002
"""A minute in 0.12 seconds, the maximum age in 43."""


def event(client: Any, name: Any, payload: Any, **options: Any) -> Any:
    return invoke(client, name, payload, InvocationType="Event", **options)


def lines(file: Any) -> Any:
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def test_an_event_is_accepted_and_then_runs(serve: Serve, tmp_path: Path) -> None:
    """202 without a body comes before the handler is done, which then runs once."""
    local, client = serve({"waits": handler("waits_for_a_file")})
    reply = event(client, "waits", {"file": str(tmp_path / "go on")})
    assert local.stats("waits").succeeded == 0
    (tmp_path / "go on").touch()
    assert (reply.status, reply.payload, reply.version) == (202, b"", None)
    local.wait_for_events(timeout=PATIENCE)
    assert (local.stats("waits").succeeded, local.stats("waits").accepted_events) == (1, 1)


def test_a_failing_event_is_tried_three_times_with_the_delays(serve: Serve, tmp_path: Path) -> None:
    """Two retries with the same request id, each after its delay; every attempt really ran."""
    file = tmp_path / "runs"
    records: list[InvocationRecord] = []
    local, client = serve({"appends": handler("appends")}, time_scale=0.005, on_invocation=records.append)
    request_id = event(client, "appends", {"file": str(file), "failures": 9}).headers["x-amzn-requestid"]
    local.wait_for_events(timeout=PATIENCE)
    assert [line[0] for line in lines(file)] == [request_id] * 3
    gaps = [float(b[1]) - float(a[1]) for a, b in itertools.pairwise(lines(file))]
    assert gaps[0] >= 0.3
    assert gaps[1] >= 0.6
    assert [(record.attempt, record.outcome, record.error_type) for record in records] == [
        (attempt, "failed", "RuntimeError") for attempt in (1, 2, 3)
    ]


def test_an_event_that_then_succeeds_is_done(serve: Serve, tmp_path: Path) -> None:
    """After a success there is no further attempt."""
    file = tmp_path / "runs"
    local, client = serve({"appends": handler("appends")}, time_scale=SCALE)
    event(client, "appends", {"file": str(file), "failures": 1})
    local.wait_for_events(timeout=PATIENCE)
    assert len(lines(file)) == 2
    assert (local.stats("appends").failed, local.stats("appends").succeeded) == (1, 1)


def test_a_throttled_event_is_put_back(serve: Serve, tmp_path: Path) -> None:
    """With its one place taken, an Event waits, and then runs once."""
    file = tmp_path / "runs"
    local, client = serve({"appends": Function(handler("appends"), reserved_concurrency=1)}, time_scale=0.02)
    for _ in range(3):
        event(client, "appends", {"file": str(file)})
    local.wait_for_events(timeout=PATIENCE)
    assert len(lines(file)) == 3
    assert local.stats("appends").max_in_flight == 1
    assert local.stats("appends").throttled >= 1


def test_an_event_for_reserved_concurrency_zero_is_dropped(serve: Serve) -> None:
    """Lambda sends those to the dead-letter queue at once; here they are dropped."""
    local, client = serve({"off": Function(handler("echo"), reserved_concurrency=0)})
    event(client, "off", {})
    local.wait_for_events(timeout=PATIENCE)
    assert (local.stats("off").started, local.stats("off").throttled) == (0, 1)


def test_an_old_event_is_given_up(serve: Serve) -> None:
    """When the next retry would come after the maximum age there is none."""
    config = EventInvokeConfig(maximum_event_age=60)
    local, client = serve({"raises": Function(handler("raises"), events=config)})
    event(client, "raises", {"key": "k"})
    local.wait_for_events(timeout=PATIENCE)
    assert local.stats("raises").failed == 1


def test_an_event_has_no_client_context(serve: Serve, tmp_path: Path) -> None:
    """Lambda hands a client context to synchronous invocations only."""
    local, client = serve({"context": handler("writes_client_context")})
    event(client, "context", {"file": str(tmp_path / "seen")}, ClientContext="eyJjdXN0b20iOiB7ImEiOiAxfX0=")
    local.wait_for_events(timeout=PATIENCE)
    assert (tmp_path / "seen").read_text() == "None"


def test_waiting_for_events_has_an_end(serve: Serve) -> None:
    """wait_for_events raises TimeoutError when there still are some."""
    local, client = serve({"nap": handler("nap")})
    event(client, "nap", {"seconds": 1.0})
    with pytest.raises(TimeoutError, match=r"0\.05 seconds"):
        local.wait_for_events(timeout=0.05)
    assert until(lambda: local.stats("nap").succeeded == 1)


def test_the_counts_of_a_mixed_load_add_up(serve: Serve, tmp_path: Path) -> None:
    """Every Event is in one count, at the end and at any moment; executions are events and retries."""
    good, bad, letters = Outbox(), Outbox(), Outbox()
    config = EventInvokeConfig(on_success=good, on_failure=bad)
    functions = {
        "sometimes": Function(f"{HANDLERS}:fails_if_told", events=config, reserved_concurrency=2),
        "off": Function(handler("echo"), reserved_concurrency=0, dead_letter=letters),
    }
    local, client = serve(functions, time_scale=0.005)
    for number in range(30):
        event(client, "sometimes", {"fail": number % 5 == 0})
        event(client, "off", number)
        stats = local.stats("sometimes")
        assert stats.accepted_events == number + 1
        assert number + 1 == stats.succeeded_events + stats.failed_events + stats.queued_events
    local.wait_for_events(PATIENCE)
    stats = local.stats("sometimes")
    assert (stats.succeeded_events, stats.failed_events, stats.queued_events) == (24, 6, 0)
    assert (len(good), len(bad), stats.delivered) == (24, 6, 30)
    assert stats.started == 30 + stats.retried == 30 + 12
    assert stats.max_in_flight <= 2
    off = local.stats("off")
    assert (off.started, off.failed_events, off.dead_lettered, len(letters)) == (0, 30, 30, 30)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_scale_is_over_zero(scale: float) -> None:
    """Nothing else is a scale."""
    with pytest.raises(ValueError, match="time_scale must be over 0"):
        LocalLambda({}, time_scale=scale)
