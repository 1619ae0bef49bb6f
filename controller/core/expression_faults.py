"""What is wrong with the expressions of a step, before anything runs: what they read, and what they are for."""

from collections.abc import Iterator

from controller.api.names import Reason
from controller.api.workflow import Computed, Step
from controller.core.computing import about_workflow, compiled, filled
from controller.core.expressions import STEPS, ExpressionFailed, ExpressionFault, compile_expression
from controller.core.view import Fault, WorkflowView


def expression_faults(view: WorkflowView, step: Step, path: str) -> Iterator[Fault]:
    """Everything wrong with `when` and `computed`. What is known from the beginning is filled in already."""
    if step.when is not None:
        try:
            reads = compile_expression(step.when, STEPS, view.definition.names).reads
        except ExpressionFault as error:
            yield _fault(f"{path}.when: {error}")
        else:
            yield from _not_before(view, step, reads, f"{path}.when")
    for one in step.computed:
        yield from _computed_faults(view, step, one, f"{path}.computed[{one.path}]")


def _computed_faults(view: WorkflowView, step: Step, one: Computed, path: str) -> Iterator[Fault]:
    try:
        expression = compiled(one, view.definition.names)
        filled(step.parameters, one.path, None)
        if expression.static:
            expression.value({"workflow": about_workflow(view.workflow)})
    except (ExpressionFault, ExpressionFailed) as error:
        yield _fault(f"{path}: {error}")
        return
    yield from _not_before(view, step, expression.reads, path)
    entry = view.world.catalogue.types.get(step.action)
    name = one.path.partition(".")[0]
    if entry and name not in (entry.type.spec.parameters.get("properties") or {name}):
        yield _fault(f"{path}: {name} is not a parameter of {step.action}")
    if entry and name in entry.fixed and not view.policy_of(step.action).dynamic_targets:
        yield _fault(
            f"{path}: parameters.{name} says what is touched, so it cannot follow from what steps give; write it out, "
            "or use workflow.parameters alone; a policy can allow it (dynamicTargets: Allow)"
        )


def _not_before(view: WorkflowView, step: Step, reads: frozenset[str], path: str) -> Iterator[Fault]:
    """A step may read only those that have ended when it starts."""
    upstream = view.definition.upstream.get(step.name)
    for name in sorted(reads - upstream) if upstream is not None else ():
        what = "itself" if name == step.name else f"step {name}, which does not come before it"
        yield _fault(f"{path}: reads {what}; add it to dependsOn, or read another")


def _fault(message: str) -> Fault:
    return Fault(Reason.INVALID_EXPRESSION, message)
