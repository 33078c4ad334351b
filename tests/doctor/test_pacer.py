"""Calls to Lambda's control plane stay under its 15 a second."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from lambda_invoke.core.target import parse_target
from lambda_invoke.doctor.facts import Intent, NotLooked
from lambda_invoke.doctor.gather import Gatherer
from lambda_invoke.doctor.pacer import CALLS_A_SECOND, Pacer, pacer_of
from tests.doctor.endpoint import answering
from tests.doctor.world import SESSION, World

if TYPE_CHECKING:
    from tests.support.moto import Moto

ALLOWED = 15
"""By AWS, in a second."""
PAGES = 40


@attrs.define
class Time:
    """Goes on only while somebody sleeps."""

    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def most_in_a_second(times: list[float]) -> int:
    return max(sum(begun <= other < begun + 1 for other in times) for begun in times)


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=80))
def test_never_more_within_any_second(pauses: list[float]) -> None:
    """However the calls are spread; and who is under the rate does not wait."""
    time = Time()
    pacer = Pacer(lambda: time.now, time.sleep)
    begun = []
    for pause in pauses:
        time.now += pause
        pacer.wait()
        begun.append(time.now)
    # What is exactly a second later may count as within it: floats.
    assert most_in_a_second([round(each, 6) for each in begun]) <= CALLS_A_SECOND + 1 < ALLOWED
    if len(pauses) <= CALLS_A_SECOND:
        assert begun[-1] == list(itertools.accumulate(pauses))[-1]  # sum() is exacter, since Python 3.12


def test_the_server_counts() -> None:
    """A function with so many mappings that it takes 40 pages: the server never sees 15 in a second."""
    time, seen = Time(), list[float]()

    def answer(path: str) -> tuple[int, dict[str, Any]]:
        seen.append(time.now)
        if path.endswith("/configuration"):
            return 200, {
                "FunctionName": "f",
                "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
            }
        more = {"NextMarker": str(len(seen))} if "mappings" in path and len(seen) < PAGES else {}
        return 200, {"EventSourceMappings": [], **more}

    with answering(answer) as url:
        gatherer = Gatherer(
            SESSION.client("lambda", endpoint_url=url),
            lambda name: SESSION.client(name, endpoint_url=url),
            Pacer(lambda: time.now, time.sleep),
            parse_target("f"),
            Intent(1, None),
            1.0,
        )
        facts = gatherer.gather(NotLooked("", "", ""), now=datetime.now(UTC))
    assert facts.mappings == ()
    assert len(seen) > PAGES
    assert most_in_a_second(seen) <= CALLS_A_SECOND < ALLOWED


def test_all_diagnoses_of_a_client_keep_it_together(moto: Moto) -> None:
    """A loop over functions is no way around it, nor are threads; another client has a rate of its own."""
    client, other = World(moto).client(), World(moto).client()
    with client, other:
        time = Time()
        pacer = pacer_of(client._sender, lambda: time.now, time.sleep)
        assert pacer_of(client._sender, lambda: time.now, time.sleep) is pacer
        assert pacer_of(other._sender, lambda: time.now, time.sleep) is not pacer


def test_in_a_forked_child_the_lock_is_new(moto: Moto) -> None:
    """The parent's may be held by a thread that the child has not."""
    with World(moto).client() as client:
        pacer = pacer_of(client._sender, lambda: 0.0, lambda _: None)
        with pacer._lock:
            client._sender.start_anew()
            pacer.wait()
