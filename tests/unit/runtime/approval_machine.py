"""The random life in memory: besides what people do, admission comes and goes, and API server and targets fail."""

from datetime import timedelta
from typing import Any

from harness.cast import ALICE, BOB, CAROL, DORA
from harness.facts import Person
from harness.leave_machine import LeaveMachine, actions, several, which
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from unit.runtime.approval_outside import ANSWERS
from unit.runtime.approval_world import World

from controller.core.errors import Conflict, LostAnswer, TransientFailure
from controller.kube.resources import WORKFLOWS


class Machine(LeaveMachine):
    """In memory, on a cluster that has long been installed."""

    make_world = World
    world: World

    @precondition(lambda self: self.judge.since is None or self.judge.now == self.judge.since)
    @rule(by=st.sampled_from([ALICE, DORA]), action=actions, number=which)
    def claim_to_be_a_step(self, by: Person, action: str, number: int) -> None:
        """While admission is away: an owner reference to a workflow that may be approved and under way."""
        workflows = [*self.world.api.all(WORKFLOWS)]
        if workflows:
            owner = workflows[-1 - number % len(workflows)]
            self.world.propose(by, action, number, named=by, owner=owner)
            self.counts["steps forged"] += 1
            self.work()

    @rule(there=st.sampled_from([True, True, False]))
    def install_admission(self, there: bool) -> None:
        """Restored, it counts from now; the operators look at it when it matters, or from time to time."""
        if not there:
            self.judge.since = None
            self.counts["admission removed"] += 1
        elif self.judge.since is None:
            self.judge.since = self.judge.now

    @rule(action=actions, number=which, several=several, back=st.booleans())
    def all_goes_well_but_votes_are_not_proven(self, action: str, number: int, several: bool, back: bool) -> None:
        """Cast while admission is away, which is `back` or not when it matters."""
        asked = self.asked_in_order(action, number, several)
        self.work()
        self.judge.since = None
        if asked := self.world.shown(asked):
            for by in (BOB, CAROL):
                self.world.vote(by, asked, decision="Approve", named=by)
        if back:
            self.judge.since = self.judge.now
            self.world.pass_time("the grace")
        self.counts["admission removed"] += 1
        self.work()

    @rule()
    def look_at_admission(self) -> None:
        for process in self.world.processes:
            self.do(process.refresh())
        self.work()

    @rule(seconds=st.sampled_from([3, 20, 130]))
    def pass_seconds(self, seconds: int) -> None:
        self.judge.now += timedelta(seconds=seconds)
        self.work()

    @rule(
        verb=st.sampled_from(["patch", "patch", "patch", "review", "list", "create", "get"]),
        error=st.sampled_from([LostAnswer("reset"), TransientFailure("503"), Conflict("409")]),
        stored=st.booleans(),
    )
    def fail(self, verb: str, error: Any, stored: bool) -> None:
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
