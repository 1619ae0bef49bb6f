"""What is wrong with the expressions of a step, before anything runs: what they read, and what they are for."""

from collections.abc import Iterator

from controller.api.names import Reason
from controller.api.workflow import Computed, Order, Step
from controller.core.computing import compiled, filled
from controller.core.definition import Definition
from controller.core.expressions import STEPS, ExpressionFailed, ExpressionFault, NoSuchStep, compile_expression
from controller.core.ports import Json
from controller.core.view import Fault, WorkflowView


def expression_faults(view: WorkflowView, step: Step, path: str) -> Iterator[Fault]:
    """Everything wrong with `when` and `computed`. What is known from the beginning is filled in already."""
    if step.when is not None:
        yield from _when_faults(view, step, step.when, f"{path}.when")
    written = next((one for one in view.plan.all_steps if one.name == step.name), step)
    yield from map(_fault, _filled_twice(written, path))
    for one in step.computed:
        yield from _computed_faults(view, step, one, f"{path}.computed[{one.path}]")


def _when_faults(view: WorkflowView, step: Step, when: str, path: str) -> Iterator[Fault]:
    try:
        expression = compile_expression(when, STEPS, view.definition.names)
        if expression.static and view.definition.about is not None:
            expression.truth({"workflow": view.definition.about})
    except (ExpressionFault, ExpressionFailed) as error:
        yield _fault(f"{path}: {_told(view, step, error)}")
        return
    yield from _not_before(view, step, expression.reads, path)


def _filled_twice(step: Step, path: str) -> Iterator[str]:
    """Places of the parameters for which there is more than one value: which of them holds must not be chance."""
    paths = [one.path for one in step.computed]
    for number, one in enumerate(paths):
        here = f"{path}.computed[{one}]"
        for other in paths[:number]:
            if one == other:
                yield f"{here}: is computed twice; take one of the two out"
            elif f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}."):
                yield f"{here}: {other} is computed too, and one is inside of the other; compute the outer one whole"
        if _stands_in(step.parameters, one):
            yield f"{here}: parameters.{one} is given too; take one of the two out"


def _stands_in(parameters: Json, path: str) -> bool:
    name, _, rest = path.partition(".")
    if name not in parameters or not rest:
        return name in parameters
    inside = parameters[name]
    return isinstance(inside, dict) and _stands_in(inside, rest)


def _computed_faults(view: WorkflowView, step: Step, one: Computed, path: str) -> Iterator[Fault]:
    try:
        expression = compiled(one, view.definition.names)
        filled(step.parameters, one.path, None)
        if expression.static and view.definition.about is not None:
            expression.value({"workflow": view.definition.about})
    except (ExpressionFault, ExpressionFailed) as error:
        yield _fault(f"{path}: {_told(view, step, error)}")
        return
    yield from _not_before(view, step, expression.reads, path)
    entry = view.world.catalogue.types.get(step.action)
    name = one.path.partition(".")[0]
    if entry and name not in (entry.type.spec.parameters.get("properties") or {name}):
        yield _fault(f"{path}: {name} is not a parameter of {step.action}")
    if entry and name in entry.fixed and not expression.static and not view.policy_of(step.action).dynamic_targets:
        yield _fault(
            f"{path}: parameters.{name} says what is touched, so it cannot follow from what steps give; write it out, "
            "or use workflow.parameters alone; a policy can allow it (dynamicTargets: Allow)"
        )


def _told(view: WorkflowView, step: Step, error: Exception) -> str:
    """In words; of a step that there is not, with those that this one may read."""
    readable = view.definition.upstream.get(step.name)
    return error.offering(readable) if isinstance(error, NoSuchStep) and readable is not None else str(error)


def _not_before(view: WorkflowView, step: Step, reads: frozenset[str], path: str) -> Iterator[Fault]:
    """A step may read only those that have ended when it starts."""
    upstream = view.definition.upstream.get(step.name)
    for name in sorted(reads - upstream) if upstream is not None else ():
        what = "itself" if name == step.name else f"step {name}, which does not come before it"
        yield _fault(f"{path}: reads {what}; {_mend(view.definition, step.name, name)}")


def _mend(definition: Definition, reader: str, read: str) -> str:
    if read == reader:
        return "read another"
    if read not in definition.main and reader in definition.main:
        return "finally steps come last; read another"
    if definition.order is Order.SEQUENCE:
        return f"move {read} before this one, or read another"
    return "add it to dependsOn, or read another"


def _fault(message: str) -> Fault:
    return Fault(Reason.INVALID_EXPRESSION, message)
