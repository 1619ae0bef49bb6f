"""How many go on at the same time: who holds a place, who gets the next one, and by which policy."""

from typing import Any

import pytest
from unit.runtime.limited import Limited, names, played

from controller.core.errors import LostAnswer, TransientFailure

CONCURRENT = ("careful", "limits.maxConcurrent")


def test_a_burst_takes_the_places_there_are_and_the_rest_follows_in_turn() -> None:
    async def play(limited: Limited) -> None:
        for name in names(6):
            limited.propose(name)
        await limited.go()
        assert limited.making == {"p00", "p01"}
        assert {limited.blocked(name) for name in names(6)[2:]} == {CONCURRENT}
        for n, name in enumerate(names(6)):
            assert name in limited.making
            await limited.end(name)
            assert limited.making == set(names(6)[n + 1 : n + 3])
        assert all(limited.status(name)["outcome"] == "Succeeded" for name in names(6))

    played({"maxConcurrent": 2}, play)


def test_one_free_place_is_one_claim_and_nobody_else_writes() -> None:
    async def play(limited: Limited) -> None:
        for name in names(40):
            limited.propose(name)
        await limited.go()
        assert limited.writes() == 40, "one claim, and each other one told once that it waits"
        limited.api.requests.clear()
        await limited.end("p00")
        assert limited.making == {"p01"}
        assert limited.writes() == 2, "the end of the one, the claim of the next"
        limited.api.requests.clear()
        limited.policy("another", mode="Execute", match={"namespaces": ["elsewhere"]})
        await limited.go()
        assert limited.writes() == 0, "all were decided about again, and nothing has changed"
        assert limited.making == {"p01"}

    played({"maxConcurrent": 1}, play)


def test_waiting_for_an_effect_to_show_holds_no_place() -> None:
    async def play(limited: Limited) -> None:
        limited.played.unverified.add("slow")
        limited.propose("slow")
        limited.propose("next")
        for n in range(3):
            limited.operator.propose(f"wait-{n}", "wait", parameters={"seconds": 60})
        await limited.go()
        assert limited.making == {"slow"}
        await limited.end("slow")
        assert limited.status("slow")["phase"] == "Running"
        assert limited.making == {"next"}, "a wait holds its place for a moment only"
        await limited.end("next")
        for n in range(3):
            assert limited.status(f"wait-{n}")["phase"] == "Running"

    played({"maxConcurrent": 1}, play)


def test_an_open_attempt_of_the_process_before_holds_its_place_until_it_is_judged() -> None:
    async def play(limited: Limited) -> None:
        for name in names(4):
            limited.propose(name)
        await limited.go()
        await limited.restart()
        assert limited.status("p00")["attempts"][0]["result"] == "Interrupted"
        assert len(limited.making) == 1
        await limited.end(*limited.making)
        ended = [name for name in names(4) if "outcome" in limited.status(name)]
        assert "p00" in {*ended, *limited.making}, "what is under way goes before what has not begun"

    played({"maxConcurrent": 1}, play)


@pytest.mark.parametrize("how", ["suspended", "cancelled", "deleted"])
def test_who_does_not_take_its_turn_leaves_it_to_the_next(how: str) -> None:
    async def play(limited: Limited) -> None:
        keys = [limited.propose(name) for name in names(4)]
        await limited.go()
        if how == "deleted":
            await limited.delete("p01")
        else:
            limited.operator.edit(keys[1], **({"suspend": True} if how == "suspended" else {"cancelled": True}))
        await limited.end("p00")
        await limited.go()
        assert limited.making == {"p02"}

    played({"maxConcurrent": 1}, play)


def test_what_is_deleted_while_it_runs_holds_its_place_until_it_has_ended() -> None:
    async def play(limited: Limited) -> None:
        for name in names(2):
            limited.propose(name)
        await limited.go()
        limited.operator.usage.tend("careful")
        await limited.delete("p00")
        assert limited.making == {"p01"}

    played({"maxConcurrent": 1}, play)


@pytest.mark.parametrize("error", [TransientFailure("503"), LostAnswer("504")])
@pytest.mark.parametrize("stored", [True, False])
def test_a_claim_whose_answer_is_lost_keeps_its_place(error: Any, stored: bool) -> None:
    async def play(limited: Limited) -> None:
        if stored and isinstance(error, TransientFailure):
            return  # known not to be stored
        for name in names(3):
            limited.propose(name)
        limited.api.fail("patch", error, stored=stored)
        limited.api.fail("get", TransientFailure("503"))
        await limited.go()
        for _ in range(8):
            assert len(limited.making) <= 1
            await limited.sleep(1)
        assert len(limited.making) == 1
        for _ in names(3):
            (name,) = limited.making
            await limited.end(name)
        assert all(limited.status(name)["outcome"] == "Succeeded" for name in names(3))

    played({"maxConcurrent": 1}, play)


def test_a_claim_that_conflicts_gives_its_place_back() -> None:
    async def play(limited: Limited) -> None:
        key = limited.propose("first")
        limited.api.edit(key, suspend=True)  # and the watch has not told yet
        await limited.go()
        assert limited.status("first")["phase"] == "Blocked"
        limited.propose("second")
        await limited.go()
        assert limited.making == {"second"}

    played({"maxConcurrent": 1, "maxPerHour": 1}, play)


def test_a_limit_is_about_what_its_policy_matches() -> None:
    async def play(limited: Limited) -> None:
        limited.policy("strict", limits={"maxConcurrent": 1}, match={"actions": ["restart-rollout"]})
        limited.policy("other", limits={"maxConcurrent": 1}, match={"actions": ["log-message"]})
        for name in names(2):
            limited.propose(name)
        limited.operator.propose("said")
        await limited.go()
        assert limited.making == {"p00"}
        assert limited.blocked("p01") == ("strict", "limits.maxConcurrent")
        assert limited.status("said")["outcome"] == "Succeeded"

    played({"maxConcurrent": 2}, play)


def test_a_limit_that_is_taken_away_lets_all_go() -> None:
    async def play(limited: Limited) -> None:
        for name in names(5):
            limited.propose(name)
        await limited.go()
        assert len(limited.making) == 1
        limited.policy("careful", limits={"maxConcurrent": 3})
        await limited.go()
        assert len(limited.making) == 3
        limited.operator.intake.observe("actionpolicies", "DELETED", {"metadata": {"name": "careful"}})
        await limited.go()
        assert len(limited.making) == 5

    played({"maxConcurrent": 1}, play)
