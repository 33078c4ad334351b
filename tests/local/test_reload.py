"""Changed code: the next invocation runs it, what is under way goes on, and looking costs next to nothing."""

import json
import logging
import os
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lambda_invoke.local import Bootstrap, Function, peers, reload
from tests.local.conftest import Serve, invoke, until
from tests.support.patience import PATIENCE, soon

PROGRAM = Path(__file__).parent / "runtimes" / "bootstrap.py"


def write(file: Path, value: str) -> None:
    """A handler that answers the value and its process, of the same length for values of the same length."""
    file.write_text(f"import os\ndef handler(event, context): return [{value}, os.getpid()]\n")


def reloaded(client: Any, name: str, expected: Any) -> Any:
    """Invoke until the answer is the new one: a look may be up to 200 ms off."""
    answers: list[Any] = []

    def asked() -> bool:
        answers.append(invoke(client, name).value)
        return bool(answers[-1][0] == expected)

    soon(asked)
    return answers[-1][1]


def test_a_changed_handler_runs_at_the_next_call(serve: Serve, tmp_path: Path) -> None:
    """Edits within one second and of one length count too; without a change the worker is kept."""
    file = tmp_path / "app.py"
    write(file, "0")
    local, client = serve({"f": f"{file}:handler"})
    pids = [invoke(client, "f").value[1] for _ in range(3)]
    assert len(set(pids)) == 1
    for value in range(1, 4):
        write(file, str(value))
        pids.append(reloaded(client, "f", value))
    assert len(set(pids)) == 4
    assert local.stats("f").cold_starts == 4
    assert local.stats("f").failed == 0


def test_a_changed_module_that_the_handler_imports_later_counts(serve: Serve, tmp_path: Path) -> None:
    """What is imported during an invocation is watched from then on."""
    (tmp_path / "app.py").write_text(
        "import os\ndef handler(event, context):\n    import rules\n    return [rules.VALUE, os.getpid()]\n"
    )
    rules = tmp_path / "rules.py"
    rules.write_text("VALUE = 1\n")
    _, client = serve({"f": f"{tmp_path}/app.py:handler"})
    first = invoke(client, "f").value
    assert invoke(client, "f").value == first
    rules.write_text("VALUE = 2\n")
    assert reloaded(client, "f", 2) != first[1]


def test_a_callables_module_counts(serve: Serve, tmp_path: Path, monkeypatch: Any) -> None:
    """A callable is imported by its module's name in the worker, whose file is watched as any other."""
    file = tmp_path / "reloaded_callable.py"
    write(file, "1")
    monkeypatch.syspath_prepend(tmp_path)
    import reloaded_callable  # type: ignore[import-not-found]

    try:
        _, client = serve({"f": reloaded_callable.handler})
    finally:
        del sys.modules["reloaded_callable"]
    assert invoke(client, "f").value[0] == 1
    write(file, "2")
    reloaded(client, "f", 2)


def test_a_broken_edit_is_told_and_mended(serve: Serve, tmp_path: Path) -> None:
    """A syntax error is awslambdaric's; once mended, the function works again."""
    file = tmp_path / "app.py"
    write(file, "1")
    _, client = serve({"f": f"{file}:handler"})
    assert invoke(client, "f").value[0] == 1
    file.write_text("def handler(:\n")
    soon(lambda: invoke(client, "f").error == "Unhandled")
    assert invoke(client, "f").value["errorType"] == "Runtime.UserCodeSyntaxError"
    write(file, "2")
    assert invoke(client, "f").value[0] == 2


def test_what_runs_is_not_disturbed(serve: Serve, tmp_path: Path) -> None:
    """An invocation under way ends in its old worker, while a new call runs the new code."""
    file, gate = tmp_path / "app.py", tmp_path / "gate"
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    if event: open(event + '.begun', 'w').close()\n"
        "    while event and not os.path.exists(event): time.sleep(0.01)\n"
        "    return [{}, os.getpid()]\n"
    )
    file.write_text(source.format(1))
    _, client = serve({"f": Function(f"{file}:handler", timeout=PATIENCE * 2)})
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(invoke, client, "f", str(gate))
        assert until((tmp_path / "gate.begun").exists)
        file.write_text(source.format(2))
        new = reloaded(client, "f", 2)
        gate.touch()
        value, old = running.result(PATIENCE).value
    assert (value, old != new) == (1, True)
    assert invoke(client, "f").value == [2, new]


def test_it_can_be_turned_off(serve: Serve, tmp_path: Path) -> None:
    """With reload=False a worker serves what it was started with."""
    file = tmp_path / "app.py"
    write(file, "1")
    local, client = serve({"f": f"{file}:handler"}, reload=False)
    first = invoke(client, "f").value
    write(file, "2")
    for _ in range(5):
        assert invoke(client, "f").value == first
        time.sleep(reload.MAX_WAIT_SECONDS / 4)
    assert local.stats("f").cold_starts == 1


def test_nobody_elses_files_are_watched(tmp_path: Path) -> None:
    """Neither Python's own modules nor site-packages are among what a worker reports."""
    from lambda_invoke.local.worker.bootstrap import Imports

    told: list[bytes] = []
    imports = Imports(told.append)
    imports.report()
    imports.report()  # nothing is new
    assert len(told) == 1
    files = [json.loads(line)[0] for line in told[0].splitlines()]
    watch = reload.ImportWatch()
    watch.feed(told[0])
    assert len(files) == len(set(files))
    assert str(Path(__file__)) in files
    standard = str(Path(os.__file__).parent)
    assert not [file for file in files if "site-packages" in file or file.startswith(standard)]
    assert not watch.look()


def test_a_module_of_no_file_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no file can have, which a module may give itself, does not end the worker."""
    from lambda_invoke.local.worker.bootstrap import Imports

    odd = types.ModuleType("odd")
    odd.__file__ = "/no\0file.py"
    monkeypatch.setitem(sys.modules, "odd", odd)
    told: list[bytes] = []
    Imports(told.append).report()
    assert rb"\u0000" not in told[0]


@pytest.mark.skipif(not peers.AVAILABLE, reason="a Bootstrap needs Linux")
def test_a_bootstraps_files_are_watched(serve: Serve, tmp_path: Path) -> None:
    """A change, a new file and a removal under its task root each start it anew; what is ignored does not."""
    program = tmp_path / "bootstrap"
    program.write_text(PROGRAM.read_text())
    program.chmod(0o755)
    (tmp_path / "lib").mkdir()
    (tmp_path / "node_modules").mkdir()
    bootstrap = Bootstrap([sys.executable, str(program)], task_root=tmp_path)
    local, client = serve({"f": bootstrap})

    def starts(count: int) -> None:
        soon(lambda: invoke(client, "f", {}).error is None and local.stats("f").cold_starts == count)

    starts(1)
    (tmp_path / "node_modules" / "x.js").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x").touch()
    time.sleep(reload.MAX_WAIT_SECONDS * 1.5)
    starts(1)
    (tmp_path / "lib" / "rules.txt").write_text("1")
    starts(2)
    (tmp_path / "lib" / "rules.txt").write_text("2")
    starts(3)
    (tmp_path / "lib" / "rules.txt").unlink()
    starts(4)


def test_an_edit_while_a_worker_starts_is_not_lost(serve: Serve, tmp_path: Path) -> None:
    """What was read before the edit is old code, however long the init takes after it."""
    file = tmp_path / "app.py"
    file.write_text(
        "import os, time\nVALUE = 1\nopen(__file__ + '.begun', 'w').close()\n"
        "while not os.path.exists(__file__ + '.edited'): time.sleep(0.01)\n"
        "def handler(event, context): return [VALUE, os.getpid()]\n"
    )
    _, client = serve({"f": Function(f"{file}:handler")}, init_timeout=PATIENCE)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(invoke, client, "f")
        assert until((tmp_path / "app.py.begun").exists)
        write(file, "2")
        (tmp_path / "app.py.edited").touch()
        assert first.result(PATIENCE).value[0] == 1
    reloaded(client, "f", 2)


class Scripted:
    """A watch that takes its time on the test's clock, and counts."""

    def __init__(self, cost: float) -> None:
        self.now, self.cost, self.looks, self.changed = 0.0, cost, 0, False

    def clock(self) -> float:
        return self.now

    def look(self) -> bool:
        self.looks += 1
        self.now += self.cost
        return self.changed


@pytest.mark.parametrize(("cost", "most"), [(0.00002, 0.02), (0.0005, 0.02), (0.004, 0.02)])
def test_looking_takes_a_fiftieth_of_the_time_at_most(cost: float, most: float) -> None:
    """However long a look takes, and however often an invocation comes."""
    watch = Scripted(cost)
    staleness = reload.Staleness(watch, watch.clock)
    for _ in range(20_000):
        staleness.check()
        watch.now += 0.0002
    assert watch.looks * cost / watch.now <= most
    assert watch.looks > 1


def test_a_change_is_seen_within_the_longest_wait() -> None:
    """Even when a look takes long; and it stays seen."""
    watch = Scripted(0.05)
    staleness = reload.Staleness(watch, watch.clock)
    assert not staleness.check()
    watch.changed = True
    assert not staleness.check()
    watch.now += reload.MAX_WAIT_SECONDS
    assert staleness.check()
    watch.changed = False
    watch.now += 10
    assert staleness.check()


def test_a_huge_tree_is_watched_in_part_and_said_so(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    """The walk ends at its bound, with one warning for the directory."""
    monkeypatch.setattr(reload, "MAX_FILES", 3)
    for number in range(5):
        (tmp_path / f"{number}").touch()
    with caplog.at_level(logging.WARNING, "lambda_invoke.local"):
        assert not reload.TreeWatch(str(tmp_path)).look()
        assert len(reload.snapshot(str(tmp_path))) == 3
        reload.TreeWatch(str(tmp_path))
    assert caplog.text.count("reload watches the first 3 files") == 1
