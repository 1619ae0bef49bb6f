"""What becomes of a workflow's steps at one look: which have ended, which are skipped, which start.

How the workflow itself stands, and what its status says of all this, is for `core.workflow`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.api.names import StepOutcome
from controller.api.workflow import OnFailure, Order, Step, StepStatus
from controller.core.decision import NewStep
from controller.core.graph import predecessors
from controller.core.steps import by_name, is_ours, mirrored, new_step, proposal_name, started, succeeded
from controller.core.verdicts import Block
from controller.core.view import WorkflowView
from controller.core.workflow_gates import STEP_GATES, approval_of


@dataclass(frozen=True)
class Progress:
    """The steps after one look: how each stands, what to create first, why nothing more starts."""

    steps: tuple[StepStatus, ...]
    create: tuple[NewStep, ...] = ()
    block: Block | None = None
    goes_on: bool = False
    """Whether a step ended where it was to start: what follows from that is due at once."""

    @property
    def running(self) -> tuple[StepStatus, ...]:
        return tuple(step for step in self.steps if started(step) and step.outcome is None)

    @property
    def over(self) -> bool:
        return all(step.outcome for step in self.steps)


def unread(view: WorkflowView) -> tuple[str, ...]:
    """The proposals that have to be read first: of steps that ran, but not live any more."""
    under_way = (step.proposal for step in _steps_of(view) if step.proposal and step.outcome is None)
    return tuple(name for name in under_way if name not in view.children)


def progress(view: WorkflowView, now: datetime) -> Progress:
    """The steps as their proposals tell them, those that never start skipped, those that are ready started."""
    steps = tuple(
        mirrored(step, view.children[step.proposal]) if step.proposal and step.outcome is None else step
        for step in _steps_of(view)
    )
    return _start_ready(view, _skip(view, steps, now), now)


def _steps_of(view: WorkflowView) -> tuple[StepStatus, ...]:
    """The steps as they were last written."""
    spec, status = view.workflow.spec, view.workflow.status
    return status.steps or tuple(StepStatus(name=step.name) for step in spec.steps)


def _skip(view: WorkflowView, steps: tuple[StepStatus, ...], now: datetime) -> tuple[StepStatus, ...]:
    """Marks what will never start: all once nothing new may, else what depends on a step that did not succeed."""
    reason = _why_nothing_new(view, steps, now)
    if reason:
        return tuple(_skipped(step, reason) if _idle(step) else step for step in steps)
    if view.workflow.spec.order is Order.SEQUENCE:
        return steps
    before = predecessors(view.workflow.spec)
    current = dict(by_name(steps))
    changed = True
    while changed:
        changed = False
        for name, step in current.items():
            failed = [b for b in before[name] if current[b].outcome and not succeeded(current[b])]
            if _idle(step) and failed:
                current[name] = _skipped(step, f"step {failed[0]} did not succeed")
                changed = True
    return tuple(current.values())


def _why_nothing_new(view: WorkflowView, steps: tuple[StepStatus, ...], now: datetime) -> str | None:
    if view.workflow.spec.cancelled:
        return "the workflow was cancelled"
    if vote := approval_of(view, now).rejection:
        return f"the workflow was rejected by {vote.username}"
    if now >= view.end:
        return "the workflow's activeDeadlineSeconds is over"
    failed = [step.name for step in steps if step.outcome and not succeeded(step)]
    if failed and view.workflow.spec.on_failure is OnFailure.STOP:
        return f"step {failed[0]} did not succeed"
    return None


def _start_ready(view: WorkflowView, steps: tuple[StepStatus, ...], now: datetime) -> Progress:
    """Records the proposals of ready steps; those that do not exist yet are to be created first."""
    before = predecessors(view.workflow.spec)
    current = by_name(steps)
    ready = [name for name, step in current.items() if _idle(step) and all(current[b].outcome for b in before[name])]
    running = sum(1 for step in steps if started(step) and step.outcome is None)
    room = max(0, view.workflow.spec.max_parallel - running)
    block = next((block for gate in STEP_GATES if (block := gate(view, now))), None)
    if block or not ready:
        return Progress(steps, block=block if ready else None)
    chosen = set(ready[:room])
    specs = {step.name: step for step in view.workflow.spec.steps}
    create = tuple(
        new_step(view.workflow, specs[name])
        for name in ready[:room]
        if proposal_name(view.workflow, name) not in view.children
    )
    if create:
        return Progress(steps, create)
    after = tuple(_recorded(view, specs[s.name], s) if s.name in chosen else s for s in steps)
    return Progress(after, goes_on=_ended(after) > _ended(steps))


def _recorded(view: WorkflowView, step: Step, status: StepStatus) -> StepStatus:
    """The step with its proposal; a proposal of that name which is not ours is never taken."""
    name = proposal_name(view.workflow, step.name)
    child = view.children[name]
    if child.proposal is not None and is_ours(view.workflow, step, child):
        return mirrored(status.model_copy(update={"proposal": name, "uid": child.proposal.metadata.uid}), child)
    message = (
        f"a proposal named {name} exists that was not made for this step; delete it and propose the workflow again"
    )
    return status.model_copy(update={"outcome": StepOutcome.FAILED, "message": message})


def _idle(step: StepStatus) -> bool:
    return not started(step) and step.outcome is None


def _skipped(step: StepStatus, why: str) -> StepStatus:
    return step.model_copy(update={"outcome": StepOutcome.SKIPPED, "message": why})


def _ended(steps: Sequence[StepStatus]) -> int:
    return sum(1 for step in steps if step.outcome)
