"""Whose message is whose, and what is done with each: no thread, no clock, no queue but a simulated one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_invoke.events.queue import QueueMessage
from lambda_invoke.events.tracker_matching import LONGEST_HOLD, Matching, hold_seconds
from tests.events.simulated import Reader, SimulatedQueue, read


def message(name: str) -> QueueMessage:
    return QueueMessage(name, f"receipt of {name}", {"Body": name})


@pytest.mark.parametrize(
    ("sightings", "seconds"),
    [
        (1, 0),
        (2, 1),
        (3, 0),
        (4, 1),
        (15, 0),
        (16, 1),
        (17, 2),
        (18, 4),
        (19, 8),
        (20, 16),
        (21, 20),
        (999, 20),
    ],
)
def test_a_message_of_others_is_hidden_ever_longer(sightings: int, seconds: int) -> None:
    """Given back at once every other time while somebody may be about to read it; never long."""
    assert hold_seconds(sightings) == seconds
    assert LONGEST_HOLD == 20


def test_ours_is_resolved_and_deleted_and_its_duplicate_deleted() -> None:
    """The first record counts; another of the same Event, in the same look or later, is only deleted."""
    matching = Matching()
    first, twin, late = message("a"), message("b"), message("c")
    wanted = {"id-1"}
    looked = matching.look([(first, "id-1"), (twin, "id-1")], wanted.__contains__, 0.0)
    assert (looked.resolved, looked.delete, looked.hold) == ({"id-1": first}, [first, twin], {})
    wanted.clear()
    looked = matching.look([(late, "id-1")], wanted.__contains__, 1.0)
    assert (looked.resolved, looked.delete, looked.hold, looked.foreign) == ({}, [late], {}, 0)


def test_what_is_kept_is_given_back() -> None:
    """With keep nothing is deleted, and a duplicate of ours is held as those of others are."""
    matching = Matching(keep=True)
    looked = matching.look([(message("a"), "id-1")], {"id-1"}.__contains__, 0.0)
    assert (list(looked.resolved), looked.delete) == (["id-1"], [])
    assert looked.hold == {0: [message("a")]}
    looked = matching.look([(message("a"), "id-1")], set[str]().__contains__, 0.0)
    assert (looked.resolved, looked.delete, looked.hold) == ({}, [], {1: [message("a")]})


def test_of_ours_only_so_many_are_remembered() -> None:
    """A duplicate of one forgotten stays in the queue: it is nobody's."""
    matching = Matching(remembered=2)
    for number in range(3):
        one = (message(f"m{number}"), f"id-{number}")
        matching.look([one], {f"id-{number}"}.__contains__, 0.0)
    looked = matching.look([(message("x"), "id-0"), (message("y"), "id-2")], set[str]().__contains__, 0.0)
    assert looked.delete == [message("y")]
    assert looked.hold == {0: [message("x")]}


def test_a_queue_of_more_than_is_remembered_is_not_asked_without_end() -> None:
    """What cannot be told from new is hidden for the longest time, until the crowd is gone."""
    matching = Matching(remembered=3)
    nobody = set[str]().__contains__
    for number in range(4):
        matching.look([(message(str(number)), None)], nobody, float(number))
    assert list(matching.look([(message("new"), None)], nobody, 5.0).hold) == [LONGEST_HOLD]
    assert list(matching.look([(message("later"), None)], nobody, 500.0).hold) == [0]


def test_others_who_read_theirs_do_not_make_a_crowd() -> None:
    """A message that did not come again is simply forgotten: new ones are still given back at once."""
    matching = Matching(remembered=3)
    for number in range(50):
        looked = matching.look([(message(str(number)), "theirs")], set[str]().__contains__, 100.0 * number)
        assert list(looked.hold) == [0]


def test_a_hidden_message_is_recalled_when_somebody_waits_for_it() -> None:
    """The record came before its Event was tracked: it is given back at once, and not a second time."""
    matching = Matching()
    nobody = set[str]().__contains__
    for _sighting in range(2):
        matching.look([(message("a"), "id-1"), (message("b"), "id-2"), (message("c"), None)], nobody, 10.0)
    assert matching.recall({"id-1"}, 10.5) == [message("a")]
    assert matching.recall({"id-1"}, 10.5) == []
    assert matching.recall({"id-2"}, 11.5) == [], "it is visible again by itself"
    assert matching.release(10.5) == [message("b"), message("c")]
    assert matching.release(10.5) == []


def test_what_is_hidden_is_remembered_without_its_body() -> None:
    """Bodies may be of a megabyte; the receipt is enough to give it back."""
    matching = Matching()
    for _sighting in range(2):
        matching.look([(message("a"), "id-1")], set[str]().__contains__, 0.0)
    (held,) = matching.release(0.0)
    assert (held.receipt_handle, held.raw) == ("receipt of a", {})


IDS = st.sampled_from([f"id-{number}" for number in range(6)])
LOOKS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 12), st.none() | IDS), max_size=10, unique_by=lambda one: one[0]),
        st.sets(IDS),
        st.floats(0, 30),
    ),
    max_size=12,
)


@given(LOOKS, st.booleans(), st.integers(1, 20))
def test_nothing_is_lost_whatever_comes(looks: object, keep: bool, remembered: int) -> None:
    """Every message received is either deleted or given one time to come again.

    Nothing is deleted that was not handed over, then or before; nothing is handed over unwanted.
    """
    assert isinstance(looks, list)
    matching, now, handed = Matching(keep=keep, remembered=remembered), 0.0, set[str]()
    for received, wanted, passes in looks:
        now += passes
        pairs = [(message(str(name)), request_id) for name, request_id in received]
        looked = matching.look(pairs, (wanted - handed).__contains__, now)
        assert looked.resolved.keys() <= wanted - handed
        handed |= looked.resolved.keys()
        given_back = [one for held in looked.hold.values() for one in held]
        assert sorted(one.message_id for one in [*looked.delete, *given_back]) == sorted(
            one.message_id for one, _request_id in pairs
        )
        owners = {one.message_id: request_id for one, request_id in pairs}
        assert {owners[one.message_id] for one in looked.delete} <= handed
        assert not (keep and looked.delete)
        assert all(0 <= seconds <= LONGEST_HOLD for seconds in looked.hold)


def queue_with(ours: dict[str, int], foreign: int, *, in_order: bool = False) -> SimulatedQueue:
    """A queue with so many records of each reader, of nobody, and of what is no record, one after another."""
    queue = SimulatedQueue(in_order)
    names: list[tuple[str, str | None]] = [
        (f"{reader} {number}", reader) for reader, count in ours.items() for number in range(count)
    ]
    names += [(f"foreign {number}", "foreign" if number % 2 else None) for number in range(foreign)]
    queue.random.shuffle(names)
    for name, reader in names:
        queue.send(name, reader and name)
    return queue


def reader_of(queue: SimulatedQueue, name: str, count: int) -> Reader:
    return Reader(queue, {f"{name} {number}" for number in range(count)})


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 300), st.booleans())
def test_ours_are_found_among_any_number_of_others(ours: int, foreign: int, in_order: bool) -> None:
    """Each is resolved once; of the others every one is still there."""
    queue = queue_with({"a": ours}, foreign, in_order=in_order)
    reader = reader_of(queue, "a", ours)
    read([reader], until=60)
    assert sorted(reader.got) == sorted(f"a {number}" for number in range(ours))
    assert len(queue.visible_at) == foreign


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("count", [2, 4])
def test_several_readers_of_one_queue_all_come_to_their_end(count: int, in_order: bool) -> None:
    """500 records each, 40 of nobody: each gets its own and no other, and none waits for long.

    What it costs beside reading alone is bounded: each receives a message of another's a few times.
    """
    names = "abcd"[:count]
    queue = queue_with(dict.fromkeys(names, 500), 40, in_order=in_order)
    readers = [reader_of(queue, name, 500) for name in names]
    read(readers, until=60)
    assert all(len(reader.got) == 500 for reader in readers)
    assert len(queue.visible_at) == 40
    assert sum(reader.foreign for reader in readers) < count * (count - 1) * 500 * 2


@pytest.mark.parametrize(("foreign", "most"), [(1, 0.3), (10, 0.5), (200, 5)])
def test_a_reader_who_waits_in_vain_asks_seldom(foreign: int, most: float) -> None:
    """Messages of nobody's and an hour: after the first minute a few calls a second at most."""
    queue = queue_with({}, foreign)
    reader = Reader(queue, {"never"})
    while reader.now < 60:
        reader.look()
    reader.calls = 0
    while reader.now < 3660:
        reader.look()
    assert reader.calls / 3600 < most
    assert len(queue.visible_at) == foreign


def test_a_new_record_of_ours_is_not_held_up_by_others() -> None:
    """While 200 messages of others are known and hidden, ours is handed over within seconds."""
    queue = queue_with({}, 200)
    reader = Reader(queue, {"ours"})
    while reader.now < 100:
        reader.look()
    sent = reader.now
    queue.send("ours", "ours", sent)
    read([reader], until=sent + 5)
    assert reader.got == ["ours"]
