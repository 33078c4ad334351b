"""Jobs over a journal: what is in it is not sent again, whatever ended the run before."""

from __future__ import annotations

import contextlib
import gc
import itertools
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from lambda_invoke import (
    AbandonedError,
    CompletionReason,
    Executed,
    FanOutError,
    HandlerError,
    Journal,
    JournalError,
    NotSentError,
    RequestError,
)
from lambda_invoke.fanout import journal_file
from tests.support.aws import Clients, Kind, dummy_environment
from tests.support.patience import soon
from tests.support.runs import BOTH, in_threads
from tests.support.server import Call, ScriptedServer, by_function, delay, error, gate, hang, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_invoke import FanOutReport
    from tests.support.server import Step

ROOT = Path(__file__).parents[2]


@attrs.frozen
class Square:
    of: int
    value: int


def square(call: Call) -> Step:
    return ok(b'{"of": %d, "value": %d}' % (call.json, call.json**2))


@BOTH
def test_run_again_it_sends_nothing(run: Callable[..., FanOutReport[Any]], tmp_path: Path) -> None:
    """The second run gives equal values, typed, from the journal; equal items are items of their own."""
    items = [*range(100), 7, 7]
    with ScriptedServer(square) as server:
        first = run(server, "f", items, response=Square, journal=tmp_path / "job.db")
        assert server.executions == 102
        second = run(server, "f", items, response=Square, journal=tmp_path / "job.db")
        assert server.requests == 102
    assert second.values() == first.values() == [Square(item, item**2) for item in items]
    assert [one.invocation for one in second] == [one.invocation for one in first]
    assert second.completion_reason is CompletionReason.COMPLETED


@BOTH
def test_only_what_is_missing_is_sent(run: Callable[..., FanOutReport[Any]], tmp_path: Path) -> None:
    """After a stop, and with more items than before."""
    stop = threading.Event()
    journal = str(tmp_path / "job.db")

    def items() -> Iterator[int]:
        for item in range(200):
            if item == 60:
                stop.set()
            yield item

    with ScriptedServer(square) as server:
        first = run(server, "f", items(), concurrency=4, stop=stop, drain=True, journal=journal)
        assert first.completion_reason is CompletionReason.STOPPED
        assert 0 < server.executions == len(first.succeeded) < 200
        run(server, "f", range(250), concurrency=4, journal=journal).raise_for_failures()
        assert server.executions == 250
        assert max(Counter(call.json for call in server.calls).values()) == 1


@BOTH
def test_what_failed(run: Callable[..., FanOutReport[Any]], tmp_path: Path) -> None:
    """What ran and failed comes back as it failed; what never ran is sent again; UNKNOWN is neither."""
    broken = True

    def script(call: Call) -> Step:
        if not broken:
            return ok(call.body)
        match call.json:
            case 1:
                return ok(b'{"errorType": "Boom", "errorMessage": "no"}', function_error="Unhandled")
            case 2:
                return error(404, "ResourceNotFoundException", executes=False)
            case 3:
                return error(500, "ServiceException", executes=True)
        return ok(call.body)

    path = tmp_path / "job.db"
    with ScriptedServer(script) as server:
        first = run(server, "f", range(5), journal=path)
        broken = False
        second = run(server, "f", range(5), journal=path)
        assert server.requests == 5 + 1
        assert [one.ok for one in second] == [True, False, True, False, True]
        ran, unknown = second.outcomes[1].error, second.outcomes[3].error
        assert isinstance(ran, HandlerError)
        assert (ran.error_type, str(ran)) == ("Boom", str(first.outcomes[1].error))
        assert unknown is not None
        assert (unknown.executed, str(unknown)) == (Executed.UNKNOWN, str(first.outcomes[3].error))
        third = run(server, "f", range(5), journal=Journal(path, retry_failed=True))
        assert [one.ok for one in third] == [True, True, True, False, True]
        fourth = run(server, "f", range(5), journal=Journal(path, resend_unknown=True))
        fourth.raise_for_failures()
        assert server.requests == 5 + 3


@BOTH
def test_given_up_items(run: Callable[..., FanOutReport[Any]], tmp_path: Path) -> None:
    """A stop leaves UNKNOWN what was in flight; idempotent, it is sent again."""
    hanging = True

    def script(call: Call) -> Step:
        return hang() if hanging and call.json >= 10 else ok(call.body)

    path = tmp_path / "job.db"
    with ScriptedServer(script) as server:
        stop = threading.Event()

        def watch() -> None:
            server.wait_until(lambda s: s.in_flight == 4)
            stop.set()

        watching = threading.Thread(target=watch)
        watching.start()
        first = run(server, "f", range(30), concurrency=4, stop=stop, journal=path)
        watching.join()
        assert (len(first.succeeded), len(first.unknown)) == (10, 4)
        hanging = False
        second = run(server, "f", range(30), concurrency=4, journal=path)
        assert [one.index for one in second.unknown] == [one.index for one in first.unknown]
        assert {type(one.error) for one in second.failed} == {AbandonedError}
        run(server, "f", range(30), concurrency=4, journal=path, idempotent=True).raise_for_failures()
        assert server.executions == 30 + 4


@BOTH
def test_keys_of_ones_own(run: Callable[..., FanOutReport[Any]], tmp_path: Path) -> None:
    """Items are told apart by them whatever is sent; a key twice, or none, is that item's error."""
    journal = Journal(tmp_path / "job.db", key=lambda item: item["id"])
    with ScriptedServer() as server:
        run(server, "f", [{"id": number, "at": 1} for number in range(5)], journal=journal)
        again = run(server, "f", [{"id": number, "at": 2} for number in range(5)], journal=journal)
        assert server.requests == 5
        assert [one["at"] for one in again.values()] == [1] * 5
        odd = run(server, "f", [{"id": 9}, {"id": 9}, {"id": 1.5}, {"no": 1}], journal=journal)
        assert server.requests == 6
        assert [type(one.error) for one in odd] == [type(None), *[RequestError] * 3]
        assert "KeyError" in str(odd.outcomes[3].error)


@BOTH
def test_a_journal_that_is_refused(run: Callable[..., FanOutReport[Any]], tmp_path: Path) -> None:
    """Another job's, one in use, a file that is none: RequestError, and nothing is sent."""
    path, other = tmp_path / "job.db", tmp_path / "other.db"
    other.write_text("something else" * 100)
    with ScriptedServer() as server, Clients(Kind.BUILT) as clients:
        run(server, "f", [1], journal=path)
        for function, options in (("g", {}), ("f", {"qualifier": "prod"}), ("f", {"tenant_id": "t"})):
            with pytest.raises(RequestError, match=r"job\.db"):
                run(server, function, [1], journal=path, **options)
        with pytest.raises(RequestError, match=r"other\.db"):
            run(server, "f", [1], journal=other)
        with clients(server).map("f", itertools.count(), concurrency=1, journal=path) as open_:
            next(open_)
            with pytest.raises(RequestError, match=r"job\.db"):
                run(server, "f", [1], journal=path)
        sent = server.requests
        assert run(server, "f", [1], journal=path).values() == [1]
        assert server.requests == sent
    assert other.read_text() == "something else" * 100


@BOTH
def test_a_journal_that_fails(
    run: Callable[..., FanOutReport[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk ends the job with what is known; what has its intent not written is not sent."""
    real = journal_file.JournalFile.begin

    def begin(self: Any, items: Any) -> Any:
        if items[0][0] >= 20:
            raise sqlite3.OperationalError("database or disk is full")
        return real(self, items)

    monkeypatch.setattr(journal_file.JournalFile, "begin", begin)
    with ScriptedServer() as server:
        with pytest.raises(FanOutError, match="the journal failed") as caught:
            run(server, "f", itertools.count(), concurrency=4, journal=tmp_path / "job.db")
        report = caught.value.report
        assert isinstance(caught.value.__cause__, JournalError)
        assert report.completion_reason is CompletionReason.JOURNAL_FAILED
        assert server.executions <= 20
        assert {call.json for call in server.calls} == {
            one.index for one in report if one.executed is not Executed.NO
        }
        assert {type(one.error) for one in report.failed} <= {NotSentError, AbandonedError}


def test_nothing_of_the_payloads_is_in_it(tmp_path: Path) -> None:
    """Requests never are; replies are not without ``store_results``; the file is the user's alone."""
    path = tmp_path / "job.db"
    with ScriptedServer(lambda call: ok(b'"REPLYSECRET"')) as server:
        journal = Journal(path, store_results=False)
        assert in_threads(server, "f", ["ASKSECRET"], journal=journal).values() == ["REPLYSECRET"]
        assert in_threads(server, "f", ["ASKSECRET"], journal=journal).values() == [None]
        assert server.requests == 1
    held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"SECRET" not in held
    assert path.stat().st_mode & 0o777 == 0o600


def test_results_are_in_it_before_they_are_yielded(tmp_path: Path) -> None:
    """Each outcome that map yields is in the file by then, for a reader after a kill."""
    path = tmp_path / "job.db"
    with ScriptedServer() as server, Clients(Kind.BUILT) as clients:
        with clients(server).map("f", range(20), concurrency=4, journal=path) as outcomes:
            for yielded, _ in enumerate(outcomes, start=1):
                assert outcomes._journaled is not None
                assert outcomes._journaled._writer.counts.finished >= yielded
        assert clients(server).fan_out("f", range(20), journal=path).attempts == 20
        assert server.requests == 20


def test_intent_is_in_it_before_it_is_sent(tmp_path: Path) -> None:
    """While the commit of an item's intent is held up, the server does not see the item."""
    go_on = threading.Event()
    path = tmp_path / "job.db"
    real = journal_file.JournalFile.begin

    def begin(self: Any, items: Any) -> Any:
        go_on.wait()
        return real(self, items)

    with pytest.MonkeyPatch.context() as patch, ScriptedServer() as server:
        patch.setattr(journal_file.JournalFile, "begin", begin)
        job = threading.Thread(target=in_threads, args=(server, "f", range(3)), kwargs={"journal": path})
        job.start()
        job.join(0.2)
        assert server.requests == 0
        go_on.set()
        job.join()
        assert server.requests == 3


@BOTH
def test_what_was_begun_and_never_sent_is_known(
    run: Callable[..., FanOutReport[Any]], tmp_path: Path
) -> None:
    """Items that were taken up when the job ended were not sent, and are sent the next time."""
    path = tmp_path / "job.db"
    hanging = True

    def script(call: Call) -> Step:
        return hang() if hanging else ok(call.body)

    with ScriptedServer(script) as server:
        for _ in range(5):
            stop, seen = threading.Event(), server.requests

            def watch(stop: threading.Event = stop, seen: int = seen) -> None:
                server.wait_until(lambda s: s.requests > seen)
                stop.set()

            watching = threading.Thread(target=watch)
            watching.start()
            run(server, "f", range(300), concurrency=64, stop=stop, journal=path)
            watching.join()
        sent = {call.json for call in server.calls}
        hanging = False
        report = run(server, "f", range(300), concurrency=64, journal=path)
        assert {one.index for one in report.unknown} == sent
        assert {one.index for one in report.succeeded} == set(range(300)) - sent
        assert server.requests == 300


def test_a_dropped_map_lets_the_journal_go(tmp_path: Path) -> None:
    """An iterator over a journal that is forgotten is collected, and the file is free again."""
    path = tmp_path / "job.db"
    script = by_function({"f": lambda call: hang() if call.json else ok(b"0")})
    with ScriptedServer(script) as server, Clients(Kind.BUILT) as clients:
        outcomes = clients(server).map("f", itertools.count(), concurrency=4, journal=path)
        assert next(outcomes).value == 0
        dropped = weakref.ref(outcomes)
        del outcomes

        def free() -> bool:
            gc.collect()
            with contextlib.suppress(RequestError):
                return in_threads(server, "f", [0], journal=path).values() == [0]
            return False

        assert dropped() is None
        soon(free)


JOB = """
import sys
from lambda_invoke import FullJitter, LambdaClient, RetryPolicy
url, path, idempotent = sys.argv[1:]
client = LambdaClient(endpoint_url=url, retry=RetryPolicy(wait=FullJitter(0.001, 0.002)))
outcomes = client.map("f", range(2000), concurrency=32, journal=path, idempotent=idempotent == "True")
print("begun", flush=True)
for outcome in outcomes:
    pass
"""


def rounds_of_kills(path: Path, *, rounds: int, idempotent: bool, seed: int) -> None:
    """Kill the job again and again, then let it come to its end; compare with what the server counted."""
    chance = random.Random(seed)
    with ScriptedServer(lambda call: delay(0.002, ok(call.body))) as server:
        in_flight = 0
        for _ in range(rounds):
            process = subprocess.Popen(
                [sys.executable, "-c", JOB, server.url, str(path), str(idempotent)],
                env=dummy_environment() | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
            )
            with process:
                assert process.stdout is not None
                process.stdout.readline()
                before = server.requests
                wanted = chance.choice([0, 1, 10, 60])
                with_time = threading.Event()
                while process.poll() is None and server.requests < before + wanted:
                    with_time.wait(0.001)
                with_time.wait(chance.uniform(0, 0.02))
                process.kill()  # SIGKILL, if it is not at its end
            in_flight += 32
        report = in_threads(server, "f", range(2000), concurrency=32, journal=path, idempotent=idempotent)
        executed = Counter(call.json for call in server.calls)
    assert len(report) == 2000
    for outcome in report.succeeded:
        assert outcome.value == outcome.index
        assert executed[outcome.index]
    if idempotent:
        assert len(report.succeeded) == 2000
        assert sum(executed.values()) <= 2000 + in_flight
    else:
        assert max(executed.values()) == 1
        assert set(report.failed) == set(report.unknown)
        assert {index for index in range(2000) if not executed[index]} <= {
            one.index for one in report.unknown
        }


@pytest.mark.parametrize("idempotent", [False, True], ids=["once", "idempotent"])
def test_kills(tmp_path: Path, idempotent: bool) -> None:
    """``kill -9`` loses no finished item, and doubles none that is not idempotent."""
    rounds_of_kills(tmp_path / "job.db", rounds=3, idempotent=idempotent, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("idempotent", [False, True], ids=["once", "idempotent"])
def test_fifty_kills(tmp_path: Path, idempotent: bool) -> None:
    """The same, fifty times over."""
    rounds_of_kills(tmp_path / "job.db", rounds=50, idempotent=idempotent, seed=2)


def test_ctrl_c_leaves_the_journal_whole(tmp_path: Path) -> None:
    """Interrupted, the report and the journal say the same; resumed, only what is missing is sent."""
    program = """
import sys
from lambda_invoke import FanOutInterrupted, LambdaClient
try:
    LambdaClient(endpoint_url=sys.argv[1]).fan_out("f", range(40), concurrency=4, journal=sys.argv[2])
except FanOutInterrupted as interrupt:
    print(len(interrupt.report.succeeded), len(interrupt.report.unknown))
"""
    opened = threading.Event()

    def script(call: Call) -> Step:
        return ok(call.body) if call.json < 20 else gate(opened, ok(call.body))

    with ScriptedServer(script) as server:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, server.url, str(tmp_path / "job.db")],
            env=dummy_environment() | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            server.wait_until(lambda s: s.in_flight == 4)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
        finally:
            process.kill()
        assert (out, err) == ("20 4\n", "")
        opened.set()
        report = in_threads(server, "f", range(40), concurrency=4, journal=tmp_path / "job.db")
        assert (len(report.succeeded), len(report.unknown)) == (36, 4)
        assert server.executions == 40
