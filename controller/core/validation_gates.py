"""The gates of validation: it is what it says to be, and in order. Neither a preview nor leave is needed to tell."""

from datetime import datetime, timedelta

from controller.api.names import Outcome, Reason, Transition
from controller.api.proposal import ActionProposal
from controller.core.proposal_validation import validation_faults
from controller.core.steps import WORKFLOW_LABEL, recorded_uids
from controller.core.verdicts import WORKFLOW_KIND, Block, Finish, Postpone, Verdict, refusal
from controller.core.view import Fault, ProposalView

OWNER_AGAIN = timedelta(seconds=30)


def not_a_step(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse a proposal that claims to belong to a workflow which does not list its uid."""
    owner = workflow_owner(view.proposal)
    if owner is None:
        return None
    listed = view.parent is not None and view.proposal.metadata.uid in recorded_uids(view.parent)
    if listed:
        return None
    grace = view.grace_end
    if now < grace:
        return Postpone(grace)
    if view.parent is None and not view.claimed:
        message = f"its ActionWorkflow {owner} is finished or gone and never started it"
        return Finish(Outcome.CANCELLED, Reason.NOT_A_STEP, message, Transition.CANCELLED)
    message = f"ActionWorkflow {owner} does not list this proposal as its step; delete it"
    return Block(Reason.NOT_A_STEP, "workflow", message, again_at=now + OWNER_AGAIN)


def invalid(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse what is wrong in itself, all faults named. Not asked again once it was found in order."""
    return None if view.validated else refuse(validation_faults(view), view, now)


def without_agreed_runner(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to choose where policies name different runners and the proposal names none."""
    if view.policy.conflict is None or view.runner is not None:
        return None
    return Block(Reason.POLICY_CONFLICT, "serviceAccountName", view.policy.conflict)


def refuse(faults: list[Fault], view: ProposalView, now: datetime) -> Verdict | None:
    """The end, with all faults told; but nothing yet while all that is wrong may still arrive."""
    return refusal(faults, view.grace_end, now)


def workflow_owner(proposal: ActionProposal) -> str | None:
    """Name of the workflow it claims to be a step of."""
    owners = (ref.name for ref in proposal.metadata.owner_references if ref.kind == WORKFLOW_KIND)
    return next(owners, None) or proposal.metadata.labels.get(WORKFLOW_LABEL)
