"""The gates before a claim. Each names what it refuses; the chain reads as the promise.

The whole order: cancelled, rejected, past a deadline, not a step of its workflow, invalid, policies that name different
runners, without a preview, refused by the preview, observe only, changed since it was shown, unapproved, too early,
suspended, leave lost, changed since it was approved, unsafe to repeat, halted, a policy that asks for what is not
carried out, protected, outside a window, in a freeze, over a limit, with a preview from before, with votes whose
voters were not asked about again. Every gate is checked again before each claim. Cancelling and deadlines come first:
nothing else may keep an object alive beyond them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from controller.api.names import Mode, Outcome, Phase, Reason, Transition
from controller.api.policy import DriftRule
from controller.api.proposal import ActionProposal
from controller.core.actors import suspender
from controller.core.approval_state import rejection, unapproved_yet
from controller.core.approval_view import approval_of, canceller_of, rejection_of
from controller.core.attempts import any_unclear, effect_made
from controller.core.decision import Gather
from controller.core.digest import digest, sha256
from controller.core.pace import frozen, outside_window, over_limit
from controller.core.proposal_validation import validation_faults
from controller.core.request import proposal_request, workflow_request
from controller.core.shown import all_changes, drift
from controller.core.steps import recorded_uids
from controller.core.verdicts import (
    WORKFLOW_KIND,
    Block,
    Fetch,
    Finish,
    Hold,
    Postpone,
    Renew,
    Verdict,
    faults_block,
    halt_block,
    no_leave,
    no_preview_now,
    policy_block,
    protected_block,
    refusal,
)
from controller.core.view import Fault, ProposalView, WorkflowView

OWNER_AGAIN = timedelta(seconds=30)

Gate = Callable[[ProposalView, datetime], Verdict | None]


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


def cancelled(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start what a person has cancelled, by itself or with its workflow."""
    by_parent = view.parent is not None and view.parent.spec.cancelled and not view.mends
    if not (view.proposal.spec.cancelled or by_parent):
        return None
    what = "its workflow was cancelled" if by_parent else "cancelled"
    return _ended(view, Finish(Outcome.CANCELLED, Reason.CANCELLED, what, Transition.CANCELLED, canceller_of(view)))


def rejected(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start what somebody has rejected, by itself or with its workflow."""
    vote = rejection_of(view, now)
    return _ended(view, rejection(vote)) if vote else None


def past_deadline(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start after a deadline: Expired before the first claim, Failed after it."""
    spec = view.proposal.spec
    latest_start = view.start_by
    if latest_start is not None and now >= latest_start:
        message = f"not started within startingDeadlineSeconds ({spec.starting_deadline_seconds} s)"
        return Finish(Outcome.EXPIRED, Reason.STARTING_DEADLINE_EXCEEDED, message, Transition.EXPIRED)
    if now < view.end:
        return None
    if not view.claimed:
        message = f"not started within activeDeadlineSeconds ({spec.active_deadline_seconds} s)"
        return Finish(Outcome.EXPIRED, Reason.DEADLINE_EXCEEDED, message, Transition.EXPIRED)
    message = f"not finished within activeDeadlineSeconds ({spec.active_deadline_seconds} s)"
    return _ended(view, Finish(Outcome.FAILED, Reason.DEADLINE_EXCEEDED, message, Transition.FAILED))


def invalid(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse what is wrong in itself, all faults named. Not asked again once it was found in order."""
    return None if view.validated else refuse(validation_faults(view), view, now)


def without_agreed_runner(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to choose where policies name different runners and the proposal names none."""
    if view.policy.conflict is None or view.runner is not None:
        return None
    return Block(Reason.POLICY_CONFLICT, "serviceAccountName", view.policy.conflict)


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


def observe_only(view: ProposalView, now: datetime) -> Verdict | None:
    """End with the preview where that is all that was asked for or allowed, at the first look."""
    spec, policy = view.proposal.spec, view.policy
    if spec.mode is Mode.DRY_RUN:
        return Finish(Outcome.OBSERVED, Reason.DRY_RUN, "dry run: nothing was changed", Transition.OBSERVED)
    if policy.mode is Mode.EXECUTE or view.validated or view.parent is not None:
        return None
    if policy.mode is None and now < view.grace_end:
        return Postpone(view.grace_end)
    return Finish(
        Outcome.OBSERVED, Reason.OBSERVE_ONLY, f"nothing was changed: {no_leave(policy)}", Transition.OBSERVED
    )


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


def too_early(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start before notBefore or before the next retry is due."""
    spec, status = view.proposal.spec, view.proposal.status
    if spec.not_before and now < spec.not_before:
        return Hold(
            Phase.SCHEDULED,
            Reason.SCHEDULED,
            f"starts at {spec.not_before:%Y-%m-%d %H:%M:%S} UTC",
            spec.not_before,
        )
    if status.next_retry_at and now < status.next_retry_at:
        return Hold(Phase.RETRYING, Reason.PROGRESSING_WITH_RETRY, status.message or "", status.next_retry_at)
    return None


def suspended(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while a person has suspended it, by itself or with its workflow."""
    if view.parent is not None and view.parent.spec.suspend:
        who = suspender(view.parent.metadata, view.world.enforcement)
        return Block(Reason.SUSPENDED, "suspend", f"ActionWorkflow {view.parent.metadata.name} is suspended", actor=who)
    if view.proposal.spec.suspend:
        who = suspender(view.proposal.metadata, view.world.enforcement)
        return Block(Reason.SUSPENDED, "suspend", "suspended; set spec.suspend to false to go on", actor=who)
    return None


def leave_lost(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start what was found in order once, but whose type, runner or leave is gone since."""
    if block := faults_block(validation_faults(view)):
        return block
    if view.policy.mode is not Mode.EXECUTE:
        return Block(Reason.OBSERVE_ONLY, "mode", no_leave(view.policy), view.policy.mode_from)
    return None


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


def unsafe_to_repeat(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to repeat what may have taken effect, where its type says no longer that this is safe."""
    if not any_unclear(view.proposal.status.attempts) or idempotent(view):
        return None
    message = (
        "an attempt may have taken effect, and its type, which changed since, does not let it be repeated; "
        "look at the target"
    )
    return Finish(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, message, Transition.OUTCOME_UNKNOWN)


def halted(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while any matching policy has its kill switch on."""
    return halt_block(view.policy)


def policy_unsupported(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start where a matching policy asks for what this operator does not carry out."""
    return policy_block(view.policy)


def protected(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to touch what a policy protects. Its labels are those that the previews up to the first claim see."""
    target = view.findings.preview.target if view.findings and view.findings.preview else None
    return protected_block(view.policy, view.proposal.metadata.namespace or "", target, now)


def outdated(view: ProposalView, now: datetime) -> Verdict | None:
    """Ask for a fresh preview right before the first claim; what it finds is pinned by the claim."""
    return Fetch(Gather.PREVIEW) if not view.claimed and view.findings is None else None


def unchecked(view: ProposalView, now: datetime) -> Verdict | None:
    """Ask, right before the first claim, whether those who approved still may."""
    if view.claimed or view.access is not None or not approval_of(view, now).required:
        return None
    return Fetch(Gather.ACCESS)


GATES: tuple[Gate, ...] = (
    cancelled,
    rejected,
    past_deadline,
    not_a_step,
    invalid,
    without_agreed_runner,
    unseen,
    refused_by_preview,
    observe_only,
    changed_since_shown,
    unapproved,
    too_early,
    suspended,
    leave_lost,
    changed_since_approved,
    unsafe_to_repeat,
    halted,
    policy_unsupported,
    protected,
    outside_window,
    frozen,
    over_limit,
    outdated,
    unchecked,
)

STILL: tuple[Gate, ...] = (leave_lost, changed_since_approved, policy_unsupported, outside_window, frozen)
"""What is asked once more after preconditions were waited for, beside cancelled, rejected, suspended and halted."""


def first_refusal(view: ProposalView, now: datetime) -> Verdict | None:
    """The verdict of the first gate that has one; None = it may start."""
    return next((verdict for gate in GATES if (verdict := gate(view, now))), None)


def idempotent(view: ProposalView) -> bool:
    """Whether a lost answer may be repeated, by the type and the parameters. Only for what is in order."""
    if view.type is None:
        return False
    traits = view.world.catalogue.executors.traits(view.type, view.proposal.spec.parameters)
    return view.type.type.spec.idempotent and traits.idempotent


def refuse(faults: list[Fault], view: ProposalView, now: datetime) -> Verdict | None:
    """The end, with all faults told; but nothing yet while all that is wrong may still arrive."""
    return refusal(faults, view.grace_end, now)


def workflow_owner(proposal: ActionProposal) -> str | None:
    """Name of the workflow it claims to be a step of."""
    owners = (ref.name for ref in proposal.metadata.owner_references if ref.kind == WORKFLOW_KIND)
    return next(owners, None) or proposal.metadata.labels.get("actionoperator.dev/workflow")


def _asked_for(workflow: WorkflowView) -> str | None:
    """The request digest of a workflow as things are now, None if there is none."""
    try:
        return sha256(workflow_request(workflow))
    except ValueError:
        return None


def _ended(view: ProposalView, otherwise: Finish) -> Finish:
    """How it ends between two attempts, by what the earlier ones left behind."""
    attempts = view.proposal.status.attempts
    if any_unclear(attempts):
        message = (
            f"{otherwise.message}, while it is not known whether an earlier attempt took effect; look at the target"
        )
        return Finish(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, message, Transition.OUTCOME_UNKNOWN)
    if otherwise.outcome is Outcome.FAILED and attempts and attempts[-1].reason is Reason.CANNOT_TELL:
        message = f"{otherwise.message}; {attempts[-1].message}"
        return Finish(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, message, Transition.OUTCOME_UNKNOWN)
    if otherwise.outcome in (Outcome.CANCELLED, Outcome.REJECTED) and effect_made(attempts):
        message = f"{otherwise.message} after its effect was made; status.undo says what puts things back"
        return Finish(Outcome.CANCELLED, Reason.EFFECT_MADE, message, Transition.CANCELLED, otherwise.actor)
    return otherwise
