"""What comes after the steps: taking back, and finally steps. And what expressions decide. By whole lives."""

from typing import Any

import pytest
from unit.core.making import LOG, NOW, SCALE, after, attempt, view, workflow, workflow_view
from unit.core.workflow_life import Life

from controller.api.names import Outcome, Phase, Reason, StepOutcome, Transition
from controller.core import gates
from controller.core.deadlines import end_of
from controller.core.part import PART_LABEL
from controller.core.verdicts import Block, Finish
from controller.core.workflow_validation import workflow_faults

ROLLBACK: Any = {"onFailure": "Rollback"}
GRAPH: Any = {"order": "Graph"}
SCALES: Any = [{"name": name, **SCALE} for name in "abc"]
SUCCEEDED, FAILED, SKIPPED = StepOutcome.SUCCEEDED, StepOutcome.FAILED, StepOutcome.SKIPPED


def undo(replicas: int = 3) -> Any:
    return {"action": "scale-workload", "parameters": {**SCALE["parameters"], "replicas": replicas}}


def started(spec: Any = None, steps: Any = None) -> Life:
    life = Life({"serviceAccountName": "ops", **(spec or {})}, steps=steps or SCALES)
    life.go()
    return life


def ended(life: Life, step: str, outcome: str = "Succeeded", **status: Any) -> None:
    moment = after(len(life.created))
    life.say(step, outcome=outcome, message=outcome, completedAt=moment.isoformat(), **status)
    life.go()


def transitions(life: Life, *which: Transition) -> list[str]:
    return [entry.message for entry in life.status.history if entry.reason in which]


class TestRollback:
    def test_what_succeeded_is_taken_back_the_newest_first(self) -> None:
        life = started(ROLLBACK)
        ended(life, "a", undo=undo(1))
        ended(life, "b", undo=undo(2))
        ended(life, "c", "Failed")
        assert life.created == ["a", "b", "c", "undo b"]
        assert life.undo_of("b")["spec"]["parameters"]["replicas"] == 2
        assert life.undo_of("b")["spec"]["requestedBy" if "requestedBy" in life.spec else "reason"]
        assert "takes back what was done: b" in (life.status.message or "")
        life.undone("b")
        life.go()
        life.undone("a")
        life.go()
        assert life.created == ["a", "b", "c", "undo b", "undo a"]
        assert life.status.outcome is Outcome.FAILED
        assert life.status.message == "c did not succeed: Failed; taken back: a, b"
        assert {step.name: step.outcome for step in life.status.steps} == {"a": SUCCEEDED, "b": SUCCEEDED, "c": FAILED}
        assert transitions(life, Transition.ROLLED_BACK) == ["b: Succeeded", "a: Succeeded"]

    def test_nothing_is_taken_back_where_all_succeeded(self) -> None:
        life = started(ROLLBACK)
        for step in "abc":
            ended(life, step, undo=undo())
        assert (life.created, life.status.outcome) == (["a", "b", "c"], Outcome.SUCCEEDED)

    def test_a_step_that_failed_half_way_is_taken_back_too(self) -> None:
        life = started(ROLLBACK)
        ended(life, "a", undo=undo(1))
        ended(life, "b", "Failed", undo=undo(2), attempts=[attempt(1, "Failed", doneAt="2026-11-22T15:00:00Z")])
        assert life.created == ["a", "b", "undo b"]

    def test_a_step_without_effect_is_not(self) -> None:
        life = started(ROLLBACK)
        ended(life, "a", undo=undo(1))
        ended(life, "b", "Failed", undo=undo(2), attempts=[attempt(1, "NotDone")])
        assert life.created == ["a", "b", "undo a"]
        assert life.step("b").rollback.message == "it had no effect"
        assert transitions(life, Transition.STEP_SKIPPED) == ["c: skipped, step b did not succeed"]

    def test_the_undo_of_the_workflow_goes_before_the_actions_own(self) -> None:
        steps = [{**SCALES[0], "undo": {"action": "log-message", "parameters": {"message": "back"}}}, SCALES[1]]
        life = started(ROLLBACK, steps)
        ended(life, "a", undo=undo(1))
        ended(life, "b", "Failed")
        assert life.undo_of("a")["spec"]["action"] == "log-message"

    def test_one_that_fails_keeps_the_others_from_nothing(self) -> None:
        life = started(ROLLBACK)
        ended(life, "a", undo=undo(1))
        ended(life, "b", undo=undo(2))
        ended(life, "c", "Failed")
        life.undone("b", "Failed", "it has 9 replicas")
        life.go()
        life.undone("a")
        life.go()
        assert life.status.outcome is Outcome.FAILED
        assert "taken back: a; NOT taken back: b" in (life.status.message or "")
        assert transitions(life, Transition.ROLLBACK_FAILED) == ["b: it has 9 replicas"]

    def test_what_nothing_takes_back_is_told_and_left(self) -> None:
        life = started(ROLLBACK, [{"name": "a"}, SCALES[1]])
        ended(life, "a")
        ended(life, "b", "Failed")
        assert life.status.outcome is Outcome.FAILED
        assert life.step("a").rollback.message == "nothing takes log-message back"

    def test_a_person_who_cancels_leaves_things_as_they_are(self) -> None:
        life = started(ROLLBACK)
        ended(life, "a", undo=undo(1))
        life.spec["cancelled"] = True
        ended(life, "b", "Cancelled")
        assert (life.created, life.status.outcome) == (["a", "b"], Outcome.CANCELLED)

    def test_a_cancellation_half_way_tells_what_failed_and_what_stays_done(self) -> None:
        life = started({**ROLLBACK, **FINALLY}, [*SCALES, {"name": "d"}])
        for step in "abc":
            ended(life, step, undo=undo(1))
        ended(life, "d", "Failed")
        life.undone("c")
        life.go()
        life.spec["cancelled"] = True
        life.undone("b")
        life.go()
        ended(life, "tidy")
        assert life.created == ["a", "b", "c", "d", "undo c", "undo b", "tidy"]
        assert life.status.outcome is Outcome.CANCELLED
        assert life.status.message == (
            "cancelled; 3 of 4 steps had succeeded; d did not succeed: Failed; taken back: b, c; "
            "NOT taken back: a (to do it: kubectl actions undo aw/roll-out)"
        )
        assert life.step("a").rollback.message == (
            "the workflow was cancelled; kubectl actions undo aw/roll-out takes it back"
        )
        assert transitions(life, Transition.STEP_SKIPPED, Transition.ROLLBACK_FAILED) == [
            "a: left as it is: the workflow was cancelled; kubectl actions undo aw/roll-out takes it back"
        ]

    def test_a_cancelled_workflow_leaves_no_undo_for_what_had_no_effect(self) -> None:
        life = started(ROLLBACK, [SCALES[0], {"name": "b"}, SCALES[2]])
        ended(life, "a", undo=undo(1))
        ended(life, "b")
        life.spec["cancelled"] = True
        ended(life, "c", "Cancelled", undo=undo(2), attempts=[attempt(1, "NotDone")])
        assert life.created == ["a", "b", "c"]
        assert life.status.message == (
            "cancelled; 2 of 3 steps had succeeded; NOT taken back: a (to do it: kubectl actions undo aw/roll-out); "
            "nothing takes back: b"
        )

    def test_a_proposal_that_is_not_ours_takes_nothing_back(self) -> None:
        life = started(ROLLBACK)
        ended(life, "a", undo=undo(1))
        life.say("b", outcome="Failed", message="no")
        from controller.core.steps import undo_name

        name = undo_name(workflow(life.spec, steps=SCALES)[0], "a")
        life.put(name, {"metadata": {"name": name, "labels": {}}, "spec": {"reason": "x", **SCALE}})
        life.go()
        assert life.status.outcome is Outcome.FAILED
        assert "NOT taken back: a" in (life.status.message or "")

    def test_votes_cover_what_takes_back(self) -> None:
        seen = workflow_view(ROLLBACK, steps=[{"name": "a", "action": "cordon-node", "parameters": {"node": "n"}}])
        assert seen.actions == ("cordon-node", "uncordon-node")
        assert workflow_view(steps=[{"name": "a", "action": "cordon-node", "parameters": {"node": "n"}}]).actions == (
            "cordon-node",
        )


FINALLY: Any = {"finally": [{"name": "tidy", **LOG}]}


class TestFinally:
    @pytest.mark.parametrize("outcome", ["Succeeded", "Failed", "Unknown"])
    def test_it_runs_whatever_became_of_the_steps(self, outcome: str) -> None:
        life = started(FINALLY, SCALES[:1])
        ended(life, "a", outcome)
        assert life.created == ["a", "tidy"]
        assert life.stored[life.name_of("tidy")]["metadata"]["labels"][PART_LABEL] == "finally"
        assert life.status.outcome is None
        ended(life, "tidy")
        assert life.status.outcome == outcome

    def test_it_runs_after_a_cancellation_and_after_the_end_of_the_time(self) -> None:
        for late in (False, True):
            life = started({**FINALLY, "activeDeadlineSeconds": 3600}, SCALES[:2])
            if late:
                life.now = after(4000)
            else:
                life.spec["cancelled"] = True
            ended(life, "a", "Cancelled")
            assert life.created == ["a", "tidy"]
            ended(life, "tidy")
            assert life.status.outcome is (Outcome.FAILED if late else Outcome.CANCELLED)

    @pytest.mark.parametrize("how", ["cancelled", "replaced", "late"])
    def test_it_waits_for_nobody_to_resume_what_was_stopped_for_good(self, how: str) -> None:
        life = started({**FINALLY, "suspend": True, "activeDeadlineSeconds": 3600}, SCALES[:2])
        assert life.created == []
        life.spec["suspend"] = False
        life.go()
        life.spec["suspend"] = True
        ended(life, "a")
        assert (life.created, life.status.phase) == (["a"], Phase.BLOCKED)
        match how:
            case "cancelled":
                life.spec["cancelled"] = True
            case "replaced":
                life.world["replacement"] = "nightly-2"
            case "late":
                life.now = after(4000)
        life.go()
        assert life.created == ["a", "tidy"]
        ended(life, "tidy")
        assert life.status.outcome is (Outcome.FAILED if how == "late" else Outcome.CANCELLED)

    def test_it_waits_with_a_workflow_that_is_only_suspended_and_with_a_halt(self) -> None:
        life = started(FINALLY, SCALES[:1])
        life.spec["suspend"] = True
        ended(life, "a")
        assert (life.created, life.status.phase) == (["a"], Phase.BLOCKED)
        life.spec["cancelled"] = True
        life.world["policies"] = ({"mode": "Execute", "halt": True},)
        life.go()
        assert life.created == ["a"]
        assert "halted" in (life.status.message or "")

    @pytest.mark.parametrize(
        ("part", "spec", "held"),
        [
            ("finally", {}, True),
            ("finally", {"cancelled": True}, False),
            ("finally", {"activeDeadlineSeconds": 60}, False),
            ("undo", {"activeDeadlineSeconds": 60}, True),
            ("undo", {"cancelled": True}, True),
        ],
    )
    def test_its_own_proposal_does_not_wait_either(self, part: str, spec: Any, held: bool) -> None:
        parent = workflow({"suspend": True, **spec})[0]
        seen = view(parent=parent, metadata={"labels": {PART_LABEL: part}})
        assert (gates.suspended(seen, after(120)) is not None) is held

    def test_its_own_proposal_is_looked_at_again_when_the_time_of_the_whole_is_over(self) -> None:
        parent = workflow({"suspend": True, "activeDeadlineSeconds": 3600})[0]
        block = gates.suspended(view(parent=parent, metadata={"labels": {PART_LABEL: "finally"}}), NOW)
        assert isinstance(block, Block)
        assert block.again_at == end_of(parent.spec, parent.metadata)

    def test_it_comes_after_what_is_taken_back(self) -> None:
        life = started({**ROLLBACK, **FINALLY})
        ended(life, "a", undo=undo(1))
        ended(life, "b", "Failed")
        assert life.created == ["a", "b", "undo a"]
        life.undone("a")
        life.go()
        assert life.created == ["a", "b", "undo a", "tidy"]

    def test_a_workflow_whose_finally_step_fails_has_failed(self) -> None:
        life = started(FINALLY, SCALES[:1])
        ended(life, "a")
        ended(life, "tidy", "Failed")
        assert life.status.outcome is Outcome.FAILED

    def test_it_may_read_every_step(self) -> None:
        row = {"name": "tidy", **LOG, "when": "steps.a.outcome == 'Failed'"}
        life = started({"finally": [row]}, SCALES[:1])
        ended(life, "a")
        assert (life.created, life.status.outcome) == (["a"], Outcome.SUCCEEDED)
        assert life.step("tidy").reason is Reason.WHEN_FALSE


class TestWhen:
    def test_what_is_not_needed_fails_nothing_and_holds_nothing_back(self) -> None:
        rows = [SCALES[0], {**SCALES[1], "when": "steps.a.outputs.n > 3"}, SCALES[2]]
        life = started(None, rows)
        ended(life, "a", outputs={"n": 3})
        assert life.created == ["a", "c"]
        ended(life, "c")
        assert life.status.outcome is Outcome.SUCCEEDED
        assert life.status.message == "2 of 3 steps succeeded, the others were not needed"
        assert transitions(life, Transition.STEP_SKIPPED) == [
            "b: skipped, not needed: when is false (steps.a.outputs.n > 3)"
        ]

    def test_what_is_needed_runs(self) -> None:
        life = started(None, [SCALES[0], {**SCALES[1], "when": "steps.a.outputs.n > 3"}])
        ended(life, "a", outputs={"n": 4})
        assert life.created == ["a", "b"]

    def test_an_expression_without_an_answer_fails_the_step(self) -> None:
        life = started(None, [SCALES[0], {**SCALES[1], "when": "steps.a.outputs.n > 3"}])
        ended(life, "a", outputs={})
        assert (life.step("b").outcome, life.step("b").reason) == (FAILED, Reason.EXPRESSION_FAILED)
        assert (life.created, life.status.outcome) == (["a"], Outcome.FAILED)

    def test_with_it_a_step_runs_after_one_that_failed(self) -> None:
        rows = [SCALES[0], {**SCALES[1], "dependsOn": ["a"], "when": "steps.a.outcome == 'Failed'"},
                {**SCALES[2], "dependsOn": ["a"]}]  # fmt: skip
        life = started({**GRAPH, "onFailure": "Continue"}, rows)
        ended(life, "a", "Failed")
        assert life.created == ["a", "b"]
        assert life.step("c").outcome is SKIPPED


class TestComputed:
    def test_a_value_of_an_earlier_step_reaches_the_proposal(self) -> None:
        row = {"name": "b", "action": "log-message", "computed": [
            {"path": "message", "expression": "'had ' + string(steps.a.outputs.previous)"}]}  # fmt: skip
        life = started(None, [SCALES[0], {**row, "parameters": {}}])
        ended(life, "a", outputs={"previous": 3})
        assert life.stored[life.name_of("b")]["spec"]["parameters"] == {"message": "had 3"}

    def test_what_reads_no_step_is_filled_in_from_the_beginning(self) -> None:
        row = {"name": "a", "action": "cordon-node", "parameters": {}, "computed": [
            {"path": "node", "expression": "workflow.parameters.node"}]}  # fmt: skip
        seen = workflow_view({"parameters": {"node": "node-3"}, "serviceAccountName": "ops"}, steps=[row])
        assert seen.definition.steps[0].parameters == {"node": "node-3"}
        assert seen.definition.steps[0].computed == ()
        assert not list(workflow_faults(seen))

    @pytest.mark.parametrize(
        ("row", "told"),
        [
            (
                {"when": "steps.zzz.outcome == 'x'"},
                "spec.steps[b].when: line 1, column 1: there is no step zzz; there are: a",
            ),
            (
                {"when": "steps.c.outcome == 'x'"},
                "spec.steps[b].when: reads step c, which does not come before it; move c before this one, or read",
            ),
            ({"when": "steps.b.outcome == 'x'"}, "spec.steps[b].when: reads itself; read another"),
            ({"when": "workflow.parameters.nope"}, "spec.steps[b].when: "),
            ({"when": "workflow.parameters.size"}, "spec.steps[b].when: it gives a whole number, not true or false"),
            (
                {"when": "workflow.parameters.many.all(x, workflow.parameters.many.all(y, x + y >= 0))"},
                "spec.steps[b].when: ",
            ),
            (
                {"computed": [{"path": "timeout", "expression": "2"}, {"path": "timeout", "expression": "3"}]},
                "spec.steps[b].computed[timeout]: is computed twice; take one of the two out",
            ),
            (
                {"computed": [{"path": "x.y", "expression": "2"}, {"path": "x", "expression": "steps.a.outputs.x"}]},
                "spec.steps[b].computed[x]: x.y is computed too, and one is inside of the other",
            ),
            (
                {"computed": [{"path": "replicas", "expression": "steps.a.outputs.x"}]},
                "spec.steps[b].computed[replicas]: parameters.replicas is given too; take one of the two out",
            ),
            (
                {"computed": [{"path": "replicas", "expression": "4"}]},
                "spec.steps[b].computed[replicas]: parameters.replicas is given too; take one of the two out",
            ),
            ({"when": "1 + 1"}, "spec.steps[b].when: must give true or false"),
            ({"when": "steps.a.retryCount > 'x'"}, "spec.steps[b].when: "),
            (
                {"computed": [{"path": "name", "expression": "steps.a.outputs.x"}]},
                "spec.steps[b].computed[name]: parameters.name says what is touched",
            ),
            (
                {"computed": [{"path": "replicaz", "expression": "steps.a.outputs.x"}]},
                "spec.steps[b].computed[replicaz]: replicaz is not a parameter of scale-workload",
            ),
            (
                {"computed": [{"path": "replicas", "expression": "workflow.parameters.nope"}]},
                "spec.steps[b].computed[replicas]: ",
            ),
            (
                {"computed": [{"path": "replicas.x", "expression": "1"}]},
                "spec.steps[b].computed[replicas.x]: replicas is no object",
            ),
        ],
    )
    def test_what_is_wrong_is_told_before_anything_runs(self, row: Any, told: str) -> None:
        spec = {"serviceAccountName": "ops", "parameters": {"size": 3, "many": list(range(200))}}
        seen = workflow_view(spec, steps=[SCALES[0], {**SCALES[1], **row}, SCALES[2]])
        faults = [fault.message for fault in workflow_faults(seen)]
        assert any(fault.startswith(told) for fault in faults), faults

    def test_in_a_graph_the_mend_is_another(self) -> None:
        rows = [SCALES[0], {**SCALES[1], "when": "steps.a.outcome == 'x' && steps.tidy.outcome == 'x'"}]
        seen = workflow_view({**GRAPH, **FINALLY, "serviceAccountName": "ops"}, steps=rows)
        assert [fault.message for fault in workflow_faults(seen)] == [
            "spec.steps[b].when: reads step a, which does not come before it; add it to dependsOn, or read another",
            "spec.steps[b].when: reads step tidy, which does not come before it; finally steps come last; read another",
        ]

    def test_only_steps_that_it_may_read_are_offered(self) -> None:
        rows = [{**SCALES[0], "when": "steps.zz.outcome == 'x'"}, {**SCALES[1], "when": "steps.zz.outcome == 'x'"}]
        seen = workflow_view({"serviceAccountName": "ops"}, steps=rows)
        assert [fault.message.partition("no step zz; ")[2] for fault in workflow_faults(seen)] == [
            "nor any that comes before this one",
            "there are: a",
        ]

    def test_a_when_over_parameters_alone_that_has_an_answer_is_in_order(self) -> None:
        row = {**SCALES[0], "when": "workflow.parameters.size > 2"}
        seen = workflow_view({"serviceAccountName": "ops", "parameters": {"size": 3}}, steps=[row])
        assert not list(workflow_faults(seen))

    def test_a_policy_may_let_the_target_be_computed(self) -> None:
        given = {name: value for name, value in SCALE["parameters"].items() if name != "name"}
        computed = [{"path": "name", "expression": "string(steps.a.outputs.x)"}]
        row = {**SCALES[1], "parameters": given, "computed": computed}
        for rules, wrong in (
            (({"mode": "Execute", "dynamicTargets": "Allow"},), False),
            (({"mode": "Execute", "dynamicTargets": "Allow"}, {"dynamicTargets": "Deny"}), True),
            (({"mode": "Execute"},), True),
        ):
            seen = workflow_view({"serviceAccountName": "ops"}, steps=[SCALES[0], row], policies=rules)
            assert bool(list(workflow_faults(seen))) is wrong

    def test_an_undo_of_ones_own_is_checked_like_a_step(self) -> None:
        row = {**SCALES[0], "undo": {"action": "log-message", "parameters": {"level": "Loud"}}}
        faults = [fault.message for fault in workflow_faults(workflow_view({"serviceAccountName": "ops"}, steps=[row]))]
        assert any(fault.startswith("spec.steps[a].undo.parameters.level") for fault in faults)


class TestMending:
    """What mends is stopped by halt and protection, and by nothing else of its workflow."""

    @pytest.mark.parametrize("part", ["undo", "finally", None])
    def test_a_cancelled_or_late_workflow_stops_its_steps_alone(self, part: str | None) -> None:
        parent = workflow({"cancelled": True, "activeDeadlineSeconds": 60})[0]
        labels = {"labels": {PART_LABEL: part}} if part else {}
        seen = view(parent=parent, metadata=labels)
        found = gates.cancelled(seen, NOW)
        assert isinstance(found, Finish) is (part is None)
        assert (seen.end > after(3600)) is (part is not None)

    def test_a_label_alone_frees_nothing(self) -> None:
        seen = view({"cancelled": True}, metadata={"labels": {PART_LABEL: "undo"}})
        assert isinstance(gates.cancelled(seen, NOW), Finish)

    def test_a_freeze_does_not_hold_it(self) -> None:
        freeze = {"start": "2026-11-22T00:00:00Z", "end": "2026-11-23T00:00:00Z", "reason": "x"}
        rules = ({"mode": "Execute", "freezes": [freeze]},)
        parent = workflow()[0]
        assert gates.frozen(view(parent=parent, policies=rules), NOW) is not None
        assert gates.frozen(view(parent=parent, policies=rules, metadata={"labels": {PART_LABEL: "undo"}}), NOW) is None
        halted = view(parent=parent, policies=({"halt": True},), metadata={"labels": {PART_LABEL: "undo"}})
        assert gates.halted(halted, NOW) is not None

    def test_only_what_the_workflow_lists_belongs_to_it(self) -> None:
        uid = "0b1f3c9e-0000-4000-8000-000000000001"
        row = {"name": "one", "uid": "x", "outcome": "Succeeded", "rollback": {"proposal": "u", "uid": uid}}
        parent = workflow(status={"steps": [row]})[0]
        owner = {"apiVersion": "actionoperator.dev/v1alpha1", "kind": "ActionWorkflow", "name": "roll-out",
                 "uid": parent.metadata.uid, "controller": True}  # fmt: skip
        assert gates.not_a_step(view(parent=parent, metadata={"ownerReferences": [owner]}), NOW) is None
        stranger = workflow(status={"steps": []})[0]
        assert gates.not_a_step(view(parent=stranger, metadata={"ownerReferences": [owner]}), NOW) is not None


class TestRetry:
    """A workflow that retries another one."""

    def again(self, steps: Any = None, earlier: Any = None, **status: Any) -> Life:
        rows = [
            {"name": "a", "proposal": "old-a", "uid": "1", "outcome": "Succeeded"},
            {"name": "b", "proposal": "old-b", "uid": "2", "outcome": "Failed"},
            {"name": "c", "outcome": "Skipped", "reason": "NotStarted"},
        ]
        life = Life({"serviceAccountName": "ops", "retryOf": {"name": "old", "uid": "9"}}, steps=steps or SCALES)
        made = {"outcome": "Failed", "steps": rows, **status}
        life.earlier = workflow(status=made, steps=earlier or SCALES, name="old", uid="9")[0]
        life.go()
        return life

    def test_what_succeeded_is_not_run_again(self) -> None:
        life = self.again()
        assert life.created == ["b"]
        assert (life.step("a").outcome, life.step("a").reason) == (SUCCEEDED, Reason.TAKEN_FROM_EARLIER)
        assert "a: succeeded in the workflow that this one retries, not run again" in life.status.preview.warnings
        ended(life, "b")
        ended(life, "c")
        assert (life.created, life.status.outcome) == (["b", "c"], Outcome.SUCCEEDED)

    def test_a_step_that_is_another_now_runs(self) -> None:
        changed = {**SCALES[0], "parameters": {**SCALE["parameters"], "replicas": 9}}
        assert self.again([changed, *SCALES[1:]]).created == ["a"]

    def test_what_was_taken_back_runs(self) -> None:
        rows = [{"name": "a", "proposal": "old-a", "uid": "1", "outcome": "Succeeded",
                 "rollback": {"proposal": "u", "uid": "3", "outcome": "Succeeded"}}]  # fmt: skip
        assert self.again(steps=SCALES[:1], earlier=SCALES[:1]).created == []
        life = Life({"serviceAccountName": "ops", "retryOf": {"name": "old", "uid": "9"}}, steps=SCALES[:1])
        life.earlier = workflow(status={"outcome": "Failed", "steps": rows}, steps=SCALES[:1], uid="9")[0]
        life.go()
        assert life.created == ["a"]

    def test_what_a_cancellation_left_as_it_was_is_not_run_again(self) -> None:
        rows = [{"name": "a", "proposal": "old-a", "uid": "1", "outcome": "Succeeded",
                 "rollback": {"outcome": "Cancelled", "message": "the workflow was cancelled"}}]  # fmt: skip
        life = Life({"serviceAccountName": "ops", "retryOf": {"name": "old", "uid": "9"}}, steps=SCALES[:2])
        life.earlier = workflow(status={"outcome": "Cancelled", "steps": rows}, steps=SCALES[:2], uid="9")[0]
        life.go()
        assert (life.created, life.step("a").rollback) == (["b"], None)

    def test_another_of_the_same_name_is_refused(self) -> None:
        life = Life({"serviceAccountName": "ops", "retryOf": {"name": "old", "uid": "8"}}, steps=SCALES)
        life.earlier = workflow(status={"outcome": "Failed"}, steps=SCALES, name="old", uid="9")[0]
        life.go()
        assert life.status.outcome is Outcome.FAILED
        assert "there is no ActionWorkflow old with uid 8" in (life.status.message or "")

    def test_one_that_still_runs_is_refused(self) -> None:
        assert "is not finished" in (self.again(outcome=None).status.message or "")


@pytest.mark.parametrize(
    ("action", "parameters", "computed"),
    [
        ("patch-resource", {"type": "merge"}, "patch"),
        ("patch-resource", {"type": "merge", "patch": {"spec": {}}}, "patch.spec.replicas"),
        ("patch-resource", {"type": "json"}, "operations"),
        ("apply-manifest", {}, "manifest"),
        ("apply-manifest", {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}, "manifest.data"),
    ],
)
def test_what_is_written_to_an_object_is_known_before_it_is_approved(
    action: str, parameters: Any, computed: str
) -> None:
    named = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    row = {
        "name": "b", "action": action, "parameters": {**named, **parameters},
        "computed": [{"path": computed, "expression": "steps.a.outputs.x"}],
    }  # fmt: skip
    told = f"spec.steps[b].computed[{computed}]: parameters.{computed.partition('.')[0]} says what is touched"
    for rules, refused in (
        (({"mode": "Execute"},), True),
        (({"mode": "Execute", "dynamicTargets": "Allow"},), False),
    ):
        seen = workflow_view({"serviceAccountName": "ops"}, steps=[SCALES[0], row], policies=rules)
        faults = [fault.message for fault in workflow_faults(seen)]
        assert any(fault.startswith(told) for fault in faults) is refused, faults
