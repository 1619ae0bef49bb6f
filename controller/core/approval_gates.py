"""The gates of approval: people have approved exactly what would run now, and still may."""

from datetime import datetime

from controller.api.names import Reason
from controller.api.policy import DriftRule
from controller.core.approval_state import unapproved_yet
from controller.core.approval_view import approval_of
from controller.core.decision import Gather
from controller.core.digest import digest, sha256
from controller.core.proposal_validation import validation_faults
from controller.core.request import proposal_request, workflow_request
from controller.core.shown import all_changes, drift
from controller.core.verdicts import Block, Fetch, Renew, Verdict
from controller.core.view import ProposalView, WorkflowView


def changed_since_shown(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start on approvals of something else: another type, runner or target than was shown."""
    status, entry = view.proposal.status, view.type
    if view.claimed or status.digest is None or entry is None or validation_faults(view):
        return None
    asked = approval_of(view, now)
    if not asked.required:
        return None
    request = sha256(proposal_request(view, entry))
    if view.findings is None:
        return Fetch(Gather.PREVIEW) if request != status.request_digest else None
    preview = view.findings.preview
    if preview is None:
        return None
    if request != status.request_digest:
        what = "its type, runner, timeout or retry is another than the one that was shown"
        return Renew(Reason.DIGEST_CHANGED, what)
    changes = all_changes(preview)
    if digest(request, changes) != status.digest and asked.rule.on_drift is DriftRule.REAPPROVE:
        before = status.preview.changes if status.preview else ()
        return Renew(Reason.DRIFTED, drift(before, changes))
    return None


def unapproved(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start before enough people have approved exactly this."""
    if view.claimed:
        return None
    return unapproved_yet(approval_of(view, now), now)


def changed_since_approved(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to go on, by a retry or the next step of a workflow, under approvals of other action types."""
    entry, parent = view.type, view.parent
    if view.claimed and view.proposal.status.approval and entry:
        if entry.digest == view.proposal.status.attempts[-1].type_digest:
            return None
        what = f"ActionType {view.proposal.spec.action} is another than the one that was approved"
    elif parent and parent.status.approval and parent.status.request_digest:
        if _asked_for(WorkflowView(parent, view.parent_spec, view.world, {})) == parent.status.request_digest:
            return None
        what = f"ActionWorkflow {parent.metadata.name} has other types, runners, timeouts or retries than were approved"
    else:
        return None
    return Block(Reason.DIGEST_CHANGED, "digest", f"{what}; put them back, or cancel it and propose it again")


def unchecked(view: ProposalView, now: datetime) -> Verdict | None:
    """Ask, right before the first claim, whether those who approved still may."""
    if view.claimed or view.access is not None or not approval_of(view, now).required:
        return None
    return Fetch(Gather.ACCESS)


def _asked_for(workflow: WorkflowView) -> str | None:
    """The request digest of a workflow as things are now, None if there is none."""
    try:
        return sha256(workflow_request(workflow))
    except ValueError:
        return None
