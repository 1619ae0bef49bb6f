"""The gates before a workflow's first step, in their order; those that also hold back later steps are named below."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from controller.api.common import Change
from controller.api.names import Mode, Outcome, Phase, Reason, Transition
from controller.api.policy import DriftRule
from controller.api.workflow import OnFailure, StepStatus
from controller.core.actors import suspender
from controller.core.approval_state import ApprovalState, rejection, unapproved_yet, workflow_approval
from controller.core.decision import Gather
from controller.core.digest import digest, sha256
from controller.core.earlier import taken_over
from controller.core.graph import step_path
from controller.core.policy import EffectivePolicy
from controller.core.ports import PreviewResult
from controller.core.request import workflow_request
from controller.core.shown import all_changes, drift
from controller.core.stopping import who_cancelled
from controller.core.verdicts import (
    Block,
    Fetch,
    Finish,
    Hold,
    Postpone,
    Renew,
    Verdict,
    faults_block,
    freeze_block,
    halt_block,
    no_leave,
    no_preview_now,
    policy_block,
    protected_block,
    refusal,
    window_block,
)
from controller.core.view import Fault, Findings, WorkflowView
from controller.core.workflow_validation import step_faults, workflow_faults

# What the dry run says about a later step may change by the steps before it; these faults do not.
_FINAL_PREVIEW_FAULTS = frozenset({Reason.RUNNER_MISSING, Reason.RIGHT_MISSING})

Gate = Callable[[WorkflowView, datetime], Verdict | None]


def cancelled(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start what a person has cancelled, or the next run of its schedule replaces."""
    if not view.cancelled:
        return None
    who = who_cancelled(view.workflow, view.world.enforcement, view.world.settings.actor)
    if not view.workflow.spec.cancelled:
        message = f"cancelled before its first step for the next run of its schedule, {view.replaced_by}"
        return Finish(Outcome.CANCELLED, Reason.REPLACED, message, Transition.CANCELLED, who)
    return Finish(Outcome.CANCELLED, Reason.CANCELLED, "cancelled before its first step", Transition.CANCELLED, who)


def rejected(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start what somebody has rejected."""
    vote = approval_of(view, now).rejection
    return rejection(vote) if vote else None


def past_deadline(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start after a deadline."""
    spec = view.workflow.spec
    start = view.start_by
    if start is not None and now >= start:
        message = f"not started within startingDeadlineSeconds ({spec.starting_deadline_seconds} s)"
        return Finish(Outcome.EXPIRED, Reason.STARTING_DEADLINE_EXCEEDED, message, Transition.EXPIRED)
    if now < view.end:
        return None
    message = f"not started within activeDeadlineSeconds ({spec.active_deadline_seconds} s)"
    return Finish(Outcome.EXPIRED, Reason.DEADLINE_EXCEEDED, message, Transition.EXPIRED)


def earlier_unread(view: WorkflowView, now: datetime) -> Verdict | None:
    """Ask for the workflow that this one retries."""
    return Fetch(Gather.EARLIER) if view.workflow.spec.retry_of is not None and view.earlier is None else None


def invalid(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse a workflow with any fault in any step, all of them named, before step one."""
    return None if validated(view) else refusal(list(workflow_faults(view)), view.grace_end, now)


def unasked(view: WorkflowView, now: datetime) -> Verdict | None:
    """Ask whether the requester may propose these actions and use this runner; for proposals admission asks.

    And whether whoever last edited its runbook may: else they would have another's run, or schedule, do it for them.
    Also where nothing proves who that is: then it is the least that whoever is named may.
    """
    return None if validated(view) or view.access is not None else Fetch(Gather.ACCESS)


def not_permitted(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse what the requester, or who wrote the runbook, may not ask for."""
    missing = view.access.missing if view.access and not validated(view) else ()
    faults = [Fault(Reason.NOT_PERMITTED, message, missing=True) for message in missing]
    return refusal(faults, view.grace_end, now)


def unseen(view: WorkflowView, now: datetime) -> Verdict | None:
    """Ask for a preview of all steps where there is none yet."""
    return Fetch(Gather.PREVIEW) if view.findings is None and not validated(view) else None


def refused_by_preview(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse where a runner or a right is missing; what a step before may still bring about is only a warning."""
    blocks = (no_preview_now(found, now) for found in (view.findings or {}).values())
    if block := next(filter(None, blocks), None):
        return block
    faults = [
        Fault(found.fault.reason, f"{step_path(name)}: {found.fault.message}", found.fault.missing)
        for name, found in (view.findings or {}).items()
        if found.fault and found.fault.reason in _FINAL_PREVIEW_FAULTS
    ]
    return refusal(faults, view.grace_end, now)


def observe_only(view: WorkflowView, now: datetime) -> Verdict | None:
    """End with the preview where that is all that was asked for or allowed, at the first look."""
    if view.workflow.spec.mode is Mode.DRY_RUN:
        return Finish(Outcome.OBSERVED, Reason.DRY_RUN, "dry run: nothing was changed", Transition.OBSERVED)
    policy = without_leave(view)
    if policy is None or validated(view):
        return None
    if policy.mode is None and now < view.grace_end:
        return Postpone(view.grace_end)
    return Finish(
        Outcome.OBSERVED, Reason.OBSERVE_ONLY, f"nothing was changed: {no_leave(policy)}", Transition.OBSERVED
    )


def changed_since_shown(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start on approvals of something else: other types, runners or targets than were shown."""
    status, asked = view.workflow.status, approval_of(view, now)
    if status.digest is None or not asked.required or next(workflow_faults(view), None):
        return None
    request = sha256(workflow_request(view))
    if view.findings is None:
        return Fetch(Gather.PREVIEW) if request != status.request_digest else None
    if request != status.request_digest:
        return Renew(Reason.DIGEST_CHANGED, "its types, runners, timeouts or retries are others than were shown")
    changes = all_changes(combined_preview(view))
    if digest(request, changes) != status.digest and asked.rule.on_drift is DriftRule.REAPPROVE:
        return Renew(Reason.DRIFTED, drift(status.preview.changes if status.preview else (), changes))
    return None


def unapproved(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start before enough people have approved exactly this; it covers every step."""
    return unapproved_yet(approval_of(view, now), now)


def too_early(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start before notBefore."""
    moment = view.workflow.spec.not_before
    if moment is None or now >= moment:
        return None
    return Hold(Phase.SCHEDULED, Reason.SCHEDULED, f"starts at {moment:%Y-%m-%d %H:%M:%S} UTC", moment)


def leave_lost(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start what was found in order once, but whose types or leave are gone since."""
    if block := faults_block([fault for step in view.definition.all for fault in step_faults(view, step)]):
        return block
    policy = without_leave(view)
    return Block(Reason.OBSERVE_ONLY, "mode", no_leave(policy), policy.mode_from) if policy else None


def suspended(view: WorkflowView, now: datetime) -> Block | None:
    """Refuse to start steps while a person has suspended the workflow."""
    if not view.workflow.spec.suspend:
        return None
    who = suspender(view.workflow.metadata, view.world.enforcement)
    return Block(Reason.SUSPENDED, "suspend", "suspended; set spec.suspend to false to go on", actor=who)


def halted(view: WorkflowView, now: datetime) -> Block | None:
    """Refuse to start steps while a policy that matches any of them has its kill switch on."""
    return next((block for policy in view.policies if (block := halt_block(policy))), None)


def policy_unsupported(view: WorkflowView, now: datetime) -> Block | None:
    """Refuse to start steps where a policy that matches any of them asks for what is not carried out."""
    return next((block for policy in view.policies if (block := policy_block(policy))), None)


def protected(view: WorkflowView, now: datetime) -> Verdict | None:
    """Refuse to start steps that will not be let at their target; its labels are looked at right before the start."""
    namespace = view.workflow.metadata.namespace or ""
    if view.findings is None and any(stated.rule.labels for policy in view.policies for stated in policy.protect):
        return Fetch(Gather.PREVIEW)
    for step in view.definition.all:
        found = (view.findings or {}).get(step.name)
        target = found.preview.target if found and found.preview else None
        if block := protected_block(view.policy_of(step.action), namespace, target, now):
            return replace(block, message=f"{step_path(step.name)}: {block.message}")
    return None


def outside_window(view: WorkflowView, now: datetime) -> Block | None:
    """Refuse to start what would come to a halt half way: each step needs an open window of its policies."""
    return window_block(view.policies, now)


def frozen(view: WorkflowView, now: datetime) -> Block | None:
    """Refuse to start while a policy that matches any of its steps freezes actions."""
    return freeze_block(view.policies, now)


def outdated(view: WorkflowView, now: datetime) -> Verdict | None:
    """Ask for a fresh preview right before the first step of what was approved."""
    return Fetch(Gather.PREVIEW) if view.findings is None and approval_of(view, now).required else None


def unchecked(view: WorkflowView, now: datetime) -> Verdict | None:
    """Ask, right before the first step, whether those who approved still may."""
    return Fetch(Gather.ACCESS) if view.access is None and approval_of(view, now).required else None


GATES: tuple[Gate, ...] = (
    cancelled,
    rejected,
    past_deadline,
    earlier_unread,
    invalid,
    unasked,
    not_permitted,
    unseen,
    refused_by_preview,
    observe_only,
    changed_since_shown,
    unapproved,
    too_early,
    suspended,
    leave_lost,
    halted,
    policy_unsupported,
    outside_window,
    frozen,
    protected,
    outdated,
    unchecked,
)

STEP_GATES = (suspended, halted, policy_unsupported)
"""Asked again before each later step. What holds back one step alone is for the gates of its own proposal."""


def step_block(view: WorkflowView, now: datetime) -> Block | None:
    """What holds back every further step."""
    return next((block for gate in STEP_GATES if (block := gate(view, now))), None)


def approval_of(view: WorkflowView, now: datetime) -> ApprovalState:
    """Where its approval stands."""
    revoked = view.access.revoked if view.access else ()
    return workflow_approval(view.workflow, view.votes, view.asked, view.world.enforcement, now, revoked)


def combined_preview(view: WorkflowView) -> PreviewResult:
    """What its steps would change, each as things are now."""
    kept = kept_steps(view)
    changes: list[Change] = []
    warnings: list[str] = []
    for step in view.definition.all:
        if step.name in kept:
            continue
        found = (view.findings or {}).get(step.name, Findings())
        if found.preview:
            changes += found.preview.changes
            warnings += [f"{step.name}: {warning}" for warning in found.preview.warnings]
        if found.fault:
            warnings.append(f"{step.name}: no preview as things are now: {found.fault.message}")
        if step.computed:
            paths = ", ".join(one.path for one in step.computed)
            warnings.append(f"{step.name}: no preview, for {paths} is computed when it starts")
    if kept:
        warnings.append(f"{', '.join(kept)}: succeeded in the workflow that this one retries, not run again")
    warnings += _no_way_back(view)
    count = len(view.definition.all)
    return PreviewResult(f"{count} steps, {len(changes)} changes", tuple(changes), tuple(warnings))


def kept_steps(view: WorkflowView) -> Mapping[str, StepStatus]:
    """The steps that are taken over from the workflow that this one retries."""
    return taken_over(view.workflow, view.definition.steps, view.earlier.workflow if view.earlier else None)


def _no_way_back(view: WorkflowView) -> Iterator[str]:
    """What would stay as it is in a rollback."""
    if view.definition.on_failure is OnFailure.ROLLBACK:
        catalogue = view.world.catalogue
        left = [s.name for s in view.definition.steps if s.undo is None and not catalogue.inverses(s.action)]
        if left:
            yield f"a rollback cannot take back {', '.join(left)}: nothing undoes these actions"


def without_leave(view: WorkflowView) -> EffectivePolicy | None:
    """The policy of the first action that may not run."""
    return next((policy for policy in view.policies if policy.mode is not Mode.EXECUTE), None)


def validated(view: WorkflowView) -> bool:
    """Whether Validated=True was once written."""
    return view.workflow.status.digest is not None


def first_refusal(view: WorkflowView, now: datetime) -> Verdict | None:
    """The verdict of the first gate that has one; None = its first steps may start."""
    return next((verdict for gate in GATES if (verdict := gate(view, now))), None)
