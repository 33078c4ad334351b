"""Where a job may be used: not on the loop that runs it, not in a child, not over a closed client."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import lambda_invoke as li
from tests.support.server import ScriptedServer

if TYPE_CHECKING:
    from tests.support.aws import Clients

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_child(check: object) -> int:
    """Run ``check`` in a forked child; its exit code."""
    assert callable(check)
    pid = os.fork()
    if pid == 0:
        try:
            check()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_job_inside_on_attempt_is_refused(built: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """It would wait for the loop that it holds up: RuntimeError in the hook, and the job goes on."""
    with ScriptedServer() as server:
        inner = built(server)
        client = built(server, on_attempt=lambda _: list(inner.map("g", [1])))
        assert client.fan_out("f", [1, 2]).values() == [1, 2]
        assert "cannot be used on the loop that runs them" in caplog.text
        assert server.executions == 2


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_an_iterator_of_the_parents_is_refused_in_a_child(built: Clients) -> None:
    """Its outcomes come to the parent: a child that asked for one would wait for ever."""
    with ScriptedServer() as server:
        outcomes = built(server).map("f", range(50), concurrency=4)
        next(outcomes)

        def check() -> None:
            with pytest.raises(RuntimeError, match="started in the parent process"):
                next(outcomes)

        assert in_child(check) == 0
        assert len(list(outcomes)) == 49


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_handed_over_client_is_refused_in_a_child(handed: Clients) -> None:
    """Its connections are the parent's too, and a reply could be the other's: nothing is sent."""
    with ScriptedServer() as server:
        client = handed(server)
        assert client.invoke("f", 1).value == 1

        def check() -> None:
            with pytest.raises(li.RequestError, match="before a fork") as caught:
                client.invoke("f", 2)
            assert caught.value.executed is li.Executed.NO

        assert in_child(check) == 0
        assert client.invoke("f", 3).value == 3
        assert [call.json for call in server.calls] == [1, 3]


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_budget_whose_lock_was_held_works_in_a_child(built: Clients) -> None:
    """A thread that is not in the child held it at the fork."""
    with ScriptedServer() as server:
        client = built(server)
        budget = client._caller.budget

        def check() -> None:
            assert budget.withdraw()

        with budget._lock:
            assert in_child(check) == 0


def test_closing_the_client_ends_its_open_jobs(built: Clients) -> None:
    """Later items are refused, as later calls are: the server sees none of them."""
    with ScriptedServer() as server:
        client = built(server)
        outcomes = client.map("f", range(100), concurrency=2)
        next(outcomes)
        client.close()
        sent = server.executions
        rest = list(outcomes)
        assert len(rest) == 99
        assert server.executions <= sent + 2  # what was on its way
        assert isinstance(rest[-1].error, li.RequestError)
