"""The pytest plugin, in test runs of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.patience import PATIENCE

ROOT = Path(__file__).parent.parent.parent


def run(place: Path, tests: str, *options: str) -> str:
    """A run of pytest's in a directory of its own; its whole output."""
    (place / "test_it.py").write_text(tests, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_lambda_invoke", "-p", "no:cacheprovider", *options],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_entry_point_names_the_plugin() -> None:
    """It is found where the package is installed, under the module's own name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"pytest_lambda_invoke": "pytest_lambda_invoke"}
    assert (ROOT / "pytest_lambda_invoke.py").exists()


UNUSED = """
import sys

def test_nothing_is_loaded():
    heavy = ("lambda_invoke", "boto3", "botocore")
    assert [name for name in sys.modules if name.partition(".")[0] in heavy] == []
"""


def test_unused_it_loads_nothing(tmp_path: Path) -> None:
    """Neither the package nor boto3 is imported by a run that uses no fixture of it."""
    assert "1 passed" in run(tmp_path, UNUSED)


FAKES = """
import pytest
from lambda_invoke import FunctionNotFoundError, LambdaClient

@pytest.mark.parametrize("number", range(6))
def test_isolated(fake_lambda, number):
    assert fake_lambda.calls == []
    fake_lambda.function("f", lambda event: [number, event])
    assert LambdaClient(timeout=3).invoke("f", 1).value == [number, 1]
    fake_lambda.assert_invoked("f", payload=1, times=1)

def test_a_caught_error_is_no_way_out(fake_lambda):
    try:
        LambdaClient().invoke("unknown", {"secret": 1})
    except AssertionError:
        pass

def test_said_once(fake_lambda):
    LambdaClient().invoke("another")

def test_a_diff(fake_lambda):
    fake_lambda.function("f", lambda event: event)
    LambdaClient().invoke("f", {"width": 1, "height": 2})
    fake_lambda.assert_invoked("f", payload={"width": 10, "height": 2})
"""


def test_fakes_are_isolated_and_strict(tmp_path: Path) -> None:
    """Under xdist too: each test has a fake of its own, and an unscripted call fails it, once."""
    output = run(tmp_path, FAKES, "-n", "2")
    assert re.search(r"2 failed, 7 passed, 1 error", output), output
    assert "ERROR test_it.py::test_a_caught_error_is_no_way_out" in output
    assert "ERROR test_it.py::test_said_once" not in output
    assert 'FakeLambda knows no answer to unknown {"secret": 1}' in output
    assert re.search(r"E +- +\"width\": 10\nE +\+ +\"width\": 1\n", output), output


LOCALS = """
import asyncio
import os

from lambda_invoke import LambdaClient

def double(event, context):
    return event * 2

def where(event, context):
    return os.getpid()

def test_a_real_handler(local_lambda):
    local = local_lambda({"double": double}, concurrency_limit=1)
    assert local.client().invoke("double", 4).value == 8
    other = local_lambda({"where": where}, concurrency_limit=1)
    assert other.endpoint_url != local.endpoint_url
    global ended
    ended = local, other

def test_both(fake_lambda, local_lambda):
    fake_lambda.on("double").returns("fake")
    local = local_lambda({"double": double}, concurrency_limit=1)

    async def call():
        async with local.async_client() as client:
            return (await client.invoke("double", 4)).value

    with local.client() as client:
        assert (client.invoke("double", 4).value, asyncio.run(call())) == (8, 8)
    with LambdaClient() as client:
        assert client.invoke("double", 4).value == "fake"

def test_it_is_ended(local_lambda, monkeypatch):
    assert ["not running" in repr(one) for one in ended] == [True, True]
    given = []
    init = lambda self, functions, **options: given.append(options)
    monkeypatch.setattr("lambda_invoke.local.LocalLambda.__init__", init)
    monkeypatch.setattr("lambda_invoke.local.LocalLambda.__enter__", lambda self: self)
    monkeypatch.setattr("lambda_invoke.local.LocalLambda.__exit__", lambda self, *_: None)
    local_lambda({})
    assert given == [{"runtime_client": "native"}]
"""


def test_local_lambdas_end_with_their_test(tmp_path: Path) -> None:
    """The factory starts as many as a test asks for, with the ini file's runtime client, beside a fake."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nlocal_lambda_runtime = native\n", encoding="utf-8")
    output = run(tmp_path, LOCALS)
    assert "3 passed" in output, output
