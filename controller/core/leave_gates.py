"""The gates of leave: policies let it run, no kill switch is on, and nobody has suspended it."""

from datetime import datetime

from controller.api.names import Mode, Outcome, Reason, Transition
from controller.api.workflow import ActionWorkflow
from controller.core.actors import suspender
from controller.core.approval_view import parent_rejection
from controller.core.deadlines import end_of
from controller.core.part import Part, part_of
from controller.core.proposal_validation import validation_faults
from controller.core.stopping import is_cancelled
from controller.core.verdicts import Block, Finish, Postpone, Verdict, faults_block, halt_block, no_leave, policy_block
from controller.core.view import ProposalView


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


def suspended(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while a person has suspended it, by itself or with its workflow."""
    parent = view.parent
    if parent is not None and parent.spec.suspend and not _tidies_up(view, parent, now):
        who, end = suspender(parent.metadata, view.world.enforcement), end_of(parent.spec, parent.metadata)
        message = f"ActionWorkflow {parent.metadata.name} is suspended"
        again_at = end if now < end else None  # what tidies up then starts all the same
        return Block(Reason.SUSPENDED, "suspend", message, actor=who, again_at=again_at)
    if view.proposal.spec.suspend:
        who = suspender(view.proposal.metadata, view.world.enforcement)
        return Block(Reason.SUSPENDED, "suspend", "suspended; set spec.suspend to false to go on", actor=who)
    return None


def _tidies_up(view: ProposalView, parent: ActionWorkflow, now: datetime) -> bool:
    """Whether it is a finally step of what was stopped for good: nobody will resume that, so it waits for nobody."""
    if part_of(view.proposal.metadata) is not Part.FINALLY:
        return False
    over = now >= end_of(parent.spec, parent.metadata)
    return over or is_cancelled(parent) or parent_rejection(view, now) is not None


def leave_lost(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start what was found in order once, but whose type, runner or leave is gone since."""
    if block := faults_block(validation_faults(view)):
        return block
    if view.policy.mode is not Mode.EXECUTE:
        return Block(Reason.OBSERVE_ONLY, "mode", no_leave(view.policy), view.policy.mode_from)
    return None


def halted(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while any matching policy has its kill switch on."""
    return halt_block(view.policy)


def policy_unsupported(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start where a matching policy asks for what this operator does not carry out."""
    return policy_block(view.policy)
