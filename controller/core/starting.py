"""Whether and with which parameters a step starts whose turn has come: what `when` and `computed` say. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.api.names import Reason, StepOutcome
from controller.api.workflow import Step, StepStatus
from controller.core.computing import about_workflow, compiled, computed
from controller.core.expressions import STEPS, ExpressionFailed, ExpressionFault, compile_expression
from controller.core.ports import Json
from controller.core.status import bounded
from controller.core.view import WorkflowView


@dataclass(frozen=True)
class Start:
    """It starts, as this: everything computed is filled in."""

    step: Step


@dataclass(frozen=True)
class DoNot:
    """It ends without having started."""

    outcome: StepOutcome
    reason: Reason
    message: str


@dataclass(frozen=True)
class ReadFirst:
    """These proposals must be read first: an expression is about steps that have ended."""

    proposals: frozenset[str]


def how_to_start(view: WorkflowView, step: Step, told: Mapping[str, StepStatus]) -> Start | DoNot | ReadFirst:
    """`told`: where every step of the workflow stands, by name."""
    if step.when is None and not step.computed:
        return Start(step)
    try:
        reads = _reads(view, step)
        unread = frozenset(_proposals(told, reads)) - view.children.keys()
        if unread:
            return ReadFirst(unread)
        values = {"workflow": about_workflow(view.workflow), "steps": {name: _seen(view, told[name]) for name in reads}}
        if step.when is not None:
            needed = compile_expression(step.when, STEPS, view.definition.names).truth(values)
            if not needed:
                message = bounded(f"not needed: when is false ({step.when})")
                return DoNot(StepOutcome.SKIPPED, Reason.WHEN_FALSE, message)
        return Start(computed(step, view.definition.names, values))
    except (ExpressionFault, ExpressionFailed) as error:
        where = "" if str(error).startswith("computed ") else "when: "
        return DoNot(StepOutcome.FAILED, Reason.EXPRESSION_FAILED, bounded(f"{where}{error}"))


def _reads(view: WorkflowView, step: Step) -> frozenset[str]:
    """Names of the steps that its expressions read."""
    names = view.definition.names
    found = [compiled(one, names).reads for one in step.computed]
    if step.when is not None:
        found.append(compile_expression(step.when, STEPS, names).reads)
    return frozenset().union(*found)


def _proposals(told: Mapping[str, StepStatus], names: Iterable[str]) -> Iterable[str]:
    return (status.proposal for name in names if (status := told[name]).proposal)


def _seen(view: WorkflowView, status: StepStatus) -> Json:
    """What an expression sees of a step. Outputs are those that its proposal keeps."""
    child = view.children.get(status.proposal or "")
    outputs = child.proposal.status.outputs if child and child.proposal else None
    return {
        "outcome": status.outcome.value if status.outcome else "",
        "retryCount": status.retry_count or 0,
        "outputs": outputs or {},
    }
