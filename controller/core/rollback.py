"""Taking back what the steps of a workflow did: one after the other, what ended last first.

Taken back is every step that succeeded, and every other that may have had an effect: its undo holds only where the
target still is as the step left it. What cannot be taken back is told and left; the others are taken back all the same.
"""

from datetime import datetime

from controller.api.common import Undo
from controller.api.names import StepOutcome
from controller.api.proposal import ActionProposal
from controller.api.workflow import OnFailure, Step, StepRollback, StepStatus
from controller.core.advance import Look
from controller.core.attempts import may_have_had_effect
from controller.core.part import Part
from controller.core.steps import by_name, is_ours, mirrored_undo, new_undo, passed, succeeded
from controller.core.view import WorkflowView
from controller.core.workflow_gates import step_block

READ_AT_ONCE = 10


def roll_back(view: WorkflowView, steps: tuple[StepStatus, ...], now: datetime, nothing_new: str | None) -> Look:
    """The next one to take back. Only for when all steps have ended. `nothing_new`: why no further one may start."""
    if nothing_new and _wanted(view, steps):
        return _given_up(view, steps, nothing_new)
    step = next_to_take_back(view, steps, nothing_new)
    if step is None:
        return Look(steps)
    told = by_name(steps)
    status = told[step.name]
    child = view.children.get(status.proposal or "")
    if child is None:
        return Look(steps, read=_next_unread(view, steps))
    undo = _undo(step, status, child.proposal)
    if isinstance(undo, str):
        return roll_back(view, _with(steps, step.name, _left(undo)), now, nothing_new)
    if block := step_block(view, Part.UNDO, now):
        return Look(steps, block=block)
    wanted = new_undo(view.workflow, step, undo)
    found = view.children.get(wanted.name)
    if found is None:
        return Look(steps, create=(wanted,))
    if found.proposal is None or not is_ours(view.workflow, wanted, found):
        message = f"a proposal named {wanted.name} exists that was not made for this"
        return Look(_with(steps, step.name, StepRollback(outcome=StepOutcome.FAILED, message=message)))
    made = StepRollback(proposal=wanted.name, uid=found.proposal.metadata.uid)
    return Look(_with(steps, step.name, mirrored_undo(made, found)))


def _given_up(view: WorkflowView, steps: tuple[StepStatus, ...], why: str) -> Look:
    """Nothing further is taken back: of each that had its turn to come it is recorded that it stays as it is."""
    left = _newest_first(view, steps)
    if unread := frozenset(status.proposal or "" for status in left) - view.children.keys():
        return Look(steps, read=unread)
    for status in left:
        proposal = view.children[status.proposal or ""].proposal
        undo = _undo(view.definition.by_name[status.name], status, proposal)
        steps = _with(steps, status.name, _left(undo) if isinstance(undo, str) else _stays(view, why))
    return Look(steps)


def next_to_take_back(view: WorkflowView, steps: tuple[StepStatus, ...], nothing_new: str | None) -> Step | None:
    """None if there is none, or if it is not its turn yet."""
    if nothing_new or under_way(steps) or not _wanted(view, steps):
        return None
    left = _newest_first(view, steps)
    return view.definition.by_name[left[0].name] if left else None


def _wanted(view: WorkflowView, steps: tuple[StepStatus, ...]) -> bool:
    """Whether what was done is to be taken back."""
    told = by_name(steps)
    all_passed = all(passed(told[step.name]) for step in view.definition.steps)
    return view.definition.on_failure is OnFailure.ROLLBACK and not all_passed


def _newest_first(view: WorkflowView, steps: tuple[StepStatus, ...]) -> list[StepStatus]:
    """The steps that ran and were not taken back yet."""
    order = {step.name: position for position, step in enumerate(view.definition.steps)}
    left = [status for status in steps if status.name in order and status.proposal and status.rollback is None]
    return sorted(left, key=lambda status: (str(status.completed_at or ""), order[status.name]), reverse=True)


def _next_unread(view: WorkflowView, steps: tuple[StepStatus, ...]) -> frozenset[str]:
    """The proposals of the next few: which of them can be taken back at all is known only then."""
    names = [status.proposal for status in _newest_first(view, steps)[:READ_AT_ONCE]]
    return frozenset(name for name in names if name and name not in view.children)


def under_way(steps: tuple[StepStatus, ...]) -> bool:
    """Whether a step is being taken back."""
    return any(status.rollback is not None and status.rollback.outcome is None for status in steps)


def _undo(step: Step, status: StepStatus, proposal: ActionProposal | None) -> Undo | str:
    """What takes the step back, or why nothing does."""
    if proposal is None:
        return "its proposal is gone, and with it what it changed"
    if not succeeded(status) and not may_have_had_effect(proposal.status.attempts):
        return "it had no effect"
    if step.undo is not None:
        return Undo(action=step.undo.action, parameters=step.undo.parameters)
    return proposal.status.undo or f"nothing takes {step.action} back"


def _left(why: str) -> StepRollback:
    return StepRollback(outcome=StepOutcome.SKIPPED, message=why)


def _stays(view: WorkflowView, why: str) -> StepRollback:
    message = f"{why}; kubectl actions undo aw/{view.workflow.metadata.name} takes it back"
    return StepRollback(outcome=StepOutcome.CANCELLED, message=message)


def _with(steps: tuple[StepStatus, ...], name: str, rollback: StepRollback) -> tuple[StepStatus, ...]:
    return tuple(
        status.model_copy(update={"rollback": rollback}) if status.name == name else status for status in steps
    )
