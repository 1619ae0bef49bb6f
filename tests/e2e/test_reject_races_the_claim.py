"""A rejection against the claim, over and over: what the API server stored first decides, and it is the judge."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import yaml
from harness.observer import Observer, observing
from harness.people import admit_people, ballot
from harness.stage import API, Json, Stage, proposal

from hack.hook_target import HookTarget

ROUNDS = 40
AT_ONCE = 2
FIRST_SECONDS = 0.05
"""How long after the approval the rejection is sent, at first."""


class Aim:
    """Keeps the rejections near the claim, however slow the machine is: earlier when one came too late, and so on."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  jitter, no secret
        self._seconds = FIRST_SECONDS

    def seconds(self) -> float:
        return self._seconds * self._chance.uniform(0.5, 1.5)

    def learn(self, one: "Round") -> None:
        self._seconds *= 1.3 if one.rejected_first else 0.8


@dataclass(frozen=True)
class Round:
    """Where one ended. The numbers are resource versions: the order in which the API server stored things."""

    rejected_at: int
    claimed_at: int | None
    effects: int
    status: Json

    @property
    def rejected_first(self) -> bool:
        return self.claimed_at is None or self.rejected_at < self.claimed_at


def cast(stage: Stage, user: str, decision: str, subject: Json, seconds: float) -> int:
    """Sends a vote after a while; the resource version it was stored with."""
    body = ballot(subject, user, decision=decision)
    time.sleep(seconds)
    stored = stage.cluster.api(user).post(f"/apis/{API}/namespaces/{stage.namespace}/actionapprovals", body)
    return int(json.loads(json.dumps(stored))["metadata"]["resourceVersion"])


def claimed_at(observer: Observer, name: str) -> int | None:
    """The resource version that the first attempt came with."""
    claims = (raw for raw in observer.versions(name) if (raw.get("status") or {}).get("attempts"))
    first = next(claims, None)
    return int(first["metadata"]["resourceVersion"]) if first else None


def test_no_effect_after_a_rejection_that_was_stored_before_the_claim(stage: Stage, hook: HookTarget) -> None:
    admit_people(stage)
    stage.policy("ask", approval={"required": 1})
    seed = random.randrange(2**32)  # noqa: S311  jitter, no secret
    print(f"seed {seed}")
    aim = Aim(seed)
    names = [f"race-{number}" for number in range(ROUNDS)]
    asked = [proposal(name, "http-request", {"method": "PUT", "url": f"{hook.url}/{name}"}) for name in names]

    def race(name: str) -> Round:
        subject = stage.get("ap", name)
        approval = voters.submit(cast, stage, "alice", "Approve", subject, 0.0)
        rejection = voters.submit(cast, stage, "carol", "Reject", subject, aim.seconds())
        approval.result()
        stored = rejection.result()
        status = stage.outcome("ap", name)
        assert observer.wait(name, lambda seen: seen.get("outcome"), 10)
        one = Round(stored, claimed_at(observer, name), len(hook.seen(f"/{name}")), status)
        aim.learn(one)
        return one

    with observing(stage.cluster, stage.namespace) as observer:
        stage.kubectl("create", "-f", "-", input=yaml.safe_dump_all(asked), user="bob")
        for name in names:
            stage.phase("ap", name, "AwaitingApproval")
        with ThreadPoolExecutor(AT_ONCE) as racers, ThreadPoolExecutor(2 * AT_ONCE) as voters:
            rounds = list(racers.map(race, names))

    for name, one in zip(names, rounds, strict=True):
        outcome, told = one.status["outcome"], f"{name}: {one}"
        assert one.effects <= 1, told
        if one.rejected_first:
            assert one.effects == 0, told
            assert outcome == "Rejected", told
        if outcome == "Rejected":
            assert (one.effects, one.status["history"][-1]["actor"]) == (0, "carol"), told
        else:
            assert outcome in ("Succeeded", "Cancelled", "Unknown"), told
    assert {one.rejected_first for one in rounds} == {True, False}, "it was no race"
    assert any(one.effects for one in rounds)
