"""What is told of writes whose end was not heard of: what landed, once, and nothing else."""

from datetime import timedelta

import pytest
from unit.core.making import NOW

from controller.api.common import HistoryEntry
from controller.api.names import Transition
from controller.core.ports import Json
from controller.kube.resources import PROPOSALS
from controller.runtime.owed import Owed, Place

PLACE = Place(PROPOSALS, "shop", "a")


def entry(n: int, reason: Transition = Transition.EXECUTING, seconds: float = 0.0) -> HistoryEntry:
    return HistoryEntry(n=n, at=NOW + timedelta(seconds=seconds), reason=reason, actor="action-operator")


def stored(*history: HistoryEntry) -> Json:
    return {"metadata": {"uid": "1"}, "status": {"history": [one.wire() for one in history]}}


def cut_off(owed: Owed, *entries: HistoryEntry) -> None:
    with pytest.raises(TimeoutError), owed.writing(PLACE, "1", entries):
        raise TimeoutError


def test_a_write_that_is_heard_of_is_told_with_what_it_wrote() -> None:
    owed = Owed()
    with owed.writing(PLACE, "1", [entry(2), entry(3)]):
        pass
    assert owed.paid("1", [entry(1), entry(2), entry(3)]) == [entry(2), entry(3)]
    assert owed.places() == []


def test_while_it_is_written_only_the_writer_tells() -> None:
    owed = Owed()
    with owed.writing(PLACE, "1", [entry(2)]):
        assert owed.found(stored(entry(1), entry(2))) == []
        assert owed.places() == []
    assert owed.places() == [("1", PLACE)]


def test_it_stays_owed_until_the_object_has_come_as_far() -> None:
    owed = Owed()
    cut_off(owed, entry(3))
    assert owed.found(stored()) == []
    assert owed.found(stored(entry(2))) == []
    assert owed.found(stored(entry(2), entry(3), entry(4))) == [entry(3)]
    assert owed.found(stored(entry(2), entry(3), entry(4))) == []


def test_what_another_wrote_in_its_place_is_not_ours_to_tell() -> None:
    owed = Owed()
    cut_off(owed, entry(3))
    assert owed.found(stored(entry(2), entry(3, Transition.TAKEN_OVER))) == []
    assert owed.places() == []


def test_of_two_tries_the_one_that_landed_is_told() -> None:
    owed = Owed()
    cut_off(owed, entry(3))
    cut_off(owed, entry(3, seconds=1), entry(4, seconds=1))
    assert owed.found(stored(entry(3, seconds=1), entry(4, seconds=1))) == [entry(3, seconds=1), entry(4, seconds=1)]


def test_a_later_write_that_is_heard_of_tells_what_an_earlier_one_left() -> None:
    owed = Owed()
    cut_off(owed, entry(2))
    with owed.writing(PLACE, "1", [entry(3)]):
        pass
    assert owed.paid("1", [entry(1), entry(2), entry(3)]) == [entry(2), entry(3)]


def test_a_write_without_a_transition_owes_nothing() -> None:
    owed = Owed()
    cut_off(owed)
    assert owed.places() == []


def test_an_object_of_which_nothing_is_owed_is_not_parsed() -> None:
    """All that is watched comes by, also what cannot be read."""
    assert Owed().found({"metadata": {"uid": "1"}, "status": {"history": [{"n": "none"}]}}) == []
