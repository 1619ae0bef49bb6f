"""One approval of a workflow covers its steps; what it needs, and what ends it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from unit.core.making import (
    DIGEST,
    EXECUTE,
    NOW,
    PROVEN,
    SEEN,
    UID,
    UNPROVEN,
    VALIDATED,
    WORKFLOW_UID,
    on_digest,
    view,
    vote,
    workflow,
    workflow_view,
)

from controller.api.approval import ActionApproval
from controller.api.names import Outcome, Phase, Reason
from controller.api.workflow import WorkflowStatus
from controller.core.approval_view import approval_of
from controller.core.attempt_report import Stop
from controller.core.decision import Decision, Gather
from controller.core.enforcement import Enforcement
from controller.core.ports import Json
from controller.core.proposal import stop_running
from controller.core.view import Access, WorkflowView
from controller.core.workflow import decide
from controller.core.workflow_gates import approval_of as workflow_approval_of

ALICE: Json = {"requestedBy": {"username": "alice"}}
ASKS: Json = {**EXECUTE, "approval": {"required": 1}}
STEPS = ({"name": "one"}, {"name": "two", "action": "wait", "parameters": {"seconds": 1}})
ABOUT: Json = {"kind": "ActionWorkflow", "name": "roll-out", "uid": WORKFLOW_UID}


def decided(seen: WorkflowView, *, access: Access | None = None) -> Decision[WorkflowStatus]:
    for _ in range(4):
        decision = decide(seen, NOW)
        match decision.gather:
            case Gather.PREVIEW:
                seen = replace(seen, findings={step.name: SEEN for step in seen.workflow.spec.steps})
            case Gather.ACCESS:
                seen = replace(seen, access=access or Access())
            case _:
                return decision
    raise AssertionError("asks again and again")


def waiting(policies: Any = (ASKS,), enforcement: Enforcement = PROVEN, access: Access | None = None) -> WorkflowView:
    fresh = workflow_view(ALICE, steps=STEPS, policies=policies, access=None, enforcement=enforcement)
    status = decided(fresh, access=access).status
    assert status is not None
    stored = WorkflowStatus.model_validate(status.wire())
    return replace(fresh, workflow=fresh.workflow.model_copy(update={"status": stored}), findings=None)


def voted(seen: WorkflowView, *votes: ActionApproval) -> WorkflowView:
    digest = seen.workflow.status.digest
    return replace(seen, votes=[on_digest(vote, digest) for vote in votes])


def test_it_waits_and_starts_when_approved() -> None:
    seen = waiting()
    assert seen.workflow.status.phase is Phase.AWAITING_APPROVAL
    again = decided(seen)
    assert not again.create
    assert again.status == seen.workflow.status
    approved = voted(seen, vote("bob", subject=ABOUT, actions=["log-message", "wait"]))
    assert [step.name for step in decided(approved).create] != []


@pytest.mark.parametrize("actions", [["log-message"], ["wait"]])
def test_a_vote_must_cover_every_action_of_every_step(actions: Sequence[str]) -> None:
    assert not decided(voted(waiting(), vote("bob", subject=ABOUT, actions=actions))).create


def test_a_vote_must_cover_what_runs_at_the_end_and_what_takes_back() -> None:
    undone = {"name": "one", "undo": {"action": "cordon-node", "parameters": {"node": "node-3"}}}
    last = {"name": "last", "action": "wait", "parameters": {"seconds": 1}}
    seen = workflow_view({**ALICE, "finally": [last]}, {"digest": DIGEST}, steps=(undone,), enforcement=PROVEN)
    short, whole = (
        vote("bob", subject=ABOUT, actions=["log-message"]),
        vote("carol", subject=ABOUT, actions=["log-message", "wait", "cordon-node"]),
    )
    tally = workflow_approval_of(replace(seen, votes=[short, whole]), NOW).tally
    assert tally.ignored == {"bob-approve": "it does not cover cordon-node, wait"}
    assert [counted.username for counted in tally.approvals] == ["carol"]


def test_the_strictest_policy_of_all_its_actions_counts() -> None:
    policies = [EXECUTE, {"match": {"actions": ["wait"]}, "approval": {"required": 2}}]
    seen = waiting(policies)
    assert seen.workflow.status.approval is not None
    assert seen.workflow.status.approval.required == 2


def test_a_rejection_ends_it() -> None:
    cast = vote("eve", subject=ABOUT, decision="Reject", comment="no", actions=["wait"])
    decision = decided(voted(waiting(), cast))
    assert decision.status is not None
    assert decision.status.outcome is Outcome.REJECTED
    assert decision.status.message == "rejected by eve: no"


@pytest.mark.parametrize("enforcement", [PROVEN, UNPROVEN], ids=["proven", "not proven"])
def test_whoever_asks_must_be_allowed_every_action_and_the_runner(enforcement: Enforcement) -> None:
    """Also who is not proven: that the policies came into force a moment ago must not be a moment without them."""
    access = Access(missing=("spec.requestedBy: alice may not propose actiontypes/wait in namespace shop",))
    seen = workflow_view(ALICE, steps=STEPS, access=None, enforcement=enforcement)
    status = decided(seen, access=access).status
    assert status is not None
    assert status.outcome is Outcome.FAILED
    assert next(c for c in status.conditions if c.type == "Validated").reason is Reason.NOT_PERMITTED
    assert "alice may not propose actiontypes/wait" in (status.message or "")


def test_steps_need_no_approval_of_their_own() -> None:
    parent, _ = workflow({}, {"steps": [{"name": "one", "proposal": "scale-checkout", "uid": UID}]})
    seen = view(status=VALIDATED, policies=[ASKS], parent=parent, enforcement=PROVEN)
    assert not approval_of(seen, NOW).required


def test_a_proposal_that_only_says_it_is_a_step_gets_nothing_of_it() -> None:
    seen = view(policies=[ASKS], enforcement=PROVEN)
    assert approval_of(seen, NOW).required


def test_a_late_rejection_of_the_workflow_stops_its_steps() -> None:
    parent, _ = workflow({}, {"steps": [{"name": "one", "proposal": "scale-checkout", "uid": UID}]})
    rejection = vote("eve", subject=ABOUT, decision="Reject", actions=["log-message"])
    seen = view(status=VALIDATED, parent=parent, parent_votes=[rejection], enforcement=PROVEN)
    assert stop_running(seen, NOW) is Stop.REJECTED
    assert stop_running(replace(seen, parent_votes=[]), NOW) is None
    late = Enforcement(NOW + timedelta(hours=1), None)
    forged = view(status=VALIDATED, parent=parent, parent_votes=[rejection], enforcement=late)
    assert stop_running(forged, NOW) is None
