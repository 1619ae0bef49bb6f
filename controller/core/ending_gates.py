"""The gates that end an object for good before its next claim: a person, a deadline, or what nobody can repeat safely.

How it ends is told by what its earlier attempts left behind.
"""

from datetime import datetime

from controller.api.names import Outcome, Reason, Transition
from controller.core.approval_state import rejection
from controller.core.approval_view import canceller_of, rejection_of
from controller.core.attempts import any_unclear, effect_made
from controller.core.verdicts import Finish, Verdict
from controller.core.view import ProposalView


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


def unsafe_to_repeat(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to repeat what may have taken effect, where its type says no longer that this is safe."""
    if not any_unclear(view.proposal.status.attempts) or idempotent(view):
        return None
    message = (
        "an attempt may have taken effect, and its type, which changed since, does not let it be repeated; "
        "look at the target"
    )
    return Finish(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, message, Transition.OUTCOME_UNKNOWN)


def idempotent(view: ProposalView) -> bool:
    """Whether a lost answer may be repeated, by the type and the parameters. Only for what is in order."""
    if view.type is None:
        return False
    traits = view.world.catalogue.executors.traits(view.type, view.proposal.spec.parameters)
    return view.type.type.spec.idempotent and traits.idempotent


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
        message = f"{otherwise.message} after its effect was made; status.undo, if there is one, puts it back"
        return Finish(Outcome.CANCELLED, Reason.EFFECT_MADE, message, Transition.CANCELLED, otherwise.actor)
    return otherwise
