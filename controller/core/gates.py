"""The gates before a claim. Each names what it refuses; the chain reads as the promise.

The whole order: cancelled, rejected, past a deadline, not a step of its workflow, invalid, policies that name different
runners, without a preview, refused by the preview, observe only, changed since it was shown, unapproved, too early,
suspended, leave lost, changed since it was approved, unsafe to repeat, halted, a policy that asks for what is not
carried out, protected, outside a window, in a freeze, over a limit, with a preview from before, with votes whose
voters were not asked about again. Every gate is checked again before each claim. Cancelling and deadlines come first:
nothing else may keep an object alive beyond them.
"""

from collections.abc import Callable
from datetime import datetime

from controller.core.approval_gates import changed_since_approved, changed_since_shown, unapproved, unchecked
from controller.core.ending_gates import cancelled, past_deadline, rejected, unsafe_to_repeat
from controller.core.leave_gates import halted, leave_lost, observe_only, policy_unsupported, suspended
from controller.core.pace import frozen, outside_window, over_limit, too_early
from controller.core.target_gates import outdated, protected, refused_by_preview, unseen
from controller.core.validation_gates import invalid, not_a_step, without_agreed_runner
from controller.core.verdicts import Verdict
from controller.core.view import ProposalView

Gate = Callable[[ProposalView, datetime], Verdict | None]

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
