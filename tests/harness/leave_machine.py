"""Nothing runs without leave, whatever people do: a random life in a world, and the judge's word after each step.

A requester, approvers, an attacker, who grants rights and edits policies, a clock and operators that are killed do what
they like, one step at a time. The rules here hold in any world: one in memory where also the API server and the targets
fail (tests/unit/runtime), and a real API server with its own users (tests/api).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.between import BETWEEN, OTHERWISE, STOPPED, UNSEEN, WITHDRAWN, Approved
from harness.cast import ACTIONS, AGENT, ALICE, ASKING, BOB, CAROL, DORA, OTHER, PEOPLE, SHOP, SPANS, TARGETS
from harness.facts import Person
from harness.judge import Judge
from harness.stumbles import internal_faults

Json = dict[str, Any]

people = st.sampled_from(PEOPLE)
voters = st.sampled_from([BOB, BOB, CAROL, CAROL, ALICE, DORA, AGENT])
which = st.integers(0, 11)
late = st.sampled_from([False, False, False, True])
look = st.sampled_from([True, True, True, False])
decisions = st.sampled_from(["Approve", "Approve", "Approve", "Reject"])
wrongly = st.sampled_from(
    ["digest", "an older digest", "uid", "another's uid", "namespace", "actions", "named", "unnamed", "again"]
)
actions = st.sampled_from(ACTIONS)
several = st.sampled_from([False, False, True])
approvers = st.sampled_from([BOB, CAROL])


class LeaveMachine(RuleBasedStateMachine):
    """A world and its people. A subclass says which world."""

    make_world: ClassVar[Callable[[], Any]]
    counts: ClassVar[Counter[str]] = Counter()
    broken: ClassVar[list[str]] = []
    """What must not be, of all lives: also where hypothesis cannot bring it back."""
    """What happened in all lives together: `steps` are rules that were carried out."""
    most_live = 2

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.steps = -1  # the first look comes before the first step
        self.last: list[Json] = []
        """What was asked, newest last; gone and finished ones too."""
        self.world = type(self).make_world()
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

    def remember(self, asked: Json | None) -> None:
        self.last += [asked] if asked else []

    # -- the requester ---------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.live()) < self.most_live)
    @rule(
        by=st.sampled_from([ALICE, ALICE, ALICE, BOB, AGENT, DORA]),
        action=actions,
        number=which,
        named=st.none() | people,
        suspend=st.sampled_from([False] * 5 + [True]),
        later=st.sampled_from([False] * 5 + [True]),
    )
    def propose(self, by: Person, action: str, number: int, named: Person | None, suspend: bool, later: bool) -> None:
        """For oneself, in another's name or in none: admission, while it is in force, lets nobody name another."""
        asked = self.world.propose(by, action, number, named=named, later=later, suspend=suspend)
        self.remember(asked)
        self.work()

    @precondition(lambda self: len(self.world.live()) < self.most_live)
    @rule(by=st.sampled_from([ALICE, ALICE, AGENT, BOB]), first=actions, second=actions, number=which)
    def start(self, by: Person, first: str, second: str, number: int) -> None:
        self.remember(self.world.start(by, (first, second), number))
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
            self.world.meanwhile(lambda: self.world.vote(by, asked, decision="Reject", late=True))
            self.work()

    @precondition(lambda self: self.judge.votes)
    @rule(number=which)
    def withdraw(self, number: int) -> None:
        votes = self.world.votes()
        if votes:
            self.world.withdraw(votes[-1 - number % len(votes)])
            self.work()

    # -- the attacker ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.live())
    @rule(by=voters, number=which, how=wrongly, as_whom=voters, decision=decisions, look=look)
    def vote_wrongly(self, by: Person, number: int, how: str, as_whom: Person, decision: str, look: bool) -> None:
        if asked := self.a_live_one(number):
            self.wrong_vote(by, asked, how, as_whom, number, decision)
            self.work(look)

    @rule(action=actions, number=which, several=several, by=approvers, how=wrongly, as_whom=voters)
    def ask_and_get_a_wrong_vote(
        self, action: str, number: int, several: bool, by: Person, how: str, as_whom: Person
    ) -> None:
        """By one whose vote would be enough."""
        asked = self.asked_in_order(action, number, several)
        self.work()
        if asked := self.world.shown(asked):
            self.wrong_vote(by, asked, how, as_whom, number, "Approve")
            self.work()

    def wrong_vote(self, by: Person, asked: Json, how: str, as_whom: Person, number: int, decision: str) -> None:
        old = self.last[-1 - number % len(self.last)]
        uid = asked["metadata"]["uid"]
        digests = [digest for about, digest in self.judge.shown if about == uid]
        changes: dict[str, Json] = {
            "digest": {"digest": "sha256:" + "0" * 64},
            "an older digest": {"digest": digests[number % len(digests)] if digests else None},
            "uid": {"uid": "00000000-0000-4000-8000-000000000000"},
            "another's uid": {"uid": old["metadata"]["uid"]},
            "namespace": {"namespace": OTHER},
            "actions": {"actions": ["log-message"]},
            "named": {"named": as_whom},
            "unnamed": {"named": None},
            "again": {},
        }
        self.counts["wrong votes"] += 1
        for _ in range(2 if how == "again" else 1):
            self.world.vote(by, asked, decision=decision, **changes[how])

    @precondition(lambda self: self.world.live() and self.judge.votes)
    @rule(number=which)
    def take_the_name_of_a_vote_in_another_namespace(self, number: int) -> None:
        names = [name for namespace, name in self.judge.votes if namespace == SHOP]
        if names and (asked := self.a_live_one(number)):
            self.world.vote(DORA, asked, decision="Approve", namespace=OTHER, name=names[number % len(names)])
            self.work()

    # -- who grants rights and edits policies ----------------------------------------------------------------------

    @rule(who=voters, action=actions, granted=st.booleans(), look=look)
    def grant(self, who: Person, action: str, granted: bool, look: bool) -> None:
        self.world.grant(who, SHOP, action, granted)
        self.work(look)

    @rule(
        name=st.sampled_from(["asks", "asks", "also"]),
        rule=st.sampled_from([*ASKING.values(), None]),
        of=st.sampled_from([None, None, *ACTIONS]),
        look=look,
    )
    def ask_for(self, name: str, rule: Json | None, of: str | None, look: bool) -> None:
        """Tighten, loosen, or delete."""
        match = {"match": {"actions": [of]}} if of else {}
        self.world.policy(name, None if rule is None else {"approval": self.world.timed(rule), **match})
        self.work(look)

    @rule(
        by=st.sampled_from([ALICE, BOB, CAROL, AGENT]),
        asking=st.sampled_from([*ASKING.values()]),
        approving=st.sampled_from([(BOB,), (CAROL,), (BOB,), (CAROL,), (BOB, CAROL), (BOB, BOB), (AGENT, ALICE)]),
        action=actions,
        number=which,
        then=st.sampled_from([None, None, "loosened", "loosened", "a short validity", "a validity"]),
    )
    def ask_for_and_get(
        self, by: Person, asking: Json, approving: tuple[Person, ...], action: str, number: int, then: str | None
    ) -> None:
        """One rule by itself, and those who approve may be enough for it or not, or be the one who asks."""
        self.in_order()
        self.world.policy("also", None)
        self.world.policy("asks", {"approval": self.world.timed(asking)})
        if len(self.world.live()) >= self.most_live:
            return
        asked = self.world.propose(by, action, number, named=by)
        self.remember(asked)
        self.work()
        if asked := self.world.shown(asked):
            for voter in approving:
                self.world.vote(voter, asked, decision="Approve")
        if then == "loosened":
            self.world.policy("asks", {"approval": {"required": 0, "allowSelf": True}})
        elif then:
            self.world.pass_time(then)
        self.work()

    @rule(spec=st.sampled_from([{"halt": True}, {"mode": "Observe"}, None, None]), of=actions, late=late)
    def stop(self, spec: Json | None, of: str, late: bool) -> None:
        self.world.policy("stop", spec and {**spec, "match": {"actions": [of]}}, late=late)
        self.work()

    @rule(allowed=st.sampled_from([True, True, True, False]))
    def let_run(self, allowed: bool) -> None:
        self.world.let_run(allowed)
        self.work()

    @rule(action=actions, version=st.sampled_from([0, 0, 1, 2]), look=look)
    def swap_the_type(self, action: str, version: int, look: bool) -> None:
        self.world.declare_type(action, version)
        self.work(look)

    @rule(name=st.sampled_from(TARGETS), value=st.integers(2, 6))
    def drift(self, name: str, value: int) -> None:
        self.world.drift(name, value)

    # -- the clock, and what fails ---------------------------------------------------------------------------------

    @rule(span=st.sampled_from([*SPANS, "a retry", "a retry"]))
    def pass_time(self, span: str) -> None:
        self.world.pass_time(span)
        self.work()

    @precondition(lambda self: self.world.processes)
    @rule(number=st.integers(0, 1))
    def kill(self, number: int) -> None:
        processes = self.world.processes
        self.do(self.world.kill(processes[number % len(processes)]))

    @rule()
    def kill_after_the_next_claim(self) -> None:
        self.world.kill_after_the_next_claim()

    @precondition(lambda self: len(self.world.processes) < 2)
    @rule()
    def begin(self) -> None:
        """Another operator, or the next one."""
        self.do(self.world.begin())
        self.work()

    @rule()
    def hear_what_is_late(self) -> None:
        self.world.catch_up()
        self.work()

    @rule()
    def put_in_order(self) -> None:
        """All is well again, so that something may run."""
        self.in_order()
        self.work()

    @rule(action=actions, number=which, several=several, patience=st.integers(0, 2))
    def all_begins_well(self, action: str, number: int, several: bool, patience: int) -> None:
        """Somebody asks, two who may approve it, and no operator has looked yet."""
        self.asked_in_order(action, number, several)
        if patience > 0:
            self.work()
        if patience > 1:
            self.all_approve()

    @rule(action=actions, number=which, several=several)
    def all_goes_well(self, action: str, number: int, several: bool) -> None:
        self.all_begins_well(action, number, several, 2)
        self.work()

    @rule(
        action=actions,
        number=which,
        several=several,
        but=st.sampled_from([*OTHERWISE]),
        seen=st.booleans(),
        by=approvers,
    )
    def all_goes_well_but_what_would_run_is_another(
        self, action: str, number: int, several: bool, but: str, seen: bool, by: Person
    ) -> None:
        """What was approved is not what would run, or not under these rules."""
        self.all_goes_well_but(action, number, several, but, seen, by)

    @rule(
        action=actions,
        number=which,
        several=several,
        but=st.sampled_from([*WITHDRAWN]),
        seen=st.booleans(),
        by=approvers,
    )
    def all_goes_well_but_leave_is_taken_back(
        self, action: str, number: int, several: bool, but: str, seen: bool, by: Person
    ) -> None:
        """By those who approve, or by who grants their rights."""
        self.all_goes_well_but(action, number, several, but, seen, by)

    @rule(
        action=actions, number=which, several=several, but=st.sampled_from([*UNSEEN]), seen=st.booleans(), by=approvers
    )
    def all_goes_well_but_nobody_sees_it_come(
        self, action: str, number: int, several: bool, but: str, seen: bool, by: Person
    ) -> None:
        """No watch tells of it in time."""
        self.all_goes_well_but(action, number, several, but, seen, by)

    @rule(
        action=actions, number=which, several=several, but=st.sampled_from([*STOPPED]), seen=st.booleans(), by=approvers
    )
    def all_goes_well_but_it_is_stopped(
        self, action: str, number: int, several: bool, but: str, seen: bool, by: Person
    ) -> None:
        """By a policy or by who asked."""
        self.all_goes_well_but(action, number, several, but, seen, by)

    def all_goes_well_but(self, action: str, number: int, several: bool, but: str, seen: bool, by: Person) -> None:
        """Something comes between the approval and the effect. `seen`: the operators have counted it before that."""
        asked = self.asked_in_order(action, number, several, later=seen)
        self.work()
        self.all_approve()
        self.work(seen)
        self.counts[f"but {but}"] += 1
        BETWEEN[but](self, Approved(action, number, by, asked))
        self.work()
        if seen:
            self.world.pass_time("till later")
            self.work()

    def asked_in_order(self, action: str, number: int, several: bool, *, later: bool = False) -> Json | None:
        """What is new, or what waits already where there is no room for more."""
        self.in_order()
        if len(self.world.live()) >= self.most_live:
            return self.a_live_one(number)
        if several:
            asked = self.world.start(ALICE, (action, ACTIONS[number % 3]), number, later=later)
        else:
            asked = self.world.propose(ALICE, action, number, named=ALICE, later=later)
        self.remember(asked)
        return asked

    def all_approve(self) -> None:
        for asked in self.world.live():
            for by in (BOB, CAROL):
                self.world.vote(by, asked, decision="Approve")

    def reject_all(self, by: Person, *, late: bool) -> None:
        for asked in self.world.live():
            self.world.vote(by, asked, decision="Reject", late=late)

    def in_order(self) -> None:
        if not self.world.processes:
            self.do(self.world.begin())
        self.world.put_in_order()
        if not self.judge.stored_policies.keys() & {"asks", "also"}:
            self.world.policy("asks", {"approval": {"required": 1}})
        for who in (BOB, CAROL):
            for action in ACTIONS:
                self.world.grant(who, SHOP, action, True)
        for asked in self.world.live():
            if asked["spec"].get("suspend"):
                self.world.edit(asked, suspend=False)

    # -- the judge's word ------------------------------------------------------------------------------------------

    @invariant()
    def nothing_ran_without_leave(self) -> None:
        self.steps += 1
        self.broken.extend(self.judge.faults)
        assert not self.judge.faults, "\n".join(self.judge.faults)
        assert not any(internal_faults(process.metrics) for process in self.world.processes), (
            "an operator stumbled over itself: see its log"
        )

    def teardown(self) -> None:
        self.counts["steps"] += self.steps
        self.counts.update(self.judge.counts)
        self.do(self.world.end())
        self.runner.close()
