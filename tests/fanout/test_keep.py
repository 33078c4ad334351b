"""The outcomes that a report holds, and that what it does not hold is counted all the same, each once."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

import pytest

from lambda_invoke.errors import AbandonedError, Executed, FanOutError
from lambda_invoke.fanout.ledger import Ledger
from tests.support.outcomes import MIXED, bad, collected, good

if TYPE_CHECKING:
    from lambda_invoke.fanout.report import Keep
    from lambda_invoke.results import Outcome


def test_all_are_kept_in_order() -> None:
    """The default: the input's order, whatever the order in which they came."""
    report = collected(MIXED)
    assert [outcome.index for outcome in report] == [0, 1, 2, 3]
    assert len(report) == len(report.outcomes) == 4
    assert sum(bucket.done for bucket in report.timeline) == 4


def test_failures_are_kept_alone() -> None:
    """All counts are those of all items; only the outcomes that succeeded are not there."""
    all_of_them, failures = collected(MIXED), collected(MIXED, keep="failures")
    assert [outcome.index for outcome in failures] == [0, 3]
    assert failures.failed == all_of_them.failed
    assert (len(failures), failures.succeeded_count, failures.failed_count) == (4, 2, 2)
    assert failures.latency == all_of_them.latency
    assert failures.attempts == all_of_them.attempts
    assert failures.executed is Executed.YES
    assert [bucket.done for bucket in failures.timeline] == [4]
    assert repr(failures).startswith("<FanOutReport: 2 of 4 succeeded")
    for what in (lambda: failures.succeeded, failures.values):
        with pytest.raises(RuntimeError, match=r'keep="failures".*not kept'):
            what()
    with pytest.raises(FanOutError, match="2 of 4 items failed: 2 x HandlerError"):
        failures.raise_for_failures()


def test_values_are_refused_even_where_all_succeeded() -> None:
    """Not an empty list, which would be a wrong one."""
    report = collected([good(0)], keep="failures")
    report.raise_for_failures()
    with pytest.raises(RuntimeError):
        report.values()


def test_keep_what_is_not_known() -> None:
    """Refused before anything is taken."""
    with pytest.raises(ValueError, match="'all' or 'failures', not 'none'"):
        collected([], keep=cast("Any", "none"))


@pytest.mark.parametrize("keep", ["all", "failures"])
def test_items_without_an_outcome(keep: Keep) -> None:
    """An item of which nothing was recorded counts once; one that was recorded after all is as it came."""
    lost = tuple(bad(index, AbandonedError()) for index in (1, 4))
    report = collected(MIXED, keep=keep, missing=lost)
    assert (len(report), report.failed_count, len(report.unknown)) == (5, 3, 1)
    assert [outcome.index for outcome in report.failed] == [0, 3, 4]


@pytest.mark.parametrize("keep", ["all", "failures"])
def test_an_outcome_that_comes_twice(keep: Keep) -> None:
    """Counts once, as it came first, in one batch or in several."""
    ledger: Ledger[Any] = Ledger(keep, lambda: 0.0)
    for outcome in (good(0), bad(0), bad(1), good(1)):
        ledger.record(outcome)
    ledger.close()
    ledger.record(bad(0))
    outcomes, tally = ledger.close()
    assert (tally.done, tally.failed) == (2, 1)
    assert [(one.index, one.ok) for one in outcomes if not one.ok] == [(1, False)]


def test_memory_is_flat() -> None:
    """With keep="failures" no outcome that succeeded is held for longer than a batch."""
    alive: weakref.WeakSet[Outcome[Any]] = weakref.WeakSet()
    ledger: Ledger[Any] = Ledger("failures", lambda: 1.0)
    most = 0
    for index in range(20_000):
        outcome = good(index)
        alive.add(outcome)
        ledger.record(outcome)
        del outcome
        ledger.count_many()
        most = max(most, len(alive)) if index % 100 == 0 else most
    outcomes, tally = ledger.close()
    gc.collect()
    assert (outcomes, tally.done, len(alive)) == ((), 20_000, 0)
    assert most < 1_000


def test_recorded_on_one_thread_and_counted_on_another() -> None:
    """Nothing is lost or counted twice, and the caller's own records mix in."""
    ledger: Ledger[Any] = Ledger("failures", lambda: 1.0)

    def deliver() -> None:
        for index in range(0, 40_000, 2):
            ledger.record(good(index))

    thread = threading.Thread(target=deliver)
    thread.start()
    for index in range(1, 4_000, 2):
        ledger.record(bad(index))
        ledger.count_many()
    thread.join()
    outcomes, tally = ledger.close()
    assert (tally.done, tally.failed, len(outcomes)) == (22_000, 2_000, 2_000)
    assert sum(bucket.done for bucket in tally.timeline.buckets(2.0)) == 22_000


class Interrupting:
    """Raises KeyboardInterrupt before the given line, of those that run in the ledger."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: Any, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.endswith(("ledger.py", "tally.py")):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


@pytest.mark.parametrize("keep", ["all", "failures"])
def test_interrupted_at_any_step(keep: Keep) -> None:
    """Ctrl-C at any line of the counting: told again to close, the ledger has each outcome once."""
    line, before = 0, sys.gettrace()
    while True:
        line += 1
        ledger: Ledger[Any] = Ledger(keep, lambda: 0.5)
        for outcome in MIXED[:2]:
            ledger.record(outcome)
        ledger.close()
        for outcome in MIXED[2:]:
            ledger.record(outcome)
        interrupting = Interrupting(line)
        sys.settrace(interrupting)
        try:
            ledger.close([good(1), bad(9)])
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        outcomes, tally = ledger.close([good(1), bad(9)])
        assert (tally.done, tally.failed, tally.timeline.done[0]) == (5, 3, 5)
        assert [one.index for one in outcomes] == ([0, 1, 2, 3, 9] if keep == "all" else [0, 3, 9])
        if interrupting.left > 0:
            break
    assert line > 30
