"""The steps of a workflow as a graph: what comes before what, and what is wrong with it."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from controller.api.names import Reason
from controller.api.workflow import Order, WorkflowSpec
from controller.core.view import Fault


def predecessors(spec: WorkflowSpec) -> Mapping[str, tuple[str, ...]]:
    """For each step, those that must have ended before it starts. In a Sequence: the one before."""
    if spec.order is Order.SEQUENCE:
        names = [step.name for step in spec.steps]
        return {name: tuple(names[index - 1 : index]) if index else () for index, name in enumerate(names)}
    return {step.name: step.depends_on for step in spec.steps}


def graph_faults(spec: WorkflowSpec) -> Iterator[Fault]:
    """Doubled names, dependencies that do not exist, cycles."""
    names = [step.name for step in spec.steps]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _fault(f"spec.steps: the name {name} is used more than once")
    unknown = len(set(names)) < len(names)
    for step in spec.steps:
        for missing in sorted(set(step.depends_on) - set(names)):
            unknown = True
            yield _fault(
                f"{step_path(step.name)}.dependsOn: there is no step {missing} (there are: {', '.join(names)})"
            )
    if not unknown:
        yield from _cycle(spec)


def step_path(name: str) -> str:
    """How messages name a step: `spec.steps[drain]`."""
    return f"spec.steps[{name}]"


def _cycle(spec: WorkflowSpec) -> Iterator[Fault]:
    try:
        TopologicalSorter(predecessors(spec)).prepare()
    except CycleError as error:
        path = " -> ".join(reversed(error.args[1]))
        yield _fault(f"spec.steps: {path} wait for each other; take one of these dependencies out")


def _fault(message: str) -> Fault:
    return Fault(Reason.INVALID_GRAPH, message)
