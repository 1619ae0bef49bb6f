"""Parameters that are computed: expressions over steps and the workflow, and where their values go. Pure.

What reads no step is known from the beginning: it is filled in before anything is shown or approved. The rest is
computed when the step starts, under the names of steps that came before.
"""

from collections.abc import Mapping
from typing import Any

from controller.api.workflow import ActionWorkflow, Computed, Step
from controller.core.expressions import (
    STEPS,
    Expression,
    ExpressionFailed,
    ExpressionFault,
    Gives,
    compile_expression,
)
from controller.core.ports import Json


def about_workflow(workflow: ActionWorkflow) -> Json:
    """What expressions see of the workflow itself."""
    metadata = workflow.metadata
    return {"name": metadata.name, "namespace": metadata.namespace or "", "parameters": workflow.spec.parameters}


def compiled(one: Computed, names: frozenset[str]) -> Expression:
    """Raises ExpressionFault. `names`: of the steps that there are."""
    return compile_expression(one.expression, STEPS, names, gives=Gives.VALUE)


def known_from_the_beginning(step: Step, names: frozenset[str], workflow: Json) -> Step:
    """The step with all filled in that reads no step. What has a fault is left as it is, for validation to tell."""
    parameters, left = step.parameters, []
    for one in step.computed:
        try:
            expression = compiled(one, names)
            if not expression.static:
                left.append(one)
                continue
            parameters = filled(parameters, one.path, expression.value({"workflow": workflow}))
        except (ExpressionFault, ExpressionFailed):
            left.append(one)
    return step.model_copy(update={"parameters": parameters, "computed": tuple(left)}) if step.computed else step


def computed(step: Step, names: frozenset[str], values: Mapping[str, Any]) -> Step:
    """The step with everything filled in. Raises ExpressionFailed with the path of what has no value."""
    parameters = step.parameters
    for one in step.computed:
        try:
            parameters = filled(parameters, one.path, compiled(one, names).value(values))
        except (ExpressionFault, ExpressionFailed) as error:
            raise ExpressionFailed(f"computed {one.path}: {error}") from error
    return step.model_copy(update={"parameters": parameters, "computed": ()})


def filled(parameters: Json, path: str, value: Any) -> Json:
    """The parameters with a value at a dotted path; objects on the way are made. Raises ExpressionFailed."""
    name, _, rest = path.partition(".")
    if not rest:
        return {**parameters, name: value}
    inside = parameters.get(name, {})
    if not isinstance(inside, dict):
        raise ExpressionFailed(f"{name} is no object, so nothing can be filled into it")
    return {**parameters, name: filled(inside, rest, value)}
