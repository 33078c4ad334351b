"""The SQLite file: private, shared, and what is said of one that cannot be used."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sqlite3
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

import lambda_invoke as li
from lambda_invoke import SqlitePersistenceLayer
from lambda_invoke.once import sqlite_pool
from lambda_invoke.once.places import default_path
from lambda_invoke.testing import FakeLambda


def record(key: str = "k", *, ttl: float = 60, lock: float | None = 60) -> DataRecord:
    now = time.time()
    until = None if lock is None else int((now + lock) * 1000)
    return DataRecord(key, "INPROGRESS", int(now + ttl), until)


def test_the_file_is_private(tmp_path: Path) -> None:
    """It and what SQLite puts beside it are its owner's alone, whatever the umask; nothing else is left."""
    old = os.umask(0)
    try:
        layer = SqlitePersistenceLayer(tmp_path / "keys")
        layer._put_record(record())
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("keys", "keys-wal", "keys-shm"), 0o600)
    del layer
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize(
    ("times", "free"),
    [
        ({}, False),
        ({"lock": None}, False),
        ({"lock": -1}, True),
        ({"ttl": -2}, True),
        ({"ttl": -2, "lock": 60}, True),
    ],
    ids=["held", "held for ever", "lock expired", "expired", "expired before its lock"],
)
def test_put_is_conditional(tmp_path: Path, times: dict[str, Any], free: bool) -> None:
    """As DynamoDB's condition: none there, an expired record, or an expired lock."""
    layer = SqlitePersistenceLayer(tmp_path / "keys")
    there = record(**times)
    layer._put_record(there)
    if free:
        layer._put_record(record())
    else:
        with pytest.raises(IdempotencyItemAlreadyExistsError) as caught:
            layer._put_record(record())
        assert caught.value.old_data_record is not None
        assert caught.value.old_data_record.expiry_timestamp == there.expiry_timestamp


def test_expired_records_are_deleted(tmp_path: Path) -> None:
    """As others are put, so that the file does not grow for ever."""
    layer = SqlitePersistenceLayer(tmp_path / "keys")
    for number in range(20):
        layer._put_record(record(f"old-{number}", ttl=-2))
    layer._put_record(record("new"))
    connection = sqlite3.connect(tmp_path / "keys")
    assert connection.execute("SELECT id FROM idempotency").fetchall() == [("new",)]
    connection.close()


def test_a_file_that_is_replaced_is_noticed(tmp_path: Path) -> None:
    """A layer writes to the file that stands at its path, not to one that was deleted."""
    layer = SqlitePersistenceLayer(tmp_path / "keys")
    layer._put_record(record())
    for path in tmp_path.iterdir():
        path.unlink()
    layer._put_record(record())
    assert SqlitePersistenceLayer(tmp_path / "keys")._get_record("k").status == "INPROGRESS"


def _spoil(kind: str, path: Path) -> None:
    if kind == "text":
        path.write_text("not a database, but long enough to be one. " * 50)
    elif kind == "short":
        path.write_text("short")
    elif kind == "directory":
        path.mkdir()
    elif kind in {"damaged", "newer"}:
        SqlitePersistenceLayer(path)._put_record(record())
        gc.collect()
        if kind == "damaged":
            with path.open("r+b") as file:
                file.seek(4096)
                file.write(os.urandom(path.stat().st_size - 4096))
        else:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version = 99")
            connection.close()
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE other (x)")
        connection.close()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("text", "not a database"),
        ("short", "is not a SQLite file"),
        ("directory", "failed|cannot be opened"),
        ("damaged", "malformed"),
        ("newer", "has format 99"),
        ("other", "of another program"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, kind: str, says: str) -> None:
    """The error names the file and what is wrong; it is left as it was, and nothing is sent."""
    path = tmp_path / "keys"
    _spoil(kind, path)
    before = path.read_bytes() if path.is_file() else None
    fake = FakeLambda({"f": lambda event: event})
    with fake.client() as client, pytest.raises(li.IdempotencyStoreError, match=says) as caught:
        client.once("f", {}, key="k", store=path)
    assert repr(str(path)) in str(caught.value)
    assert fake.requests == 0
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A typing error in a path makes no folders."""
    layer = SqlitePersistenceLayer(tmp_path / "no" / "keys")
    with pytest.raises(li.IdempotencyStoreError, match=r"no/keys.* cannot be opened: No such file"):
        layer._put_record(record())


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Says so, and names the file."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(li.IdempotencyStoreError, match="Permission denied"):
            SqlitePersistenceLayer(tmp_path / "keys")._put_record(record())
    finally:
        tmp_path.chmod(0o700)


def test_a_file_that_is_locked_for_long(tmp_path: Path) -> None:
    """After the busy timeout the error says that it is locked; what others wrote can be read meanwhile."""
    path = tmp_path / "keys"
    layer = SqlitePersistenceLayer(path, busy_timeout=0.05)
    layer._put_record(record())
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(li.IdempotencyStoreError, match="database is locked"):
        layer._put_record(record("other"))
    assert layer._get_record("k").status == "INPROGRESS"
    holder.execute("ROLLBACK")
    holder.close()
    layer._put_record(record("other"))


def test_a_missing_record(tmp_path: Path) -> None:
    """Is Powertools' own error."""
    with pytest.raises(IdempotencyItemNotFoundError):
        SqlitePersistenceLayer(tmp_path / "keys")._get_record("k")


def test_many_threads_put_one_record(tmp_path: Path) -> None:
    """One of them has it, from the first moment of the file on."""
    layers = [SqlitePersistenceLayer(tmp_path / "keys") for _ in range(4)]
    outcomes: list[str] = []
    together = threading.Barrier(24)

    def put(number: int) -> None:
        together.wait()
        try:
            layers[number % 4]._put_record(record())
        except IdempotencyItemAlreadyExistsError:
            outcomes.append("held")
        else:
            outcomes.append("put")

    threads = [threading.Thread(target=put, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held"] * 23 + ["put"]


def _child(layer: SqlitePersistenceLayer, pipe: Any) -> None:
    try:
        layer._put_record(record())
    except IdempotencyItemAlreadyExistsError:
        layer._put_record(record("child"))
        pipe.send(len(sqlite_pool._ABANDONED))
    pipe.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded")
def test_after_a_fork(tmp_path: Path) -> None:
    """The child uses connections of its own, and leaves the parent's alone."""
    layer = SqlitePersistenceLayer(tmp_path / "keys")
    layer._put_record(record())
    ours, theirs = multiprocessing.Pipe()
    context: Any = multiprocessing.get_context("fork")
    child = context.Process(target=_child, args=(layer, theirs))
    child.start()
    theirs.close()
    assert ours.recv() >= 1
    ours.close()
    child.join()
    assert child.exitcode == 0
    child.close()
    assert layer._get_record("child").status == "INPROGRESS"
    layer._put_record(record("parent"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"XDG_STATE_HOME": "/var/state"}, "/var/state/lambda_invoke/once.sqlite3"),
        ({"XDG_STATE_HOME": "relative"}, "{home}/.local/state/lambda_invoke/once.sqlite3"),
        ({}, "{home}/.local/state/lambda_invoke/once.sqlite3"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_the_default_path(given: dict[str, str], expected: str) -> None:
    """As the XDG Base Directory Specification has it."""
    assert str(default_path(given)) == expected.format(home=Path.home())


def test_the_default_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its folders, private to their owner; two clients share it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fake = FakeLambda({"f": lambda event: event})
    for replayed in (False, True):
        with fake.client() as client:
            assert client.once("f", {}, key="k").replayed is replayed
    folder = tmp_path / "state" / "lambda_invoke"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "once.sqlite3").exists()


def test_a_state_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it and what to give instead."""
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    client = FakeLambda({"f": lambda event: event}).client()
    with client, pytest.raises(li.IdempotencyStoreError, match="give store= a path"):
        client.once("f", {}, key="k")
