"""How a workflow tells of its steps: what ended, what runs, why nothing new starts, and how it ends as a whole."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from controller.api.names import Outcome, Phase, Reason, StepOutcome, Transition
from controller.api.workflow import OnFailure, StepStatus, WorkflowStatus
from controller.core.lifecycle import Moment
from controller.core.lifecycle import ended as with_outcome
from controller.core.status import Standing, note
from controller.core.steps import by_name, given_up, passed, running, started
from controller.core.stopping import who_cancelled, why_cancelled
from controller.core.view import WorkflowView
from controller.core.workflow_gates import approval_of

MAX_NAMES_TOLD = 10


def why_nothing_new(view: WorkflowView, steps: Sequence[StepStatus], now: datetime) -> str | None:
    """Why no further step starts."""
    if stopped := _stopped(view, now):
        return stopped
    if now >= view.end:
        return "the workflow's activeDeadlineSeconds is over"
    if view.definition.on_failure is not OnFailure.CONTINUE:
        return next((f"step {step.name} did not succeed" for step in steps if step.outcome and not passed(step)), None)
    return None


def why_not_back(view: WorkflowView, now: datetime) -> str | None:
    """Why no further step is taken back: people who stop a workflow leave things as they are."""
    return _stopped(view, now)


def _stopped(view: WorkflowView, now: datetime) -> str | None:
    if view.cancelled:
        return "the workflow was cancelled"
    if vote := approval_of(view, now).rejection:
        return f"the workflow was rejected by {vote.username}"
    return None


def ended(steps: Sequence[StepStatus]) -> int:
    """How many have ended, and how many were taken back."""
    return sum(bool(step.outcome) + bool(step.rollback and step.rollback.outcome) for step in steps)


def told(view: WorkflowView, status: WorkflowStatus, steps: tuple[StepStatus, ...], now: datetime) -> WorkflowStatus:
    """The status with the steps, their sums, and a history line for each that ended or was taken back."""
    actor = view.world.settings.actor
    before = by_name(status.steps)
    if not any(map(started, status.steps)) and any(map(started, steps)):
        message = f"{view.workflow.spec.description} ({len(steps)} steps)"
        status = note(status, Transition.WORKFLOW_CREATED, message, actor=actor, at=now)
    fresh = [step for step in steps if step.outcome and not (step.name in before and before[step.name].outcome)]
    for step in fresh:
        if step.outcome is not StepOutcome.SKIPPED:
            message = f"{step.name}: {step.outcome}" + (f": {step.message}" if step.message else "")
            status = note(status, Transition.STEP_FINISHED, message, actor=actor, at=now)
    skipped = [step for step in fresh if step.outcome is StepOutcome.SKIPPED]
    for alike in ([step for step in skipped if passed(step)], [step for step in skipped if not passed(step)]):
        if alike:
            message = f"{names(alike)}: skipped, {alike[0].message}"
            status = note(status, Transition.STEP_SKIPPED, message, actor=actor, at=now)
    for step in steps:
        old = before[step.name].rollback if step.name in before else None
        new = step.rollback and step.rollback.outcome and not (old and old.outcome)
        if new and not _nothing_to_take_back(step) and not given_up(step):
            transition, message = _taken_back(step)
            status = note(status, transition, message, actor=actor, at=now)
    left = [step for step in steps if given_up(step) and not (step.name in before and before[step.name].rollback)]
    if left:
        message = f"{names(left)}: left as it is: {left[0].rollback.message if left[0].rollback else ''}"
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


def _nothing_to_take_back(step: StepStatus) -> bool:
    """Whether it left nothing behind, so that nobody misses its undo."""
    return not passed(step) and step.rollback is not None and step.rollback.outcome is StepOutcome.SKIPPED


def _taken_back(step: StepStatus) -> tuple[Transition, str]:
    back = step.rollback
    message = f"{step.name}: {back.message}" if back and back.message else step.name
    match back.outcome if back else None:
        case StepOutcome.SUCCEEDED:
            return Transition.ROLLED_BACK, message
        case StepOutcome.SKIPPED:
            return Transition.STEP_SKIPPED, f"{message}: left as it is"
    return Transition.ROLLBACK_FAILED, message


def progress(steps: Sequence[StepStatus]) -> Standing:
    """Where it stands while it runs."""
    active = [step for step in steps if running(step)]
    done = sum(1 for step in steps if step.outcome)
    back = [step for step in steps if step.rollback and step.rollback.outcome is None]
    if back:
        return Standing(Phase.RUNNING, Reason.PROGRESSING, f"takes back what was done: {names(back)}")
    retrying = [step for step in active if step.next_retry_at]
    message = f"{done} of {len(steps)} steps ended; running: {names(active)}"
    if active and len(retrying) == len(active):
        message = f"{done} of {len(steps)} steps ended; {names(retrying)} will be tried again: {retrying[0].message}"
        return Standing(Phase.RETRYING, Reason.PROGRESSING_WITH_RETRY, message)
    return Standing(Phase.RUNNING, Reason.PROGRESSING, message)


def end(view: WorkflowView, status: WorkflowStatus, now: datetime) -> WorkflowStatus:
    """The status with the outcome of the whole."""
    steps, main = status.steps, [step for step in status.steps if step.name in view.definition.main]
    unknown = [step for step in steps if step.outcome is StepOutcome.UNKNOWN]
    missing = [step for step in steps if not passed(step)]
    failed = [step for step in missing if step.outcome is not StepOutcome.SKIPPED]
    rejected_by, actor = approval_of(view, now).rejection, None
    if unknown:
        message = f"it is not known what became of {names(unknown)}: {unknown[0].message}"
        outcome, reason = Outcome.UNKNOWN, Reason.STEP_UNKNOWN
    elif not missing:
        not_needed = sum(1 for step in main if step.outcome is StepOutcome.SKIPPED)
        message = f"all {len(main)} steps succeeded"
        if not_needed:
            message = f"{len(main) - not_needed} of {len(main)} steps succeeded, the others were not needed"
        outcome, reason = Outcome.SUCCEEDED, Reason.SUCCEEDED
    elif view.cancelled or rejected_by:
        world, stopped = view.world, view.workflow.model_copy(update={"status": status})
        actor = rejected_by.username if rejected_by else who_cancelled(stopped, world.enforcement, world.settings.actor)
        reason, what = (Reason.CANCELLED, "rejected") if rejected_by else why_cancelled(stopped)
        message = f"{what}; {sum(map(passed, main))} of {len(main)} steps had succeeded"
        if broken := [step for step in failed if step.outcome is not StepOutcome.CANCELLED]:
            message += f"; {_broken(broken)}"
        outcome = Outcome.CANCELLED
    elif not failed:
        message = f"not finished within activeDeadlineSeconds ({view.workflow.spec.active_deadline_seconds} s)"
        outcome, reason = Outcome.FAILED, Reason.DEADLINE_EXCEEDED
    else:
        message = _broken(failed)
        outcome, reason = Outcome.FAILED, Reason.STEP_FAILED
        if now >= view.end and view.definition.on_failure is not OnFailure.ROLLBACK:
            message = f"not finished within activeDeadlineSeconds ({view.workflow.spec.active_deadline_seconds} s)"
            reason = Reason.DEADLINE_EXCEEDED
    message = "; ".join([message, *_backs(steps, view.workflow.metadata.name)])
    moment = Moment(now, view.workflow.metadata.generation, view.world.settings.actor)
    return with_outcome(status, outcome, reason, message, moment, actor=actor)


def _broken(failed: Sequence[StepStatus]) -> str:
    return f"{names(failed)} did not succeed: {failed[0].message}"


def _backs(steps: Sequence[StepStatus], workflow: str) -> Iterator[str]:
    """What became of taking back, in words."""
    back = [step for step in steps if step.rollback and not _nothing_to_take_back(step)]
    for what, wanted in (
        ("taken back", {StepOutcome.SUCCEEDED}),
        ("NOT taken back", set(StepOutcome) - {StepOutcome.SUCCEEDED, StepOutcome.SKIPPED}),
        ("nothing takes back", {StepOutcome.SKIPPED}),
    ):
        found = [step for step in back if step.rollback and step.rollback.outcome in wanted]
        if found:
            stopped = any(map(given_up, found))
            yield f"{what}: {names(found)}" + (f" (to do it: kubectl actions undo aw/{workflow})" if stopped else "")


def names(steps: Sequence[StepStatus]) -> str:
    listed = ", ".join(step.name for step in steps[:MAX_NAMES_TOLD])
    return listed + (f" and {len(steps) - MAX_NAMES_TOLD} more" if len(steps) > MAX_NAMES_TOLD else "")
