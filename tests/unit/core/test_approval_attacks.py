"""Ways around the approvals that were found by looking for them: each was open once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.core.making import (
    CHANCE,
    EXECUTE,
    LOG,
    NOW,
    PROVEN,
    SEEN,
    SHIPPED,
    SHIPPED_TYPES,
    UID,
    VALIDATED,
    WORKFLOW_UID,
    on_digest,
    type_entry,
    view,
    vote,
    with_status,
    workflow,
    workflow_view,
)

from controller.api.approval import ActionApproval
from controller.api.common import Change
from controller.api.names import AttemptResult, Outcome, Phase, Reason
from controller.api.workflow import ActionWorkflow
from controller.core.decision import Decision, Gather
from controller.core.digest import sha256
from controller.core.enforcement import Enforcement
from controller.core.ports import Json, PreviewResult
from controller.core.proposal import decide, stop_running
from controller.core.request import workflow_request
from controller.core.view import Access, Findings, ProposalView
from controller.core.workflow_gates import approval_of as workflow_approval_of

ALICE: Json = {"requestedBy": {"username": "alice"}}
ASKS: Json = {**EXECUTE, "approval": {"required": 1}}
SWAPPED = [type_entry(name, description="does something else") for name in SHIPPED]
OWNED: Json = {
    "ownerReferences": [
        {"apiVersion": "x/v1", "kind": "ActionWorkflow", "name": "roll-out", "uid": WORKFLOW_UID, "controller": True}
    ]
}


def decided(seen: ProposalView, moment: datetime = NOW) -> Decision[Any]:
    """The decision with all that it asks for gathered; nobody's right is gone, but for what the view says."""
    for _ in range(4):
        decision = decide(seen, moment, CHANCE)
        match decision.gather:
            case Gather.PREVIEW:
                seen = replace(seen, findings=SEEN)
            case Gather.ACCESS:
                seen = replace(seen, access=Access())
            case _:
                return decision
    raise AssertionError("asks again and again")


def waiting(*, enforcement: Enforcement = PROVEN, policies: Sequence[Json] = (ASKS,), spec: Json = ALICE) -> Any:
    fresh = view(spec, policies=policies, enforcement=enforcement)
    status = decided(fresh).status
    assert status is not None
    return with_status(fresh, status, findings=None)


def voted(seen: ProposalView, *votes: ActionApproval) -> ProposalView:
    return replace(seen, votes=[on_digest(one, seen.proposal.status.digest) for one in votes])


def elsewhere(cast: ActionApproval) -> ActionApproval:
    """The same vote, made in another namespace, where the voter may well have the right."""
    return cast.model_copy(update={"metadata": cast.metadata.model_copy(update={"namespace": "other"})})


# -- another namespace -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["Approve", "Reject"])
def test_a_vote_made_in_another_namespace_says_nothing_here(decision: str) -> None:
    seen = voted(waiting(), elsewhere(vote("mallory", decision=decision)))
    found = decided(seen)
    assert found.act is None
    assert found.status is None or found.status.outcome is None
    assert found.status is None or found.status.approval.have == 0


def test_a_rejection_made_in_another_namespace_stops_no_step_of_a_workflow() -> None:
    about = {"kind": "ActionWorkflow", "name": "roll-out", "uid": WORKFLOW_UID}
    parent, _ = workflow({}, {"steps": [{"name": "one", "proposal": "scale-checkout", "uid": UID}]})
    cast = vote("mallory", subject=about, decision="Reject", actions=["log-message"])
    seen = view(status=VALIDATED, parent=parent, parent_votes=[cast], enforcement=PROVEN)
    assert stop_running(seen, NOW) is not None
    assert stop_running(replace(seen, parent_votes=[elsewhere(cast)]), NOW) is None


# -- a rejection without leave -----------------------------------------------------------------------------------------

GRANTED = [f"granted-{number}" for number in range(8)]
"""What admission asked about; it asks about no more than eight."""


@pytest.mark.parametrize("actions", [["log-message"], [*GRANTED, "scale-workload"]], ids=["another", "the ninth"])
def test_who_may_not_vote_on_the_action_cannot_reject_it(actions: Sequence[str]) -> None:
    cast = vote("mallory", decision="Reject", actions=actions)
    found = decided(voted(waiting(), cast))
    assert found.status is None or found.status.outcome is None
    assert decided(voted(waiting(), vote("bob"), cast)).act is not None


@pytest.mark.parametrize("actions", [["scale-workload"], [*GRANTED[:7], "scale-workload"]], ids=["first", "eighth"])
def test_who_may_vote_on_it_can(actions: Sequence[str]) -> None:
    found = decided(voted(waiting(), vote("bob"), vote("carol", decision="Reject", actions=actions)))
    assert found.status.outcome is Outcome.REJECTED


# -- who asked is not proven -------------------------------------------------------------------------------------------


def test_who_asked_before_the_identity_policies_were_in_force_may_be_anybody() -> None:
    """The requester named another in `requestedBy` while nothing compared it, and now approves."""
    late = Enforcement(NOW - timedelta(minutes=2), None)
    forged: Json = {"requestedBy": {"username": "somebody-else"}}
    seen = voted(waiting(spec=forged, enforcement=late), vote("alice"))
    found = decided(seen)
    assert found.act is None
    (condition,) = (c for c in found.status.conditions if c.type == "Approved")
    assert (condition.status, condition.reason) == ("False", Reason.IDENTITY_NOT_ENFORCED)
    assert "propose it again" in condition.message
    nobody = voted(waiting(spec={}, enforcement=late), vote("alice"))
    assert decided(nobody).act is None


def test_where_own_votes_count_it_does_not_matter_who_asked() -> None:
    late = Enforcement(NOW - timedelta(minutes=2), None)
    policies = [{**EXECUTE, "approval": {"required": 1, "allowSelf": True}}]
    assert decided(voted(waiting(enforcement=late, policies=policies), vote("alice"))).act is not None


BY_NAME: Json = {"match": {"requesters": ["alice"]}}


def test_a_policy_that_names_the_requester_lets_nobody_vote_for_himself_whose_name_is_not_proven() -> None:
    late = Enforcement(NOW - timedelta(minutes=2), None)
    policies = [ASKS, {**BY_NAME, "approval": {"allowSelf": True}}]
    for enforcement, counts in ((PROVEN, True), (late, False)):
        seen = voted(waiting(enforcement=enforcement, policies=policies), vote("alice"))
        assert (decided(seen).act is not None) is counts, "who says to be alice may be bob, or the other way round"
        assert waiting(enforcement=enforcement, policies=policies).proposal.status.approval.allow_self is counts


def test_nor_lets_it_a_changed_target_go_on_or_a_vote_last_longer() -> None:
    late = Enforcement(NOW - timedelta(minutes=2), None)
    gives = {**BY_NAME, "approval": {"onDrift": "Proceed", "validSeconds": 10**6, "requestTimeoutSeconds": 10**6}}
    for enforcement, proven in ((PROVEN, True), (late, False)):
        noted = waiting(enforcement=enforcement, policies=[ASKS, gives]).proposal.status.approval
        assert noted.on_drift == ("Proceed" if proven else "Reapprove")
        day = 86_400
        assert {noted.valid_seconds, noted.request_timeout_seconds} == {10**6 if proven else day}


def test_but_it_restricts_whoever_says_to_be_it() -> None:
    late = Enforcement(NOW - timedelta(minutes=2), None)
    gives = {"required": 1, "allowSelf": True, "onDrift": "Proceed", "validSeconds": 10**6}
    strict = {**BY_NAME, "approval": {"allowSelf": False, "onDrift": "Reapprove", "validSeconds": 10**5}}
    noted = waiting(enforcement=late, policies=[{**EXECUTE, "approval": gives}, strict]).proposal.status.approval
    assert (noted.allow_self, noted.on_drift, noted.valid_seconds) == (False, "Reapprove", 10**5)


def test_who_asked_before_that_may_be_a_machine() -> None:
    policies = [{**EXECUTE, "approval": {"required": 0, "requiredFromMachines": 2}}]
    late = Enforcement(NOW - timedelta(minutes=2), None)
    assert decided(view(ALICE, policies=policies, enforcement=PROVEN)).act is not None
    assert waiting(enforcement=late, policies=policies).proposal.status.approval.required == 2


def test_of_a_workflow_too() -> None:
    late = Enforcement(NOW - timedelta(minutes=2), None)
    about = {"kind": "ActionWorkflow", "name": "roll-out", "uid": WORKFLOW_UID}
    for enforcement, counts in ((PROVEN, True), (late, False)):
        seen = workflow_view(ALICE, VALIDATED, policies=[ASKS], enforcement=enforcement)
        seen = replace(seen, votes=[vote("bob", subject=about, actions=["log-message"])])
        assert bool(workflow_approval_of(seen, NOW).tally.approvals) is counts


# -- the right of one vote is not that of another ----------------------------------------------------------------------


def test_a_right_that_one_vote_shows_says_nothing_of_another_vote_of_the_same_name() -> None:
    """The group that gave the right to the first is gone from RBAC; the second was cast without that group."""
    policies = [{**EXECUTE, "approval": {"required": 1, "groups": ["sre"]}}]
    seen = voted(waiting(policies=policies), vote("bob", name="first", groups=["sre"]), vote("bob", name="second"))
    found = decide(replace(seen, findings=SEEN, access=Access(revoked=frozenset({"uid-first"}))), NOW, CHANCE)
    assert found.act is None
    found = decide(replace(seen, findings=SEEN, access=Access(revoked=frozenset({"uid-second"}))), NOW, CHANCE)
    assert found.act is not None


# -- another type under an old approval --------------------------------------------------------------------------------


def approved_and_claimed() -> ProposalView:
    decision = decided(voted(waiting(), vote("bob")))
    assert decision.act is not None
    status = decision.status
    how = {"result": AttemptResult.INTERRUPTED, "finished_at": NOW, "reason": Reason.HALTED}
    ended = status.attempts[-1].model_copy(update=how)
    return with_status(waiting(), status.model_copy(update={"attempts": (ended,)}), findings=None)


def test_a_type_that_is_swapped_after_the_first_claim_does_not_run_under_the_old_approval() -> None:
    seen = approved_and_claimed()
    assert decided(seen).act is not None
    world = replace(
        seen.world, catalogue=replace(seen.world.catalogue, types={e.type.metadata.name: e for e in SWAPPED})
    )
    found = decided(replace(seen, world=world))
    assert found.act is None
    assert found.status.phase is Phase.BLOCKED
    assert "another than the one that was approved" in found.status.message


def parent_of(approved: bool) -> tuple[ActionWorkflow, Json]:
    """A workflow that was approved, and whose first step is the proposal."""
    shown = workflow_view(ALICE, steps=[{"name": "one"}], policies=[ASKS], enforcement=PROVEN)
    progress = waiting().proposal.status.approval.wire() if approved else None
    status = {
        "steps": [{"name": "one", "proposal": "scale-checkout", "uid": UID}],
        "requestDigest": sha256(workflow_request(shown)),
        "digest": sha256("shown"),
        **({"approval": progress} if progress else {}),
    }
    return workflow(ALICE, status, steps=[{"name": "one"}])


@pytest.mark.parametrize(("swapped", "approved", "starts"), [
    pytest.param(False, True, True, id="as approved"),
    pytest.param(True, True, False, id="swapped"),
    pytest.param(True, False, True, id="swapped, nobody was asked"),
])  # fmt: skip
def test_a_type_that_is_swapped_while_a_workflow_runs_does_not_run_under_its_approval(
    swapped: bool, approved: bool, starts: bool
) -> None:
    parent, raw = parent_of(approved)
    step = view(
        {**LOG, **ALICE, "serviceAccountName": None}, metadata=OWNED, parent=parent, policies=[ASKS],
        enforcement=PROVEN, types=SWAPPED if swapped else SHIPPED_TYPES,
    )  # fmt: skip
    found = decided(replace(step, parent_spec=raw))
    assert (found.act is not None) is starts
    if not starts:
        assert found.status.phase is Phase.BLOCKED
        assert "than were approved" in found.status.message


# -- drift beyond what status holds ------------------------------------------------------------------------------------


def many(last: int) -> Findings:
    changes = [Change(target=f"Deployment shop/d{n}", path="spec.replicas", before=1, after=2) for n in range(70)]
    return Findings(PreviewResult("70 changes", (*changes, changes[0].model_copy(update={"before": last}))))


def test_what_drifts_beyond_what_status_can_hold_is_seen() -> None:
    fresh = view(ALICE, policies=[ASKS], enforcement=PROVEN, findings=many(1))
    status = decide(fresh, NOW, CHANCE).status
    assert status is not None
    assert status.preview is not None
    assert len(status.preview.changes) == 64
    seen = replace(voted(with_status(fresh, status), vote("bob")), access=Access())
    assert decide(seen, NOW, CHANCE).act is not None
    found = decide(replace(seen, findings=many(5)), NOW, CHANCE)
    assert found.act is None
    assert found.status is not None
    assert next(c for c in found.status.conditions if c.type == "Approved").reason is Reason.DRIFTED
