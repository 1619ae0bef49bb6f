"""One look at the steps of a workflow, or at its finally steps: what is skipped, what starts, what has to be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.api.names import Reason, StepOutcome
from controller.api.workflow import Order, Step, StepStatus
from controller.core.decision import NewStep
from controller.core.part import Part
from controller.core.starting import DoNot, ReadFirst, Start, how_to_start
from controller.core.steps import by_name, idle, is_ours, mirrored, new_step, passed, running
from controller.core.verdicts import Block
from controller.core.view import WorkflowView
from controller.core.workflow_gates import step_block


@dataclass(frozen=True)
class Look:
    """How all steps stand after a look; what must be created or read before the next; why nothing more starts."""

    steps: tuple[StepStatus, ...]
    create: tuple[NewStep, ...] = ()
    read: frozenset[str] = frozenset()
    block: Block | None = None

    @property
    def unfinished(self) -> bool:
        """Whether what comes after must wait for this to be carried out."""
        return bool(self.create or self.read or self.block)


def advance(
    view: WorkflowView, part: Part, steps: tuple[StepStatus, ...], now: datetime, nothing_new: str | None = None
) -> Look:
    """Looks at one part. `nothing_new`: why no further step of it may start, if so."""
    own = view.definition.finally_ if part is Part.FINALLY else view.definition.steps
    told = _skipped_by_others(view, own, by_name(steps), nothing_new)
    before = view.definition.before
    ready = [step for step in own if idle(told[step.name]) and all(told[name].outcome for name in before[step.name])]
    if not ready:
        return Look(tuple(told.values()))
    if block := step_block(view, part, now):
        return Look(tuple(told.values()), block=block)
    room = max(0, view.definition.max_parallel - sum(map(running, steps)))
    return _started(view, part, ready[:room], dict(told))


def _started(view: WorkflowView, part: Part, ready: Sequence[Step], told: dict[str, StepStatus]) -> Look:
    """Records the proposals of steps whose turn has come; those that do not exist yet are to be created first."""
    create: list[NewStep] = []
    read: frozenset[str] = frozenset()
    after = dict(told)
    for step in ready:
        match how_to_start(view, step, told):
            case ReadFirst(proposals):
                read |= proposals
            case DoNot(outcome, reason, message):
                ended = {"outcome": outcome, "reason": reason, "message": message}
                after[step.name] = told[step.name].model_copy(update=ended)
            case Start(resolved):
                wanted = new_step(view.workflow, resolved, part)
                if wanted.name in view.children:
                    after[step.name] = _recorded(view, wanted, told[step.name])
                else:
                    create.append(wanted)
    if create or read:
        return Look(tuple(told.values()), tuple(create), read)
    return Look(tuple(after.values()))


def _recorded(view: WorkflowView, wanted: NewStep, status: StepStatus) -> StepStatus:
    """The step with its proposal; a proposal of that name which is not ours is never taken."""
    child = view.children[wanted.name]
    if child.proposal is not None and is_ours(view.workflow, wanted, child):
        update = {"proposal": wanted.name, "uid": child.proposal.metadata.uid}
        return mirrored(status.model_copy(update=update), child)
    message = (
        f"a proposal named {wanted.name} exists that was not made for this step; delete it and propose the workflow "
        "again"
    )
    taken = {"outcome": StepOutcome.FAILED, "reason": Reason.NAME_TAKEN, "message": message}
    return status.model_copy(update=taken)


def _skipped_by_others(
    view: WorkflowView, own: Sequence[Step], told: Mapping[str, StepStatus], nothing_new: str | None
) -> Mapping[str, StepStatus]:
    """Marks what will never start: all once nothing new may, else what depends on a step that did not succeed.

    A step with `when` decides by that alone.
    """
    current = dict(told)
    if nothing_new:
        for step in own:
            if idle(current[step.name]):
                current[step.name] = _skipped(current[step.name], nothing_new)
        return current
    if view.definition.order is Order.SEQUENCE:
        return current
    changed = True
    while changed:
        changed = False
        for step in own:
            status = current[step.name]
            failed = [b for b in view.definition.before[step.name] if current[b].outcome and not passed(current[b])]
            if idle(status) and step.when is None and failed:
                current[step.name] = _skipped(status, f"step {failed[0]} did not succeed")
                changed = True
    return current


def _skipped(status: StepStatus, why: str) -> StepStatus:
    return status.model_copy(update={"outcome": StepOutcome.SKIPPED, "reason": Reason.NOT_STARTED, "message": why})
