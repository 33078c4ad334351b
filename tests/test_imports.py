"""Imports go one way, the core is pure, and importing the package is cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_rules import EXCEPTIONS, read_package, violations

ROOT = Path(__file__).parent.parent
HEAVY = ("boto3", "botocore", "httptools", "pydantic")


def test_imports_go_one_way() -> None:
    """No module imports from a layer above its own, and the core imports nothing impure."""
    sources = read_package(ROOT)
    assert {"", "errors", "core.plan"} <= sources.keys()
    assert violations(sources, EXCEPTIONS) == []


@pytest.mark.parametrize(
    ("module", "line", "problem"),
    [
        ("errors", "from lambda_invoke.core.plan import x", "core stands above errors"),
        ("core.plan", "from lambda_invoke.client import x", "client stands above core"),
        ("core.plan", "from lambda_invoke import client", "client stands above core"),
        ("core.plan", "from ..client import x", "client stands above core"),
        ("core.plan", "from .. import client", "client stands above core"),
        ("core", "from ..client import x", "client stands above core"),
        ("core.plan", "def f():\n    import lambda_invoke.client", "client stands above core"),
        ("client", "from lambda_invoke import LambdaClient", "lambda_invoke stands above client"),
        (
            "fanout.engine",
            "try:\n    import lambda_invoke.aio\nexcept ImportError: ...",
            "aio stands above fanout",
        ),
        ("core.plan", "import time", "the core is pure"),
        ("core.plan", "from random import random", "the core is pure"),
        ("core.plan", "import botocore.exceptions as be", "the core is pure"),
        (
            "core.plan",
            "if TYPE_CHECKING:\n    import os\nelse:\n    import ssl",
            "imports ssl: the core is pure",
        ),
        ("extra", "", "stands in no layer"),
    ],
)
def test_the_checker_finds_what_is_planted(module: str, line: str, problem: str) -> None:
    """Each kind of violation is found where it is planted, and found once."""
    clean = {"": "", "errors": "", "core": "", "core.plan": "", "client": "", "aio": "", "fanout.engine": ""}
    assert violations(clean, {}) == []
    (found,) = violations({**clean, module: line}, {})
    assert found.endswith(problem)
    assert found.startswith(module)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core.plan", "from lambda_invoke.errors import x\nfrom . import retry\nimport enum"),
        ("errors", "if TYPE_CHECKING:\n    from lambda_invoke.fanout.report import x"),
        ("client", "import time\nfrom lambda_invoke.transports import x\nfrom lambda_invoke.aio import y"),
        ("", "def __getattr__(name):\n    import lambda_invoke.cli"),
        ("local.server", "from lambda_invoke import LambdaClient"),
    ],
)
def test_the_checker_lets_the_rest_pass(module: str, line: str) -> None:
    """Downward imports, those of a module's own layer and those for types alone are fine."""
    assert violations({"": "", "core": "", "core.retry": "", module: line}, {}) == []


def test_exceptions_are_needed() -> None:
    """An exception covers its import only, and one that nothing needs is a violation itself."""
    allowed = {("core.limiter", "threading"): "a lock"}
    assert violations({"core.limiter": "import threading"}, allowed) == []
    assert len(violations({"core.limiter": "import threading\nimport time"}, allowed)) == 1
    assert len(violations({"core.limiter": ""}, allowed)) == 1


def test_importing_the_package_is_cheap() -> None:
    """``import lambda_invoke`` loads neither boto3, botocore, httptools nor pydantic."""
    code = f"import sys, lambda_invoke; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_resolve() -> None:
    """Every name in ``__all__`` is there, listed once, and ``dir`` shows it."""
    import lambda_invoke

    assert len(lambda_invoke.__all__) == len(set(lambda_invoke.__all__)) > 0
    for name in lambda_invoke.__all__:
        assert getattr(lambda_invoke, name) is not None
    assert set(lambda_invoke.__all__) <= set(dir(lambda_invoke))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Lazy loading does not hide a typing error."""
    import lambda_invoke

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = lambda_invoke.no_such_name
