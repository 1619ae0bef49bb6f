"""The decision about a workflow: what starts when, what is skipped, how it ends."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.making import EXECUTE, HALT, NOW, OBSERVE, after, type_entry, workflow
from unit.core.workflow_life import Life

from controller.api.base import rfc3339
from controller.api.names import Outcome, Phase, Reason, StepOutcome, Transition
from controller.core.steps import new_step

ABC: Any = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
DIAMOND: Any = [
    {"name": "a"}, {"name": "b", "dependsOn": ["a"]}, {"name": "c", "dependsOn": ["a"]},
    {"name": "d", "dependsOn": ["b", "c"]},
]  # fmt: skip
GRAPH: Any = {"order": "Graph"}
CONTINUE: Any = {"onFailure": "Continue"}
SUCCEEDED, FAILED, SKIPPED = StepOutcome.SUCCEEDED, StepOutcome.FAILED, StepOutcome.SKIPPED
UNKNOWN, CANCELLED = StepOutcome.UNKNOWN, StepOutcome.CANCELLED


def started(spec: Any = None, steps: Any = ABC, **world: Any) -> Life:
    life = Life(spec, steps=steps, **world)
    life.go()
    return life


def reason(life: Life) -> Reason:
    return next(c.reason for c in life.status.conditions if c.type == "Succeeded")


def test_a_sequence_runs_one_after_the_other_to_its_end() -> None:
    life = started()
    for step, progress in (("a", "0/3"), ("b", "1/3"), ("c", "2/3")):
        assert (life.running, life.status.progress, life.status.phase) == ({step}, progress, Phase.RUNNING)
        assert life.last.wake_at is not None
        life.end(step)
        assert life.go() == 1
    assert (life.status.outcome, life.status.progress, life.created) == (Outcome.SUCCEEDED, "3/3", ["a", "b", "c"])
    assert life.status.completed_at == NOW


def test_it_starts_with_one_write_that_names_the_childs_uid() -> None:
    life = Life(steps=ABC)
    assert life.go() == 1
    assert life.step("a").uid == life.stored[life.name_of("a")]["metadata"]["uid"]
    assert [entry.reason for entry in life.status.history] == ["Proposed", "Validated", "WorkflowCreated"]
    assert life.status.started_at == NOW
    assert life.go() == 0


def test_a_graph_runs_as_it_says() -> None:
    life = started(GRAPH, DIAMOND)
    assert life.running == {"a"}
    life.end("a")
    life.go()
    assert life.running == {"b", "c"}
    life.end("c")
    life.go()
    assert life.running == {"b"}
    life.end("b")
    life.go()
    assert life.running == {"d"}


def test_not_more_than_max_parallel_run_at_once() -> None:
    life = started({**GRAPH, "maxParallel": 2}, [{"name": f"s{number}"} for number in range(5)])
    seen = set()
    while life.status.outcome is None:
        assert 1 <= len(life.running) <= 2
        seen |= life.running
        life.end(min(life.running))
        life.go()
    assert (len(seen), life.status.outcome) == (5, Outcome.SUCCEEDED)


@pytest.mark.parametrize("outcome", ["Failed", "Rejected", "Expired", "Cancelled", "Observed", "Unknown"])
def test_stop_starts_nothing_new_after_a_step_that_did_not_succeed(outcome: str) -> None:
    life = started()
    life.end("a", outcome, "broken")
    life.go()
    assert life.outcomes == {"a": StepOutcome(outcome), "b": SKIPPED, "c": SKIPPED}
    assert life.status.outcome is (Outcome.UNKNOWN if outcome == "Unknown" else Outcome.FAILED)
    assert reason(life) is (Reason.STEP_UNKNOWN if outcome == "Unknown" else Reason.STEP_FAILED)
    assert "broken" in (life.status.message or "")
    assert life.created == ["a"]


def test_stop_lets_running_steps_end() -> None:
    life = started(GRAPH, [*ABC[:2], {"name": "d", "dependsOn": ["b"]}])
    life.end("a", "Failed")
    life.go()
    assert (life.running, life.status.outcome) == ({"b"}, None)
    life.end("b")
    life.go()
    assert life.outcomes == {"a": FAILED, "b": SUCCEEDED, "d": SKIPPED}
    assert life.status.outcome is Outcome.FAILED


def test_continue_goes_on_in_a_sequence() -> None:
    life = started(CONTINUE)
    life.end("a", "Failed")
    life.go()
    assert life.running == {"b"}
    life.end("b")
    life.go()
    life.end("c")
    life.go()
    assert life.outcomes == {"a": FAILED, "b": SUCCEEDED, "c": SUCCEEDED}
    assert life.status.outcome is Outcome.FAILED


def test_continue_skips_only_what_depends_on_the_failure() -> None:
    life = started({**GRAPH, **CONTINUE}, [*DIAMOND, {"name": "e", "dependsOn": ["d"]}, {"name": "f"}])
    life.end("a")
    life.end("f")
    life.go()
    life.end("b", "Failed")
    life.go()
    assert life.outcomes == {"a": SUCCEEDED, "b": FAILED, "c": None, "d": SKIPPED, "e": SKIPPED, "f": SUCCEEDED}
    assert "step b did not succeed" in (life.step("d").message or "")
    life.end("c")
    life.go()
    assert life.status.outcome is Outcome.FAILED


def test_one_unknown_step_makes_it_unknown_whatever_else_failed() -> None:
    life = started({**GRAPH, **CONTINUE}, ABC)
    for step, outcome in (("a", "Failed"), ("b", "Unknown"), ("c", "Succeeded")):
        life.end(step, outcome)
    life.go()
    assert (life.status.outcome, reason(life)) == (Outcome.UNKNOWN, Reason.STEP_UNKNOWN)
    assert any(c.type == "Stalled" and c.status == "True" for c in life.status.conditions)


def test_cancelling_skips_what_did_not_start_and_waits_for_what_did() -> None:
    life = started()
    life.spec["cancelled"] = True
    life.go()
    assert life.outcomes == {"a": None, "b": SKIPPED, "c": SKIPPED}
    assert life.status.outcome is None
    life.end("a", "Cancelled")
    life.go()
    assert (life.status.outcome, reason(life)) == (Outcome.CANCELLED, Reason.CANCELLED)


def test_what_was_cancelled_too_late_succeeded() -> None:
    life = started(steps=ABC[:1])
    life.spec["cancelled"] = True
    life.end("a")
    life.go()
    assert life.status.outcome is Outcome.SUCCEEDED


def test_what_was_cancelled_with_an_unknown_step_is_unknown() -> None:
    life = started()
    life.spec["cancelled"] = True
    life.end("a", "Unknown")
    life.go()
    assert life.status.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("hold", ["suspend", "halt", "unsupported"])
def test_what_holds_it_back_starts_nothing_and_ends_nothing(hold: str) -> None:
    life = started(policies=[EXECUTE])
    if hold == "suspend":
        life.spec["suspend"] = True
    else:
        life.world["policies"] = [EXECUTE, HALT if hold == "halt" else {"maintenance": True}]
    life.go()
    assert (life.running, life.status.phase) == ({"a"}, Phase.RUNNING)
    life.end("a")
    life.go()
    assert (life.running, life.status.phase, life.status.outcome) == (set(), Phase.BLOCKED, None)
    assert life.last.wake_at is not None
    assert life.go() == 0
    life.spec["suspend"] = False
    life.world["policies"] = [EXECUTE]
    life.go()
    assert (life.running, life.status.blocked) == ({"b"}, None)


def test_leave_that_is_lost_later_is_for_the_steps_own_gates() -> None:
    life = started(policies=[EXECUTE])
    life.world["policies"] = [OBSERVE]
    life.end("a")
    life.go()
    assert (life.running, life.status.outcome) == ({"b"}, None)


def test_when_its_time_is_over_nothing_new_starts_and_it_failed() -> None:
    life = started({"activeDeadlineSeconds": 400})
    assert life.last.wake_at == after(100)
    life.now = after(100)
    life.go()
    assert life.outcomes == {"a": None, "b": SKIPPED, "c": SKIPPED}
    assert life.last.wake_at is None, "what still runs tells when it ends; asking all the time would be a busy loop"
    life.end("a")
    life.go()
    assert (life.status.outcome, reason(life)) == (Outcome.FAILED, Reason.DEADLINE_EXCEEDED)


def test_a_lost_child_is_unknown_and_never_made_again() -> None:
    life = started()
    life.lose("a")
    life.go()
    assert life.outcomes == {"a": UNKNOWN, "b": SKIPPED, "c": SKIPPED}
    assert (life.status.outcome, life.created) == (Outcome.UNKNOWN, ["a"])


def test_a_child_that_was_replaced_is_unknown() -> None:
    life = started()
    name = life.name_of("a")
    life.stored[name]["metadata"]["uid"] = "another"
    life.go()
    assert life.outcomes["a"] is UNKNOWN


def test_a_child_that_ended_unseen_is_read_again() -> None:
    life = started()
    life.end("a", "Failed", "seen late")  # finished objects are not live: only a read finds it
    life.go()
    assert life.step("a").message == "seen late"


def body_of(step: str) -> Any:
    made, _ = workflow(steps=ABC)
    return new_step(made, next(one for one in made.spec.steps if one.name == step)).body


@pytest.mark.parametrize("on_failure", ["Stop", "Continue"])
@pytest.mark.parametrize("order", ["Sequence", "Graph"])
@pytest.mark.parametrize("foreign", [["a"], ["b"], ["a", "b"], ["a", "b", "c"]], ids="".join)
def test_a_foreign_proposal_is_never_taken_and_hangs_nothing(foreign: list[str], order: str, on_failure: str) -> None:
    life = Life({"order": order, "onFailure": on_failure}, steps=ABC)
    for step in foreign:
        body = body_of(step)
        life.put(life.name_of(step), {**body, "spec": {**body["spec"], "parameters": {"message": "evil"}}})
    life.go()
    while life.running:
        for step in life.running:
            assert step not in foreign
            life.end(step)
        life.go()
    assert life.status.outcome is Outcome.FAILED
    for step in foreign:
        assert life.outcomes[step] in (FAILED, SKIPPED)
        assert life.step(step).uid is None
    first = life.step(foreign[0])
    assert "was not made for this step" in (first.message or "")


def test_a_child_made_before_a_crash_is_taken_over() -> None:
    life = Life(steps=ABC)
    life.put(life.name_of("a"), body_of("a"))
    life.go()
    assert (life.running, life.created) == ({"a"}, [])


def test_a_child_that_ended_before_it_was_recorded_lets_the_next_one_start() -> None:
    life = Life(CONTINUE, steps=ABC)
    life.put(life.name_of("a"), body_of("a"))
    life.end("a", "Expired")
    life.go()
    assert (life.outcomes["a"], life.running) == (StepOutcome.EXPIRED, {"b"})


def test_retries_of_steps_are_mirrored() -> None:
    life = started(GRAPH, ABC[:2])
    life.say("a", retryCount=1, nextRetryAt=rfc3339(after(9)), message="503")
    assert life.go() == 1
    assert (life.status.retry_count, life.status.next_retry_at) == (1, after(9))
    assert life.status.phase is Phase.RUNNING
    life.say("b", retryCount=2, nextRetryAt=rfc3339(after(5)), message="503")
    life.go()
    assert (life.status.retry_count, life.status.next_retry_at) == (3, after(5))
    assert life.status.phase is Phase.RETRYING
    life.end("b")
    life.go()
    assert (life.status.retry_count, life.status.next_retry_at) == (3, after(9))
    life.end("a")
    life.go()
    assert (life.status.retry_count, life.status.next_retry_at) == (3, None)


def test_running_steps_cost_no_write() -> None:
    life = started()
    life.say("a", phase="Running", message="attempt 1", startedAt=rfc3339(NOW))
    assert life.go() == 0


def test_its_end_is_written_once() -> None:
    life = started(steps=ABC[:1])
    life.end("a")
    assert life.go() == 1
    life.now = after(10**6)
    life.spec["cancelled"] = True
    assert life.go() == 0


@pytest.mark.parametrize(
    ("spec", "world", "outcome"),
    [
        ({"cancelled": True}, {}, Outcome.CANCELLED),
        ({"mode": "DryRun"}, {}, Outcome.OBSERVED),
        ({}, {"policies": [OBSERVE]}, Outcome.OBSERVED),
        ({"colour": "red"}, {}, Outcome.FAILED),
        ({"activeDeadlineSeconds": 10}, {}, Outcome.EXPIRED),
        ({"startingDeadlineSeconds": 10}, {}, Outcome.EXPIRED),
    ],
)
def test_it_can_end_before_its_first_step(spec: Any, world: Any, outcome: Outcome) -> None:
    life = started(spec, **world)
    assert (life.status.outcome, life.created) == (outcome, [])


def test_it_waits_for_its_time_and_then_starts() -> None:
    life = started({"notBefore": rfc3339(after(60))})
    assert (life.status.phase, life.last.wake_at, life.created) == (Phase.SCHEDULED, after(60), [])
    life.now = after(60)
    life.go()
    assert life.running == {"a"}


def test_its_preview_is_that_of_all_steps_and_its_risk_the_highest() -> None:
    life = started({"serviceAccountName": "ops", "suspend": True}, [*ABC, {
        "name": "d", "action": "scale-workload", "parameters": {"kind": "Deployment", "name": "x", "replicas": 1},
    }])  # fmt: skip
    assert life.status.risk == "Medium"
    assert life.status.preview is not None
    assert len(life.status.preview.changes) == 4
    assert life.status.digest is not None


def digest_of(spec: Any = None, steps: Any = ABC, **world: Any) -> str | None:
    return started({**(spec or {}), "suspend": True}, steps, **world).status.request_digest


def test_its_digest_covers_what_every_step_would_run() -> None:
    same = digest_of()
    assert same == digest_of({"ttlSecondsAfterFinished": 3, "requestedBy": {"username": "ann"}})
    for other in (
        digest_of({"reason": "x"}), digest_of(steps=ABC[:2]), digest_of({"maxParallel": 3}), digest_of(GRAPH),
        digest_of(types=[type_entry("log-message", description="x")]), digest_of({"serviceAccountName": "ops"}),
        digest_of(types=[type_entry("log-message", defaults={"timeoutSeconds": 3})]),
        digest_of(steps=[{**ABC[0], "timeoutSeconds": 7}, *ABC[1:]]),
    ):  # fmt: skip
        assert other != same


def test_history_tells_each_end_once() -> None:
    life = started({**GRAPH, **CONTINUE}, DIAMOND)
    life.end("a", "Failed")
    life.go()
    told = [(entry.reason, entry.message) for entry in life.status.history[3:]]
    assert told == [
        (Transition.STEP_FINISHED, "a: Failed: Failed"),
        (Transition.STEP_SKIPPED, "b, c, d: skipped, step a did not succeed"),
        (Transition.FAILED, "a did not succeed: Failed"),
    ]


@st.composite
def workflows(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 6)))]
    graph = draw(st.booleans())
    rows: list[Any] = [{"name": name} for name in names]
    if graph:
        for index, row in enumerate(rows):
            row["dependsOn"] = draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
    spec = {
        "order": "Graph" if graph else "Sequence",
        "onFailure": draw(st.sampled_from(["Stop", "Continue"])),
        "maxParallel": draw(st.integers(1, 3)),
        "activeDeadlineSeconds": 1000,
    }
    return spec, draw(st.permutations(rows)) if graph else rows


def interfere(life: Life, data: st.DataObject) -> None:
    """One thing that happens: a step ends or is lost or retried, a person or a policy steps in, time passes."""
    event = data.draw(st.sampled_from(["end"] * 6 + ["lose", "retry", "cancel", "suspend", "halt", "time"]))
    step = data.draw(st.sampled_from(sorted(life.running))) if life.running else None
    if event == "end" and step:
        life.end(step, data.draw(st.sampled_from(["Succeeded"] * 3 + ["Failed", "Unknown", "Cancelled"])))
    elif event == "lose" and step:
        life.lose(step)
    elif event == "retry" and step:
        life.say(step, retryCount=1, nextRetryAt=rfc3339(after(1)))
    elif event in ("cancel", "suspend"):
        life.spec["cancelled" if event == "cancel" else "suspend"] = True
    elif event == "halt":
        life.world["policies"] = [EXECUTE, HALT]
    elif event == "time":
        life.now = life.last.wake_at or life.now


def finish(life: Life) -> None:
    """Whatever held it back is taken away, and all that runs ends."""
    for _ in range(20):
        life.spec["suspend"] = False
        life.world.pop("policies", None)
        for step in life.running:
            life.end(step)
        life.go()


@settings(max_examples=40)
@given(workflows(), st.data())
def test_laws_of_every_workflow(made: tuple[Any, list[Any]], data: st.DataObject) -> None:
    """Whatever its steps come to and whoever interferes: order and bounds hold, and it ends."""
    spec, rows = made
    life = Life(spec, steps=rows)
    before = {row["name"]: set(row.get("dependsOn", ())) for row in rows}
    if spec["order"] == "Sequence":
        before = {row["name"]: {rows[index - 1]["name"]} if index else set() for index, row in enumerate(rows)}
    life.go()
    for _ in range(data.draw(st.integers(0, 20))):
        if life.status.outcome is not None:
            break
        assert len(life.running) <= spec["maxParallel"]
        for name in life.running:
            assert all(life.outcomes[earlier] for earlier in before[name])
        assert life.running or life.status.phase is Phase.BLOCKED, "live, nothing runs, and nothing holds it back"
        assert life.running or life.last.wake_at is not None
        assert life.last.wake_at is None or life.last.wake_at > life.now
        interfere(life, data)
        life.go()
    finish(life)
    assert life.status.outcome is not None
    assert all(life.outcomes.values())
    assert len(life.created) == len(set(life.created))
    assert (life.status.outcome is Outcome.UNKNOWN) is (UNKNOWN in life.outcomes.values())
    assert (life.status.outcome is Outcome.SUCCEEDED) is (set(life.outcomes.values()) == {SUCCEEDED})
