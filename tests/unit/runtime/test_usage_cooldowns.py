"""The rest of a target between two actions, through restarts and deletions."""

import pytest
from unit.runtime.limited import Limited, played

COOLDOWN = ("careful", "limits.perTargetCooldownSeconds")


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
