"""Laws of limits with several workers, faults, restarts and deletions: never more than allowed, nobody forgotten."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.test_limits import most_within_an_hour
from unit.runtime.limited import Limited, key

from controller.api.policy import Limits
from controller.core.errors import LostAnswer, RightMissing, TransientFailure
from controller.core.limits import CLOSED, after_end, half_open_at, is_open
from controller.kube.resources import PROPOSALS
from controller.runtime.usage.ends import End

TARGETS = ("web", "api", "db")
FAULTS = {
    "refused": lambda api: api.fail("patch", RightMissing("no")),
    "not sent": lambda api: api.fail("patch", TransientFailure("no connection")),
    "not stored": lambda api: api.fail("patch", LostAnswer("504")),
    "stored": lambda api: api.fail("patch", LostAnswer("504"), stored=True),
    "unreadable": lambda api: api.fail("get", TransientFailure("503")),
}
steps = st.one_of(
    st.tuples(st.just("propose"), st.integers(1, 4), st.sampled_from(TARGETS)),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from(["", "", "refused"])),
    st.tuples(st.just("sleep"), st.sampled_from([1, 20, 61, 700, 3700]), st.none()),
    st.tuples(st.just("restart"), st.booleans(), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
    st.tuples(st.just("suspend"), st.integers(0, 9), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(sorted(FAULTS)), st.none()),
)
any_limits = st.fixed_dictionaries(
    {"maxConcurrent": st.integers(1, 3)},
    optional={
        "maxPerHour": st.integers(1, 6),
        "perTargetCooldownSeconds": st.sampled_from([30, 600]),
        "maxConsecutiveFailures": st.integers(1, 3),
    },
)


class Watched(Limited):
    """Looks at each effect as it begins."""

    limits: Any
    broken: list[str]
    """Laws that were broken: told afterwards, for an executor's own errors are caught."""

    def watch(self, limits: Any) -> None:
        self.limits = limits
        self.broken = []
        self.played.began = self._look

    def _look(self, name: str) -> None:
        first = name not in self._begun
        self._began(name)
        if len(self.making) > self.limits.get("maxConcurrent", 99):
            self.broken.append(f"too many at the same time: {self.making}")
        if self.limits.get("maxConsecutiveFailures"):
            self._check_breaker(name)
        rest = self.limits.get("perTargetCooldownSeconds")
        if first and rest:
            self._check_rest(name, timedelta(seconds=rest))

    def _check_breaker(self, name: str) -> None:
        """What the breaker must be if no end is ever forgotten, worked out from all of them."""
        stored = (raw for known, raw in self.api.objects.items() if known.plural == PROPOSALS.plural)
        ends = [end for raw in stored if (end := End.of(raw, self.operator.usage._counting.action_of))]
        rule, breaker = Limits.model_validate(self.limits), CLOSED
        for end in sorted(ends, key=lambda end: end.at):
            breaker = after_end(breaker, rule, end.outcome, end.claimed_at, end.at)
        if is_open(breaker, rule) and self.operator.now < half_open_at(breaker, rule, self.operator.now):
            self.broken.append(f"{name}: {breaker.failures} have failed in a row")

    def _check_rest(self, name: str, rest: timedelta) -> None:
        target = self._target(name)
        for known, raw in self.api.objects.items():
            status = raw.get("status") or {}
            if known.plural != PROPOSALS.plural or known.name == name or self._target(known.name) != target:
                continue
            if status.get("attempts") and not status.get("outcome"):
                self.broken.append(f"{name}: {known.name} is still at {target}")
            if status.get("startedAt") and status.get("completedAt"):
                ended = datetime.fromisoformat(status["completedAt"])
                if ended + rest > self.operator.now:
                    self.broken.append(f"{name}: {target} has not rested since {known.name}")

    def _target(self, name: str) -> str:
        return name.rpartition("-")[2]

    def live(self) -> list[str]:
        return [
            known.name
            for known, raw in self.api.objects.items()
            if known.plural == PROPOSALS.plural and not (raw.get("status") or {}).get("outcome")
        ]


async def told(limits: Any, story: list[tuple[str, Any, Any]]) -> None:
    limited = Watched.make(limits)
    assert isinstance(limited, Watched)
    limited.watch(limits)
    count = 0
    burst = [("propose", 2, target) for target in TARGETS]
    try:
        for what, one, other in [*burst, *story]:
            if what == "propose":
                for _ in range(one):
                    count += 1
                    limited.propose(f"p{count}-{other}", other, activeDeadlineSeconds=30_000_000)
            elif what == "end" and limited.making:
                limited.operator.sleep(0.001)  # the order of ends is that of their times
                await limited.end(sorted(limited.making)[one % len(limited.making)], failed=other)
            elif what == "sleep":
                await limited.sleep(one)
            elif what == "restart":
                await limited.restart(clean=one)
            elif what == "fault":
                FAULTS[one](limited.api)
            elif what in ("delete", "suspend") and limited.live():
                name = limited.live()[one % len(limited.live())]
                await (limited.delete(name) if what == "delete" else _toggled(limited, name))
            if what not in ("propose", "fault"):
                await limited.go()
            assert not limited.broken
        await _nobody_is_forgotten(limited)
        assert not limited.broken
        assert most_within_an_hour(limited.started) <= limits.get("maxPerHour", 10**6)
    finally:
        await limited.close()


async def _toggled(limited: Watched, name: str) -> None:
    suspended = limited.api.objects[key(name)]["spec"].get("suspend", False)
    limited.operator.edit(key(name), suspend=not suspended)


async def _nobody_is_forgotten(limited: Watched) -> None:
    """Once all goes well, each has its turn, and nothing that waits is looked at over and over."""
    limited.api._faults.clear()
    for name in limited.live():
        if limited.api.objects[key(name)]["spec"].get("suspend"):
            limited.operator.edit(key(name), suspend=False)
    for _ in range(3 * len(limited.live()) + 3):
        for name in sorted(limited.making):
            await limited.end(name)
        if not limited.live():
            break
        await limited.sleep(3700)
    assert not limited.live(), limited.live()


@settings(max_examples=60, deadline=None, print_blob=True)
@given(any_limits, st.lists(steps, min_size=4, max_size=25))
def test_laws_of_limits(limits: Any, story: list[tuple[str, Any, Any]]) -> None:
    asyncio.run(told(limits, story))
