"""A breaker that opens, tries and closes, through restarts and deletions."""

import gc

import pytest
from unit.runtime.limited import Limited, key, names, played

from controller.core.errors import LostAnswer
from controller.kube.resources import POLICIES, PROPOSALS
from controller.runtime.store import Key
from controller.runtime.usage.ends import End

BREAKER = ("careful", "limits.maxConsecutiveFailures")


def test_a_breaker_opens_tries_and_closes() -> None:
    async def play(limited: Limited) -> None:
        for name in names(6):
            limited.propose(name)
        await limited.go()
        for name in names(3):
            await limited.end(name, failed="refused")
        assert limited.row() == {"failures": 3, "openedAt": "2026-11-22T15:04:05.000Z"}
        assert limited.making == set()
        assert limited.blocked("p04") == BREAKER
        assert limited.status("p04")["blocked"]["until"] == "2026-11-22T15:14:05.000Z"
        await limited.sleep(599)
        assert limited.making == set()
        await limited.sleep(1)
        assert limited.making == {"p03"}, "one is let through to try"
        await limited.end("p03", failed="refused")
        assert limited.making == set()
        assert limited.row() == {"failures": 4, "openedAt": "2026-11-22T15:14:05.000Z"}
        await limited.sleep(600)
        assert limited.making == {"p04"}
        await limited.end("p04")
        assert limited.making == {"p05"}, "a success closes it"
        assert limited.row() == {"failures": 0}

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
        assert limited.row() == {"failures": 1, "openedAt": "2026-11-22T15:04:05.000Z"}

    played({"maxConsecutiveFailures": 1, "breakerResetSeconds": 60, "maxConcurrent": 1}, play)


def test_a_row_of_failures_is_written_at_once_and_a_success_when_there_is_time() -> None:
    async def play(limited: Limited) -> None:
        for n in range(6):
            name = f"p{n}"
            limited.propose(name)
            await limited.go()
            await limited.end(name, failed="" if n % 2 else "refused")
            assert limited.row() == {"failures": 1}
        assert limited.writes("actionpolicies") == 1, "what is written already is not written again"
        limited.operator.queue.add(Key(POLICIES.plural, "", "careful"))
        await limited.go()
        assert limited.row() == {"failures": 0}

    played({"maxConsecutiveFailures": 2}, play)


@pytest.mark.parametrize("landed", [False, True], ids=["not stored", "stored"])
def test_a_failure_counts_though_the_process_ends_before_it_is_written(landed: bool) -> None:
    async def play(limited: Limited) -> None:
        limited.propose("p00")
        await limited.go()
        limited.operator.sleep(1)
        # The proposal's end is stored, and the write to the policy after it gets no answer any more.
        limited.api.meanwhile("patch", lambda: limited.api.fail("patch", LostAnswer("504"), stored=landed))
        await limited.end("p00", failed="refused")
        assert limited.row() == ({"failures": 1, "openedAt": "2026-11-22T15:04:06.000Z"} if landed else {"failures": 0})
        await limited.restart()
        assert limited.row() == {"failures": 1, "openedAt": "2026-11-22T15:04:06.000Z"}
        limited.propose("p01")
        await limited.go()
        assert limited.blocked("p01") == BREAKER
        assert limited.making == set()

    played({"maxConsecutiveFailures": 1}, play)


def test_ends_that_are_counted_are_not_counted_again_by_the_next_process() -> None:
    async def play(limited: Limited) -> None:
        for name in names(3):
            limited.propose(name)
            await limited.go()
            limited.operator.sleep(1)
            await limited.end(name, failed="refused")
            await limited.restart()
        assert limited.row() == {"failures": 3}
        limited.propose("last")
        await limited.go()
        limited.operator.sleep(1)
        await limited.end("last")  # a success, which is written when there is time: here by the next process
        await limited.restart()
        assert limited.row() == {"failures": 0}

    played({"maxConsecutiveFailures": 4}, play)


def test_an_end_that_was_stored_and_not_heard_of_is_counted_by_the_next_process() -> None:
    """Its answer is under way while a later end is counted and written."""

    async def play(limited: Limited) -> None:
        for name in names(2):
            limited.propose(name)
        await limited.go()
        first = limited.api.objects[key("p00")]
        limited.operator.usage.ending(first["metadata"]["uid"], limited.operator.now)
        limited.operator.sleep(1)
        await limited.end("p01", failed="refused")
        assert limited.breaker() == {"failures": 1, "countedUntil": "2026-11-22T15:04:05.000Z"}
        failed = {"phase": "Failed", "outcome": "Failed", "completedAt": "2026-11-22T15:04:05.500Z"}
        limited.api.put(PROPOSALS, {**first, "status": {**first["status"], **failed}})
        await limited.restart()
        assert limited.row()["failures"] == 2

    played({"maxConsecutiveFailures": 2}, play)


def test_what_failed_before_a_policy_had_the_limit_says_nothing() -> None:
    async def play(limited: Limited) -> None:
        limited.propose("p00")
        await limited.go()
        limited.operator.sleep(1)
        await limited.end("p00", failed="refused")
        await limited.restart()
        limited.policy("careful", limits={"maxConsecutiveFailures": 1})
        limited.propose("p01")
        await limited.go()
        assert limited.making == {"p01"}
        assert limited.row() == {"failures": 0}
        assert limited.breaker() is not None, "from when it is counted is written"

    played({"maxConcurrent": 1}, play)


def test_where_no_breaker_and_no_cooldown_is_earlier_ends_are_not_read() -> None:
    async def play(limited: Limited) -> None:
        await limited.restart()
        limited.api.requests.clear()
        limited.propose("p00")
        await limited.go()
        assert limited.making == {"p00"}
        assert "list actionproposals" not in limited.api.requests

    played({"maxConcurrent": 1}, play)


def test_where_no_breaker_counts_them_ends_are_not_kept() -> None:
    async def play(limited: Limited) -> None:
        before = sum(isinstance(one, End) for one in gc.get_objects())
        for name in names(5):
            limited.propose(name)
            await limited.go()
            await limited.end(name)
        assert sum(isinstance(one, End) for one in gc.get_objects()) == before

    played({"maxConcurrent": 1}, play)
