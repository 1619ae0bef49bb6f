"""Runbooks: what a workflow makes of one, what it pins, whose approval then counts, and what is wrong with one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from unit.core.making import (
    CREATED,
    EXECUTE,
    LOG,
    NOW,
    PROVEN,
    SETTINGS,
    WORKFLOW_UID,
    after,
    on_digest,
    policy,
    runbook,
    vote,
    workflow_view,
    world,
)
from unit.core.test_workflow_approvals import decided
from unit.core.workflow_life import Life

from controller.api.names import Outcome, Reason
from controller.api.workflow import WorkflowStatus
from controller.core.decision import Decision
from controller.core.declared import policy_status, runbook_status, settled_at
from controller.core.digest import sha256
from controller.core.ports import Json
from controller.core.request import workflow_request
from controller.core.runbook import MAX_BYTES, RunbookEntry
from controller.core.runbook_validation import runbook_faults
from controller.core.view import WorkflowView
from controller.core.workflow import decide
from controller.core.workflow_gates import approval_of
from controller.core.workflow_validation import workflow_faults

RUN: Json = {"runbookRef": {"name": "resize"}, "serviceAccountName": "ops"}
WEB: Json = {**RUN, "parameters": {"name": "web"}}
ASKS: Json = {**EXECUTE, "approval": {"required": 1}}


def faults(spec: Json, entry: RunbookEntry | None) -> list[str]:
    return [fault.message for fault in workflow_faults(workflow_view(spec, runbook=entry))]


# -- what runs ---------------------------------------------------------------------------------------------------------


def test_a_run_fills_in_its_values_and_the_defaults() -> None:
    view = workflow_view({**WEB, "parameters": {"name": "web", "replicas": 7}}, runbook=runbook())
    (grow,) = view.definition.steps
    assert grow.parameters == {"kind": "Deployment", "name": "web", "replicas": 7}
    (grow,) = workflow_view(WEB, runbook=runbook()).definition.steps
    assert grow.parameters["replicas"] == 2
    assert view.actions == ("scale-workload",)
    assert not list(workflow_faults(view))


def test_a_run_goes_on_with_what_it_pinned_whatever_becomes_of_the_runbook() -> None:
    steps = [{"name": "one", **LOG}, {"name": "two", **LOG}]
    entry = runbook(steps=steps, spec={"onFailure": "Continue", "finally": [{"name": "tidy", **LOG}]})
    life = Life(WEB, runbook=entry)
    life.go()
    pinned = life.status.runbook
    assert pinned is not None
    assert (pinned.name, pinned.uid, pinned.digest, pinned.spec) == ("resize", "r-1", entry.digest, entry.raw_spec)
    assert life.running == {"one"}
    life.world["runbook"] = runbook(steps=[{"name": "other", **LOG}])
    end_by_label(life, "one")
    life.go()
    assert life.running == {"two"}
    life.world["runbook"] = None
    end_by_label(life, "two", "Failed")
    life.go()
    assert life.running == {"tidy"}
    end_by_label(life, "tidy")
    life.go()
    assert life.status.outcome is Outcome.FAILED
    assert list(life.outcomes) == ["one", "two", "tidy"]
    assert life.status.runbook == pinned


def end_by_label(life: Life, step: str, outcome: str = "Succeeded") -> None:
    (raw,) = [raw for raw in life.stored.values() if raw["metadata"]["labels"]["actionoperator.dev/step"] == step]
    raw["status"] |= {"outcome": outcome, "message": outcome}


def test_retries_are_the_runbooks_below_the_workflows_below_the_steps() -> None:
    step = {"name": "one", **LOG, "retry": {"jitterFraction": 0.25}}
    entry = runbook(steps=[step], spec={"retry": {"maxAttempts": 9, "maxWaitSeconds": 90.0, "jitterFraction": 0.0}})
    (one,) = workflow_view({**WEB, "retry": {"maxAttempts": 5}}, runbook=entry).definition.steps
    assert one.retry is not None
    assert one.retry.wire() == {"maxAttempts": 5, "maxWaitSeconds": 90.0, "jitterFraction": 0.25}


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "web", "replicas": 5000}, ["spec.parameters.replicas: must be at most 50 (got 5000)"]),
        (
            {"replicas": "six", "colour": 1},
            [
                "spec.parameters.colour: is not a parameter of this runbook (it has: name, replicas)",
                "spec.parameters.name: is required",
                "spec.parameters.replicas: must be of type integer (got a text)",
            ],
        ),
    ],
)
def test_values_that_do_not_fit_are_all_named_and_nothing_else_is(values: Json, told: list[str]) -> None:
    assert faults({**RUN, "parameters": values}, runbook()) == told


def test_what_is_wrong_with_its_steps_names_the_runbook() -> None:
    steps = [{"name": "one", "action": "log-message", "parameters": {"volume": 3}, "when": "steps.zwei.outcome == ''"}]
    told = faults(WEB, runbook(steps=steps))
    assert all(fault.startswith("spec.runbookRef: ActionRunbook resize, spec.steps[one].") for fault in told)
    assert len(told) == 3


def test_a_runbook_that_is_not_there_may_still_come() -> None:
    soon, late = CREATED + timedelta(seconds=1), CREATED + timedelta(seconds=60)
    view = workflow_view(WEB)
    assert decide(view, soon) == Decision(wake_at=view.grace_end)
    status = decide(view, late).status
    assert status is not None
    assert status.outcome is Outcome.FAILED
    (validated, *_) = status.conditions
    assert (validated.reason, validated.message) == (
        Reason.RUNBOOK_MISSING,
        "spec.runbookRef.name: there is no ActionRunbook resize in this namespace; create it",
    )


# -- what is approved, and by whom -------------------------------------------------------------------------------------


def waiting(entry: RunbookEntry) -> WorkflowView:
    """The workflow, asked for by alice, while it waits for an approval."""
    spec = {**WEB, "requestedBy": {"username": "alice"}}
    fresh = workflow_view(spec, runbook=entry, policies=[ASKS], enforcement=PROVEN)
    status = decided(fresh).status
    assert status is not None
    return workflow_view(spec, status, runbook=entry, policies=[ASKS], enforcement=PROVEN, findings=None)


def voted(view: WorkflowView, by: str) -> Any:
    about: Json = {"kind": "ActionWorkflow", "name": "roll-out", "uid": WORKFLOW_UID}
    cast = on_digest(vote(by, subject=about, actions=["scale-workload"]), view.workflow.status.digest)
    return approval_of(replace(view, votes=[cast]), NOW).tally


def test_neither_who_asked_nor_who_edited_the_runbook_can_approve_it_alone() -> None:
    view = waiting(runbook(by="dora"))
    assert voted(view, "alice").ignored == {"alice-approve": "it is the requester's own"}
    assert voted(view, "dora").ignored == {"dora-approve": "it is that of who last edited the runbook"}
    assert [one.username for one in voted(view, "bob").approvals] == ["bob"]


@pytest.mark.parametrize("entry", [runbook(by=None), runbook(created=CREATED - timedelta(days=90))])
def test_nobody_can_approve_where_nothing_proves_who_edited_it(entry: RunbookEntry) -> None:
    view = waiting(entry)
    assert view.workflow.status.runbook is not None
    assert view.workflow.status.runbook.edited_by is None
    assert voted(view, "bob").ignored == {
        "bob-approve": "it may be that of who last edited the runbook, for nothing proves who did"
    }
    approved = next(one for one in view.workflow.status.conditions if one.type == "Approved")
    assert approved.reason is Reason.IDENTITY_NOT_ENFORCED
    assert "kubectl replace --force" in approved.message


def test_the_digest_is_over_the_pinned_runbook_and_not_over_who_edited_it() -> None:
    view = waiting(runbook(by="dora"))
    assert sha256(workflow_request(view)) == view.workflow.status.request_digest
    later = replace(view, runbook=runbook(steps=[{"name": "one", **LOG}]))
    assert workflow_request(later) == workflow_request(view)
    assert workflow_request(view)["runbook"] == runbook().raw_spec
    assert runbook(by="dora").digest == runbook(by="carol").digest
    first = workflow_view(WEB, runbook=runbook())
    other = workflow_view(WEB, runbook=runbook(spec={"maxParallel": 2}))
    assert sha256(workflow_request(first)) != sha256(workflow_request(other))


# -- a runbook by itself -----------------------------------------------------------------------------------------------


def test_a_runbook_in_order_is_ready_though_nobody_knows_its_values_yet() -> None:
    status = runbook_status(runbook(), world(), NOW)
    assert [(one.type, one.status) for one in status.conditions] == [("Ready", "True")]
    assert status.digest == runbook().digest


def test_a_runbook_whose_types_may_still_come_is_on_its_way_and_then_stalled() -> None:
    entry = runbook({"steps": [{"name": "a", "action": "wiat"}]}, created=NOW)
    end = settled_at(entry, world(), NOW)
    assert end == after(SETTINGS.grace_seconds)
    early = runbook_status(entry, world(), NOW)
    assert [(one.type, one.status) for one in early.conditions] == [("Ready", "False"), ("Reconciling", "True")]
    late = runbook_status(entry, world(), end)
    assert [(one.type, one.status) for one in late.conditions] == [("Ready", "False"), ("Stalled", "True")]
    assert {one.reason for one in late.conditions} == {Reason.INVALID_RUNBOOK}


def test_what_cannot_be_carried_out_is_stalled_and_stays_so_since_the_same_time() -> None:
    broken = policy({"kinds": {"allowed": ["Secret"]}})
    first = policy_status(broken, None, NOW)
    assert [(one.type, one.status) for one in first.conditions] == [("Ready", "False"), ("Stalled", "True")]
    assert policy_status(broken.model_copy(update={"status": first}), None, after(60)) == first
    mended = policy(EXECUTE).model_copy(update={"status": first})
    assert [one.type for one in policy_status(mended, None, NOW).conditions] == ["Ready"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"parameters": {"type": "array"}}, "spec.parameters.type: must be object"),
        ({"parameters": {"properties": {"a": {"type": "text"}}}}, "spec.parameters.properties.a.type: "),
        (
            {"parameters": {"properties": {"a": {"type": "object", "secret": True}}}},
            "spec.parameters.properties.a.secret: is a mark of action types and says nothing in a runbook; remove it",
        ),
        ({"parameters": {"properties": {"a": {"fixed": True}}}}, "spec.parameters.properties.a.fixed: is a mark"),
        ({"parameters": {"properties": {"a": {"default": None}}}}, "spec.parameters.properties.a.default: null says"),
        (
            {"parameters": {"properties": {"a": {"type": "integer", "maximum": 5, "default": 6}}}},
            "spec.parameters.properties.a.default: must be at most 5 (got 6)",
        ),
        ({"steps": [{"name": "a", "action": "wiat"}]}, "spec.steps[a].action: there is no ActionType wiat; available:"),
        ({"steps": [{"name": "a", **LOG}] * 2}, "spec.steps: the name a is used more than once"),
        ({"steps": [{"name": "a", **LOG, "when": "1 + 1"}]}, "spec.steps[a].when: must give true or false"),
        (
            {"steps": [{"name": "a", **LOG, "computed": [{"path": "volume", "expression": "1"}]}]},
            "spec.steps[a].computed[volume]: volume is not a parameter of log-message",
        ),
        ({"colour": "red"}, "spec.colour: is not a field of this kind; remove it"),
        ({"parameters": {"title": "x" * MAX_BYTES}}, f"spec: must be at most {MAX_BYTES} bytes as JSON (got "),
    ],
)
def test_what_is_wrong_with_a_runbook_is_told_with_its_path(spec: Json, told: str) -> None:
    found = runbook_faults(runbook(spec), world())
    assert any(fault.startswith(told) for fault in found), found
    status = runbook_status(runbook(spec), world(), NOW)
    assert status.conditions[0].reason is Reason.INVALID_RUNBOOK
    assert told in status.conditions[0].message


def test_a_property_may_be_called_like_a_mark() -> None:
    assert not runbook_faults(runbook({"parameters": {"properties": {"fixed": {"type": "string"}, "name": {},
                                                                     "replicas": {}}}}), world())  # fmt: skip


def test_a_pinned_null_in_a_step_stays_a_null() -> None:
    body = {"name": "one", "action": "http-request",
            "parameters": {"method": "PUT", "url": "https://hooks.example.com", "body": {"a": None}}}  # fmt: skip
    life = Life(WEB, runbook=runbook(steps=[body]))
    life.go()
    assert life.status.runbook is not None
    assert WorkflowStatus.model_validate(life.status.wire()).runbook == life.status.runbook
    assert life.status.runbook.spec["steps"][0]["parameters"]["body"] == {"a": None}
