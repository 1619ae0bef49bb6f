"""The gates that look at the target: what would change is known and fresh, and the target may be touched."""

from datetime import datetime

from controller.core.decision import Gather
from controller.core.validation_gates import refuse
from controller.core.verdicts import Fetch, Verdict, no_preview_now, protected_block
from controller.core.view import ProposalView


def unseen(view: ProposalView, now: datetime) -> Verdict | None:
    """Ask for a preview where there is none yet."""
    if view.claimed or view.findings is not None or view.proposal.status.preview is not None:
        return None
    return Fetch(Gather.PREVIEW)


def refused_by_preview(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse what the dry run as the runner refuses: missing runner, right, target. Wait where it gives no answer."""
    if block := no_preview_now(view.findings, now):
        return block
    fault = view.findings.fault if view.findings else None
    return refuse([fault], view, now) if fault else None


def protected(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to touch what a policy protects. Its labels are those that the previews up to the first claim see."""
    target = view.findings.preview.target if view.findings and view.findings.preview else None
    return protected_block(view.policy, view.proposal.metadata.namespace or "", target, now)


def outdated(view: ProposalView, now: datetime) -> Verdict | None:
    """Ask for a fresh preview right before the first claim; what it finds is pinned by the claim."""
    return Fetch(Gather.PREVIEW) if not view.claimed and view.findings is None else None
