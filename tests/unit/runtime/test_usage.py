"""Limits as they are kept: places, starts, cooldowns, breakers, through conflicts, restarts and deletions."""

from typing import Any

import pytest
from unit.runtime.limited import Limited, played

from controller.core.errors import LostAnswer, TransientFailure

CONCURRENT = ("careful", "limits.maxConcurrent")
PER_HOUR = ("careful", "limits.maxPerHour")
COOLDOWN = ("careful", "limits.perTargetCooldownSeconds")
BREAKER = ("careful", "limits.maxConsecutiveFailures")


def names(count: int) -> list[str]:
    return [f"p{n:02}" for n in range(count)]


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


def test_a_target_rests_between_two_actions() -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one", "web")
        limited.propose("two", "web")
        limited.propose("other", "api")
        await limited.go()
        assert limited.making == {"one", "other"}
        assert limited.blocked("two") == COOLDOWN
        assert "until" not in limited.status("two")["blocked"], "nobody knows yet when the first one ends"
        await limited.end("one")
        await limited.sleep(59)
        assert limited.making == {"other"}
        await limited.sleep(1)
        assert limited.making == {"other", "two"}
        writes = limited.writes()
        assert writes == 5, "three claims, one Blocked, one end"

    played({"perTargetCooldownSeconds": 60}, play)


@pytest.mark.parametrize("clean", [True, False])
def test_a_target_rests_through_a_restart(clean: bool) -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one", "web")
        await limited.go()
        await limited.end("one")
        await limited.restart(clean=clean)
        limited.propose("two", "web")
        limited.propose("other", "api")
        await limited.go()
        assert limited.making == {"other"}
        assert limited.status("two")["blocked"]["until"] == "2026-11-22T15:05:05.000Z"
        await limited.restart(clean=clean)
        await limited.sleep(60)
        assert "two" in limited.making

    played({"perTargetCooldownSeconds": 60}, play)


def test_without_a_cooldown_finished_proposals_are_never_read() -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one")
        await limited.go()
        await limited.end("one")
        assert "list actionproposals" not in limited.api.requests

    played({"maxConcurrent": 5, "maxPerHour": 5, "maxConsecutiveFailures": 3}, play)


def test_a_deleted_action_still_rests_its_target() -> None:
    async def play(limited: Limited) -> None:
        limited.propose("one", "web")
        await limited.go()
        await limited.delete("one")
        limited.propose("two", "web")
        await limited.go()
        assert limited.blocked("two") == COOLDOWN
        await limited.sleep(60)
        assert limited.making == {"two"}

    played({"perTargetCooldownSeconds": 60}, play)


def test_a_breaker_opens_tries_and_closes() -> None:
    async def play(limited: Limited) -> None:
        for name in names(6):
            limited.propose(name)
        await limited.go()
        for name in names(3):
            await limited.end(name, failed="refused")
        assert limited.breaker() == {"failures": 3, "openedAt": "2026-11-22T15:04:05.000Z"}
        assert limited.making == set()
        assert limited.blocked("p04") == BREAKER
        assert limited.status("p04")["blocked"]["until"] == "2026-11-22T15:14:05.000Z"
        await limited.sleep(599)
        assert limited.making == set()
        await limited.sleep(1)
        assert limited.making == {"p03"}, "one is let through to try"
        await limited.end("p03", failed="refused")
        assert limited.making == set()
        assert limited.breaker() == {"failures": 4, "openedAt": "2026-11-22T15:14:05.000Z"}
        await limited.sleep(600)
        assert limited.making == {"p04"}
        await limited.end("p04")
        assert limited.making == {"p05"}, "a success closes it"
        assert limited.breaker() is None

    played({"maxConsecutiveFailures": 3, "breakerResetSeconds": 600, "maxConcurrent": 1}, play)


def test_a_breaker_survives_restarts_and_deletions() -> None:
    async def play(limited: Limited) -> None:
        for name in names(2):
            limited.propose(name)
        await limited.go()
        await limited.end("p00", failed="refused")
        await limited.delete("p00")
        await limited.restart()
        await limited.end("p01", failed="refused")
        await limited.delete("p01")
        await limited.restart()
        limited.propose("later")
        await limited.go()
        assert limited.blocked("later") == BREAKER
        await limited.sleep(3600)
        assert limited.making == {"later"}
        limited.propose("last")
        await limited.restart()
        assert limited.making == {"later"}, "the one that tries is begun again, and is still the only one"
        assert limited.blocked("last") == BREAKER

    played({"maxConsecutiveFailures": 2}, play)


def test_an_action_that_tries_and_is_cancelled_lets_another_try() -> None:
    async def play(limited: Limited) -> None:
        for name in names(3):
            limited.propose(name)
        await limited.go()
        await limited.end("p00", failed="refused")
        await limited.sleep(60)
        limited.operator.edit(limited.propose("p09"), cancelled=True)
        assert limited.making == {"p01"}
        limited.played.making["p01"].cancel()
        await limited.delete("p01")
        assert limited.making == {"p02"}
        assert limited.breaker() == {"failures": 1, "openedAt": "2026-11-22T15:04:05.000Z"}

    played({"maxConsecutiveFailures": 1, "breakerResetSeconds": 60, "maxConcurrent": 1}, play)


def test_a_row_of_failures_is_written_at_once_and_a_success_when_there_is_time() -> None:
    async def play(limited: Limited) -> None:
        for n in range(6):
            name = f"p{n}"
            limited.propose(name)
            await limited.go()
            await limited.end(name, failed="" if n % 2 else "refused")
            assert limited.breaker() == {"failures": 1}
        assert limited.writes("actionpolicies") == 1, "what is written already is not written again"
        limited.operator.queue.add(_careful())
        await limited.go()
        assert limited.breaker() is None

    played({"maxConsecutiveFailures": 2}, play)


def _careful() -> Any:
    from controller.kube.resources import POLICIES
    from controller.runtime.store import Key

    return Key(POLICIES.plural, "", "careful")


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


def test_a_protected_target_is_not_touched_until_its_label_is_gone() -> None:
    async def play(limited: Limited) -> None:
        limited.played.labels = {"critical": "true", "app": "web"}
        limited.propose("one")
        await limited.go()
        assert limited.blocked("one") == ("careful", "protect.labels")
        limited.api.requests.clear()
        await limited.sleep(310)
        assert limited.writes() == 0
        limited.played.labels = {"app": "web"}
        await limited.sleep(310)
        assert limited.making == {"one"}

    played({}, play, protect={"labels": {"critical": "true"}})
