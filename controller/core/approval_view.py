"""Where the approval of a proposal stands as its view shows it, and who rejected or cancelled it."""

from datetime import datetime

from controller.api.common import Vote
from controller.core.actors import canceller
from controller.core.approval_state import ApprovalState, approval_state, workflow_approval
from controller.core.approvals import ApprovalRule, Request
from controller.core.stopping import who_cancelled
from controller.core.view import ProposalView


def approval_of(view: ProposalView, now: datetime) -> ApprovalState:
    """Where its approval stands."""
    metadata, spec, status = view.proposal.metadata, view.proposal.spec, view.proposal.status
    request = Request(
        kind=view.proposal.kind,
        namespace=metadata.namespace or "",
        name=metadata.name,
        uid=metadata.uid,
        digest=status.digest,
        actions=frozenset({spec.action}),
        requester=view.asker,
        not_before=spec.not_before,
        question=view.question,
    )
    revoked = view.access.revoked if view.access else ()
    return approval_state(request, view.votes, view.asked, status.approval, view.world.enforcement, now, revoked)


def rejection_of(view: ProposalView, now: datetime) -> Vote | None:
    """Who rejected it or its workflow."""
    own = approval_of(view, now).rejection
    return own if own or view.mends else parent_rejection(view, now)


def parent_rejection(view: ProposalView, now: datetime) -> Vote | None:
    """Who rejected its workflow."""
    if view.parent is None or not view.parent_votes:
        return None
    return workflow_approval(view.parent, view.parent_votes, ApprovalRule(), view.world.enforcement, now).rejection


def canceller_of(view: ProposalView) -> str:
    """Who cancelled it or its workflow."""
    if view.proposal.spec.cancelled or view.parent is None:
        return canceller(view.proposal.metadata, view.world.enforcement)
    return who_cancelled(view.parent, view.world.enforcement, view.world.settings.actor)
