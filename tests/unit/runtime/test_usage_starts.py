"""Starts within an hour: reserved before they are made, kept through restarts, deletions and lost answers."""

import pytest
from unit.core.making import EXECUTE, NOW, attempt, view, workflow
from unit.runtime.limited import Limited, names, played

from controller.api.proposal import Attempt
from controller.core.errors import LostAnswer, TransientFailure
from controller.core.pace import over_limit
from controller.core.part import PART_LABEL

PER_HOUR = ("careful", "limits.maxPerHour")


def test_starts_are_reserved_before_they_are_made_with_one_write_for_many() -> None:
    async def play(limited: Limited) -> None:
        for name in names(8):
            limited.propose(name)
        await limited.go()
        assert len(limited.making) == 5
        assert limited.buckets() == [5]
        assert limited.writes("actionpolicies") == 1
        first_claim = limited.api.requests.index("patch actionproposals")
        assert limited.api.requests.index("patch actionpolicies") < first_claim
        assert {limited.blocked(name) for name in names(8) if name not in limited.making} == {PER_HOUR}

    played({"maxPerHour": 5}, play)


def test_starts_survive_a_restart_and_the_deletion_of_what_was_started() -> None:
    async def play(limited: Limited) -> None:
        for name in names(3):
            limited.propose(name)
        await limited.go()
        for name in sorted(limited.making):
            await limited.end(name)
            await limited.delete(name)
        assert limited.making == set()
        await limited.restart()
        assert limited.making == set()
        assert limited.blocked("p02") == PER_HOUR
        await limited.sleep(3600 - 6)
        assert limited.making == set()
        await limited.sleep(66)
        assert limited.making == {"p02"}, "an hour, and at most a minute more"

    played({"maxPerHour": 2}, play)


def test_starts_that_were_reserved_and_never_made() -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one")
        await limited.go()
        assert limited.buckets() == [6]
        await limited.sleep(120)
        limited.propose("two")
        await limited.go()
        assert limited.buckets() == [1, 5], "what was not taken is given back with the next block"
        await limited.restart()
        for name in names(9):
            limited.propose(name)
        await limited.sleep(60)
        assert limited.buckets() == [1, 5, 4], "what the killed process still held counts as made"
        assert len(limited.started) == 6
        await limited.sleep(60)
        assert len(limited.started) == 6

    played({"maxPerHour": 10}, play)


def test_a_process_that_ends_in_good_order_leaves_no_starts_behind() -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one")
        await limited.go()
        await limited.restart(clean=True)
        assert limited.buckets() == [1]
        for name in names(9):
            limited.propose(name)
        await limited.sleep(60)
        assert len(limited.started) == 10

    played({"maxPerHour": 10}, play)


def test_a_minute_whose_block_is_used_up_waits_for_the_next_one() -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one")
        await limited.go()
        assert limited.buckets() == [2]
        for name in names(3):
            limited.propose(name)
        await limited.go()
        assert limited.making == {"one", "p00"}
        assert limited.blocked("p01") == PER_HOUR
        assert limited.status("p01")["blocked"]["until"] == "2026-11-22T15:05:00.000Z"
        assert limited.writes("actionpolicies") == 1, "at most one write a minute"
        await limited.sleep(54)
        assert len(limited.making) == 2
        await limited.sleep(1)
        assert len(limited.making) == 3

    played({"maxPerHour": 3}, play)


@pytest.mark.parametrize("stored", [True, False])
def test_a_reservation_whose_answer_is_lost_starts_nothing_too_much(stored: bool) -> None:
    async def play(limited: Limited) -> None:
        limited.api.fail("patch", LostAnswer("504"), stored=stored)
        limited.api.fail("get", TransientFailure("503"))
        for name in names(4):
            limited.propose(name)
        await limited.go()
        for _ in range(6):
            await limited.sleep(20)
        assert len(limited.started) <= 2
        assert sum(limited.buckets()) == 2

    played({"maxPerHour": 2}, play)


@pytest.mark.parametrize("part", ["undo", "finally"])
def test_what_mends_a_workflow_is_held_by_no_limit_and_takes_no_start(part: str) -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one")
        await limited.go()
        assert limited.buckets() == [1]
        flow = workflow()[0]
        mending = view(
            policies={"go": EXECUTE, "careful": {"limits": {"maxPerHour": 1}}},
            metadata={"labels": {PART_LABEL: part}},
            parent=flow,
            usage=limited.operator.usage,
        )
        assert over_limit(mending, NOW) is None
        limited.operator.usage.claiming(mending, Attempt.model_validate(attempt()))
        assert limited.buckets() == [1]

    played({"maxPerHour": 1}, play)
