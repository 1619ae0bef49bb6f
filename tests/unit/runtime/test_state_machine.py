"""Nothing runs without leave, whatever people and faults do: the real runtime, a random world, and a judge of its own.

A requester, approvers, an attacker, an editor of policies, a clock and failing operators do what they like, one step at
a time. After each step the judge, which knows who really asked and voted, says whether there was an effect without a
live approval of exactly that, or while it was stopped, or twice.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from harness.facts import Person
from harness.judge import Judge
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from unit.runtime.approval_outside import ANSWERS
from unit.runtime.approval_server import OTHER, SHOP
from unit.runtime.approval_world import ACTIONS, AGENT, ALICE, BOB, CAROL, MALLORY, PEOPLE, TARGETS, World

from controller.api.base import rfc3339
from controller.core.errors import Conflict, LostAnswer, TransientFailure
from controller.core.ports import Json
from controller.kube.resources import APPROVALS, WORKFLOWS

STEPS = 10_000
EXAMPLES, LENGTH = 230, 50
MOST_LIVE = 3

ASKING: dict[str, Json] = {
    "one": {"required": 1},
    "two": {"required": 2},
    "of a group": {"required": 1, "groups": ["sre"]},
    "two of a group": {"required": 2, "groups": ["sre"]},
    "of another group": {"required": 1, "groups": ["dba"]},
    "more from machines": {"required": 1, "requiredFromMachines": 2},
    "from machines only": {"requiredFromMachines": 1},
    "own votes count": {"required": 1, "allowSelf": True},
    "own votes do not count": {"required": 1, "allowSelf": False},
    "for a minute": {"required": 1, "validSeconds": 60},
    "for ten minutes": {"required": 1, "validSeconds": 600},
    "answer soon": {"required": 1, "requestTimeoutSeconds": 300},
    "drift or not": {"required": 1, "onDrift": "Proceed"},
    "nothing": {"required": 0},
}
people = st.sampled_from(PEOPLE)
voters = st.sampled_from([BOB, BOB, CAROL, CAROL, ALICE, MALLORY, AGENT])
which = st.integers(0, 11)
late = st.sampled_from([False, False, False, True])
look = st.sampled_from([True, True, True, False])
actions = st.sampled_from(ACTIONS)
counts: dict[str, int] = {}


def parameters(action: str, number: int) -> Json:
    match action:
        case "scale-workload":
            return {"kind": "Deployment", "name": TARGETS[number % 2], "replicas": 3 + number % 3}
        case "http-request":
            return {"method": "POST", "url": "https://hooks.example.com/page"}
        case _:
            return {"message": "hello"}


class Machine(RuleBasedStateMachine):
    """The world and its people."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World()
        self.last: list[Json] = []
        """What was asked, newest last; gone and finished ones too."""
        self.do(self.world.begin())
        self.world.policy("asks", {"approval": {"required": 1}})

    def do(self, what: Coroutine[Any, Any, None]) -> None:
        self.runner.run(what)

    def work(self, really: bool = True) -> None:
        if really:
            self.do(self.world.work())

    @property
    def judge(self) -> Judge:
        return self.world.judge

    def a_live_one(self, number: int) -> Json | None:
        live = self.world.live()
        return live[number % len(live)] if live else None

    # -- the requester ---------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.live()) < MOST_LIVE)
    @rule(
        by=st.sampled_from([ALICE, ALICE, ALICE, BOB, AGENT, MALLORY]),
        action=actions,
        number=which,
        named=st.none() | people,
        suspend=st.sampled_from([False] * 5 + [True]),
        later=st.sampled_from([None] * 5 + [120]),
    )
    def propose(
        self, by: Person, action: str, number: int, named: Person | None, suspend: bool, later: int | None
    ) -> None:
        """For oneself, in another's name or in none: admission, while it is in force, lets nobody name another."""
        spec: Json = {"suspend": suspend, "retry": {"minWaitSeconds": 0, "jitterFraction": 0}}
        if later:
            spec["notBefore"] = rfc3339(self.judge.now + timedelta(seconds=later))
        asked = self.world.propose(by, action, parameters(action, number), named=named, **spec)
        self.last += [asked] if asked else []
        self.work()

    @precondition(lambda self: len(self.world.live()) < MOST_LIVE)
    @rule(by=st.sampled_from([ALICE, ALICE, AGENT, BOB]), first=actions, second=actions, number=which)
    def start(self, by: Person, first: str, second: str, number: int) -> None:
        steps = [
            {"name": f"s{n}", "action": action, "parameters": parameters(action, number + n)}
            for n, action in enumerate((first, second))
        ]
        asked = self.world.start(by, steps, named=by)
        self.last += [asked] if asked else []
        self.work()

    @precondition(lambda self: self.world.live())
    @rule(number=which, what=st.sampled_from(["cancelled", "suspend", "resume", "resume"]), late=late)
    def change_ones_mind(self, number: int, what: str, late: bool) -> None:
        asked = self.a_live_one(number)
        if asked:
            self.world.edit(asked, late=late, **({"suspend": False} if what == "resume" else {what: True}))
            self.work()

    # -- the approvers ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.live())
    @rule(number=which, late=late, look=look)
    def approve_well(self, number: int, late: bool, look: bool) -> None:
        """Two who may."""
        asked = self.a_live_one(number)
        if asked:
            for by in (BOB, CAROL):
                self.world.vote(by, asked, decision="Approve", late=late)
            self.work(look)

    @precondition(lambda self: self.world.live())
    @rule(by=voters, number=which, late=late, look=look)
    def approve(self, by: Person, number: int, late: bool, look: bool) -> None:
        if asked := self.a_live_one(number):
            self.world.vote(by, asked, decision="Approve", late=late)
            self.work(look)

    @precondition(lambda self: self.world.live())
    @rule(by=voters, number=which, late=late, look=look)
    def reject(self, by: Person, number: int, late: bool, look: bool) -> None:
        if asked := self.a_live_one(number):
            self.world.vote(by, asked, decision="Reject", late=late)
            self.work(look)

    @precondition(lambda self: self.world.live())
    @rule(by=st.sampled_from([BOB, CAROL]), number=which)
    def reject_while_it_is_claimed(self, by: Person, number: int) -> None:
        """Stored before the claim lands, told of by no watch."""
        if asked := self.a_live_one(number):
            cast = lambda: self.world.vote(by, asked, decision="Reject", late=True)  # noqa: E731
            self.world.api.meanwhile("review", cast)
            self.work()

    @precondition(lambda self: self.judge.votes)
    @rule(number=which)
    def withdraw(self, number: int) -> None:
        votes = [*self.world.api.all(APPROVALS)]
        self.world.withdraw(votes[-1 - number % len(votes)])
        self.work()

    # -- the attacker ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.live())
    @rule(
        by=voters,
        number=which,
        how=st.sampled_from(
            ["digest", "an older digest", "uid", "another's uid", "namespace", "actions", "named", "unnamed", "again"]
        ),
        as_whom=voters,
        decision=st.sampled_from(["Approve", "Approve", "Approve", "Reject"]),
        look=look,
    )
    def vote_wrongly(self, by: Person, number: int, how: str, as_whom: Person, decision: str, look: bool) -> None:
        asked = self.a_live_one(number)
        if asked is None:
            return
        old = self.last[-1 - number % len(self.last)]
        uid = asked["metadata"]["uid"]
        digests = [digest for about, digest in self.judge.shown if about == uid]
        changes: dict[str, Json] = {
            "digest": {"digest": "sha256:" + "0" * 64},
            "an older digest": {"digest": digests[number % len(digests)] if digests else None},
            "uid": {"uid": "somebody-else"},
            "another's uid": {"uid": old["metadata"]["uid"]},
            "namespace": {"namespace": OTHER},
            "actions": {"actions": ["log-message"]},
            "named": {"named": as_whom},
            "unnamed": {"named": None},
            "again": {},
        }
        for _ in range(2 if how == "again" else 1):
            self.world.vote(by, asked, decision=decision, **changes[how])
        self.work(look)

    @precondition(lambda self: self.world.live() and self.judge.votes)
    @rule(number=which)
    def take_the_name_of_a_vote_in_another_namespace(self, number: int) -> None:
        names = [name for namespace, name in self.judge.votes if namespace == SHOP]
        if names and (asked := self.a_live_one(number)):
            self.world.vote(MALLORY, asked, decision="Approve", namespace=OTHER, name=names[number % len(names)])
            self.work()

    @precondition(lambda self: self.judge.since is None or self.judge.now == self.judge.since)
    @rule(by=st.sampled_from([ALICE, MALLORY]), action=actions, number=which)
    def claim_to_be_a_step(self, by: Person, action: str, number: int) -> None:
        """While admission is away: an owner reference to a workflow that may be approved and under way."""
        workflows = [*self.world.api.all(WORKFLOWS)]
        if workflows:
            owner = workflows[-1 - number % len(workflows)]
            self.world.propose(by, action, parameters(action, number), named=by, owner=owner)
            self.work()

    # -- who grants rights and edits policies ----------------------------------------------------------------------

    @rule(who=voters, action=actions, granted=st.booleans())
    def grant(self, who: Person, action: str, granted: bool) -> None:
        right = who.name, SHOP, action
        (self.judge.rights.add if granted else self.judge.rights.discard)(right)

    @rule(
        name=st.sampled_from(["asks", "asks", "also"]),
        rule=st.sampled_from([*ASKING.values(), None]),
        of=st.sampled_from([None, None, *ACTIONS]),
        look=look,
    )
    def ask_for(self, name: str, rule: Json | None, of: str | None, look: bool) -> None:
        """Tighten, loosen, or delete."""
        match = {"match": {"actions": [of]}} if of else {}
        self.world.policy(name, None if rule is None else {"approval": rule, **match})
        self.work(look)

    @rule(spec=st.sampled_from([{"halt": True}, {"mode": "Observe"}, None, None]), of=actions, late=late)
    def stop(self, spec: Json | None, of: str, late: bool) -> None:
        self.world.policy("stop", spec and {**spec, "match": {"actions": [of]}}, late=late)
        self.work()

    @rule(allowed=st.sampled_from([True, True, True, False]))
    def let_run(self, allowed: bool) -> None:
        self.world.policy("go", {"mode": "Execute"} if allowed else None)
        self.work()

    @rule(action=actions, version=st.sampled_from([0, 0, 1, 2]), look=look)
    def swap_the_type(self, action: str, version: int, look: bool) -> None:
        self.world.declare_type(action, version)
        self.work(look)

    @rule(name=st.sampled_from(TARGETS), value=st.integers(2, 6))
    def drift(self, name: str, value: int) -> None:
        self.judge.targets[name] = value

    # -- admission -------------------------------------------------------------------------------------------------

    @rule(there=st.sampled_from([True, True, False]))
    def install_admission(self, there: bool) -> None:
        """Restored, it counts from now; the operators look at it when it matters, or from time to time."""
        if not there:
            self.judge.since = None
        elif self.judge.since is None:
            self.judge.since = self.judge.now

    @rule()
    def look_at_admission(self) -> None:
        for process in self.world.processes:
            self.do(process.refresh())
        self.work()

    # -- the clock, and what fails ---------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 3, 6, 6, 20, 61, 130, 310, 700, 90_000]))
    def pass_time(self, seconds: int) -> None:
        self.judge.now += timedelta(seconds=seconds)
        self.work()

    @rule(number=st.integers(0, 1))
    def kill(self, number: int) -> None:
        processes = self.world.processes
        if processes:
            self.do(self.world.kill(processes[number % len(processes)]))

    @rule()
    def kill_after_the_next_claim(self) -> None:
        self.world.api.kill_after_claim = True

    @precondition(lambda self: len(self.world.processes) < 2)
    @rule()
    def begin(self) -> None:
        """Another operator, or the next one."""
        self.do(self.world.begin())
        self.work()

    @rule()
    def hear_what_is_late(self) -> None:
        for process in self.world.processes:
            process.catch_up()
        self.work()

    @rule(
        verb=st.sampled_from(["patch", "patch", "patch", "review", "list", "create", "get"]),
        error=st.sampled_from([LostAnswer("reset"), TransientFailure("503"), Conflict("409")]),
        stored=st.booleans(),
    )
    def fail(self, verb: str, error: Exception, stored: bool) -> None:
        if verb != "patch" and isinstance(error, Conflict):
            error = TransientFailure("503")
        self.world.api.fail(verb, error, stored=stored and isinstance(error, LostAnswer))

    @rule(answer=st.sampled_from([*ANSWERS, "hang", "hang"]))
    def answer_so(self, answer: str) -> None:
        self.world.outside.answers.append(answer)

    @rule(answer=st.sampled_from([*ANSWERS]))
    def release(self, answer: str) -> None:
        self.world.release(answer)
        self.work()

    @rule()
    def put_in_order(self) -> None:
        """All is well again, so that something may run."""
        self.in_order()
        self.work()

    @rule(action=actions, number=which, several=st.sampled_from([False, False, True]), patience=st.integers(0, 3))
    def all_goes_well(self, action: str, number: int, several: bool, patience: int) -> None:
        """Somebody asks, two who may approve it, and it runs; or something comes between, at the next step."""
        self.in_order()
        if len(self.world.live()) < MOST_LIVE:
            step = {"name": "s", "action": action, "parameters": parameters(action, number)}
            if several:
                asked = self.world.start(ALICE, [step, {**step, "name": "t"}], named=ALICE)
            else:
                asked = self.world.propose(ALICE, action, step["parameters"], named=ALICE)
            self.last += [asked] if asked else []
        if patience > 0:
            self.work()
        for asked in self.world.live() if patience > 1 else ():
            for by in (BOB, CAROL):
                self.world.vote(by, asked, decision="Approve")
        self.work(patience > 2)

    @rule(action=actions, number=which, several=st.sampled_from([False, False, True]))
    def all_goes_well_to_the_end(self, action: str, number: int, several: bool) -> None:
        self.all_goes_well(action, number, several, 3)

    def in_order(self) -> None:
        if not self.world.processes:
            self.do(self.world.begin())
        for process in self.world.processes:
            process.catch_up()
        self.world.policy("stop", None)
        self.world.policy("go", {"mode": "Execute"})
        self.judge.rights |= {(who.name, SHOP, action) for who in (BOB, CAROL) for action in ACTIONS}
        self.judge.since = self.judge.since or self.judge.now
        self.judge.now += timedelta(seconds=11)
        self.world.release("done")
        for asked in self.world.live():
            if asked["spec"].get("suspend"):
                self.world.edit(asked, suspend=False)

    @invariant()
    def nothing_ran_without_leave(self) -> None:
        counts["steps"] = counts.get("steps", 0) + 1
        assert not self.judge.faults, "\n".join(self.judge.faults)
        assert not self.world.internal_faults(), "an operator stumbled over itself: see its log"

    def teardown(self) -> None:
        for what, times in self.judge.counts.items():
            counts[what] = counts.get(what, 0) + times
        for raw in self.world.api.all(APPROVALS):
            counts["votes"] = counts.get("votes", 0) + bool(raw)
        self.do(self.world.end())
        self.runner.close()


@pytest.mark.timeout(600)
def test_nothing_runs_without_leave(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # what thousands of lives log tells nothing
    begun = int(os.environ.get("STATE_MACHINE_SEED") or secrets.randbelow(2**32))
    print(f"STATE_MACHINE_SEED={begun}")
    counts.clear()
    long = settings.get_current_profile_name() == "long"
    few = settings(max_examples=EXAMPLES, stateful_step_count=LENGTH)
    chosen = settings(
        settings() if long else few,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=True,
    )
    run_state_machine_as_test(seed(begun)(Machine), settings=chosen)
    print(counts)
    assert counts["steps"] >= STEPS
    for what, often in {"effects that needed approval": 300, "claims": 500, "workflows": 50, "votes": 1500}.items():
        assert counts.get(what, 0) >= often, f"too few {what} to prove anything: {counts}"
