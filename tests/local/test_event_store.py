"""Events in a state directory: kept, given back, refused where they cannot be."""

import sqlite3
from pathlib import Path

import attrs
import pytest

from lambda_invoke.local import LocalLambdaError
from lambda_invoke.local.event_state import QueuedEvent, Response
from lambda_invoke.local.event_store import NoStore, StateDirectory
from lambda_invoke.local.outcome import Invocation


def event(number: int) -> QueuedEvent:
    invocation = Invocation(f"id-{number}", "arn", b"\x00payload", "Event", "Root=1", tenant_id="t")
    return QueuedEvent("f", "live" if number % 2 else None, invocation, float(number), float(number))


def test_events_come_back_whole_and_in_their_order(tmp_path: Path) -> None:
    """What was added and not removed, as it was last written, and the clock's last time."""
    store = StateDirectory(tmp_path / "new" / "state")
    events = [event(number) for number in range(4)]
    for one in events:
        store.add(one, 5.0)
    response = Response("7", b"answer", failed=True)
    changed = attrs.evolve(events[1], due_at=9.0, attempts=2, put_backs=1, response=response)
    over = attrs.evolve(events[2], condition="RetriesExhausted", ended_at="2026-11-21T00:00:00.000Z")
    store.update(changed, 6.0)
    store.update(over, 7.0)
    store.remove(events[0], 8.0)
    store.close(8.5)
    again = StateDirectory(tmp_path / "new" / "state")
    assert again.load() == ([changed, over, events[3]], 8.5)
    again.close(9.0)


def test_a_directory_has_one_endpoint(tmp_path: Path) -> None:
    """The second is told so, and can have it once the first is done."""
    store = StateDirectory(tmp_path)
    with pytest.raises(LocalLambdaError, match="used by another endpoint"):
        StateDirectory(tmp_path)
    store.close(0.0)
    StateDirectory(tmp_path).close(0.0)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """Payloads are nobody else's business."""
    store = StateDirectory(tmp_path / "state")
    store.add(event(1), 1.0)
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state").iterdir()}
    store.close(1.0)
    assert modes == {0}
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_what_it_cannot_use_it_says(tmp_path: Path) -> None:
    """A file in the way, another file of that name, another format, events of another shape."""
    (tmp_path / "file").touch()
    with pytest.raises(LocalLambdaError, match="cannot be written"):
        StateDirectory(tmp_path / "file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "events.sqlite3").write_bytes(b"something else entirely" * 100)
    with pytest.raises(LocalLambdaError, match="is not a file of the local endpoint's"):
        StateDirectory(tmp_path / "other")
    StateDirectory(tmp_path / "later").close(0.0)
    with sqlite3.connect(tmp_path / "later" / "events.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(LocalLambdaError, match="another version"):
        StateDirectory(tmp_path / "later")
    store = StateDirectory(tmp_path / "odd")
    store.add(event(1), 1.0)
    store.close(1.0)
    with sqlite3.connect(tmp_path / "odd" / "events.sqlite3") as database:
        database.execute("UPDATE events SET invocation = '{\"unknown\": 1}'")
    database.close()
    with pytest.raises(LocalLambdaError, match="cannot be read"):
        StateDirectory(tmp_path / "odd").load()


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    """An event that could not be kept is not half there, and the next one can be."""
    store = StateDirectory(tmp_path)
    store.add(event(1), 1.0)
    with pytest.raises(sqlite3.IntegrityError):
        store.add(event(1), 2.0)
    store.add(event(2), 3.0)
    kept, now = store.load()
    store.close(now)
    assert ([one.request_id for one in kept], now) == (["id-1", "id-2"], 3.0)


def test_without_a_directory_nothing_is_kept() -> None:
    """Every endpoint begins empty."""
    store = NoStore()
    store.add(event(1), 1.0)
    store.update(event(1), 1.0)
    store.remove(event(2), 1.0)
    assert store.load() == ([], 0.0)
    store.close(1.0)
