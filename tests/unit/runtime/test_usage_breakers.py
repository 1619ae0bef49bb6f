"""A breaker that opens, tries and closes, through restarts and deletions."""

from unit.runtime.limited import Limited, names, played

from controller.kube.resources import POLICIES
from controller.runtime.store import Key

BREAKER = ("careful", "limits.maxConsecutiveFailures")


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
        limited.operator.queue.add(Key(POLICIES.plural, "", "careful"))
        await limited.go()
        assert limited.breaker() is None

    played({"maxConsecutiveFailures": 2}, play)
