"""The pytest plugin of lambda_invoke: ``fake_lambda`` and ``local_lambda``.

A module of its own, outside of the package: pytest loads it at each start, and until a fixture is used
it loads nothing else.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from lambda_invoke.local import LocalLambda
    from lambda_invoke.testing import FakeLambda

_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one setting: the runtime client of ``local_lambda``."""
    parser.addini(
        "local_lambda_runtime",
        "runtime_client of the local_lambda fixture: python (default) or native",
        default="python",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test has failed, so that its fixtures do not fail it again."""
    report = yield
    if call.when == "call" and report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def fake_lambda(request: pytest.FixtureRequest) -> Iterator[FakeLambda]:
    """A ``FakeLambda`` that stands in for AWS: clients made during the test, anywhere, send to it.

    A call that nothing was scripted for fails the test, even if the code under test caught its error.
    """
    from lambda_invoke.testing import FakeLambda

    fake = FakeLambda()
    with fake.patch():
        yield fake
    if not request.node.stash.get(_FAILED, False):
        fake.assert_nothing_unscripted()


@pytest.fixture
def local_lambda(request: pytest.FixtureRequest) -> Iterator[Callable[..., LocalLambda]]:
    """Starts a ``LocalLambda``: ``local_lambda({"name": handler}, **options)``; ended after the test.

    Every test has endpoints, ports, keys and worker processes of its own.
    """
    from lambda_invoke.local import LocalLambda

    with contextlib.ExitStack() as stack:

        def start(functions: Mapping[str, Any], **options: Any) -> LocalLambda:
            options.setdefault("runtime_client", request.config.getini("local_lambda_runtime"))
            return stack.enter_context(LocalLambda(functions, **options))

        yield start
