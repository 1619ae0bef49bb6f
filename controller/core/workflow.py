"""The decision about one workflow: before its first step, between steps, at its end."""

from collections.abc import Sequence
from datetime import datetime

from controller.api.names import Mode, Outcome, Phase, Reason, StepOutcome, Transition
from controller.api.workflow import StepStatus, WorkflowStatus
from controller.core.actors import canceller, requester
from controller.core.approval_state import void, with_approval
from controller.core.decision import Decision
from controller.core.digest import digest, sha256
from controller.core.lifecycle import Moment, blocked, effective_mode, ended, in_order, proposed, refused, waiting
from controller.core.progress import progress, unread
from controller.core.request import workflow_request
from controller.core.shown import all_changes, preview_status
from controller.core.status import Standing, note
from controller.core.steps import by_name, started, succeeded
from controller.core.verdicts import Block, Fetch, Finish, Hold, Postpone, Renew
from controller.core.view import WorkflowView
from controller.core.workflow_gates import (
    approval_of,
    combined_preview,
    first_refusal,
    validated,
    without_leave,
)

MAX_NAMES_TOLD = 10


def decide(view: WorkflowView, now: datetime) -> Decision[WorkflowStatus]:
    """What to do about the workflow now. Deciding twice at one instant gives the same."""
    status = view.workflow.status
    if status.outcome is not None or view.workflow.metadata.deletion_timestamp is not None:
        return Decision()
    if any(started(step) for step in status.steps):
        return _go_on(view, now)
    match first_refusal(view, now):
        case None:
            return _go_on(view, now)
        case Fetch(what):
            return Decision(gather=what)
        case Postpone(until):
            return Decision(wake_at=until)
        case Renew(reason, message):
            anew = _with_preview(view, status, now)
            return Decision(void(anew, reason, message, _moment(view, now)), wake_at=now)
        case Finish() as finish:
            seen = _proposed(view, now) if finish.transition is Transition.VALIDATION_FAILED else _seen(view, now)
            return Decision(refused(seen, finish, _moment(view, now)))
        case Hold(phase, reason, message, until):
            waiting = _wait(view, Standing(phase, reason, message), now)
            return Decision(waiting, wake_at=min(until, view.next_deadline))
        case Block() as block:
            wake_at = block.wake_at(view.next_deadline, now)
            return Decision(_wait(view, blocked(block), now), wake_at=wake_at)


def _go_on(view: WorkflowView, now: datetime) -> Decision[WorkflowStatus]:
    if missing := unread(view):
        return Decision(read=missing)
    look = progress(view, now)
    if look.create:
        return Decision(create=look.create)
    status = _told(view, _seen(view, now), look.steps, now)
    if look.over:
        return Decision(_end(view, status, now))
    end = view.end
    until = end if now < end else None  # past it, the steps that still run end by themselves
    if look.goes_on:
        until = now
    if look.block:
        until = min(filter(None, (until, look.block.until, look.block.again_at)), default=None)
    standing = blocked(look.block) if look.block and not look.running else _standing(look.steps, look.running)
    return Decision(waiting(view.workflow.status, status, standing, _moment(view, now)), wake_at=until)


def _told(view: WorkflowView, status: WorkflowStatus, steps: tuple[StepStatus, ...], now: datetime) -> WorkflowStatus:
    """The status with the steps, their sums, and a history line for each that ended."""
    actor = view.world.settings.actor
    before = by_name(status.steps)
    if not any(map(started, status.steps)) and any(map(started, steps)):
        message = f"{view.workflow.spec.description} ({len(steps)} steps)"
        status = note(status, Transition.WORKFLOW_CREATED, message, actor=actor, at=now)
    ended = [step for step in steps if step.outcome and not (step.name in before and before[step.name].outcome)]
    for step in ended:
        if step.outcome is not StepOutcome.SKIPPED:
            message = f"{step.name}: {step.outcome}" + (f": {step.message}" if step.message else "")
            status = note(status, Transition.STEP_FINISHED, message, actor=actor, at=now)
    skipped = [step for step in ended if step.outcome is StepOutcome.SKIPPED]
    if skipped:
        message = f"{_names(skipped)}: skipped, {skipped[0].message}"
        status = note(status, Transition.STEP_SKIPPED, message, actor=actor, at=now)
    retries = [step.next_retry_at for step in steps if step.next_retry_at and not step.outcome]
    return status.model_copy(
        update={
            "steps": steps,
            "progress": f"{sum(1 for step in steps if step.outcome)}/{len(steps)}",
            "retry_count": sum(step.retry_count or 0 for step in steps) or None,
            "next_retry_at": min(retries, default=None),
            "started_at": status.started_at or (now if any(map(started, steps)) else None),
        }
    )


def _standing(steps: Sequence[StepStatus], running: Sequence[StepStatus]) -> Standing:
    done = sum(1 for step in steps if step.outcome)
    retrying = [step for step in running if step.next_retry_at]
    message = f"{done} of {len(steps)} steps ended; running: {_names(running)}"
    if running and len(retrying) == len(running):
        message = f"{done} of {len(steps)} steps ended; {_names(retrying)} will be tried again: {retrying[0].message}"
        return Standing(Phase.RETRYING, Reason.PROGRESSING_WITH_RETRY, message)
    return Standing(Phase.RUNNING, Reason.PROGRESSING, message)


def _end(view: WorkflowView, status: WorkflowStatus, now: datetime) -> WorkflowStatus:
    steps = status.steps
    unknown = [step for step in steps if step.outcome is StepOutcome.UNKNOWN]
    failed = [step for step in steps if not succeeded(step) and step.outcome is not StepOutcome.SKIPPED]
    missing = [step for step in steps if not succeeded(step)]
    rejected_by, actor = approval_of(view, now).rejection, None
    if unknown:
        message = f"it is not known what became of {_names(unknown)}: {unknown[0].message}"
        outcome, reason = Outcome.UNKNOWN, Reason.STEP_UNKNOWN
    elif not missing:
        outcome, reason, message = Outcome.SUCCEEDED, Reason.SUCCEEDED, f"all {len(steps)} steps succeeded"
    elif view.workflow.spec.cancelled or rejected_by:
        actor = rejected_by.username if rejected_by else canceller(view.workflow.metadata, view.world.enforcement)
        what = "rejected" if rejected_by else "cancelled"
        message = f"{what}; {len(steps) - len(missing)} of {len(steps)} steps had succeeded"
        outcome, reason = Outcome.CANCELLED, Reason.CANCELLED
    elif now >= view.end:
        message = f"not finished within activeDeadlineSeconds ({view.workflow.spec.active_deadline_seconds} s)"
        outcome, reason = Outcome.FAILED, Reason.DEADLINE_EXCEEDED
    else:
        message = f"{_names(failed)} did not succeed: {failed[0].message}"
        outcome, reason = Outcome.FAILED, Reason.STEP_FAILED
    return ended(status, outcome, reason, message, _moment(view, now), actor=actor)


def _wait(view: WorkflowView, standing: Standing, now: datetime) -> WorkflowStatus:
    return waiting(view.workflow.status, _seen(view, now), standing, _moment(view, now))


def _proposed(view: WorkflowView, now: datetime) -> WorkflowStatus:
    spec, metadata = view.workflow.spec, view.workflow.metadata
    who = requester(spec.requested_by, metadata, view.world.enforcement)
    return proposed(view.workflow.status, spec, who, _moment(view, now))


def _seen(view: WorkflowView, now: datetime) -> WorkflowStatus:
    """The status with what was found out before the first step: Proposed, Validated, preview, digests, approval."""
    status = _proposed(view, now)
    if any(map(started, status.steps)):
        return status
    if not validated(view) and view.findings is not None:
        if any(found.unavailable for found in view.findings.values()):
            return status
        status = in_order(_with_preview(view, status, now), _moment(view, now))
    if status.digest is None or status.mode is not Mode.EXECUTE:
        return status
    return with_approval(status, approval_of(view, now), generation=view.workflow.metadata.generation, now=now)


def _with_preview(view: WorkflowView, status: WorkflowStatus, now: datetime) -> WorkflowStatus:
    spec, types = view.workflow.spec, view.world.catalogue.types
    request = sha256(workflow_request(view))
    result = combined_preview(view)
    preview = preview_status(result, now)
    risks = [types[action].type.spec.risk for action in spec.actions if action in types]
    return status.model_copy(
        update={
            "preview": preview,
            "request_digest": request,
            "digest": digest(request, all_changes(result)),
            "risk": max(risks, key=lambda risk: risk.rank, default=None),
            "mode": effective_mode(spec.mode, Mode.OBSERVE if without_leave(view) else Mode.EXECUTE),
        }
    )


def _moment(view: WorkflowView, now: datetime) -> Moment:
    return Moment(now, view.workflow.metadata.generation, view.world.settings.actor)


def _names(steps: Sequence[StepStatus]) -> str:
    listed = ", ".join(step.name for step in steps[:MAX_NAMES_TOLD])
    return listed + (f" and {len(steps) - MAX_NAMES_TOLD} more" if len(steps) > MAX_NAMES_TOLD else "")
