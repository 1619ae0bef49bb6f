"""Schedules: which run is made when, once, in whose name; what is left out and told; what replaces what."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.making import LOG, PROVEN, UNPROVEN
from unit.core.workflow_life import Life

from controller.api.base import rfc3339
from controller.api.names import Outcome, Reason
from controller.api.schedule import ActionSchedule, ScheduleStatus
from controller.api.workflow import WorkflowSpec
from controller.core.enforcement import Enforcement
from controller.core.ports import Json
from controller.core.schedule import ScheduleView, Turn, decide, minute_of, replacement, run_name, surplus

START = datetime(2026, 11, 22, 15, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TEMPLATE: Json = {"description": "d", "reason": "nightly", "steps": [{"name": "one", **LOG}]}
ALICE: Json = {"username": "alice", "uid": "a", "groups": ["sre"]}


class Clockwork:
    """A schedule and its runs: `look()` decides and carries out what follows, as often as a process is killed."""

    def __init__(self, schedule: str = "*/10 * * * *", enforcement: Enforcement = PROVEN, **spec: Any) -> None:
        self.spec: Json = {"schedule": schedule, "workflow": TEMPLATE, "requestedBy": ALICE, **spec}
        self.enforcement = enforcement
        self.created = START
        self.status = ScheduleStatus()
        self.now = START
        self.runs: dict[str, Json] = {}
        self.live: list[str] = []
        self.creations: list[str] = []
        self.writes = 0

    @property
    def schedule(self) -> ActionSchedule:
        about = {"name": "nightly", "namespace": "shop", "uid": "s-1", "creationTimestamp": rfc3339(self.created)}
        return ActionSchedule.model_validate({"metadata": about, "spec": self.spec, "status": self.status.wire()})

    def turn(self, made: dict[str, bool]) -> Turn:
        return decide(ScheduleView(self.schedule, self.spec, self.live, self.enforcement, "operator", made), self.now)

    def look(self, at: datetime | None = None, *, killed: bool = False) -> Turn:
        """`killed`: after a run was created, before it was noted."""
        self.now = at or self.now
        made: dict[str, bool] = {}
        for _ in range(3):
            turn = self.turn(made)
            if turn.create is None:
                break
            name = turn.create.name
            if name not in self.runs:
                self.runs[name] = turn.create.body
                self.creations.append(name)
                self.live.append(name)
            if killed:
                return turn
            made[name] = self.runs[name] != {}
        if turn.status is not None and turn.status.wire() != self.status.wire():
            self.status = turn.status
            self.writes += 1
            again = self.turn({})
            assert again.create is None, "it would make a second run at once"
            assert again.status is None or again.status.wire() == self.status.wire(), "it writes again at once"
        return turn

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(entry.reason.value, entry.message) for entry in self.status.history]

    def minutes(self) -> list[str]:
        return [f"{minute_of(name):%H:%M}" for name in self.creations]


def clock(hour: int, minute: int, second: int = 0) -> datetime:
    return START.replace(hour=hour, minute=minute, second=second)


def test_a_run_is_made_at_its_time_and_the_next_one_is_told() -> None:
    work = Clockwork()
    assert work.look().wake_at == clock(15, 10)
    assert work.status.next_run_at == clock(15, 10)
    assert work.look(clock(15, 9, 59)).create is None
    turn = work.look(clock(15, 10))
    (name,) = work.runs
    assert name == run_name("nightly", clock(15, 10)) == "nightly-29922670"
    assert (work.status.last_run_at, work.status.last_run) == (clock(15, 10), name)
    assert work.status.next_run_at == turn.wake_at == clock(15, 20)
    assert work.told == [("RunCreated", f"run {name}")]


def test_between_two_runs_nothing_is_written() -> None:
    work = Clockwork()
    work.look()
    work.look(clock(15, 10))
    writes = work.writes
    for second in range(1, 590, 7):
        work.look(clock(15, 10) + timedelta(seconds=second))
    assert (work.writes, len(work.creations)) == (writes, 1)


def test_a_run_is_made_in_the_name_of_whose_schedule_it_is_and_is_a_workflow_that_can_be_read() -> None:
    work = Clockwork()
    work.look(clock(15, 10))
    (body,) = work.runs.values()
    assert body["spec"] == {**TEMPLATE, "requestedBy": ALICE}
    assert WorkflowSpec.model_validate(body["spec"]).requester == "alice"
    assert body["metadata"]["labels"] == {"actionoperator.dev/schedule": "nightly"}
    (owner,) = body["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("ActionSchedule", "s-1", True)


def test_a_kill_after_the_creation_makes_no_second_run() -> None:
    work = Clockwork()
    work.look()
    for _ in range(3):
        work.look(clock(15, 10), killed=True)
    assert work.status.last_run is None
    work.live = []  # it has ended meanwhile
    work.look(clock(15, 11))
    assert work.minutes() == ["15:10"]
    assert work.status.last_run == work.creations[0]


def test_after_a_pause_only_the_last_one_missed_is_made() -> None:
    work = Clockwork()
    work.look()
    work.look(clock(18, 34))
    assert work.minutes() == ["18:30"]
    assert work.status.next_run_at == clock(18, 40)


@pytest.mark.parametrize(("late", "made"), [(119, True), (120, True), (121, False)])
def test_a_run_that_is_too_late_is_told_and_left_out(late: int, made: bool) -> None:
    work = Clockwork(startingDeadlineSeconds=120)
    work.look()
    work.look(clock(15, 10) + timedelta(seconds=late))
    assert bool(work.creations) is made
    if not made:
        assert work.status.skipped is not None
        assert (work.status.skipped.at, work.status.skipped.reason) == (clock(15, 10), Reason.RUN_MISSED)
        assert work.told == [
            ("RunSkipped", "no run for 2026-11-22 15:10 UTC: not made within startingDeadlineSeconds (120 s)")
        ]
        work.look(clock(15, 20))
        assert work.minutes() == ["15:20"]


def test_nothing_of_a_suspension_is_made_up_for_and_an_edited_rule_counts_from_its_edit() -> None:
    work = Clockwork()
    work.look()
    work.spec["suspend"] = True
    work.look(clock(15, 5))
    assert work.status.next_run_at is None
    assert work.look(clock(16, 0)).wake_at is None
    work.spec["suspend"] = False
    work.look(clock(16, 5))
    assert not work.creations
    assert work.status.next_run_at == clock(16, 10)
    work.spec["schedule"] = "0 * * * *"
    work.look(clock(16, 7))
    assert not work.creations
    assert work.status.next_run_at == clock(17, 0)


def test_forbid_leaves_the_next_out_while_one_runs() -> None:
    work = Clockwork(concurrencyPolicy="Forbid")
    work.look(clock(15, 10))
    work.look(clock(15, 20))
    assert work.minutes() == ["15:10"]
    assert work.status.skipped is not None
    assert work.status.skipped.reason is Reason.RUN_FORBIDDEN
    work.live = []
    work.look(clock(15, 21))
    assert work.minutes() == ["15:10"]
    work.look(clock(15, 30))
    assert work.minutes() == ["15:10", "15:30"]


def test_allow_runs_side_by_side() -> None:
    work = Clockwork()
    work.look(clock(15, 10))
    work.look(clock(15, 20))
    assert len(work.live) == 2


def test_replace_cancels_the_one_before_and_runs_the_next_when_it_has_ended() -> None:
    work = Clockwork(concurrencyPolicy="Replace")
    work.look(clock(15, 10))
    (old,) = work.live
    assert replacement(work.schedule, old) is None
    work.look(clock(15, 20))
    new = run_name("nightly", clock(15, 20))
    assert work.minutes() == ["15:10"]
    assert replacement(work.schedule, old) == new
    work.live = []
    work.look(clock(15, 21))
    assert work.creations == [old, new]
    assert work.status.replacing_at is None
    assert replacement(work.schedule, new) is None


def test_replace_gives_up_at_the_deadline() -> None:
    work = Clockwork(concurrencyPolicy="Replace", startingDeadlineSeconds=60)
    work.look(clock(15, 10))
    turn = work.look(clock(15, 20))
    assert turn.wake_at == clock(15, 21, 1)
    work.look(turn.wake_at)
    assert work.status.skipped is not None
    assert "the run before had not ended by then" in work.status.skipped.message


def test_a_name_that_is_taken_is_told() -> None:
    work = Clockwork()
    work.runs[run_name("nightly", clock(15, 10))] = {}
    work.look(clock(15, 10))
    assert work.status.skipped is not None
    assert work.status.skipped.reason is Reason.NAME_TAKEN
    work.look(clock(15, 20))
    assert work.minutes() == ["15:20"]


@pytest.mark.parametrize(
    ("spec", "reason", "told"),
    [
        ({"timeZone": "Europe/Berln"}, Reason.INVALID_SCHEDULE, "spec.timeZone: Europe/Berln is no known time zone"),
        ({"schedule": "61 * * * *"}, Reason.INVALID_SCHEDULE, "spec.schedule: cannot be read: bad minute"),
        ({"colour": 1}, Reason.UNKNOWN_FIELD, "spec.colour: is not a field of this kind; remove it"),
    ],
)
def test_what_is_wrong_is_told_at_once_and_nothing_is_run(spec: Json, reason: Reason, told: str) -> None:
    work = Clockwork(**spec)
    assert work.look().wake_at is None
    work.look(clock(18, 0))
    ready, stalled = work.status.conditions
    assert (ready.status, ready.reason) == ("False", reason)
    assert (stalled.type, stalled.status, stalled.reason) == ("Stalled", "True", reason)
    assert ready.message.startswith(told)
    assert not work.creations
    assert work.status.next_run_at is None


def test_a_schedule_that_nobody_is_proven_to_have_made_runs_nothing() -> None:
    work = Clockwork()
    work.created = PROVEN.since  # before identities count
    work.look(clock(18, 0))
    assert work.status.conditions[0].reason is Reason.IDENTITY_NOT_ENFORCED
    assert not work.creations
    nameless = Clockwork(requestedBy=None)
    nameless.spec.pop("requestedBy")
    nameless.look(clock(18, 0))
    assert not nameless.creations
    unenforced = Clockwork(enforcement=UNPROVEN)
    unenforced.look(clock(15, 10))
    assert unenforced.creations, "without the policies nothing proves anything, and policies decide"


def test_what_is_kept_of_finished_runs() -> None:
    def run(minute: int, outcome: str | None) -> Json:
        name = run_name("nightly", clock(15, minute))
        return {"metadata": {"name": name}, "status": {"outcome": outcome} if outcome else {}}

    runs = [run(m, "Succeeded") for m in (1, 5, 3)] + [run(m, "Failed") for m in (2, 4)] + [run(9, None)]

    def gone(**limits: int) -> list[str]:
        return [f"{minute_of(name):%M}" for name in surplus(Clockwork(**limits).schedule, runs)]

    assert gone() == []
    assert gone(successfulHistoryLimit=1) == ["01", "03"]
    assert gone(successfulHistoryLimit=0, failedHistoryLimit=0) == ["01", "03", "05", "02", "04"]
    assert gone(failedHistoryLimit=1) == ["02"]


# -- a run that is replaced --------------------------------------------------------------------------------------------


def test_a_run_that_is_replaced_is_cancelled_and_stays_so() -> None:
    life = Life(steps=[{"name": "one"}, {"name": "two"}])
    life.go()
    assert life.running == {"one"}
    life.world["replacement"] = "nightly-2"
    life.go()
    assert life.status.replaced_by == "nightly-2"
    assert life.running == {"one"}
    life.world["replacement"] = None
    life.end("one", "Cancelled")
    life.go()
    assert life.status.outcome is Outcome.CANCELLED
    assert life.status.message is not None
    assert life.status.message.startswith("cancelled for the next run of its schedule, nightly-2; 0 of 2 steps")
    assert life.step("two").outcome == "Skipped"


def test_a_run_that_is_replaced_before_its_first_step_is_cancelled_at_once() -> None:
    life = Life({"suspend": True}, replacement="nightly-2")
    life.go()
    assert (life.status.outcome, life.status.replaced_by) == (Outcome.CANCELLED, "nightly-2")
    assert life.status.history[-1].actor == "action-operator"


# -- laws --------------------------------------------------------------------------------------------------------------

LOOKS = st.lists(st.tuples(st.integers(1, 1500), st.booleans(), st.booleans()), min_size=1, max_size=40)


@given(
    LOOKS, st.sampled_from(["* * * * *", "*/10 * * * *", "5 * * * *"]), st.sampled_from(["Allow", "Forbid", "Replace"])
)
def test_no_time_is_run_twice_whenever_it_is_looked_at_or_killed(
    looks: Sequence[tuple[int, bool, bool]], schedule: str, policy: str
) -> None:
    work = Clockwork(schedule, concurrencyPolicy=policy)
    for seconds, killed, ends in looks:
        if ends:
            work.live = []
        work.look(work.now + timedelta(seconds=seconds), killed=killed)
        if policy != "Allow":
            assert len(work.live) <= 1
    assert len(set(work.creations)) == len(work.creations)
    assert work.creations == sorted(work.creations)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_who_looks_at_least_every_minute_loses_none(pauses: list[int]) -> None:
    work = Clockwork("* * * * *", startingDeadlineSeconds=60)
    for pause in pauses:
        work.look(work.now + timedelta(seconds=pause))
    due = int((work.now - START.replace(second=0)).total_seconds()) // 60
    assert len(work.creations) == due


@given(LOOKS, st.integers(1, 1200))
def test_of_the_times_since_the_last_look_the_last_is_made_or_told(
    looks: Sequence[tuple[int, bool, bool]], deadline: int
) -> None:
    work = Clockwork("*/7 * * * *", startingDeadlineSeconds=deadline)
    for seconds, _, _ in looks:
        work.look(work.now + timedelta(seconds=seconds))
        last = work.now.replace(second=0, microsecond=0)
        while last.minute % 7:
            last -= MINUTE
        if last <= START:
            continue
        skipped = work.status.skipped
        made = work.status.last_run_at == last
        assert made or (skipped is not None and skipped.at == last)
        if not made:
            assert skipped is not None
            assert work.now - last > timedelta(seconds=deadline) or skipped.reason is not Reason.RUN_MISSED
