"""The decision about one workflow: before its first step, between steps, at its end."""

from collections.abc import Sequence
from datetime import datetime

from controller.api.names import Mode, Transition
from controller.api.workflow import PinnedRunbook, StepStatus, WorkflowStatus
from controller.core.actors import requester
from controller.core.advance import Look, advance
from controller.core.approval_state import void, with_approval
from controller.core.decision import Decision
from controller.core.digest import digest, sha256
from controller.core.lifecycle import Moment, blocked, effective_mode, in_order, proposed, refused, waiting
from controller.core.part import Part
from controller.core.request import workflow_request
from controller.core.rollback import next_to_take_back, roll_back, under_way
from controller.core.runbook import pin
from controller.core.shown import all_changes, preview_status
from controller.core.status import Standing
from controller.core.steps import mirrored, mirrored_undo, running, started
from controller.core.verdicts import Block, Fetch, Finish, Hold, Postpone, Renew
from controller.core.view import WorkflowView
from controller.core.workflow_gates import (
    approval_of,
    combined_preview,
    first_refusal,
    kept_steps,
    validated,
    without_leave,
)
from controller.core.workflow_progress import end, ended, progress, told, why_not_back, why_nothing_new


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
    old = view.workflow.status
    steps = old.steps or _first_steps(view)
    if unread := _unread(view, steps):
        return Decision(read=unread)
    steps = tuple(_mirrored(view, step) for step in steps)
    look = _look(view, steps, now)
    if look.read or look.create:
        return Decision(read=look.read, create=look.create)
    status = told(view, _seen(view, now), look.steps, now)
    if all(step.outcome for step in look.steps) and not look.block and not under_way(look.steps):
        return Decision(end(view, status, now))
    active = [step for step in look.steps if running(step)]
    end_at = view.end
    until = end_at if now < end_at else None  # past it, the steps that still run end by themselves
    if ended(look.steps) > ended(steps):
        until = now  # one ended where it was to start: what follows from that is due at once
    if look.block:
        until = min(filter(None, (until, look.block.until, look.block.again_at)), default=None)
    held = look.block and not active and not under_way(look.steps)
    standing = blocked(look.block) if look.block and held else progress(look.steps)
    return Decision(waiting(old, status, standing, _moment(view, now)), wake_at=until)


def _first_steps(view: WorkflowView) -> tuple[StepStatus, ...]:
    kept = kept_steps(view)
    return tuple(kept.get(step.name) or StepStatus(name=step.name) for step in view.definition.all)


def _look(view: WorkflowView, steps: tuple[StepStatus, ...], now: datetime) -> Look:
    """The steps, then what takes them back if that is wanted, then what runs in any case."""
    look = advance(view, Part.STEP, steps, now, why_nothing_new(view, steps, now))
    if look.unfinished or not all(step.outcome for step in look.steps if step.name in view.definition.main):
        return look
    look = roll_back(view, look.steps, now, why_not_back(view, now))
    if look.unfinished or under_way(look.steps) or next_to_take_back(view, look.steps, why_not_back(view, now)):
        return look
    return advance(view, Part.FINALLY, look.steps, now)


def _unread(view: WorkflowView, steps: Sequence[StepStatus]) -> frozenset[str]:
    """The recorded proposals under way of which nothing is known: they are not live any more."""
    recorded = [step.proposal for step in steps if step.proposal and step.outcome is None]
    backs = [step.rollback for step in steps if step.rollback]
    recorded += [back.proposal for back in backs if back.proposal and back.outcome is None]
    return frozenset(name for name in recorded if name not in view.children)


def _mirrored(view: WorkflowView, step: StepStatus) -> StepStatus:
    if step.proposal and step.outcome is None:
        step = mirrored(step, view.children[step.proposal])
    back = step.rollback
    if back and back.proposal and back.outcome is None:
        step = step.model_copy(update={"rollback": mirrored_undo(back, view.children[back.proposal])})
    return step


def _wait(view: WorkflowView, standing: Standing, now: datetime) -> WorkflowStatus:
    return waiting(view.workflow.status, _seen(view, now), standing, _moment(view, now))


def _proposed(view: WorkflowView, now: datetime) -> WorkflowStatus:
    spec, metadata = view.workflow.spec, view.workflow.metadata
    who = requester(spec.requested_by, metadata, view.world.enforcement)
    status = proposed(view.workflow.status, spec, who, _moment(view, now))
    return status.model_copy(update={"replaced_by": view.replaced_by})


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
    risks = [types[action].type.spec.risk for action in view.actions if action in types]
    return status.model_copy(
        update={
            "runbook": _pinned(view),
            "preview": preview,
            "request_digest": request,
            "digest": digest(request, all_changes(result)),
            "actions": view.actions,
            "risk": max(risks, key=lambda risk: risk.rank, default=None),
            "mode": effective_mode(spec.mode, Mode.OBSERVE if without_leave(view) else Mode.EXECUTE),
        }
    )


def _pinned(view: WorkflowView) -> PinnedRunbook | None:
    """The runbook that it runs from now on."""
    if view.workflow.status.runbook or view.runbook is None:
        return view.workflow.status.runbook
    return pin(view.runbook, view.world.enforcement)


def _moment(view: WorkflowView, now: datetime) -> Moment:
    return Moment(now, view.workflow.metadata.generation, view.world.settings.actor)
